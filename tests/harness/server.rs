//! A server behind the gateway. It keeps what it received, so that a test can tell whether a single byte was changed.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::{OwnPort, kernel};

/// A server on a port of its own, gone when dropped.
pub struct Server {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    listener: Arc<TcpListener>,
    /// Absent of one on a listener of the test's.
    port: Option<OwnPort>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Answers each connection with its name as soon as bytes arrive, reads to the end, and closes.
    pub async fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self::start(move |mut stream, received| {
            let name = name.clone();
            async move {
                let mut has_answered = false;
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    received.add(&buffer[..length]);
                    if !std::mem::replace(&mut has_answered, true) && stream.write_all(name.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Sends everything back, and ends when the client does.
    pub async fn echo() -> Self {
        Self::start(|mut stream, received| async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                received.add(&buffer[..length]);
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    /// Does with each connection what the test says.
    pub async fn start<F>(serve: impl Fn(TcpStream, Received) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let port = OwnPort::take(0);
        let listener = port.listen().unwrap();
        Self::accept(listener, Some(port), serve)
    }

    /// The same on a listener of the test's.
    pub fn start_on<F>(listener: TcpListener, serve: impl Fn(TcpStream, Received) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::accept(listener, None, serve)
    }

    fn accept<F>(listener: TcpListener, port: Option<OwnPort>, serve: impl Fn(TcpStream, Received) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (address, listener) = (listener.local_addr().unwrap(), Arc::new(listener));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (all, accepts) = (received.clone(), listener.clone());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = accepts.accept().await {
                stream.set_nodelay(true).unwrap();
                let index = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                tokio::spawn(serve(stream, Received { all: all.clone(), index }));
            }
        });
        Self { address, received, listener, port, serving }
    }

    /// Refuses from now on, and the sessions that it has go on. Until it is dropped its port is nobody else's.
    pub fn refuse(&self) {
        assert!(self.port.is_some(), "another may get the port");
        // To close it is not enough: a process that another test is starting has all descriptors for a moment.
        SockRef::from(&*self.listener).shutdown(Shutdown::Both).unwrap();
    }

    /// How many connections it has had.
    pub fn connections(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// What a connection sent so far.
    pub fn received(&self, connection: usize) -> Vec<u8> {
        self.received.lock().unwrap()[connection].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Where a connection's bytes are kept.
pub struct Received {
    all: Arc<Mutex<Vec<Vec<u8>>>>,
    index: usize,
}

impl Received {
    pub fn add(&self, bytes: &[u8]) {
        self.all.lock().unwrap()[self.index].extend_from_slice(bytes);
    }
}

/// Serves one connection of any kind as [`Server::named`] does, and returns what it sent.
pub async fn reply(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: &str) -> Vec<u8> {
    let mut received = vec![0];
    stream.read_exact(&mut received).await.unwrap();
    stream.write_all(name.as_bytes()).await.unwrap();
    stream.read_to_end(&mut received).await.unwrap();
    received
}

/// An address at which nothing listens, so that connecting is refused at once.
pub async fn refusing() -> SocketAddr {
    OwnPort::take(0).keep()
}

/// An address that never answers: something listens there, accepts nobody, and its queue is full.
pub struct BlackHole {
    pub address: SocketAddr,
    _listener: TcpListener,
    _queue: TcpStream,
}

impl BlackHole {
    pub async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        // A queue for nobody has room for one; who comes after hears nothing.
        let queue = super::connect(address).await;
        let is_full = || kernel::connections().iter().any(|row| row.listens() && row.is_from(address) && row.received == 1);
        super::until(is_full).await;
        Self { address, _listener: listener, _queue: queue }
    }

    /// How many sessions wait for its answer.
    pub fn dialled(&self) -> usize {
        kernel::connections().iter().filter(|row| row.is_connecting() && row.is_to(self.address)).count()
    }
}

/// Servers at these addresses that share a port, each of which answers with its address.
pub async fn at<const N: usize>(addresses: [&str; N]) -> (u16, [Server; N]) {
    let taken = loop {
        // A port that is free at one address may be taken at the next.
        if let Ok(taken) = listen_at(&addresses) {
            break taken;
        }
    };
    let port = taken[0].0.address.port();
    let mut left = taken.into_iter();
    let servers = addresses.map(|address| {
        let (port, listener) = left.next().expect("there is one for each address");
        let name = address.to_owned();
        let serve = move |stream, _| {
            let name = name.clone();
            async move { drop(reply(stream, &name).await) }
        };
        Server::accept(listener, Some(port), serve)
    });
    (port, servers)
}

/// One port at all these addresses, and who listens there.
fn listen_at(addresses: &[&str]) -> io::Result<Vec<(OwnPort, TcpListener)>> {
    let mut taken: Vec<(OwnPort, TcpListener)> = Vec::new();
    for address in addresses {
        let number = taken.first().map_or(0, |(port, _)| port.address.port());
        let port = OwnPort::at((address.parse::<IpAddr>().unwrap(), number).into())?;
        let listener = port.listen()?;
        taken.push((port, listener));
    }
    Ok(taken)
}
