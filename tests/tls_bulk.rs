//! Much, slow and silent, where TLS ends in between: nothing is lost, a side that does not read holds the other back at
//! no cost, and a silent session costs little.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crc32fast::Hasher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::harness::tls::{Tls, connect_tls, ends_at_gate};
use crate::harness::{Authority, ByHand, Gate, Process, fill_all, routes, within};
use crate::idle_memory::raise_descriptor_limit;

const MEGABYTE: usize = 1 << 20;
/// Blocked sessions in one gateway: enough to tell what each costs from what the gateway costs.
const BLOCKED: usize = 24;
/// The most memory of the gateway's own that a blocked session may take.
const MOST_BLOCKED: usize = 256 * 1024;
const IDLE: usize = 500;
/// The most private memory that an idle session may take.
const MOST_IDLE: usize = 20_000;

/// Writes so many megabytes, no two alike, and adds them to the sum.
async fn send(to: &mut (impl AsyncWrite + Unpin), megabytes: usize, sum: &mut Hasher) {
    let mut chunk: Vec<u8> = (0..MEGABYTE).map(|n| (n >> 5) as u8).collect();
    for nth in 0..megabytes {
        chunk[..8].copy_from_slice(&nth.to_be_bytes());
        sum.update(&chunk);
        within(to.write_all(&chunk)).await.unwrap();
    }
    to.flush().await.unwrap();
}

