//! Where lines go: files that are renamed, filled, compressed and named by strangers, and readers that stall.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::harness::hellos::{alpn, client_hello};
use crate::harness::{ByHand, Gate, Process, Spec, compile, connect, heard, hello, routes, said, until};
use vestibule::gateway::Gateway;

/// A listener that says hello to everybody, and ends the session.
const HELLO: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n";

async fn greet(gate: &Gate) {
    assert_eq!(said(&mut gate.connect().await).await, "hello");
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn unpacked(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A FIFO whose reader is there, and does not read by itself.
fn fifo(path: &Path) -> File {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

/// All that a FIFO has at the moment.
fn drained(mut reader: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut some = [0; 65536];
    while let Ok(length @ 1..) = reader.read(&mut some) {
        bytes.extend_from_slice(&some[..length]);
    }
    bytes
}

#[tokio::test]
async fn a_session_has_no_line_where_the_condition_is_empty_or_0() {
    let conditions = [("empty", ""), ("nought", "0"), ("one", "1"), ("noughts", "00"), ("named", "$ssl_preread_server_name")];
    let logs: String = conditions
        .iter()
        .map(|(name, text)| {
            let map = format!("[map.{name}]\nof = \"$protocol\"\nvalues = {{ TCP = \"{text}\" }}\n");
            format!("{map}[access_log.{name}]\nfile = \"{{folder}}/{name}\"\nif = \"${name}\"\n")
        })
        .collect();
    let gate = Gate::start(&routes(&[], &logs));
    for sent in [hello("unknown.test"), client_hello(&Spec::default())] {
        gate.hears(&sent).await;
    }
    let lines = conditions.map(|(name, _)| read(gate.path(name)).lines().count());
    assert_eq!(lines, [0, 0, 2, 2, 1], "{conditions:?}");
}

#[tokio::test]
async fn what_a_stranger_says_leads_to_no_other_folder() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let log = format!("[access_log.a]\nfile = \"{}/${{ssl_preread_alpn_protocols}}.log\"\nformat = \"$close_reason\"\n", logs.display());
    let gate = Gate::start(&routes(&[], &log));
    for protocol in [&b"../../forged"[..], b"../", b"..", b"/etc/forged", b"a\0b", b"h2"] {
        gate.hears(&client_hello(&Spec::named("a.test").with(alpn(&[protocol])))).await;
    }
    gate.hears(&hello("a.test")).await;
    assert_eq!(names(folder.path()), ["logs"]);
    let wanted = ["-.log", "_..log", "_._.._forged.log", "_._.log", "_etc_forged.log", "a_b.log", "h2.log"];
    assert_eq!(names(&logs), wanted);
    assert!(wanted.iter().all(|name| read(logs.join(name)) == "no_route\n"));
}

#[tokio::test]
async fn that_a_log_makes_no_more_files_is_told_once() {
    let gate = Process::start(&format!("{HELLO}[access_log.a]\nfile = \"{{folder}}/logs-$connection\"\nformat = \"$connection\"\n")).await;
    for _ in 0..1024 + 3 {
        assert_eq!(said(&mut gate.connect().await).await, "hello");
    }
    gate.says("WARN [access_log.a] has made 1024 files, and makes no more until SIGUSR1").await;
    assert!(gate.log().contains(&format!("its lines in {}\n", gate.path("logs-_others").display())), "{}", gate.log());
    assert_eq!(gate.log().matches("makes no more").count(), 1);
}

#[test]
fn a_folder_that_is_not_there_ends_the_start() {
    let text = format!("{HELLO}[access_log.a]\nfile = \"/nonexistent/$listener.log\"\n");
    let error = Gateway::start(&compile(&text)).err().unwrap();
    assert!(error.to_string().starts_with("cannot write logs into /nonexistent: "), "{error}");
}

#[tokio::test]
async fn lines_are_gathered_until_the_end() {
    let more = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$connection\"\nbuffer = \"64k\"\nflush = \"1h\"\n";
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::start(&format!("{HELLO}{}", more.replace("{folder}", folder.path().to_str().unwrap())));
    let log = folder.path().join("log");
    for _ in 0..3 {
        greet(&gate).await;
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "", "it is there, and has nothing yet");
    drop(gate);
    assert_eq!(read(&log), "1\n2\n3\n");
}

#[tokio::test]
async fn lines_are_gathered_until_there_are_enough() {
    let gate = Gate::start(&format!(
        "{HELLO}[access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"line $connection\"\nbuffer = 20\nflush = \"1h\"\n"
    ));
    greet(&gate).await;
    greet(&gate).await;
    assert_eq!(read(gate.path("log")), "");
    greet(&gate).await;
    assert_eq!(gate.lines("log", 3).await, ["line 1", "line 2", "line 3"]);
}

#[tokio::test]
async fn lines_are_gathered_until_they_are_old() {
    for flush in ["", "flush = \"20ms\"\n"] {
        let gate =
            Gate::start(&format!("{HELLO}[access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$connection\"\nbuffer = \"64k\"\n{flush}"));
        greet(&gate).await;
        assert_eq!(gate.lines("log", 1).await, ["1"]);
    }
}

#[tokio::test]
async fn a_drain_writes_what_is_gathered() {
    let mut by_hand = ByHand::start().await;
    let more = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$close_reason\"\nbuffer = \"64k\"\nflush = \"1h\"\n";
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], more));
    let (_client, _server) = by_hand.join(gate.address("https")).await;
    gate.hears(&hello("unknown.test")).await;
    gate.gateway().drain();
    assert_eq!(gate.lines("log", 1).await, ["no_route"]);
}

