//! How the gateway ends, and how it says that it cannot begin.

use std::io::ErrorKind;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use vestibule::gateway::Gateway;

use crate::harness::{ByHand, Gate, Process, compile, heard, hello, read, routes, until, within};

async fn running(more: &str) -> (Process, ByHand) {
    let by_hand = ByHand::start().await;
    (Process::start(&routes(&[("api.test", &by_hand.server)], more)).await, by_hand)
}

async fn refuses(gate: &Process) {
    let address = gate.address();
    let refused = async {
        while !matches!(TcpStream::connect(address).await, Err(error) if error.kind() == ErrorKind::ConnectionRefused) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(refused).await;
}

#[tokio::test]
async fn told_to_end_the_gateway_refuses_new_clients_and_lets_the_old_ones_finish() {
    for signal in [Signal::TERM, Signal::QUIT] {
        let (mut gate, mut by_hand) = running("[process]\nshutdown_timeout = \"1h\"").await;
        let (mut client, mut server) = by_hand.join(gate.address()).await;
        gate.signal(signal);
        refuses(&gate).await;
        client.write_all(b"not done yet").await.unwrap();
        assert_eq!(read(&mut server, 12).await, b"not done yet");
        server.write_all(b"take your time").await.unwrap();
        assert_eq!(read(&mut client, 14).await, b"take your time");
        client.shutdown().await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(gate.ended().await.code(), Some(0), "{signal:?}: {}", gate.log());
    }
}

#[tokio::test]
async fn a_session_that_does_not_finish_is_cut_at_the_deadline() {
    let (mut gate, mut by_hand) = running("[process]\nshutdown_timeout = \"500ms\"").await;
    let (mut client, _server) = by_hand.join(gate.address()).await;
    let told = Instant::now();
    gate.signal(Signal::TERM);
    assert_eq!(heard(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(told.elapsed() >= Duration::from_millis(500), "{:?}", told.elapsed());
    assert_eq!(gate.ended().await.code(), Some(0));
    assert!(gate.log().contains("sessions cut at the end of shutdown_timeout: 1 listener=\"https\""), "{}", gate.log());
}

#[tokio::test]
async fn at_max_connections_too_new_clients_are_refused_at_once() {
    let (mut gate, mut by_hand) = running("[process]\nworkers = 1\nmax_connections = 1").await;
    let (client, server) = by_hand.join(gate.address()).await;
    let mut waiting = gate.connect().await;
    waiting.write_all(&hello("api.test")).await.unwrap();
    gate.signal(Signal::TERM);
    refuses(&gate).await;
    drop((client, server));
    assert_eq!(gate.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_that_was_let_in_before_the_door_closed_is_served() {
    let mut by_hand = ByHand::start().await;
    let more = "[process]\nworkers = 1\nshutdown_timeout = \"1h\"\n[defaults]\ndefer_accept = false";
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], more));
    let mut waiting = Vec::new();
    // Faster than they can be accepted, so that some are in the queue when the door closes.
    for _ in 0..200 {
        waiting.push(std::net::TcpStream::connect(gate.address("https")).unwrap());
    }
    gate.gateway().drain();
    for client in waiting {
        client.set_nonblocking(true).unwrap();
        let mut client = TcpStream::from_std(client).unwrap();
        client.write_all(&hello("api.test")).await.unwrap();
        let mut server = by_hand.accept().await;
        server.write_all(b"served").await.unwrap();
        assert_eq!(read(&mut client, 6).await, b"served");
    }
}

#[tokio::test]
async fn interrupted_the_gateway_cuts_its_sessions_and_ends() {
    let (mut gate, mut by_hand) = running("[process]\nshutdown_timeout = \"1h\"").await;
    let (mut client, _server) = by_hand.join(gate.address()).await;
    gate.signal(Signal::INT);
    assert_eq!(heard(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(gate.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_interrupt_ends_a_drain_that_goes_on() {
    let (mut gate, mut by_hand) = running("[process]\nshutdown_timeout = \"1h\"").await;
    let _session = by_hand.join(gate.address()).await;
    gate.signal(Signal::TERM);
    refuses(&gate).await;
    gate.signal(Signal::INT);
    assert_eq!(gate.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_drain_does_not_undo_a_stop() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], "[process]\nshutdown_timeout = \"1h\""));
    let (mut client, _server) = by_hand.join(gate.address("https")).await;
    gate.gateway().stop();
    gate.gateway().drain();
    assert_eq!(heard(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    within(gate.gateway().ended()).await;
}

#[tokio::test]
async fn a_signal_for_what_is_not_there_yet_neither_ends_the_gateway_nor_goes_unsaid() {
    let (gate, mut by_hand) = running("").await;
    for (signal, name) in [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        gate.signal(signal);
        gate.says(name).await;
        by_hand.join(gate.address()).await;
    }
}

#[tokio::test]
async fn a_unix_socket_is_removed_at_the_end() {
    let listener = "[listener.local]\nlisten = \"unix:{folder}/gate\"\nrespond = \"hello\"";
    let (mut gate, _by_hand) = running(listener).await;
    until(|| gate.path("gate").exists()).await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.ended().await.code(), Some(0));
    assert!(!gate.path("gate").exists());
}

/// What a start says that comes to nothing, and its exit status.
async fn fails(mut gate: Process) -> (String, i32) {
    let status = gate.ended().await.code().unwrap();
    let log = gate.log();
    assert_eq!(log.trim_end().lines().count(), 1, "one sentence: {log}");
    (log, status)
}

fn listening_on(address: &str) -> String {
    format!("[listener.https]\nlisten = \"{address}\"\nrespond = \"hello\"\n")
}

#[tokio::test]
async fn a_taken_port_is_said_in_one_sentence() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let (said, status) = fails(Process::spawn(&[], &listening_on(&address.to_string()))).await;
    assert_eq!(status, 1);
    assert!(said.contains(&format!("cannot listen on {address}: another process listens there")), "{said}");
}

#[tokio::test]
async fn a_gateway_that_runs_already_is_a_taken_port_too() {
    let (gate, _by_hand) = running("[process]\nworkers = 2").await;
    let address = gate.address();
    let (said, status) = fails(Process::spawn(&[], &listening_on(&address.to_string()))).await;
    assert_eq!(status, 1);
    assert!(said.contains("another process listens there"), "{said}");
}

#[tokio::test]
async fn a_port_that_the_user_may_not_bind_is_said_in_one_sentence() {
    // Another user's process, which must be able to reach the binary and the file.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let binary = folder.path().join("vestibule");
    std::fs::copy(env!("CARGO_BIN_EXE_vestibule"), &binary).unwrap();
    let script = format!(
        "chmod -R a+rX {} \"$(dirname \"$4\")\"; shift; exec setpriv --reuid=65534 --clear-groups --inh-caps=-all --bounding-set=-all {} \"$@\"",
        folder.path().display(),
        binary.display()
    );
    let (said, status) = fails(Process::spawn(&["sh", "-c", &script, "sh"], &listening_on("127.0.0.1:80"))).await;
    assert_eq!(status, 1);
    assert!(said.contains("ports below 1024 need root or CAP_NET_BIND_SERVICE"), "{said}");
}

#[tokio::test]
async fn more_workers_than_descriptors_end_the_start_unless_the_limit_can_be_raised() {
    let routes = listening_on("127.0.0.1:0") + "[process]\nworkers = 64\n[lints]\ntoo-few-descriptors = \"allow\"\n";
    let limited = |limit| Process::spawn(&["sh", "-c", &format!("ulimit {limit} 64; exec \"$@\""), "sh"], &routes);
    let (said, status) = fails(limited("-n")).await;
    assert_eq!(status, 1);
    assert!(said.contains(": the descriptor limit is reached; raise it (`ulimit -n`, LimitNOFILE=), or set fewer workers"), "{said}");
    limited("-Sn").says("listening on 127.0.0.1:").await;
}

#[tokio::test]
async fn a_run_without_a_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_vestibule")).arg("run").current_dir(&folder).output();
    let output = within(run).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains("there is no configuration") && said.contains("vestibule demo"), "{said}");
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_socket_file() {
    let (folder, taken) = (tempfile::tempdir().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let path = folder.path().join("gate");
    let routes = format!(
        "[listener.a]\nlisten = \"unix:{}\"\nrespond = \"hello\"\n[listener.b]\nlisten = \"{}\"\nrespond = \"hello\"\n",
        path.display(),
        taken.local_addr().unwrap()
    );
    assert!(Gateway::start(&compile(&routes)).is_err());
    assert!(!path.exists());
}
