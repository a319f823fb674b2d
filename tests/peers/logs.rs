//! Programs that read logs: rsyslog takes messages, logrotate moves files away, gzip unpacks them.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use super::is_installed;
use super::running::Running;
use crate::harness::{Gate, OwnPort, Process, said, until};

const HELLO: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n";

/// A running rsyslogd, with what it understood in a file.
struct Rsyslog {
    folder: tempfile::TempDir,
    port: OwnPort,
    _process: Running,
}

impl Rsyslog {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = OwnPort::of_both();
        let at = |file: &str| folder.path().join(file).display().to_string();
        // Field by field, so that what it took for a tag is told apart from what it took for the text.
        let fields = ["programname", "procid", "msgid", "syslogfacility-text", "syslogseverity-text", "hostname", "msg"];
        let fields = fields.map(|field| format!("%{field}%")).join("|");
        let configuration = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n\
             module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{}\")\n\
             template(name=\"fields\" type=\"string\" string=\"{fields}\\n\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"fields\" asyncWriting=\"off\")\n",
            at("socket"),
            port.address.port(),
            at("taken")
        );
        fs::write(at("rsyslog.conf"), configuration).unwrap();
        let process = Command::new("rsyslogd")
            .args(["-n", "-f", &at("rsyslog.conf"), "-i", &at("pid")])
            .stdin(Stdio::null())
            .stderr(fs::File::create(at("stderr")).unwrap())
            .spawn()
            .map(Running)
            .unwrap();
        let rsyslog = Self { folder, port, _process: process };
        // It takes datagrams as soon as it has its port, which nothing but an answer tells: messages come until one is taken.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        until(|| {
            let _ = socket.send_to(b"<190>1 - - knock - - - knock", rsyslog.port.address);
            rsyslog.taken().contains("knock") && rsyslog.socket().exists()
        })
        .await;
        rsyslog
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    fn taken(&self) -> String {
        fs::read_to_string(self.folder.path().join("taken")).unwrap_or_default()
    }

    async fn takes(&self, line: &str) {
        until(|| self.taken().lines().any(|taken| taken == line)).await;
    }
}

#[tokio::test]
async fn rsyslog_understands_each_field_of_a_message() {
    if !is_installed("rsyslogd") {
        return;
    }
    let rsyslog = Rsyslog::start().await;
    let gate = Gate::start(&format!(
        "{HELLO}[access_log.there]\nfile = \"syslog://{}?facility=local3&severity=notice&tag=edge\"\nformat = \"there $connection: $status\"\n\
         [access_log.here]\nfile = \"syslog:{}?facility=daemon&tag=gate\"\nformat = \"here $connection: $status\"\n",
        rsyslog.port.address,
        rsyslog.socket().display()
    ));
    assert_eq!(said(&mut gate.connect().await).await, "hello");
    let (pid, hostname) = (std::process::id(), rustix::system::uname().nodename().to_str().unwrap().to_owned());
    rsyslog.takes(&format!("edge|{pid}|there|local3|notice|{hostname}|there 1: 200")).await;
    let here = format!("gate|{pid}|-|daemon|info|");
    until(|| rsyslog.taken().lines().any(|line| line.starts_with(&here) && line.ends_with("| here 1: 200"))).await;
}

#[tokio::test]
async fn rsyslog_is_told_how_important_the_gateways_own_lines_are() {
    if !is_installed("rsyslogd") {
        return;
    }
    let rsyslog = Rsyslog::start().await;
    let gate = Process::spawn(&[], &format!("{HELLO}[log]\nfile = \"syslog://{}?nohostname\"\n", rsyslog.port.address));
    until(|| rsyslog.taken().contains("|log|local7|info|") && rsyslog.taken().contains("listening on ")).await;
    gate.signal(rustix::process::Signal::USR2);
    until(|| rsyslog.taken().contains("|log|local7|warning|")).await;
}

#[tokio::test]
async fn messages_for_syslog_take_turns_between_two_collectors() {
    if !(is_installed("rsyslogd") && is_installed("logger")) {
        return;
    }
    let collectors = [Rsyslog::start().await, Rsyslog::start().await];
    let sets = [
        "listener.syslog.listen=\"127.0.0.1:0\"".to_owned(),
        format!("upstream.collectors.servers=[\"{}\", \"{}\"]", collectors[0].port.address, collectors[1].port.address),
    ];
    let gate = Gate::start_with(include_str!("../data/configs/syslog-udp.toml"), &sets);
    let (address, port) = (gate.address("syslog").ip().to_string(), gate.address("syslog").port().to_string());
    for number in 0..6 {
        let text = format!("message {number}");
        run("logger", &["--server", &address, "--port", &port, "--udp", "--rfc3164", "--tag", "app", "--priority", "local3.notice", &text]);
        // One at a time, so that it is known whose turn is whose.
        gate.until(|totals| totals.ended == number + 1).await;
    }
    for number in 0..6 {
        let collector = &collectors[number % 2];
        let (begins, ends) = ("app|-|-|local3|notice|", format!("| message {number}"));
        until(|| collector.taken().lines().any(|line| line.starts_with(begins) && line.ends_with(&ends))).await;
    }
    for (collector, others) in [(&collectors[0], [1, 3, 5]), (&collectors[1], [0, 2, 4])] {
        let taken = collector.taken();
        assert!(!others.iter().any(|number| taken.contains(&format!("message {number}"))), "{taken}");
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn gzip_unpacks_a_log_that_is_still_written() {
    if !is_installed("gzip") {
        return;
    }
    let gate = Gate::start(&format!(
        "{HELLO}[access_log.a]\nfile = \"{{folder}}/log.gz\"\nformat = \"$connection\"\ngzip = true\nflush = \"10ms\"\n"
    ));
    let (mut wanted, log) = (String::new(), gate.path("log.gz").display().to_string());
    for session in 1..=3 {
        let before = fs::metadata(&log).unwrap().len();
        assert_eq!(said(&mut gate.connect().await).await, "hello");
        wanted += &format!("{session}\n");
        until(|| fs::metadata(&log).unwrap().len() > before).await;
        run("gzip", &["--test", &log]);
        assert_eq!(run("zcat", &[&log]), wanted);
    }
}

#[tokio::test]
async fn logrotate_moves_logs_away_as_the_sample_says() {
    if !is_installed("logrotate") {
        return;
    }
    let gate = Process::start(&format!("{HELLO}[access_log.a]\nfile = \"{{folder}}/access.log\"\nformat = \"$connection\"\n")).await;
    assert_eq!(said(&mut gate.connect().await).await, "hello");
    let reference = include_str!("../../docs/configuration.md");
    let sample = reference.split("```\n/var/log/vestibule/").nth(1).unwrap().split("\n```").next().unwrap();
    let (logs, pid) = (gate.path("").display().to_string(), gate.id().to_string());
    let signal = "systemctl kill --signal=USR1 --kill-whom=main vestibule";
    assert!(sample.contains(signal), "{sample}");
    // There is no service here, and the folder is the test's.
    let configuration = format!("su root root\n{logs}{}", sample.replace(signal, &format!("kill -USR1 {pid}")));
    let file = gate.path("logrotate.conf");
    write_private(&file, &configuration);
    run("logrotate", &["--force", "--state", gate.path("state").to_str().unwrap(), file.to_str().unwrap()]);
    gate.says("log files were reopened").await;
    assert_eq!(said(&mut gate.connect().await).await, "hello");
    assert_eq!(fs::read_to_string(gate.path("access.log.1")).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(gate.path("access.log")).unwrap(), "2\n");
}

/// logrotate reads no file that others may write.
fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}