#[tokio::test]
async fn a_compressed_log_is_complete_after_each_flush() {
    let gate = Gate::start(&format!(
        "{HELLO}[access_log.a]\nfile = \"{{folder}}/log.gz\"\nformat = \"line $connection\"\ngzip = 9\nbuffer = 14\nflush = \"1h\"\n"
    ));
    for written in [2, 4, 6] {
        greet(&gate).await;
        greet(&gate).await;
        until(|| File::open(gate.path("log.gz")).is_ok_and(|file| lines_of(file) == written)).await;
    }
    assert_eq!(unpacked(gate.path("log.gz")), (1..=6).map(|number| format!("line {number}\n")).collect::<String>());
    let bytes = fs::read(gate.path("log.gz")).unwrap();
    let members = bytes.windows(4).filter(|four| four == b"\x1f\x8b\x08\x00").count();
    assert_eq!(members, 3, "one for each flush");
}

/// How many lines a compressed file has; none while it is being written.
fn lines_of(file: File) -> usize {
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).map_or(0, |_| text.lines().count())
}

/// Clients that come one after the other until the port is closed: how many were served.
fn load(gate: &Process, clients: usize) -> Vec<JoinHandle<usize>> {
    let address = gate.address();
    let client = move || async move {
        let mut served = 0;
        while let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
            match heard(&mut stream).await {
                Ok(words) if words == b"hello" => served += 1,
                _ => break,
            }
        }
        served
    };
    (0..clients).map(|_| tokio::spawn(client())).collect()
}

#[tokio::test]
async fn a_log_that_is_moved_away_loses_and_doubles_no_line_under_load() {
    let logs = "[access_log.each]\nfile = \"{folder}/each\"\nformat = \"$connection\"\n\
                [access_log.some]\nfile = \"{folder}/some\"\nformat = \"$connection\"\nbuffer = \"4k\"\n\
                [access_log.packed]\nfile = \"{folder}/packed\"\nformat = \"$connection\"\ngzip = true\n\
                [access_log.named]\nfile = \"{folder}/named-$listener\"\nformat = \"$connection\"\n";
    let mut gate = Process::start(&format!("{HELLO}{logs}")).await;
    let files = ["each", "some", "packed", "named-https"];
    let clients = load(&gate, 4);
    for turn in 0..3 {
        until(|| read(gate.path("each")).lines().count() > 50).await;
        for file in files {
            fs::rename(gate.path(file), gate.path(&format!("{file}.{turn}"))).unwrap();
        }
        gate.signal(Signal::USR1);
        until(|| gate.log().matches("log files were reopened").count() == turn + 1).await;
        until(|| read(gate.path("named-https")).lines().count() > 5).await;
    }
    gate.signal(Signal::TERM);
    assert!(gate.ended().await.success());
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    let parts = |file: &str| [format!("{file}.0"), format!("{file}.1"), format!("{file}.2"), file.to_owned()];
    let sessions: usize = gate.log().split("stopped after ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(sessions > 150);
    for file in files {
        let text = |part: String| if file == "packed" { unpacked(gate.path(&part)) } else { read(gate.path(&part)) };
        let texts = parts(file).map(text);
        assert!(texts.iter().all(|text| !text.is_empty()), "each part of {file} has lines");
        let mut numbers: Vec<usize> = texts.concat().lines().map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(1..=sessions), "{file} has {} lines of {sessions} sessions", numbers.len());
    }
}

