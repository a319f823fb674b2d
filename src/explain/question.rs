//! What is asked: a client, and what it sends first. How a listener would take that is for the code that reads hellos.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use tokio::time::Instant;

use crate::address::ListenAddress;
use crate::config::TlsVersion;
use crate::hello::{ClientHello, Malformed, ServerName};
use crate::host::Hostname;
use crate::route::FirstName;
use crate::session::{Hello, Peer, Protocol, Session};
use crate::snapshot::Listener;

/// A connection that might come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The client; port 0 is one that is not known.
    pub from: Peer,
    /// What it sends first.
    pub first: First,
}

/// What a client sends first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// A hello of TLS.
    Tls {
        /// The server name in it, if there is one.
        name: Option<String>,
        /// The protocols of ALPN.
        alpn: Vec<String>,
        /// The versions; none are those that most clients offer.
        versions: Vec<TlsVersion>,
    },
    /// Something else.
    NotTls,
}

/// What a listener takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is not read.
    Unread,
    NotTls,
    Hello(ClientHello),
    Malformed(Malformed),
}

impl Question {
    /// A client that sends this name, and nothing uncommon.
    #[must_use]
    pub fn named(name: impl Into<String>, from: IpAddr) -> Self {
        let first = First::Tls { name: Some(name.into()), alpn: Vec::new(), versions: Vec::new() };
        Self { from: Peer::Ip(SocketAddr::new(from, 0)), first }
    }

    /// The name that is sent.
    pub(super) fn sent(&self) -> Option<&str> {
        match &self.first {
            First::Tls { name, .. } => name.as_deref(),
            First::NotTls => None,
        }
    }

    pub(super) fn heard(&self, listener: &Listener) -> Heard {
        match &self.first {
            _ if listener.peek.is_none() => Heard::Unread,
            First::NotTls => Heard::NotTls,
            First::Tls { name, alpn, versions } => {
                match ClientHello::described(name.as_deref(), alpn, versions.iter().map(|version| version.number())) {
                    Err(reason) => Heard::Malformed(Malformed::ServerName(reason)),
                    Ok(_) if alpn.iter().any(|protocol| !(1..=255).contains(&protocol.len())) => Heard::Malformed(Malformed::Alpn),
                    Ok(hello) => Heard::Hello(hello),
                }
            }
        }
    }

    /// What is asked of first bytes that this listener does not read.
    pub(super) fn unread(&self, listener: &Listener) -> Vec<&'static str> {
        if listener.peek.is_some() {
            return Vec::new();
        }
        let asked = match &self.first {
            First::NotTls => vec![("not_tls", true)],
            First::Tls { name, alpn, versions } => {
                vec![("sni", name.is_some()), ("alpn", !alpn.is_empty()), ("versions", !versions.is_empty())]
            }
        };
        asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(what, _)| what).collect()
    }

    /// The session as the gateway would see it once the first bytes are read.
    pub(super) fn session(&self, listener: &Listener, heard: &Heard) -> Session {
        let local = match listener.addresses.first() {
            Some(ListenAddress::Ip(ip)) => Peer::Ip(*ip),
            Some(ListenAddress::Unix(_)) | None => Peer::Unix,
        };
        let mut session = Session::new(0, listener.name.clone(), self.from, local, Instant::now(), SystemTime::now());
        if *listener.protocols == [Protocol::Udp] {
            session.protocol = Protocol::Udp;
        }
        session.hello = heard.hello();
        if let Heard::Hello(hello) = heard {
            session.note_hello(hello.protocol(), &hello.alpn_text(), hello.ech);
            if let ServerName::Host { sent, .. } = &hello.server_name {
                session.server_name = Some(sent.clone());
            }
        }
        session
    }
}

impl Heard {
    pub(super) fn hello(&self) -> Option<Hello> {
        match self {
            Self::Unread => None,
            Self::NotTls => Some(Hello::NotTls),
            Self::Malformed(_) => Some(Hello::Malformed),
            Self::Hello(ClientHello { server_name: ServerName::None, .. }) => Some(Hello::Unnamed),
            Self::Hello(_) => Some(Hello::Named),
        }
    }

    pub(super) fn client_hello(&self) -> Option<&ClientHello> {
        if let Self::Hello(hello) = self { Some(hello) } else { None }
    }

    pub(super) fn name(&self) -> Option<&Hostname> {
        match &self.client_hello()?.server_name {
            ServerName::Host { name, .. } => Some(name),
            ServerName::None => None,
        }
    }

    /// What the table is asked for; one without a map has only a default, which is for everybody.
    pub(super) fn first_name(&self, listener: &Listener) -> FirstName<'_> {
        match self {
            _ if listener.map.is_none() => FirstName::NoName,
            Self::NotTls => FirstName::NotTls,
            _ => self.name().map_or(FirstName::NoName, FirstName::Name),
        }
    }
}
