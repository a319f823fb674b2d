//! What `vestibule route` is asked: a connection, as its listener would see it.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;

use super::{Configuration, Failure};
use crate::hello::{ClientHello, ServerName};
use crate::host::{Hostname, HostnameError};
use crate::snapshot::{Listener, Snapshot};

/// What to explain.
#[derive(Args, Debug)]
pub(super) struct Question {
    #[command(flatten)]
    pub(super) configuration: Configuration,
    /// The listener; only needed if there are several.
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The server name that the client sends; without it, a hello that has none.
    #[arg(long, value_name = "HOST", conflicts_with = "not_tls")]
    pub(super) sni: Option<String>,
    /// A protocol that the client offers by ALPN. May be given several times.
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "not_tls")]
    pub(super) alpn: Vec<String>,
    /// The client's address.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) from: IpAddr,
    /// A client that does not speak TLS.
    #[arg(long)]
    pub(super) not_tls: bool,
}

impl Question {
    pub(super) fn listener<'s>(&self, snapshot: &'s Snapshot) -> Result<&'s Listener, Failure> {
        let names = || snapshot.listeners.iter().map(|listener| &*listener.name).collect::<Vec<_>>().join(", ");
        match (&self.listener, snapshot.listeners.as_slice()) {
            (None, [only]) => Ok(only),
            (None, all) => {
                // A name is looked up in a map; where only one listener has one, that is meant.
                let mut with_map = all.iter().filter(|listener| listener.map.is_some());
                match (with_map.next(), with_map.next()) {
                    (Some(only), None) => Ok(only),
                    _ => Err(Failure::Usage(format!("which listener? --listener with one of {}", names()))),
                }
            }
            (Some(name), all) => {
                let found = all.iter().find(|listener| *listener.name == **name);
                found
                    .map(|listener| &**listener)
                    .ok_or_else(|| Failure::Usage(format!("no listener is named {name:?}; there are {}", names())))
            }
        }
    }

    /// What is asked of first bytes that this listener does not read.
    pub(super) fn unread(&self, listener: &Listener) -> Vec<&'static str> {
        let asked = [("--sni", self.sni.is_some()), ("--alpn", !self.alpn.is_empty()), ("--not-tls", self.not_tls)];
        let asked = asked.into_iter().filter(|(_, is_asked)| *is_asked && listener.peek.is_none());
        asked.map(|(argument, _)| argument).collect()
    }

    /// The hello that the gateway would read, if it reads any. What is no host name is told as the gateway would tell it.
    pub(super) fn hello(&self, listener: &Listener) -> Result<Option<ClientHello>, Failure> {
        if self.not_tls || listener.peek.is_none() {
            return Ok(None);
        }
        let server_name = match self.sni.as_deref().map(|sent| (sent, Hostname::parse(sent))) {
            Some((sent, Ok(name))) => ServerName::Host { name, sent: sent.into() },
            None | Some((_, Err(HostnameError::IpAddress))) => ServerName::None,
            Some((sent, Err(error))) => {
                return Err(Failure::Usage(format!("a hello with the name {sent:?} is refused as malformed: {error}")));
            }
        };
        let alpn = self.alpn.iter().map(|protocol| protocol.as_bytes().into()).collect();
        Ok(Some(ClientHello { server_name, alpn, legacy_version: 0x0303, supported_versions: Some(vec![0x0304, 0x0303]), ech: false }))
    }
}
