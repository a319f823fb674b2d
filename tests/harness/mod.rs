//! What behaviour tests are made of: a gateway on ports of its own, servers that answer with their own name, clients
//! that say what they are told. Nothing waits for a while; everything waits for a fact, within a bound.

#![allow(dead_code, reason = "each behaviour uses its own part")]

mod authority;
mod by_hand;
mod fickle;
pub mod hellos;
pub mod kernel;
mod names;
mod own_port;
mod process;
pub mod program;
pub mod proxy;
mod server;
pub mod tls;
mod tls_by_hand;
pub mod tls_server;
mod udp;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use vestibule::address::ListenAddress;
use vestibule::config;
use vestibule::gateway::{Gateway, StartError, Totals};
use vestibule::snapshot::Snapshot;
use vestibule::upstream::Upstream;

#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use authority::{Authority, Identity};
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use by_hand::{ByHand, fill, fill_all};
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use fickle::Fickle;
pub use hellos::Spec;
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use names::{NameServer, Says};
pub use own_port::OwnPort;
pub use process::Process;
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use server::{BlackHole, Received, Server, at, refusing, reply};
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use tls_by_hand::TlsByHand;
#[allow(unused_imports, reason = "each behaviour uses its own part")]
pub use udp::{UdpClient, UdpServer};

/// Longer than anything here should take, however loaded the machine is.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway, with a folder for its logs and sockets that goes when it goes.
pub struct Gate {
    gateway: Option<Gateway>,
    snapshot: Snapshot,
    folder: tempfile::TempDir,
}

impl Gate {
    /// Starts a gateway on a `routes.toml`, in which `{folder}` stands for the gate's own folder. Listeners want port 0.
    pub fn start(routes: &str) -> Self {
        Self::start_with(routes, &[])
    }

    /// The same where something may be in the way, such as somebody who has a port.
    pub fn try_start(routes: &str) -> Result<Self, StartError> {
        Self::try_start_with(routes, &[])
    }

    /// The same after another one, as a reload would have it.
    pub fn start_after(previous: &Self, routes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = routes.replace("{folder}", folder.path().to_str().unwrap());
        let loaded = config::parse("routes.toml", &text, &[], []).unwrap();
        let snapshot = Snapshot::compile_after(loaded, &previous.snapshot).unwrap();
        let gateway = Gateway::start(&snapshot).unwrap_or_else(|error| panic!("{error}"));
        Self { gateway: Some(gateway), snapshot, folder }
    }

    /// The same with what `--set` would put over it.
    pub fn start_with(routes: &str, sets: &[String]) -> Self {
        Self::try_start_with(routes, sets).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_start_with(routes: &str, sets: &[String]) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().unwrap();
        let text = routes.replace("{folder}", folder.path().to_str().unwrap());
        let snapshot = compile_with(&text, sets);
        let gateway = Gateway::start(&snapshot)?;
        Ok(Self { gateway: Some(gateway), snapshot, folder })
    }

    /// The same with a file where it lies, under what the environment and `--set` put over it.
    pub fn start_file(file: &Path, sets: &[String], environment: Vec<(String, String)>) -> Self {
        let loaded = config::load(file, sets, environment).unwrap_or_else(|wrong| panic!("{}", wrong.render(config::Paint::Plain)));
        let snapshot = Snapshot::compile(loaded).unwrap_or_else(|wrong| panic!("{}", wrong.render(config::Paint::Plain)));
        let gateway = Gateway::start(&snapshot).unwrap_or_else(|error| panic!("{error}"));
        Self { gateway: Some(gateway), snapshot, folder: tempfile::tempdir().unwrap() }
    }

    pub fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    /// An upstream that has a name, as the gateway has it.
    pub fn upstream(&self, name: &str) -> &Upstream {
        &self.snapshot.pools[name].upstream
    }