#[tokio::test]
async fn what_the_gateway_says_of_itself_goes_on_in_a_new_file() {
    let gate = Process::spawn(&[], &format!("{HELLO}[log]\nfile = \"{{folder}}/own\"\n"));
    until(|| read(gate.path("own")).contains("listening on")).await;
    fs::rename(gate.path("own"), gate.path("old")).unwrap();
    gate.signal(Signal::USR1);
    until(|| read(gate.path("own")).contains("INFO SIGUSR1: log files were reopened\n")).await;
    assert!(!read(gate.path("old")).contains("reopened"));
}

#[tokio::test]
async fn a_log_that_cannot_be_reopened_goes_on_in_the_old_file() {
    let gate = Process::start(&format!("{HELLO}[access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$connection\"\n")).await;
    fs::rename(gate.path("log"), gate.path("old")).unwrap();
    fs::create_dir(gate.path("log")).unwrap();
    gate.signal(Signal::USR1);
    gate.says(&format!("ERROR SIGUSR1: cannot open the log {}: ", gate.path("log").display())).await;
    gate.says("the file that was open goes on").await;
    assert!(!gate.log().contains("reopened"));
    assert_eq!(said(&mut gate.connect().await).await, "hello");
    assert_eq!(read(gate.path("old")), "1\n");
}

#[tokio::test]
async fn a_full_disk_stops_no_session_and_is_told() {
    let logs = "[access_log.each]\nfile = \"/dev/full\"\n[access_log.some]\nfile = \"/dev/full\"\nbuffer = 1\n\
                [access_log.packed]\nfile = \"/dev/full\"\ngzip = true\nflush = \"10ms\"\n";
    let gate = Process::start(&format!("{HELLO}{logs}")).await;
    for _ in 0..5 {
        assert_eq!(said(&mut gate.connect().await).await, "hello");
    }
    for log in ["each", "some", "packed"] {
        gate.says(&format!("WARN lines of [access_log.{log}] could not be written and are lost: No space left on device")).await;
    }
}

/// Lines of 18 kB: a pipe of 64 kB that has room for some of one has none for all of it.
fn long_lines() -> (String, usize) {
    let filler = "x".repeat(18_000);
    (format!("$connection {filler} end"), 400)
}

#[tokio::test]
async fn a_reader_that_stalls_stops_no_session_and_gets_whole_lines_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let reader = fifo(&path);
    let (format, sessions) = long_lines();
    let gate = Gate::start(&format!("{HELLO}[access_log.a]\nfile = {path:?}\nformat = \"{format}\"\n"));
    for _ in 0..sessions {
        greet(&gate).await;
    }
    let mut taken = Vec::new();
    let mut last = 0;
    while last == 0 {
        // What is lost is lost, but from now on there is room.
        greet(&gate).await;
        taken.extend(drained(&reader));
        let text = String::from_utf8_lossy(&taken);
        last = text.lines().filter(|line| line.ends_with(" end")).filter(|line| number(line) > sessions).count();
    }
    let text = String::from_utf8(taken).unwrap();
    let whole = &text[..=text.rfind('\n').unwrap()];
    assert!(whole.lines().count() < sessions, "some are lost, since what waits is bounded");
    for line in whole.lines() {
        assert_eq!(line, format.replace("$connection", &number(line).to_string()), "each line is whole");
    }
}

fn number(line: &str) -> usize {
    line.split(' ').next().unwrap().parse().unwrap_or_default()
}

