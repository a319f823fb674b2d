//! Real HAProxy processes: one process each, on a free port.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::running::Running;
use crate::harness::OwnPort;

/// A running HAProxy; ends when it is dropped.
pub(crate) struct Haproxy {
    pub(crate) port: u16,
    process: Running,
    _folder: TempDir,
    _own_port: OwnPort,
}

impl Haproxy {
    /// Starts it on what `configuration` says of a port, behind times for all.
    pub(crate) async fn start(configuration: impl Fn(u16) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It cannot be told to take any port; it sets SO_REUSEADDR, so it gets this one.
        let own_port = OwnPort::take(0);
        let port = own_port.address.port();
        let (file, log) = (folder.path().join("haproxy.cfg"), folder.path().join("log"));
        let times = "global\n  ssl-default-bind-options ssl-min-ver TLSv1.2\n\
                     defaults\n  timeout connect 20s\n  timeout client 20s\n  timeout server 20s\n";
        fs::write(&file, format!("{times}{}\n", configuration(port))).unwrap();
        let process = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .map(Running)
            .unwrap();
        let mut haproxy = Self { port, process, _folder: folder, _own_port: own_port };
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            let ended = haproxy.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "HAProxy does not start: {}", fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        haproxy
    }
}
