//! The client's side of a session: its socket, and its TLS if that ends here.

use super::refusal::Refusal;
use crate::net::Socket;
use crate::session::Session;
use crate::tls::{Layer, Terminator, TlsStream, of_client};

/// A client. What its TLS needs is on the heap, so that who passes through does not pay for it.
pub(super) struct Client<'s> {
    pub(super) socket: &'s Socket,
    tls: Option<Box<Layer>>,
}

impl<'s> Client<'s> {
    pub(super) fn new(socket: &'s Socket) -> Self {
        Self { socket, tls: None }
    }

    /// Ends the client's TLS here, on a hello that was read before. From then on the client hears nothing in the clear.
    pub(super) async fn terminate(&mut self, terminator: &Terminator, hello: Vec<u8>, session: &mut Session) -> Result<(), Refusal> {
        let (layer, facts) = terminator.accept(self.socket, &hello).await?;
        self.tls = Some(Box::new(layer));
        session.tls = Some(Box::new(facts));
        // What is counted from now on is what the server sees of it.
        session.bytes_received = 0;
        Ok(())
    }

    /// The plaintext, if TLS ends here.
    pub(super) fn tls(&self) -> Option<TlsStream<'_>> {
        self.tls.as_ref().map(|layer| layer.over(self.socket))
    }

    /// What was wrong with the client's TLS.
    pub(super) fn failure(&self) -> Option<Box<str>> {
        Some(of_client(&self.tls.as_ref()?.failure()?).into())
    }
}
