//! Listeners at which nothing is looked at: who speaks first does not matter, each direction ends on its own, and who does not
//! read costs nothing.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::harness::{ByHand, Gate, Process, Server, connect, fill, fill_all, heard, read, within};

/// Blocked sessions in one gateway: enough to tell what each costs from what the gateway costs.
const SESSIONS: usize = 64;
/// The most memory of the gateway's own that a blocked session may take.
const MOST_MEMORY: usize = 256 * 1024;

fn routes(server: &Server) -> String {
    format!("[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n", server.address)
}

/// Both ends of a session in which nobody has said anything.
async fn joined() -> (Gate, ByHand, TcpStream, TcpStream) {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&by_hand.server));
    let client = gate.connect().await;
    let server = by_hand.accept().await;
    (gate, by_hand, client, server)
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_by_a_client_that_says_nothing() {
    let (_gate, _by_hand, mut client, mut server) = joined().await;
    server.write_all(b"5.5.5-10.11.6-MariaDB").await.unwrap();
    assert_eq!(read(&mut client, 21).await, b"5.5.5-10.11.6-MariaDB");
    client.write_all(b"user").await.unwrap();
    assert_eq!(read(&mut server, 4).await, b"user");
}

#[tokio::test]
async fn a_greeting_waits_for_nothing_that_a_client_would_say() {
    let greeter = Server::start(|mut stream, _| async move {
        stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
        let _ = heard(&mut stream).await;
    })
    .await;
    let gate = Gate::start(&routes(&greeter));
    let mut fastest = Duration::MAX;
    // The kernel would hold each of them back for a second at least; a loaded machine does not do so to all.
    for _ in 0..20 {
        let begun = Instant::now();
        let mut client = connect(gate.address("https")).await;
        assert_eq!(read(&mut client, 14).await, b"SSH-2.0-test\r\n");
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(500), "the fastest of twenty took {fastest:?}");
}

fn megabytes() -> Vec<u8> {
    (0..10_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Sends much, then ends.
fn send(mut stream: TcpStream) -> tokio::task::JoinHandle<TcpStream> {
    tokio::spawn(async move {
        stream.write_all(&megabytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    })
}

#[tokio::test]
async fn a_client_that_has_ended_gets_all_that_the_server_still_sends() {
    let (gate, _by_hand, mut client, mut server) = joined().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"question", "its end has come through");
    let sending = send(server);
    assert!(heard(&mut client).await.unwrap() == megabytes());
    drop(within(sending).await.unwrap());
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn a_server_that_has_ended_gets_all_that_the_client_still_sends() {
    let (gate, _by_hand, mut client, mut server) = joined().await;
    server.write_all(b"all I have").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"all I have", "its end has come through");
    let sending = send(client);
    assert!(heard(&mut server).await.unwrap() == megabytes());
    drop(within(sending).await.unwrap());
    gate.until(|totals| totals.open == 0).await;
}

/// Joins sessions, blocks each in one direction, and holds the gateway to what blocked sessions may cost.
async fn costs_nothing_while_blocked(writer: impl Fn(&(TcpStream, TcpStream)) -> &TcpStream) {
    let mut by_hand = ByHand::start().await;
    let gate = Process::start(&routes(&by_hand.server)).await;
    let mut join = async || (gate.connect().await, by_hand.accept().await);
    // The first session's costs, of threads and their buffers, are the gateway's.
    let mut sessions = vec![join().await];
    fill(writer(&sessions[0])).await;
    let before = gate.private_memory();
    for _ in 0..SESSIONS {
        sessions.push(join().await);
    }
    let total = fill_all(&sessions[1..].iter().map(writer).collect::<Vec<_>>()).await;
    let each = gate.private_memory().saturating_sub(before) / SESSIONS;
    assert!(total / SESSIONS > MOST_MEMORY, "each was given more than it may keep: {}", total / SESSIONS);
    assert!(each < MOST_MEMORY, "{each} bytes for each blocked session");
    gate.rests().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_little_memory_and_no_time() {
    costs_nothing_while_blocked(|(_client, server)| server).await;
}

#[tokio::test]
async fn a_server_that_does_not_read_costs_little_memory_and_no_time() {
    costs_nothing_while_blocked(|(client, _server)| client).await;
}