    pub fn totals(&self) -> Totals {
        self.gateway().totals()
    }

    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The TCP address of a listener.
    pub fn address(&self, listener: &str) -> SocketAddr {
        let ip = |address: &ListenAddress| match address {
            ListenAddress::Ip(ip) => Some(*ip),
            ListenAddress::Unix(_) => None,
        };
        self.gateway().addresses(listener).find_map(ip).unwrap_or_else(|| panic!("[listener.{listener}] has no TCP address"))
    }

    /// A connection to the listener `https`.
    pub async fn connect(&self) -> TcpStream {
        connect(self.address("https")).await
    }

    /// What the server says to a client that sends a hello for this host: its name.
    pub async fn ask(&self, host: &str) -> String {
        answer(&mut self.connect().await, &hello(host)).await
    }

    /// The same for a client with this address, which must be one of the loopback network.
    pub async fn ask_from(&self, client: &str, host: &str) -> String {
        answer(&mut connect_from(client, self.address("https")).await, &hello(host)).await
    }

    /// What a client hears that sends this and keeps its side open: that it ends at all is the gateway's doing.
    pub async fn hears(&self, bytes: &[u8]) -> Vec<u8> {
        let mut client = self.connect().await;
        client.write_all(bytes).await.unwrap();
        heard(&mut client).await.expect("an orderly end, not a reset")
    }

    /// Waits until the totals are as wanted.
    pub async fn until(&self, wanted: impl Fn(&Totals) -> bool) {
        until(|| wanted(&self.totals())).await;
    }

    /// The lines of a log in the gate's folder, once there are at least this many.
    pub async fn lines(&self, file: &str, at_least: usize) -> Vec<String> {
        let path = self.path(file);
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        until(|| read().lines().count() >= at_least).await;
        read().lines().map(str::to_owned).collect()
    }
}

/// The snapshot of a `routes.toml` that must be right.
pub fn compile(text: &str) -> Snapshot {
    compile_with(text, &[])
}

fn compile_with(text: &str, sets: &[String]) -> Snapshot {
    let loaded = config::parse("routes.toml", text, sets, []).unwrap_or_else(|wrong| panic!("{}", wrong.render(config::Paint::Plain)));
    Snapshot::compile(loaded).unwrap_or_else(|wrong| panic!("{}", wrong.render(config::Paint::Plain)))
}

/// A `routes.toml` with a listener `https` and a map of hosts to servers; `more` is appended.
pub fn routes(hosts: &[(&str, &Server)], more: &str) -> String {
    let hosts: String = hosts.iter().map(|(host, server)| format!("\"{host}\" = \"{}\"\n", server.address)).collect();
    format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map.hosts]\n{hosts}{more}")
}

/// A hello of today for a host.
pub fn hello(host: &str) -> Vec<u8> {
    hellos::client_hello(&Spec::named(host))
}

/// The record of a fatal alert (RFC 8446 §5.1 and §6).
pub fn alert(number: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, number]
}

/// A connection; TCP_NODELAY, so that each write is a segment.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let stream = within(TcpStream::connect(address)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection from an address of the loopback network.
pub async fn connect_from(client: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((client.parse::<IpAddr>().unwrap(), 0).into()).unwrap();
    within(socket.connect(address)).await.unwrap()
}

/// A connection with a receive buffer so small that a client which does not read blocks the gateway soon.
pub async fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    within(socket.connect(address)).await.unwrap()
}

/// What a client hears that sends this and nothing more, as text.
pub async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    said(stream).await
}

/// All that comes until the end, as text. A reset is a failure.
pub async fn said(stream: &mut (impl AsyncRead + Unpin)) -> String {
    String::from_utf8(heard(stream).await.unwrap()).unwrap()
}

/// All bytes that come until the end, or the error that ends them.
pub async fn heard(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes)).await.map(|_| bytes)
}

/// Exactly this many bytes.
pub async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

/// Makes the coming drop a reset.
pub fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// Waits for something that must come.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("what a test waits for comes in time")
}

/// Waits for a fact.
pub async fn until(fact: impl Fn() -> bool) {
    let came = async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(came).await;
}
