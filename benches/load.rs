//! The load of `benches/beside-nginx`: clients that speak just enough TLS to be routed, and the backend they reach.
//! No handshake follows the hello, for what is measured is the gateway, and the gateway never sees more than bytes.
//! Backend and clients are processes of their own, so neither shares a descriptor limit with the other or with a gateway.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use vestibule::host::Hostname;

/// Clients and a backend that measure a gateway between them.
#[derive(Parser)]
struct Load {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Reads a hello, answers it, then echoes. Prints the address it listens on; ends when its stdin does.
    Backend { listen: SocketAddr },
    /// Opens sessions one after another, each a hello, the answer, and a close. Prints the seconds they took.
    Connections {
        gateway: SocketAddr,
        #[arg(long)]
        count: usize,
        /// Sessions that are open at the same time.
        #[arg(long, default_value_t = 64)]
        concurrency: usize,
        #[arg(long, value_parser = Hostname::parse)]
        sni: Hostname,
    },
    /// Opens sessions that stay: a hello, the answer, one echo. Prints "ready"; closes them when its stdin ends.
    Idle {
        gateway: SocketAddr,
        #[arg(long)]
        count: usize,
        #[arg(long, value_parser = Hostname::parse)]
        sni: Hostname,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Load::parse().role {
        Role::Backend { listen } => serve(listen).await,
        Role::Connections { gateway, count, concurrency, sni } => {
            let started = Instant::now();
            connections(gateway, count, concurrency, &client_hello(&sni)).await?;
            println!("{:.6}", started.elapsed().as_secs_f64());
            Ok(())
        }
        Role::Idle { gateway, count, sni } => {
            let _open = idle(gateway, count, &client_hello(&sni)).await?;
            println!("ready");
            end_of_stdin().await
        }
    }
}

async fn serve(listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    tokio::select! {
        end = end_of_stdin() => end,
        failed = accept(listener) => failed,
    }
}

async fn accept(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    loop {
        let (socket, _) = listener.accept().await?;
        // A session that breaks is noticed by its client, which is the one that counts.
        tokio::spawn(answer_and_echo(socket));
    }
}

async fn answer_and_echo(mut socket: TcpStream) -> std::io::Result<()> {
    let mut hello = [0; HELLO_LENGTH];
    socket.read_exact(&mut hello).await?;
    socket.write_all(&[b'a'; ANSWER_LENGTH]).await?;
    let mut word = [0; ECHO_LENGTH];
    while socket.read_exact(&mut word).await.is_ok() {
        socket.write_all(&word).await?;
    }
    Ok(())
}

async fn connections(gateway: SocketAddr, count: usize, concurrency: usize, hello: &[u8; HELLO_LENGTH]) -> Result<(), Box<dyn Error>> {
    let mut open = JoinSet::new();
    for _ in 0..count {
        if open.len() == concurrency {
            finish_one(&mut open).await?;
        }
        let hello = *hello;
        open.spawn(async move { within_patience(whole_session(gateway, &hello)).await });
    }
    while !open.is_empty() {
        finish_one(&mut open).await?;
    }
    Ok(())
}

async fn finish_one(open: &mut JoinSet<std::io::Result<()>>) -> Result<(), Box<dyn Error>> {
    if let Some(session) = open.join_next().await {
        session??;
    }
    Ok(())
}

async fn whole_session(gateway: SocketAddr, hello: &[u8; HELLO_LENGTH]) -> std::io::Result<()> {
    let mut socket = greet(gateway, hello).await?;
    socket.shutdown().await?;
    // Until the gateway has closed too, the session is not over, and `concurrency` would not be what is open there.
    match socket.read(&mut [0; 1]).await? {
        0 => Ok(()),
        _ => Err(std::io::Error::other("more came than the backend sends")),
    }
}

async fn idle(gateway: SocketAddr, count: usize, hello: &[u8; HELLO_LENGTH]) -> Result<Vec<TcpStream>, Box<dyn Error>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        open.push(within_patience(greeted_and_echoed(gateway, hello)).await?);
    }
    Ok(open)
}

async fn greeted_and_echoed(gateway: SocketAddr, hello: &[u8; HELLO_LENGTH]) -> std::io::Result<TcpStream> {
    let mut socket = greet(gateway, hello).await?;
    let (said, mut heard) = ([b'e'; ECHO_LENGTH], [0; ECHO_LENGTH]);
    socket.write_all(&said).await?;
    socket.read_exact(&mut heard).await?;
    Ok(socket)
}

async fn greet(gateway: SocketAddr, hello: &[u8; HELLO_LENGTH]) -> std::io::Result<TcpStream> {
    let mut socket = TcpStream::connect(gateway).await?;
    socket.set_nodelay(true)?;
    socket.write_all(hello).await?;
    let mut answer = [0; ANSWER_LENGTH];
    socket.read_exact(&mut answer).await?;
    match answer.iter().all(|&byte| byte == b'a') {
        true => Ok(socket),
        false => Err(std::io::Error::other("this is not the backend's answer")),
    }
}

async fn within_patience<T>(session: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    timeout(PATIENCE, session).await.unwrap_or_else(|_| Err(std::io::Error::other(format!("a session took longer than {PATIENCE:?}"))))
}

async fn end_of_stdin() -> Result<(), Box<dyn Error>> {
    // A thread of its own, for tokio has no waiting on stdin without one.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

/// A hello of TLS 1.3 as browsers send it, padded to the 517 bytes that many of them pad to (RFC 7685 §4).
fn client_hello(sni: &Hostname) -> [u8; HELLO_LENGTH] {
    let name = [&[0], sized(sni.as_str().as_bytes()).as_slice()].concat();
    let mut extensions = [
        extension(SERVER_NAME, &sized(&name)),
        extension(SUPPORTED_GROUPS, &sized(&[0x00, 0x1d, 0x00, 0x17])),
        extension(SIGNATURE_ALGORITHMS, &sized(&[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
        extension(ALPN, &sized(b"\x02h2\x08http/1.1")),
        extension(SUPPORTED_VERSIONS, &[4, 0x03, 0x04, 0x03, 0x03]),
        extension(KEY_SHARE, &sized(&[[0x00, 0x1d].as_slice(), &sized(&[0x5a; 32])].concat())),
    ]
    .concat();
    let version = [0x03, 0x03];
    let random = [0x3c; 32];
    let session_id = [[32].as_slice(), &[0xc3; 32]].concat();
    let cipher_suites = sized(&[0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2f]);
    let no_compression = [1, 0];
    let fixed = [version.as_slice(), &random, &session_id, &cipher_suites, &no_compression].concat();
    let headers = 5 + 4 + 2 + 4; // of the record, of the handshake message, of the extensions, of the padding
    let padding = HELLO_LENGTH.saturating_sub(headers + fixed.len() + extensions.len());
    extensions.extend(extension(PADDING, &vec![0; padding]));

    let body = [fixed, sized(&extensions)].concat();
    let message = [&[1, 0], sized(&body).as_slice()].concat(); // ClientHello, a length of three bytes
    let record = [&[0x16, 0x03, 0x01], sized(&message).as_slice()].concat();
    record.try_into().expect("with the longest host name, of 253 bytes, 447 are taken before the padding")
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &sized(content)].concat()
}

fn sized(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), content].concat()
}

const HELLO_LENGTH: usize = 517;
const ANSWER_LENGTH: usize = 100;
const ECHO_LENGTH: usize = 16;
const PATIENCE: Duration = Duration::from_secs(20);

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const PADDING: u16 = 21;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;
