//! TLS towards the servers of a pool: who speaks it, and which name each server must have.

use std::sync::Arc;

use tokio::time::Duration;

use super::Server;
use crate::address::Address;
use crate::net::Socket;
use crate::session::Session;
use crate::tls::{ExpectedName, HandshakeError, Layer, Originator, Trust};
use crate::variables::{Text, Variable, rendered};

/// `tls` of an upstream.
#[derive(Debug)]
pub struct Encryption {
    /// Who speaks it.
    pub originator: Arc<Originator>,
    /// `server_name`; absent is each server's name as it is written.
    pub server_name: Option<Text>,
}

impl Encryption {
    /// Goes through the handshake with a server that was just connected, within the limit.
    pub(super) async fn begin(
        &self,
        server: &Server,
        name: &ExpectedName,
        socket: &Socket,
        limit: Duration,
    ) -> Result<Box<Layer>, HandshakeError> {
        self.originator.connect(server.address_text(), name, socket, limit).await.map(Box::new)
    }

    /// Whether clients have a say in what servers are asked for. What becomes of it is then not the servers' fault.
    pub(super) fn is_led_by_clients(&self) -> bool {
        self.server_name.as_ref().is_some_and(|name| name.variables().any(Variable::is_led_by_client))
    }

    /// The name that a server must have for this session, or the text that should be one and is none.
    pub(super) fn name(&self, server: &Server, session: &Session) -> Result<ExpectedName, Box<str>> {
        let text = match &self.server_name {
            Some(template) => rendered(template, session),
            None => own_name(&server.line().address, &server.line().written).unwrap_or_default().to_owned(),
        };
        match ExpectedName::parse(&text) {
            Some(name) => Ok(name),
            None if text.is_empty() && self.originator.settings().trust == Trust::Anybody => Ok(ExpectedName::none()),
            None => Err(text.into()),
        }
    }
}

/// The name that a server is written with, if it has one.
pub(crate) fn own_name<'w>(address: &'w Address, written: &'w str) -> Option<&'w str> {
    match address {
        Address::Name(name, _) => Some(name.as_str()),
        Address::Service(_) => Some(written),
        Address::Ip(_) | Address::Unix(_) => None,
    }
}
