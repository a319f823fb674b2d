//! Clients that speak TLS with the gateway itself, each end of which a test can choose: in order, cut off, broken.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Authority, Server, connect, reset, said, within};

/// A client's TLS over its connection.
pub type Tls = tokio_rustls::client::TlsStream<TcpStream>;

/// A client after its handshake with the gateway.
pub async fn connect_tls(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> Tls {
    handshake(connect(address).await, host, config).await.unwrap()
}

/// The handshake of a client over a connection that is there already.
pub async fn handshake(stream: TcpStream, host: &str, config: Arc<ClientConfig>) -> io::Result<Tls> {
    let host = ServerName::try_from(host.to_owned()).unwrap();
    within(TlsConnector::from(config).connect(host, stream)).await
}

/// What a client hears that sends this and ends its direction in order, as text.
pub async fn ask(tls: &mut Tls, question: &[u8]) -> String {
    tls.write_all(question).await.unwrap();
    tls.shutdown().await.unwrap();
    said(tls).await
}

/// Ends the connection beneath without a word in TLS.
pub async fn truncate(tls: &mut Tls) {
    tls.flush().await.unwrap();
    tls.get_mut().0.shutdown().await.unwrap();
}

/// Makes the connection beneath end by a reset.
pub fn reset_tls(tls: Tls) {
    reset(tls.into_inner().0);
}

/// The keys of a map whose host `api.test` ends its TLS under the profile `public` and goes on to this server.
pub fn ends_at_gate(authority: &Authority, server: &Server, profile: &str) -> String {
    let profile = authority.profile("public", &["api.test"], profile);
    format!("[routes.map.hosts.\"api.test\"]\nupstream = \"{}\"\nterminate = \"public\"\n{profile}", server.address)
}
