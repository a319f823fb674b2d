//! The clients: each begins when its time has come, whatever became of those before it (an open loop), and is timed
//! from when it was due.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{RATE, SHARES};
use crate::harness::{hello, within};

/// What came of all of them.
pub(super) struct Played {
    pub(super) sessions: Vec<Ended>,
    pub(super) begun: Instant,
    /// When the last of them began.
    pub(super) last: Instant,
}

/// What became of one session.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) host: String,
    pub(super) balance: &'static str,
    pub(super) due: Instant,
    pub(super) began: Instant,
    pub(super) over: Instant,
    /// Who answered, or why it was no whole session.
    pub(super) answer: std::io::Result<Answer>,
    /// From the log: the status, and the servers in the order in which they were tried.
    pub(super) status: String,
    pub(super) tries: Vec<String>,
}

/// A server's answer, as it should be.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) server: String,
    /// From when the session was due until the answer was whole.
    pub(super) took: Duration,
}

/// Sends sessions to a gate for so long, and waits until all are over.
pub(super) async fn thousands(gate: SocketAddr, duration: Duration) -> Played {
    let runtime = Handle::current();
    // A thread of its own keeps time more exactly than a runtime with much to do.
    let sent = tokio::task::spawn_blocking(move || {
        let mut sessions = JoinSet::new();
        let begun = Instant::now();
        for number in 0..duration.as_secs() as u32 * RATE {
            let due = begun + Duration::from_secs(1) * number / RATE;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            sessions.spawn_on(session(gate, number, due), &runtime);
        }
        (sessions, begun, Instant::now())
    });
    let (sessions, begun, last) = sent.await.unwrap();
    Played { sessions: sessions.join_all().await, begun, last }
}

async fn session(gate: SocketAddr, number: u32, due: Instant) -> Ended {
    let began = Instant::now();
    let balance = balance(number);
    let host = format!("s{number}.{balance}.test");
    let answer = within(talk(gate, number, &host, due)).await;
    let (status, tries) = Default::default();
    Ended { host, balance, due, began, answer, over: Instant::now(), status, tries }
}

/// Says a hello, hears who serves it and the hello again, stays for a while, and ends.
async fn talk(gate: SocketAddr, number: u32, host: &str, due: Instant) -> std::io::Result<Answer> {
    let mut stream = BufReader::new(connect(number, gate).await?);
    let hello = hello(host);
    stream.write_all(&hello).await?;
    let (mut server, mut echo) = (String::new(), vec![0; hello.len()]);
    stream.read_line(&mut server).await?;
    stream.read_exact(&mut echo).await?;
    let took = due.elapsed();
    assert_eq!(echo, hello, "{host} got another answer than its own");
    tokio::time::sleep(STAY).await;
    stream.shutdown().await?;
    let rest = stream.read_to_end(&mut echo).await?;
    assert_eq!(rest, 0, "{host} got more than its answer");
    Ok(Answer { server: server.trim_end().to_owned(), took })
}

/// From one of many addresses, so that hashes spread the clients and ports are not used up.
async fn connect(number: u32, gate: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 2, 0)) + number % CLIENTS), 0).into())?;
    let stream = socket.connect(gate).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn balance(number: u32) -> &'static str {
    // Neighbours go by different balances: a step that shares no factor with 100.
    let mut rest = number * 37 % 100;
    for (balance, share) in SHARES {
        match rest.checked_sub(share) {
            None => return balance,
            Some(less) => rest = less,
        }
    }
    unreachable!("the shares are of a hundred")
}

/// How long a session stays once it has its answer, so that a server that falls takes some with it.
const STAY: Duration = Duration::from_millis(50);
const CLIENTS: u32 = 250;
