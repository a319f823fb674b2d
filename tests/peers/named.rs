//! A real name server: BIND, on a port and in a folder of its own, with one zone that changes while it runs.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::running::Running;
use crate::harness::{OwnPort, within};

/// A running BIND; ends when it is dropped. It answers for `zone.test`, and for `broken.test`, whose file is not there.
pub(crate) struct Named {
    pub(crate) address: SocketAddr,
    process: Running,
    folder: TempDir,
    _own_port: OwnPort,
}

impl Named {
    /// With these records of `zone.test`, as a zone file has them, good for a second.
    pub(crate) async fn start(records: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let head = "$TTL 1\n@ SOA ns.zone.test. root.zone.test. 1 3600 60 86400 1\n@ NS ns.zone.test.\nns A 127.0.0.1\n";
        fs::write(folder.path().join("zone"), format!("{head}{records}\n")).unwrap();
        // BIND cannot be told to take any port; it sets SO_REUSEADDR, so it gets this one, and again when it comes back.
        let own_port = OwnPort::of_both();
        let process = run(&folder, own_port.address).await;
        Self { address: own_port.address, process, folder, _own_port: own_port }
    }

    /// Changes the zone: a line each, `add web A 127.0.0.1` or `delete web A`, all at once.
    pub(crate) async fn change(&self, lines: &[&str]) {
        let mut script = format!("server {} {}\nzone zone.test\n", self.address.ip(), self.address.port());
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            script += &match &words[..] {
                ["add", name, rest @ ..] => format!("update add {name}.zone.test. 1 {}\n", rest.join(" ")),
                ["delete", name, rest @ ..] => format!("update delete {name}.zone.test. {}\n", rest.join(" ")),
                _ => panic!("{line}: neither added nor deleted"),
            };
        }
        let file = self.folder.path().join("change");
        fs::write(&file, script + "send\n").unwrap();
        // Sessions go on meanwhile.
        let changed = within(tokio::process::Command::new("nsupdate").arg(file).status()).await;
        assert!(changed.unwrap().success());
    }

    /// It neither answers nor ends.
    pub(crate) fn hang(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// It dies without a word.
    pub(crate) fn die(&mut self) {
        // Either fails only when the process has ended already.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
    }

    /// The same, at the same address, with what it had.
    pub(crate) async fn come_back(&mut self) {
        self.process = run(&self.folder, self.address).await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.0.id().try_into().unwrap()).unwrap()
    }
}

/// Starts it, and waits until it answers.
async fn run(folder: &TempDir, address: SocketAddr) -> Running {
    let file = |name: &str| folder.path().join(name);
    fs::write(file("named.conf"), configuration(folder.path().into(), address)).unwrap();
    let mut process = Command::new("named")
        .args(["-g", "-c"])
        .arg(file("named.conf"))
        .stdin(Stdio::null())
        .stderr(File::create(file("log")).unwrap())
        .spawn()
        .map(Running)
        .unwrap();
    let log = || fs::read_to_string(file("log")).unwrap();
    let answers = async {
        while TcpStream::connect(address).await.is_err() || !log().contains("all zones loaded") {
            // It would go on without the port.
            let has_given_up = process.0.try_wait().unwrap().is_some() || log().contains("address in use");
            assert!(!has_given_up, "named does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(answers).await;
    process
}

fn configuration(folder: PathBuf, address: SocketAddr) -> String {
    let (folder, port, ip) = (folder.display(), address.port(), address.ip());
    format!(
        "options {{\n  directory \"{folder}\"; pid-file none; session-keyfile \"{folder}/session.key\"; managed-keys-directory \"{folder}\";\n  \
         listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};\n  recursion no; dnssec-validation no; max-records-per-type 0; minimal-responses yes;\n}};\n\
         controls {{ }};\n\
         zone \"zone.test\" {{ type primary; file \"zone\"; allow-update {{ {ip}; }}; }};\n\
         zone \"broken.test\" {{ type primary; file \"not there\"; }};\n"
    )
}
