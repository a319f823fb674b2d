//! A server that stops, comes back and takes its sessions down with it, as the test says. Its port stays its own meanwhile.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::OwnPort;

/// Greets each connection with a line, its address, and then sends back what comes until the client ends.
pub struct Fickle {
    pub address: SocketAddr,
    port: OwnPort,
    serving: Option<(Arc<TcpListener>, JoinHandle<()>)>,
    open: Arc<AtomicUsize>,
    falls: watch::Sender<u64>,
}

impl Fickle {
    /// One that does not listen yet, on any port.
    pub fn new() -> Self {
        Self::at(0)
    }

    /// The same on this port.
    pub fn at(port: u16) -> Self {
        let port = OwnPort::take(port);
        Self { address: port.address, port, serving: None, open: Arc::default(), falls: watch::Sender::new(0) }
    }

    pub fn listens(&self) -> bool {
        self.serving.is_some()
    }

    /// How many sessions it has.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn listen(&mut self) {
        if self.listens() {
            return;
        }
        let listener = Arc::new(self.port.listen().unwrap());
        let serving = serve(listener.clone(), self.address, self.open.clone(), self.falls.subscribe());
        self.serving = Some((listener, tokio::spawn(serving)));
    }

    /// Refuses from now on; the sessions that it has go on.
    pub async fn stop(&mut self) {
        if let Some((listener, serving)) = self.serving.take() {
            // To close it is not enough: a process that another test is starting has all descriptors for a moment.
            SockRef::from(&*listener).shutdown(Shutdown::Both).unwrap();
            // Its last accept fails.
            serving.await.unwrap();
        }
    }

    /// Refuses from now on, and resets the sessions that it has.
    pub async fn fall(&mut self) {
        self.stop().await;
        self.falls.send_modify(|falls| *falls += 1);
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        if let Some((_, serving)) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: Arc<TcpListener>, address: SocketAddr, open: Arc<AtomicUsize>, falls: watch::Receiver<u64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (counted, mut falls) = (Counted::new(&open), falls.clone());
        tokio::spawn(async move {
            let mut stream = stream;
            let fell = tokio::select! {
                _ = greet_and_echo(&mut stream, address) => false,
                _ = falls.changed() => true,
            };
            if fell {
                super::reset(stream);
            }
            drop(counted);
        });
    }
}

async fn greet_and_echo(stream: &mut TcpStream, address: SocketAddr) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(format!("{address}\n").as_bytes()).await?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

/// One of the open sessions until dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
