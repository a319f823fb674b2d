//! A real name server: BIND, on a port and in a folder of its own, with one zone that changes while it runs.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::harness::within;

/// A running BIND; ends when it is dropped. It answers for `zone.test`, and for `broken.test`, whose file is not there.
pub(crate) struct Named {
    pub(crate) address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Named {
    /// With these records of `zone.test`, as a zone file has them, good for a second.
    pub(crate) async fn start(records: &str) -> Self {
        // BIND cannot be told to take any port, and a port that was free a moment ago can be another's by now.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let head = "$TTL 1\n@ SOA ns.zone.test. root.zone.test. 1 3600 60 86400 1\n@ NS ns.zone.test.\nns A 127.0.0.1\n";
            fs::write(folder.path().join("zone"), format!("{head}{records}\n")).unwrap();
            let address = free_address();
            if let Some(process) = run(&folder, address).await {
                return Self { address, process, folder };
            }
        }
        panic!("named does not start")
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
        end(&mut self.process);
    }

    /// The same, at the same address, with what it had.
    pub(crate) async fn come_back(&mut self) {
        self.process = within(async {
            loop {
                if let Some(process) = run(&self.folder, self.address).await {
                    break process;
                }
            }
        })
        .await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap()).unwrap()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Starts it, and waits until it answers; nothing if it gives up.
async fn run(folder: &TempDir, address: SocketAddr) -> Option<Child> {
    let file = |name: &str| folder.path().join(name);
    fs::write(file("named.conf"), configuration(folder.path().into(), address)).unwrap();
    let mut process = Command::new("named")
        .args(["-g", "-c"])
        .arg(file("named.conf"))
        .stdin(Stdio::null())
        .stderr(File::create(file("log")).unwrap())
        .spawn()
        .unwrap();
    let answers = async {
        let says = |words: &str| fs::read_to_string(file("log")).unwrap().contains(words);
        while TcpStream::connect(address).await.is_err() || !says("all zones loaded") {
            // It would go on without the port, which may be that of somebody's connection for a moment.
            if process.try_wait().unwrap().is_some() || says("address in use") {
                end(&mut process);
                return false;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        true
    };
    within(answers).await.then_some(process)
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

fn end(process: &mut Child) {
    // Either fails only when the process has ended already.
    let _ = process.kill();
    let _ = process.wait();
}

/// An address that is free over UDP and TCP.
fn free_address() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