/// Reads to the end in order; how much there was, and its sum.
async fn receive(from: &mut (impl AsyncRead + Unpin)) -> (usize, u32) {
    let (mut length, mut sum, mut buffer) = (0, Hasher::new(), vec![0; 256 * 1024]);
    while let more @ 1.. = within(from.read(&mut buffer)).await.unwrap() {
        length += more;
        sum.update(&buffer[..more]);
    }
    (length, sum.finalize())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_each_way_arrive_unchanged_the_last_of_them_behind_the_other_sides_end() {
    let (authority, mut by_hand) = (Authority::new(), ByHand::start().await);
    let gate = Gate::start(&routes(&[], &ends_at_gate(&authority, &by_hand.server, "")));
    let client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    let server = by_hand.accept().await;
    let (mut client_reads, mut client_writes) = tokio::io::split(client);
    let (mut server_reads, mut server_writes) = server.into_split();
    let up = tokio::spawn(async move {
        let mut sum = Hasher::new();
        send(&mut client_writes, 100, &mut sum).await;
        client_writes.shutdown().await.unwrap();
        sum.finalize()
    });
    let first_half = tokio::spawn(async move {
        let mut sum = Hasher::new();
        send(&mut server_writes, 50, &mut sum).await;
        (server_writes, sum)
    });
    let down = tokio::spawn(async move { receive(&mut client_reads).await });
    let (length, sum) = receive(&mut server_reads).await;
    assert_eq!((length, sum), (100 * MEGABYTE, up.await.unwrap()), "up");
    let (mut server_writes, mut sum) = first_half.await.unwrap();
    send(&mut server_writes, 50, &mut sum).await;
    server_writes.shutdown().await.unwrap();
    assert_eq!(down.await.unwrap(), (100 * MEGABYTE, sum.finalize()), "down");
    gate.until(|totals| totals.open == 0).await;
}

/// A gateway of its own that ends TLS, and the server behind it.
struct Stage {
    gate: Process,
    by_hand: ByHand,
    authority: Authority,
}

impl Stage {
    async fn set() -> Self {
        let (authority, by_hand) = (Authority::new(), ByHand::start().await);
        let target = ends_at_gate(&authority, &by_hand.server, "");
        let gate = Process::start(&routes(&[], &format!("[process]\nworkers = 2\n{target}"))).await;
        Self { gate, by_hand, authority }
    }

    async fn join(&mut self) -> (Tls, TcpStream) {
        let client = connect_tls(self.gate.address(), "api.test", self.authority.trusted()).await;
        (client, self.by_hand.accept().await)
    }

    async fn join_several(&mut self, sessions: usize) -> Vec<(Tls, TcpStream)> {
        let mut joined = Vec::new();
        for _ in 0..sessions {
            joined.push(self.join().await);
        }
        joined
    }
}

/// Writes until nobody takes any more; how much was taken.
async fn fill_tls(client: &mut Tls) -> usize {
    fill_beside_others(client, &Mutex::new(Instant::now())).await
}

/// The same beside others that are filled: a pause of one may be a machine that is busy with the next, so it is over when
/// none has taken anything for a while.
async fn fill_beside_others(client: &mut Tls, grew: &Mutex<Instant>) -> usize {
    const PAUSE: Duration = Duration::from_millis(500);
    let chunk = vec![b'x'; 64 * 1024];
    let mut taken = 0;
    loop {
        if let Ok(more) = timeout(PAUSE, client.write(&chunk)).await {
            taken += more.unwrap();
            *grew.lock().unwrap() = Instant::now();
        } else if grew.lock().unwrap().elapsed() >= PAUSE {
            return taken;
        }
    }
}

/// Each filled at the same time; the clients, and how much was taken in all.
async fn fill_all_tls(clients: impl Iterator<Item = Tls>) -> (Vec<Tls>, usize) {
    let mut filling = JoinSet::new();
    let grew = Arc::new(Mutex::new(Instant::now()));
    clients.for_each(|mut client| {
        let grew = grew.clone();
        filling.spawn(async move {
            let taken = fill_beside_others(&mut client, &grew).await;
            (client, taken)
        });
    });
    filling.join_all().await.into_iter().fold((Vec::new(), 0), |(mut clients, total), (client, taken)| {
        clients.push(client);
        (clients, total + taken)
    })
}

#[tokio::test]
async fn clients_that_do_not_read_cost_little_memory_and_no_time() {
    let mut stage = Stage::set().await;
    let first = stage.join().await;
    fill_all(&[&first.1]).await;
    let before = stage.gate.private_memory();
    let sessions = stage.join_several(BLOCKED).await;
    let total = fill_all(&sessions.iter().map(|(_, server)| server).collect::<Vec<_>>()).await;
    let each = stage.gate.private_memory().saturating_sub(before) / BLOCKED;
    assert!(total / BLOCKED > MOST_BLOCKED, "each was given more than it may keep: {}", total / BLOCKED);
    assert!(each < MOST_BLOCKED, "{each} bytes for each blocked session");
    stage.gate.rests().await;
}

#[tokio::test]
async fn servers_that_do_not_read_cost_little_memory_and_no_time() {
    let mut stage = Stage::set().await;
    let mut first = stage.join().await;
    fill_tls(&mut first.0).await;
    let before = stage.gate.private_memory();
    let (clients, servers): (Vec<_>, Vec<_>) = stage.join_several(BLOCKED).await.into_iter().unzip();
    let (clients, total) = fill_all_tls(clients.into_iter()).await;
    let each = stage.gate.private_memory().saturating_sub(before) / BLOCKED;
    assert!(total / BLOCKED > MOST_BLOCKED, "each was given more than it may keep: {}", total / BLOCKED);
    assert!(each < MOST_BLOCKED, "{each} bytes for each blocked session");
    stage.gate.rests().await;
    drop((clients, servers));
}

#[tokio::test]
async fn a_blocked_direction_does_not_block_the_other() {
    let mut stage = Stage::set().await;
    let (mut client, mut server) = stage.join().await;
    assert!(fill_tls(&mut client).await > 0);
    server.write_all(b"go on").await.unwrap();
    let mut heard = [0; 5];
    within(client.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"go on");
}

#[tokio::test]
async fn an_idle_session_takes_less_than_twenty_kilobytes() {
    raise_descriptor_limit();
    let mut stage = Stage::set().await;
    let first = [stage.join().await, stage.join().await];
    let before = stage.gate.private_memory();
    let sessions = stage.join_several(IDLE).await;
    let each = stage.gate.private_memory().saturating_sub(before) / IDLE;
    eprintln!("{each} bytes for each idle session");
    assert!(each < MOST_IDLE, "{each} bytes for each idle session");
    drop((first, sessions));
}
