//! Real nginx processes: one process each, on a free port, with all they write in a folder that goes with them.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::running::Running;
use crate::harness::OwnPort;

/// A running nginx; ends when it is dropped.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    process: Running,
    folder: TempDir,
    _own_port: OwnPort,
}

impl Nginx {
    /// Starts nginx on what `configuration` says of a port and a folder to write into.
    pub(crate) async fn start(configuration: impl Fn(u16, &Path) -> String) -> Self {
        Self::start_by("nginx", configuration).await
    }

    /// The same by a program that need not be the installed one.
    pub(crate) async fn start_by(program: &str, configuration: impl Fn(u16, &Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // nginx cannot be told to take any port; it sets SO_REUSEADDR, so it gets this one, over UDP too.
        let own_port = OwnPort::of_both();
        let port = own_port.address.port();
        let (file, log) = (folder.path().join("nginx.conf"), folder.path().join(LOG));
        let pid = folder.path().join("nginx.pid");
        // One process, not a master and its worker, so that killing it leaves nobody behind.
        let alone = format!("daemon off;\nmaster_process off;\npid {};\nerror_log stderr warn;\n", pid.display());
        fs::write(&file, alone + &configuration(port, folder.path())).unwrap();

        let process = Command::new(program)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .map(Running)
            .unwrap();
        let mut nginx = Self { port, process, folder, _own_port: own_port };
        assert!(nginx.answers().await, "nginx does not start: {}", nginx.log());
        nginx
    }

    /// Waits until the port is open or the process has given up.
    async fn answers(&mut self) -> bool {
        while self.process.0.try_wait().unwrap().is_none() {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await {
                Ok(_) => return true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    /// Where it may write.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has complained of.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }
}

const LOG: &str = "error.log";