#[tokio::test]
async fn a_reader_of_standard_output_that_stalls_stops_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let reader = fifo(&path);
    let (format, sessions) = long_lines();
    let routes = format!("[process]\nworkers = 2\n{HELLO}[access_log.a]\nformat = \"{format}\"\n");
    let mut gate = Process::start_by(&["sh", "-c", "exec \"$@\" >\"$0\"", path.to_str().unwrap()], &routes).await;
    for _ in 0..sessions {
        assert_eq!(said(&mut gate.connect().await).await, "hello");
    }
    gate.says("WARN lines of [access_log.a] could not be written and are lost: its reader is too slow").await;
    gate.signal(Signal::TERM);
    assert!(gate.ended().await.success(), "nor does it hold up the end");
    assert!(!drained(&reader).is_empty());
}

/// Sessions whose lines all wait for a reader, and what they are; the gateway is told to end.
async fn ended_with_a_full_pipe(path: &Path) -> (Process, usize) {
    let (filler, sessions) = ("x".repeat(2_000), 400);
    let gate =
        Process::start(&format!("{HELLO}[access_log.a]\nfile = {path:?}\nformat = \"$connection {filler} end\"\n[process]\nworkers = 1\n"))
            .await;
    for _ in 0..sessions {
        assert_eq!(said(&mut gate.connect().await).await, "hello");
    }
    gate.signal(Signal::TERM);
    (gate, sessions)
}

/// How many lines there are, each of them whole.
fn whole_lines(bytes: &[u8]) -> usize {
    let text = str::from_utf8(bytes).unwrap();
    assert!(text.ends_with(" end\n") && text.lines().all(|line| number(line) > 0 && line.ends_with(" end")), "no line is torn");
    text.lines().count()
}

#[tokio::test]
async fn at_the_end_a_slow_reader_is_waited_for_as_long_as_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let reader = fifo(&path);
    let (mut gate, sessions) = ended_with_a_full_pipe(&path).await;
    let slowly = std::thread::spawn(move || {
        let mut reader = reader;
        let (mut bytes, mut some) = (Vec::new(), [0; 16 << 10]);
        loop {
            // This reader's slowness is what is tested: it takes longer than one that stalls would be waited for.
            std::thread::sleep(std::time::Duration::from_millis(50));
            match reader.read(&mut some) {
                Ok(0) => return bytes,
                Ok(length) => bytes.extend_from_slice(&some[..length]),
                Err(_) => {}
            }
        }
    });
    assert!(gate.ended().await.success());
    assert_eq!(whole_lines(&slowly.join().unwrap()), sessions);
    assert!(!gate.log().contains("lost"), "{}", gate.log());
}

#[tokio::test]
async fn at_the_end_what_a_reader_that_stalls_does_not_get_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let reader = fifo(&path);
    let (mut gate, sessions) = ended_with_a_full_pipe(&path).await;
    assert!(gate.ended().await.success());
    let there = whole_lines(&drained(&reader));
    assert!(there < sessions);
    gate.says("WARN lines of [access_log.a] could not be written and are lost: its reader is too slow").await;
    assert!(gate.log().contains(&format!("lost={}\n", sessions - there)), "{there} are there: {}", gate.log());
}

#[tokio::test]
async fn a_line_for_a_pipe_is_there_when_the_client_sees_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let reader = fifo(&path);
    let gate = Gate::start(&format!("{HELLO}[access_log.a]\nfile = {path:?}\nformat = \"$connection\"\n"));
    for session in 1..=20 {
        greet(&gate).await;
        assert_eq!(drained(&reader), format!("{session}\n").as_bytes());
    }
}

#[tokio::test]
async fn refusals_of_each_listener_are_summed_up_at_the_end_too() {
    let more = "[listener.other]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n";
    let mut gate = Process::start(&routes(&[], more)).await;
    for bytes in [&hello("unknown.test")[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut client = connect(gate.address()).await;
        client.write_all(bytes).await.unwrap();
        let _ = heard(&mut client).await;
    }
    gate.signal(Signal::TERM);
    assert!(gate.ended().await.success());
    let log = gate.log();
    let summaries: Vec<_> = log.lines().filter(|line| line.contains("connections turned away in the last ")).collect();
    assert!(!summaries.is_empty(), "{log}");
    let all = summaries.join("\n");
    assert!(all.contains("no_route 1") && all.contains("not_tls 1"), "{all}");
    assert!(summaries.iter().all(|line| line.contains("listener=\"https\"")), "{all}");
}
