//! Servers and clients of datagrams.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::{OwnPort, within};

/// A server of datagrams, gone when dropped.
pub struct UdpServer {
    pub address: SocketAddr,
    heard: Arc<Heard>,
    serving: JoinHandle<()>,
}

/// Datagrams, with who sent them.
#[derive(Default)]
struct Heard(Mutex<Vec<(SocketAddr, Vec<u8>)>>);

impl UdpServer {
    /// Sends each datagram back.
    pub async fn echo() -> Self {
        Self::start("127.0.0.1:0", |datagram| vec![datagram.to_vec()]).await
    }

    /// Answers each datagram with its name.
    pub async fn named(name: &str) -> Self {
        let name = name.as_bytes().to_vec();
        Self::start("127.0.0.1:0", move |_| vec![name.clone()]).await
    }

    /// Answers nothing.
    pub async fn silent() -> Self {
        Self::start("127.0.0.1:0", |_| Vec::new()).await
    }

    /// The same on a port that stays its own when it is gone.
    pub fn named_at(port: &OwnPort, name: &str) -> Self {
        let name = name.as_bytes().to_vec();
        Self::serve(port.receive(), move |_| vec![name.clone()])
    }

    /// Answers each datagram with those that the test says.
    pub async fn start(address: &str, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::serve(UdpSocket::bind(address).await.unwrap(), answers)
    }

    fn serve(socket: UdpSocket, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let address = socket.local_addr().unwrap();
        let heard = Arc::<Heard>::default();
        let all = heard.clone();
        let serving = tokio::spawn(async move {
            let mut buffer = vec![0; 65536];
            // Word of a client that is gone is no end.
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                all.0.lock().unwrap().push((from, buffer[..length].to_vec()));
                for answer in answers(&buffer[..length]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, heard, serving }
    }

    /// All datagrams so far, with who sent them.
    pub fn heard(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.heard.0.lock().unwrap().clone()
    }

    /// How many datagrams each sender has sent: a session has a socket of its own.
    pub fn senders(&self) -> BTreeMap<SocketAddr, usize> {
        let mut senders = BTreeMap::new();
        self.heard().into_iter().for_each(|(from, _)| *senders.entry(from).or_default() += 1);
        senders
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client of datagrams that hears only one gateway.
pub struct UdpClient {
    pub socket: UdpSocket,
}

impl UdpClient {
    pub async fn of(gate: SocketAddr) -> Self {
        Self::from(if gate.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }, gate).await
    }

    /// From an address of this machine.
    pub async fn from(local: &str, gate: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).await.unwrap();
        socket.connect(gate).await.unwrap();
        Self { socket }
    }

    pub async fn send(&self, datagram: &[u8]) {
        self.socket.send(datagram).await.unwrap();
    }

    pub async fn hear(&self) -> Vec<u8> {
        within(self.try_hear()).await.unwrap()
    }

    pub async fn try_hear(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        let length = self.socket.recv(&mut buffer).await?;
        buffer.truncate(length);
        Ok(buffer)
    }

    pub async fn ask(&self, datagram: &[u8]) -> Vec<u8> {
        self.send(datagram).await;
        self.hear().await
    }

    /// The same as text.
    pub async fn asks(&self, datagram: &str) -> String {
        String::from_utf8(self.ask(datagram.as_bytes()).await).unwrap()
    }

    /// What has come and was not taken yet.
    pub fn waiting(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        let length = self.socket.try_recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }
}
