//! Logs that go to syslog: each line is a message that a strict receiver understands, and nobody waits for one that is away.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::harness::{Gate, OwnPort, PATIENCE, Process, connect, said, until, within};

const HELLO: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n";

async fn greet(gate: &Gate) {
    assert_eq!(said(&mut gate.connect().await).await, "hello");
}

/// A message of RFC 5424, taken apart as strictly as its grammar (§6) allows.
#[derive(Debug)]
struct Message {
    facility: u8,
    severity: u8,
    hostname: String,
    tag: String,
    pid: String,
    id: String,
    text: String,
}

impl Message {
    fn parse(bytes: &[u8]) -> Self {
        let message = std::str::from_utf8(bytes).expect("these are all text");
        let (priority, rest) = message.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert!((1..=3).contains(&priority.len()) && (priority == "0" || !priority.starts_with('0')), "{message}");
        let priority: u8 = priority.parse().unwrap();
        assert!(priority <= 191, "{message}");
        let [version, time, hostname, tag, pid, id, rest] = rest.splitn(7, ' ').collect::<Vec<_>>()[..] else { panic!("{message}") };
        assert_eq!(version, "1", "{message}");
        check_time(time);
        for (field, most) in [(hostname, 255), (tag, 48), (pid, 128), (id, 32)] {
            assert!((1..=most).contains(&field.len()) && field.bytes().all(|byte| (33..=126).contains(&byte)), "{message}");
        }
        let text = rest.strip_prefix("- ").expect("no structured data, then the text");
        assert!(!text.contains(|letter: char| letter.is_control()), "{message}");
        let own = |text: &str| text.to_owned();
        Self {
            facility: priority / 8,
            severity: priority % 8,
            hostname: own(hostname),
            tag: own(tag),
            pid: own(pid),
            id: own(id),
            text: own(text),
        }
    }
}

/// `2026-11-20T14:37:37.123456+00:00` or with `Z`: no more than six decimals, no space, no leap second.
fn check_time(time: &str) {
    let (date, clock) = time.split_once('T').unwrap();
    assert_eq!(date.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2], "{time}");
    let zone = clock.find(['Z', '+', '-']).expect("a zone");
    let (clock, zone) = clock.split_at(zone);
    assert!(zone == "Z" || (zone.len() == 6 && zone.as_bytes()[3] == b':'), "{time}");
    let (clock, decimals) = clock.split_once('.').unwrap_or((clock, "0"));
    assert!((1..=6).contains(&decimals.len()) && decimals.bytes().all(|byte| byte.is_ascii_digit()), "{time}");
    let numbers: Vec<u8> = clock.split(':').map(|number| number.parse().unwrap()).collect();
    assert!(matches!(numbers[..], [0..=23, 0..=59, 0..=59]), "{time}");
}

/// A syslog server on a port that stays its own while it is away.
struct Receiver {
    socket: UdpSocket,
}

impl Receiver {
    fn at(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket: socket.into() }
    }

    fn start() -> (OwnPort, Self) {
        let port = OwnPort::of_both();
        let receiver = Self::at(port.address);
        (port, receiver)
    }

    /// Is away from now on. To close it is not enough: a process that another test is starting has all descriptors for a
    /// moment. Connected to itself, it takes nothing from anybody else.
    fn leave(self) {
        self.socket.connect(self.socket.local_addr().unwrap()).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        let mut room = vec![0; 65536];
        loop {
            match self.socket.recv(&mut room) {
                // A child of another test may end while this one waits, and a wait with a timeout does not go on by itself.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => {
                    room.truncate(received.expect("a message comes"));
                    return room;
                }
            }
        }
    }

    fn message(&self) -> Message {
        Message::parse(&self.bytes())
    }

    /// Whether there is one more at the moment.
    fn has_more(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        self.socket.recv(&mut [0]).is_ok()
    }
}

#[tokio::test]
async fn each_line_is_one_message() {
    let (port, receiver) = Receiver::start();
    let gate = Gate::start(&format!(
        "{HELLO}[access_log.main]\nfile = \"syslog://{}?facility=local3&severity=notice&tag=edge\"\n\
         format = '$connection \"$remote_addr\" $close_reason'\n",
        port.address
    ));
    for session in 1..=3 {
        greet(&gate).await;
        let message = receiver.message();
        assert_eq!(message.text, format!("{session} \"127.0.0.1\" responded"));
        assert_eq!((message.facility, message.severity), (19, 5));
        assert_eq!((&*message.tag, &*message.id, message.pid), ("edge", "main", std::process::id().to_string()));
        assert_eq!(message.hostname, rustix::system::uname().nodename().to_str().unwrap());
    }
    assert!(!receiver.has_more());
}

#[tokio::test]
async fn what_is_not_said_is_as_in_nginx() {
    let (port, receiver) = Receiver::start();
    let gate = Gate::start(&format!("{HELLO}[access_log.\"a b\"]\nfile = \"syslog://{}?nohostname\"\nformat = \"json\"\n", port.address));
    greet(&gate).await;
    let message = receiver.message();
    assert_eq!((message.facility, message.severity, &*message.tag), (23, 6, "vestibule"));
    assert_eq!((&*message.hostname, &*message.id), ("-", "ab"));
    let line: serde_json::Value = serde_json::from_str(&message.text).unwrap();
    assert_eq!(line["close_reason"], "responded");
}

