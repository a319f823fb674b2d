//! A TLS client whose every segment the test sends itself.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// rustls' side of a client, and the connection that it knows nothing of.
pub struct TlsByHand {
    pub tls: ClientConnection,
    pub beneath: TcpStream,
}

impl TlsByHand {
    pub fn new(beneath: TcpStream, host: &str, config: Arc<ClientConfig>) -> Self {
        let host = ServerName::try_from(host.to_owned()).unwrap();
        Self { tls: ClientConnection::new(config, host).unwrap(), beneath }
    }

    /// What rustls would send now.
    pub fn words(&mut self) -> Vec<u8> {
        let mut words = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut words).unwrap();
        }
        words
    }

    pub async fn send(&mut self, words: &[u8]) {
        self.beneath.write_all(words).await.unwrap();
    }

    /// Says what rustls has to say.
    pub async fn speak(&mut self) {
        let words = self.words();
        self.send(&words).await;
    }

    /// Hears until rustls has something to say to it.
    pub async fn listen(&mut self) {
        let mut buffer = vec![0; 16 * 1024];
        while !self.tls.wants_write() {
            let length = within(self.beneath.read(&mut buffer)).await.unwrap();
            assert!(length > 0, "the gateway has more to say");
            self.hear(&buffer[..length]);
        }
    }

    fn hear(&mut self, mut words: &[u8]) {
        while !words.is_empty() {
            self.tls.read_tls(&mut words).unwrap();
            self.tls.process_new_packets().unwrap();
        }
    }
}
