//! `mysql-static.toml` before two real MariaDB servers, one of which dies under load and comes back.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

use super::is_installed;
use super::running::Running;
use crate::harness::{Gate, OwnPort, within};

const CONFIGURATION: &str = include_str!("../data/configs/mysql-static.toml");

/// A running server in a folder of its own, which lets everybody in.
struct Mariadb {
    number: u32,
    process: Running,
    folder: TempDir,
    own_port: OwnPort,
}

impl Mariadb {
    async fn start(number: u32) -> Self {
        let (folder, own_port) = (tempfile::tempdir().unwrap(), OwnPort::take(0));
        let process = run(number, &folder, own_port.address).await;
        Self { number, process, folder, own_port }
    }

    fn address(&self) -> SocketAddr {
        self.own_port.address
    }

    /// It dies without a word; its port is nobody else's.
    fn die(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    async fn come_back(&mut self) {
        self.process = run(self.number, &self.folder, self.own_port.address).await;
    }
}

/// Starts it, and waits until it answers.
async fn run(number: u32, folder: &TempDir, address: SocketAddr) -> Running {
    let file = |name: &str| folder.path().join(name);
    fs::create_dir_all(file("data")).unwrap();
    let user = rustix::process::getuid();
    let mut command = std::process::Command::new("mariadbd");
    command.arg("--no-defaults").arg("--skip-grant-tables").arg("--skip-name-resolve").arg("--skip-log-bin");
    command.arg("--innodb-buffer-pool-size=8M").arg("--innodb-log-file-size=4M").arg("--innodb-flush-method=nosync");
    command.arg(format!("--server-id={number}")).arg(format!("--bind-address={}", address.ip())).arg(format!("--port={}", address.port()));
    command.arg(format!("--datadir={}", file("data").display())).arg(format!("--socket={}", file("socket").display()));
    if user.is_root() {
        command.arg("--user=root");
    }
    let log = File::create(file("log")).unwrap();
    let mut process = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let answers = async {
        while query(address, "select @@server_id").await != Ok(number.to_string()) {
            let said = || fs::read_to_string(file("log")).unwrap();
            assert!(process.0.try_wait().unwrap().is_none(), "mariadbd does not start: {}", said());
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(answers).await;
    process
}

/// A client that is about to talk to this address.
fn client(address: SocketAddr) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--protocol=tcp", "--skip-ssl", "--user=root", "--batch", "--unbuffered", "--skip-column-names"]);
    command.arg(format!("--host={}", address.ip())).arg(format!("--port={}", address.port())).kill_on_drop(true);
    command
}

/// What a client is answered that comes for one query, or its complaint.
async fn query(address: SocketAddr, text: &str) -> Result<String, String> {
    let output = within(client(address).arg("--execute").arg(text).stdin(Stdio::null()).output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A client that stays.
struct Staying {
    asks: ChildStdin,
    hears: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Staying {
    fn connect(address: SocketAddr) -> Self {
        let mut process = client(address).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (asks, hears) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()).lines());
        Self { asks, hears, _process: process }
    }

    /// Which server it is with; nothing if that is gone.
    async fn server(&mut self) -> Option<u32> {
        // One that has given up takes no question.
        let _ = self.asks.write_all(b"select @@server_id;\n").await;
        within(self.hears.next_line()).await.unwrap().map(|line| line.parse().unwrap())
    }
}

/// As many clients that stay, connected one after the other, each with the server it is with.
async fn connected(address: SocketAddr, count: usize) -> Vec<(u32, Staying)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut client = Staying::connect(address);
        all.push((client.server().await.unwrap(), client));
    }
    all
}

/// How many of them are with each of the two servers.
fn shares(clients: &[(u32, Staying)]) -> [usize; 2] {
    [1, 2].map(|number| clients.iter().filter(|(server, _)| *server == number).count())
}

/// The two servers behind the gate. Only addresses differ from the file, and a failed server is asked again sooner.
async fn behind_the_gate() -> Option<([Mariadb; 2], Gate)> {
    if ["mariadbd", "mariadb"].iter().any(|program| !is_installed(program)) {
        return None;
    }
    let servers = [Mariadb::start(1).await, Mariadb::start(2).await];
    let lines = servers
        .each_ref()
        .map(|server| format!("{{ address = \"{}\", max_fails = 2, fail_timeout = \"1s\", weight = 1 }}", server.address()));
    let sets = ["listener.mysql.listen=\"127.0.0.1:0\"".to_owned(), format!("upstream.mysql_backend.servers=[{}]", lines.join(", "))];
    let gate = Gate::start_with(CONFIGURATION, &sets);
    Some((servers, gate))
}

#[tokio::test]
async fn a_large_answer_of_mariadb_arrives_whole() {
    let Some((_servers, gate)) = behind_the_gate().await else { return };
    let answer = query(gate.address("mysql"), "select repeat('vestibule', 1000000)").await.unwrap();
    assert!(answer == "vestibule".repeat(1_000_000), "{} bytes", answer.len());
}

#[tokio::test]
async fn only_sessions_of_a_mariadb_that_dies_notice_it_and_it_gets_its_share_when_it_is_back() {
    let Some((mut servers, gate)) = behind_the_gate().await else { return };
    let address = gate.address("mysql");
    let mut staying = connected(address, 10).await;
    assert_eq!(shares(&staying), [5, 5]);

    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..3).map(|_| tokio::spawn(queries(address, over.clone()))).collect();
    gate.until(|totals| totals.ended >= 10).await;
    servers[1].die();
    let died = Instant::now();
    for (server, client) in &mut staying {
        let still = client.server().await;
        assert_eq!(still, (*server == 1).then_some(1), "who was with {server}");
    }
    staying.retain(|(server, _)| *server == 1);
    let ended = gate.totals().ended;
    gate.until(|totals| totals.ended >= ended + 20).await;
    servers[1].come_back().await;
    let back = async { while query(address, "select @@server_id").await != Ok("2".into()) {} };
    within(back).await;

    over.store(true, Ordering::Relaxed);
    let mut asked = 0;
    for queries in load {
        for (begun, answered) in within(queries).await.unwrap() {
            asked += 1;
            assert!(answered.is_ok() || begun < died, "{answered:?}, {:?} after the server had died", begun - died);
        }
    }
    assert!(asked >= 30, "{asked} queries are no load");
    gate.until(|totals| totals.open == 5).await;
    staying.extend(connected(address, 9).await);
    assert_eq!(shares(&staying), [7, 7], "the five that stayed and nine new ones");
}

/// Queries one after the other, when each began and how it went.
async fn queries(address: SocketAddr, over: Arc<AtomicBool>) -> Vec<(Instant, Result<String, String>)> {
    let mut all = Vec::new();
    while !over.load(Ordering::Relaxed) {
        all.push((Instant::now(), query(address, "select @@server_id").await));
    }
    all
}