#[tokio::test]
async fn a_long_line_is_cut_to_what_receivers_take() {
    let (port, receiver) = Receiver::start();
    let filler = "é".repeat(20_000);
    let gate = Gate::start(&format!("{HELLO}[access_log.a]\nfile = \"syslog://{}\"\nformat = \"$connection {filler}\"\n", port.address));
    greet(&gate).await;
    let bytes = receiver.bytes();
    assert!((8190..=8192).contains(&bytes.len()), "{}", bytes.len());
    assert!(Message::parse(&bytes).text.starts_with("1 éé"));
}

#[tokio::test]
async fn the_gateways_own_lines_have_the_severity_of_their_level() {
    let (port, receiver) = Receiver::start();
    let mut gate = Process::spawn(&[], &format!("[log]\nfile = \"syslog://{}?tag=gate\"\n{HELLO}", port.address));
    let first = receiver.message();
    assert!(first.text.starts_with("listening on 127.0.0.1:"), "without the time and the level, which syslog has: {first:?}");
    assert_eq!((first.severity, &*first.tag, &*first.id), (6, "gate", "log"));
    gate.signal(Signal::USR2);
    let warning = receiver.message();
    assert!(warning.text.starts_with("SIGUSR2: ") && warning.severity == 4, "{warning:?}");
    gate.signal(Signal::TERM);
    assert!(gate.ended().await.success());
    assert_eq!(gate.log(), "", "nothing on stderr");
}

#[tokio::test]
async fn a_server_that_is_away_costs_its_lines_only_and_is_heard_again() {
    let (port, receiver) = Receiver::start();
    let gate = Process::start(&format!("{HELLO}[access_log.a]\nfile = \"syslog://{}\"\nformat = \"$connection\"\n", port.address)).await;
    let greet = async || assert_eq!(said(&mut gate.connect().await).await, "hello");
    greet().await;
    assert_eq!(receiver.message().text, "1");
    receiver.leave();
    within(async {
        while !gate.log().contains("could not be written") {
            greet().await;
        }
    })
    .await;
    gate.says("WARN lines of [access_log.a] could not be written and are lost: Connection refused").await;
    // Of this one it is only told when the next one is sent.
    greet().await;
    let receiver = Receiver::at(port.address);
    greet().await;
    assert!(receiver.message().text.parse::<u32>().unwrap() > 1);
}

#[tokio::test]
async fn a_server_that_is_away_for_all_logs_is_told_of_when_it_is_back() {
    let (port, receiver) = Receiver::start();
    let gate = Process::spawn(
        &[],
        &format!(
            "{HELLO}[log]\nfile = \"syslog://{0}\"\n[access_log.a]\nfile = \"syslog://{0}\"\nformat = \"$connection\"\n",
            port.address
        ),
    );
    let first = receiver.message().text;
    let address: SocketAddr = first.strip_prefix("listening on ").unwrap().split(' ').next().unwrap().parse().unwrap();
    receiver.leave();
    for _ in 0..10 {
        assert_eq!(said(&mut connect(address).await).await, "hello");
    }
    let receiver = Receiver::at(port.address);
    let told = || loop {
        let text = receiver.message().text;
        if text.starts_with("lines of [log] could not be written and are lost lost=") {
            return;
        }
    };
    told();
    assert_eq!(said(&mut connect(address).await).await, "hello");
    assert_eq!(gate.log(), "", "nobody panics");
}

#[tokio::test]
async fn a_name_is_looked_up() {
    // The hosts file decides whether that is IPv4 or IPv6, and nobody needs to be asked.
    let (port, over_ipv6) = loop {
        let port = OwnPort::of_both();
        match UdpSocket::bind(("::1", port.address.port())) {
            // Another's: then it is another port.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            bound => break (port, bound.ok().map(|socket| Receiver { socket })),
        }
    };
    let receivers = [Some(Receiver::at(port.address)), over_ipv6];
    let gate =
        Gate::start(&format!("{HELLO}[access_log.a]\nfile = \"syslog://localhost:{}\"\nformat = \"$connection\"\n", port.address.port()));
    greet(&gate).await;
    let any = || receivers.iter().flatten().any(Receiver::has_more);
    until(any).await;
}

/// What a machine's own syslog gets: `<190>Nov 20 14:37:37 vestibule[7]: text`.
fn check_local(message: &str, text: &str) {
    let rest = message.strip_prefix("<190>").unwrap_or_else(|| panic!("{message}"));
    let (time, rest) = rest.split_at("Nov 20 14:37:37 ".len());
    assert!(time.as_bytes()[3] == b' ' && time.matches(':').count() == 2, "{message}");
    assert_eq!(rest, format!("vestibule[{}]: {text}", std::process::id()));
}

#[tokio::test]
async fn the_machines_own_syslog_is_told_in_its_form_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let gate = Gate::start(&format!("{HELLO}[access_log.a]\nfile = \"syslog:{}\"\nformat = \"$connection\"\n", path.display()));
    greet(&gate).await;
    let mut sessions = 1;
    for _ in 0..2 {
        // It need not be there from the start, and may begin anew.
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut room = [0; 1000];
        let message = loop {
            greet(&gate).await;
            sessions += 1;
            // Attempts to find it are half a second apart.
            if let Ok(length) = socket.recv(&mut room) {
                break std::str::from_utf8(&room[..length]).unwrap();
            }
        };
        check_local(message, &sessions.to_string());
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_syslog_that_listens_for_a_stream_gets_a_line_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listener = UnixListener::bind(&path).unwrap();
    let gate = Gate::start(&format!("{HELLO}[access_log.a]\nfile = \"syslog:{}\"\nformat = \"$connection\"\n", path.display()));
    greet(&gate).await;
    greet(&gate).await;
    let (mut stream, _) = listener.accept().unwrap();
    drop(gate);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    check_local(lines[0], "1");
    check_local(lines[1], "2");
}
