//! `ssh-pool.toml` before two real OpenSSH servers: a client stays with its server, and what it copies arrives.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::is_installed;
use super::running::Running;
use crate::harness::{Gate, OwnPort, connect, read, within};

const CONFIGURATION: &str = include_str!("../data/configs/ssh-pool.toml");

/// Two servers behind the gate, and what a client needs. The servers have one host key, as those of a pool do.
struct Pool {
    gate: Gate,
    folder: TempDir,
    _servers: [Running; 2],
    _own_ports: [OwnPort; 2],
}

impl Pool {
    /// Nothing, if a program is not installed and need not be.
    async fn open() -> Option<Self> {
        if ["sshd", "ssh", "scp", "ssh-keygen"].iter().any(|program| !is_installed(program)) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "client"] {
            make_key(&folder.path().join(key)).await;
        }
        let ports = [OwnPort::take(0), OwnPort::take(0)];
        let servers = [serve(folder.path(), "first", &ports[0]).await, serve(folder.path(), "second", &ports[1]).await];
        let sets = [
            "listener.ssh.listen=\"127.0.0.1:0\"".to_owned(),
            format!("upstream.sshsrvs.servers=[\"{}\", \"{}\"]", ports[0].address, ports[1].address),
        ];
        let gate = Gate::start_with(CONFIGURATION, &sets);
        let known = fs::read_to_string(folder.path().join("host.pub")).unwrap();
        fs::write(folder.path().join("known_hosts"), format!("[127.0.0.1]:{} {known}", gate.address("ssh").port())).unwrap();
        Some(Self { gate, folder, _servers: servers, _own_ports: ports })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// `ssh` or `scp`, about to come from this address, which trusts nobody but these servers.
    fn client(&self, program: &str, from: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"]);
        command.arg("-i").arg(self.path("client")).arg("-o").arg(format!("UserKnownHostsFile={}", self.path("known_hosts").display()));
        command.arg("-o").arg(format!("BindAddress={from}")).arg("-o").arg(format!("Port={}", self.gate.address("ssh").port()));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// The server on which a client's command runs.
    async fn server_of(&self, client: &str) -> String {
        within(said(self.client("ssh", client).args(["127.0.0.1", "echo $SERVER"]))).await
    }
}

async fn make_key(file: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    within(said(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file))).await;
}

/// A server that says in each session which one it is; ready when it greets.
async fn serve(folder: &Path, name: &str, port: &OwnPort) -> Running {
    // It wants this folder when it is root, whoever it serves.
    let _ = fs::create_dir_all("/run/sshd");
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let configuration = format!(
        "ListenAddress {}\nHostKey {2}/host\nAuthorizedKeysFile {2}/client.pub\nSetEnv SERVER={1}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n\
         MaxStartups 100\n",
        port.address,
        name,
        folder.display()
    );
    fs::write(file("conf"), configuration).unwrap();
    let program = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|folder| folder.join("sshd")).find(|path| path.is_file());
    // It starts itself again for each session, so it must be called by its whole path.
    let mut command = std::process::Command::new(program.unwrap());
    command.arg("-D").arg("-e").arg("-f").arg(file("conf")).stdin(Stdio::null()).stderr(File::create(file("log")).unwrap());
    let mut process = Running(command.spawn().unwrap());
    let greets = async {
        while tokio::net::TcpStream::connect(port.address).await.is_err() {
            assert!(process.0.try_wait().unwrap().is_none(), "sshd does not start: {}", fs::read_to_string(file("log")).unwrap());
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(read(&mut connect(port.address).await, 8).await, b"SSH-2.0-");
    };
    within(greets).await;
    process
}

/// What a command that must succeed says.
async fn said(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn a_client_of_openssh_stays_with_its_server_and_both_have_clients() {
    let Some(pool) = Pool::open().await else { return };
    let mut servers = BTreeSet::new();
    for number in 1..=40 {
        let client = format!("127.0.{number}.1");
        let server = pool.server_of(&client).await;
        assert_eq!(pool.server_of(&client).await, server, "{client}");
        servers.insert(server);
        if servers.len() == 2 && number >= 4 {
            break;
        }
    }
    assert_eq!(servers.iter().collect::<Vec<_>>(), ["first", "second"]);
}

#[tokio::test]
async fn fifty_megabytes_arrive_by_scp_as_they_were() {
    let Some(pool) = Pool::open().await else { return };
    let bytes: Vec<u8> = (0..50_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(pool.path("sent"), &bytes).unwrap();
    let there = format!("127.0.0.1:{}", pool.path("copied").display());
    // Twice fifty megabytes of ciphers take a loaded machine longer than most of what is waited for here.
    let minute = Duration::from_secs(60);
    timeout(minute, said(pool.client("scp", "127.0.0.1").arg(pool.path("sent")).arg(&there))).await.unwrap();
    timeout(minute, said(pool.client("scp", "127.0.0.1").arg(&there).arg(pool.path("back")))).await.unwrap();
    assert!(fs::read(pool.path("copied")).unwrap() == bytes, "on the way there");
    assert!(fs::read(pool.path("back")).unwrap() == bytes, "on the way back");
}
