//! Servers that speak TLS, behind the gateway.

use std::future::Future;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Authority, Received, Server};

/// A server's TLS over its connection.
pub type ServedTls = tokio_rustls::server::TlsStream<TcpStream>;

/// How a client's direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By close_notify.
    InOrder,
    /// Without.
    Truncated,
    /// By a reset, or worse.
    Broken,
}

/// A server with a certificate for a host, and what was said in each handshake that stood.
pub struct TlsServer {
    pub server: Server,
    shaken: Arc<Mutex<Vec<Shaken>>>,
    ends: Arc<Mutex<Vec<End>>>,
}

/// What a server saw of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaken {
    pub name: Option<String>,
    pub is_resumed: bool,
}

impl TlsServer {
    /// Answers each connection with its name as soon as bytes arrive, reads to the end, and closes in order.
    pub async fn named(name: &str, host: &str, authority: &Authority) -> Self {
        let name = name.to_owned();
        Self::start(host, authority, move |mut tls, received, ends| {
            let name = name.clone();
            async move {
                let mut has_answered = false;
                let mut buffer = vec![0; 64 * 1024];
                let end = loop {
                    match tls.read(&mut buffer).await {
                        Ok(0) => break End::InOrder,
                        Ok(length) => received.add(&buffer[..length]),
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => break End::Truncated,
                        Err(_) => break End::Broken,
                    }
                    if !std::mem::replace(&mut has_answered, true) && tls.write_all(name.as_bytes()).await.is_err() {
                        break End::Broken;
                    }
                };
                ends.lock().unwrap().push(end);
                let _ = tls.shutdown().await;
            }
        })
        .await
    }

    /// Does with each connection what the test says, once its handshake stands.
    pub async fn start<F>(
        host: &str,
        authority: &Authority,
        serve: impl Fn(ServedTls, Received, Arc<Mutex<Vec<End>>>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let identity = authority.issue(host);
        let chain = CertificateDer::pem_file_iter(identity.chain).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(identity.key).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (shaken, ends) = (Arc::<Mutex<Vec<_>>>::default(), Arc::default());
        let (sees, ended) = (shaken.clone(), Arc::clone(&ends));
        let server = Server::start(move |stream, received| {
            let (acceptor, serve, sees, ended) = (acceptor.clone(), serve.clone(), sees.clone(), Arc::clone(&ended));
            async move {
                let Ok(tls) = acceptor.accept(stream).await else { return };
                let (name, kind) = (tls.get_ref().1.server_name().map(str::to_owned), tls.get_ref().1.handshake_kind());
                sees.lock().unwrap().push(Shaken { name, is_resumed: kind == Some(HandshakeKind::Resumed) });
                serve(tls, received, ended).await;
            }
        })
        .await;
        Self { server, shaken, ends }
    }

    /// What it saw of each handshake that stood.
    pub fn shaken(&self) -> Vec<Shaken> {
        self.shaken.lock().unwrap().clone()
    }

    /// How the connections ended that have.
    pub fn ends(&self) -> Vec<End> {
        self.ends.lock().unwrap().clone()
    }
}
