//! Real nginx processes: one process each, on a free port, with all they write in a folder that goes with them.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

/// A running nginx; ends when it is dropped.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    _process: Running,
    _folder: TempDir,
}

/// A process that is ended, and gone, when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nginx {
    /// Starts nginx on what `configuration` says of a port and a folder to write into.
    pub(crate) async fn start(configuration: impl Fn(u16, &Path) -> String) -> Self {
        let mut complaint = String::new();
        // nginx cannot be told to take any port, and a port that was free a moment ago can be another's by now.
        for _ in 0..5 {
            match Self::try_start(&configuration).await {
                Ok(nginx) => return nginx,
                Err(log) => complaint = log,
            }
        }
        panic!("nginx does not start: {complaint}")
    }

    async fn try_start(configuration: impl Fn(u16, &Path) -> String) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let (file, log) = (folder.path().join("nginx.conf"), folder.path().join("error.log"));
        let pid = folder.path().join("nginx.pid");
        // One process, not a master and its worker, so that killing it leaves nobody behind.
        let alone = format!("daemon off;\nmaster_process off;\npid {};\nerror_log stderr warn;\n", pid.display());
        fs::write(&file, alone + &configuration(port, folder.path())).unwrap();

        let mut process = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .map(Running)
            .unwrap();
        match answers(port, &mut process.0).await {
            true => Ok(Self { port, _process: process, _folder: folder }),
            false => Err(fs::read_to_string(&log).unwrap_or_default()),
        }
    }
}

/// Waits until the port is open or the process has given up.
async fn answers(port: u16, process: &mut Child) -> bool {
    loop {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(_) => return true,
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
