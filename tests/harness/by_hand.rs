//! Servers whose every word the test says itself, and sessions joined to them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::{Server, connect, hello, read, within};

/// A server that hands its connections over.
pub struct ByHand {
    pub server: Server,
    connections: UnboundedReceiver<TcpStream>,
}

impl ByHand {
    pub async fn start() -> Self {
        let (hand, connections) = unbounded_channel();
        let server = Server::start(move |stream, _| {
            // Nobody waits for it any more once the test is over.
            let _ = hand.send(stream);
            std::future::ready(())
        })
        .await;
        Self { server, connections }
    }

    /// The server's end of the next session.
    pub async fn accept(&mut self) -> TcpStream {
        within(self.connections.recv()).await.unwrap()
    }

    /// Both ends of a new session with the host `api.test`, its hello said and read.
    pub async fn join(&mut self, gate: SocketAddr) -> (TcpStream, TcpStream) {
        self.join_from(connect(gate).await).await
    }

    /// The same over a connection that is there already.
    pub async fn join_from(&mut self, mut client: TcpStream) -> (TcpStream, TcpStream) {
        let hello = hello("api.test");
        client.write_all(&hello).await.unwrap();
        let mut server = self.accept().await;
        assert_eq!(read(&mut server, hello.len()).await, hello);
        (client, server)
    }
}

/// Writes until nobody takes any more, and says how much was taken.
pub async fn fill(stream: &TcpStream) -> usize {
    fill_all(&[stream]).await
}

/// The same with several at once.
pub async fn fill_all(streams: &[&TcpStream]) -> usize {
    static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let mut taken = 0;
    let mut grew = Instant::now();
    // What was taken a moment ago may still make room behind it; a pause without any shows that all is full.
    while grew.elapsed() < Duration::from_millis(300) {
        let more: usize = streams.iter().map(|stream| stream.try_write(&CHUNK).unwrap_or_default()).sum();
        if more > 0 {
            grew = Instant::now();
        }
        taken += more;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    taken
}
