//! Who does not read holds the other side back, at no cost of memory or processor time, and loses nothing.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{ByHand, Gate, PATIENCE, Process, connect_narrow, fill, fill_all, heard, read, routes, until};

/// Blocked sessions in one gateway: enough to tell what each costs from what the gateway costs.
const SESSIONS: usize = 64;
const GIGABYTE: usize = 1 << 30;
/// The most memory of the gateway's own that a blocked session may take.
const MOST_MEMORY: usize = 256 * 1024;

async fn process() -> (Process, ByHand) {
    let by_hand = ByHand::start().await;
    (Process::start(&routes(&[("api.test", &by_hand.server)], "[process]\nworkers = 2")).await, by_hand)
}

/// Joins sessions, blocks each in one direction, and holds the gateway to what blocked sessions may cost.
async fn costs_nothing_while_blocked(writer: impl Fn(&(TcpStream, TcpStream)) -> &TcpStream) {
    let (gate, mut by_hand) = process().await;
    // The first session's costs, of threads and their buffers, are the gateway's.
    let mut sessions = vec![by_hand.join(gate.address()).await];
    fill(writer(&sessions[0])).await;
    let before = gate.private_memory();
    for _ in 0..SESSIONS {
        sessions.push(by_hand.join(gate.address()).await);
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

fn megabytes() -> Vec<u8> {
    (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Sends all, which takes until the other end reads.
fn send(mut stream: TcpStream, bytes: Vec<u8>) -> tokio::task::JoinHandle<TcpStream> {
    tokio::spawn(async move {
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    })
}

#[tokio::test]
async fn a_client_that_reads_again_gets_everything_unchanged() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], ""));
    let (mut client, server) = by_hand.join_from(connect_narrow(gate.address("https")).await).await;
    let filled = fill(&server).await;
    let sender = send(server, megabytes());
    assert_eq!(read(&mut client, filled).await, vec![b'x'; filled]);
    assert!(heard(&mut client).await.unwrap() == megabytes());
    drop(sender.await.unwrap());
}

#[tokio::test]
async fn a_server_that_reads_again_gets_everything_unchanged() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], ""));
    let (client, mut server) = by_hand.join(gate.address("https")).await;
    let filled = fill(&client).await;
    let sender = send(client, megabytes());
    assert_eq!(read(&mut server, filled).await, vec![b'x'; filled]);
    assert!(heard(&mut server).await.unwrap() == megabytes());
    drop(sender.await.unwrap());
}

#[tokio::test]
async fn a_blocked_direction_does_not_block_the_other() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], ""));
    let (mut client, mut server) = by_hand.join(gate.address("https")).await;
    assert!(fill(&client).await > 0);
    server.write_all(b"go on").await.unwrap();
    assert_eq!(read(&mut client, 5).await, b"go on");
}

#[tokio::test]
async fn an_upload_is_not_held_back_by_a_download_that_never_pauses() {
    let (gate, mut by_hand) = process().await;
    let (client, server) = by_hand.join(gate.address()).await;
    let [mut client, mut server] = [client, server].map(|stream| stream.into_std().unwrap());
    [&client, &server].iter().for_each(|stream| stream.set_nonblocking(false).unwrap());
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut flood, mut sink) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let downloaded = Arc::new(AtomicUsize::new(0));
    let counted = downloaded.clone();
    // On threads of their own, so that neither ever waits for the other.
    let flooding = thread::spawn(move || while flood.write_all(&[b'x'; 256 * 1024]).is_ok() {});
    let sinking = thread::spawn(move || {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(length @ 1..) = sink.read(&mut buffer) {
            counted.fetch_add(length, Ordering::Relaxed);
        }
    });
    let down = || downloaded.load(Ordering::Relaxed);
    // The kernel widens the buffers of a connection that is fast, and only then is there always more to read.
    until(|| down() > GIGABYTE / 2).await;
    let mut uploaded = 0;
    while down() < 3 * GIGABYTE {
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        uploaded += 1;
    }
    client.shutdown(Shutdown::Both).unwrap();
    flooding.join().unwrap();
    sinking.join().unwrap();
    assert!(uploaded >= 20, "only {uploaded} bytes went up, one after another, while gigabytes came down");
}
