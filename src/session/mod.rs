//! The facts of one session: who came, what was asked for, which servers were tried, how it ended.
//! Pure: instants and clocks are values that others put in. Everything that is logged or that a template
//! can say is read from here, so a session is described once.

#![deny(clippy::indexing_slicing)]

pub mod alert;
mod close_reason;
mod kept;
mod proxied;
mod tls;
#[allow(clippy::indexing_slicing, reason = "its numbers are its own, none is a stranger's")]
pub mod udp_table;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{Duration, Instant};

pub use close_reason::{CloseReason, Farewell, LogLevel, Side};
pub use kept::Kept;
pub use proxied::Proxied;
pub use tls::{ClientCertificate, TlsFacts};

/// One TCP connection, from accept to its end.
#[derive(Debug)]
pub struct Session {
    /// `$connection`: counted from 1 for the life of the process.
    pub number: u64,
    /// `$listener`.
    pub listener: Arc<str>,
    /// `$protocol`.
    pub protocol: Protocol,
    /// The client's end; where a PROXY header is believed, as that says.
    pub client: Peer,
    /// The PROXY header, if one came.
    pub proxied: Option<Box<Proxied>>,
    /// The gateway's end of the client's connection.
    pub local: Peer,
    /// When it was accepted.
    pub started: Instant,
    /// The same by the wall clock.
    pub started_at: SystemTime,
    /// What the first bytes turned out to be, once that is known.
    pub hello: Option<Hello>,
    /// `$ssl_preread_server_name`: as the client sent it, case and trailing dot kept.
    pub server_name: Option<Box<str>>,
    /// `$ssl_preread_alpn_protocols`.
    pub alpn: Option<Box<str>>,
    /// `$ssl_preread_protocol`.
    pub tls_version: Option<&'static str>,
    /// Whether the hello offered ECH: its name is then the outer, public one.
    pub ech: bool,
    /// What was agreed on with the client, if its TLS ends here.
    pub tls: Option<Box<TlsFacts>>,
    /// `$route`: the entry of the map that won, as it is written.
    pub route: Option<Arc<str>>,
    /// What the winning pattern's groups took; the first is the whole name.
    pub captures: Vec<Capture>,
    /// What the target's `note` says.
    pub note: Option<Arc<str>>,
    /// Whether it goes where `maintenance` says.
    pub maintenance: bool,
    /// `$limit_conn_status`; absent if no limit had to do with it.
    pub limit_status: Option<LimitStatus>,
    /// `$upstream`.
    pub upstream: Option<Arc<str>>,
    /// The servers that were tried, in order; the last one is the one that was connected, if any was.
    pub tries: Vec<Try>,
    /// Bytes that came from the client.
    pub bytes_received: u64,
    /// Bytes that were handed to the client's socket.
    pub bytes_sent: u64,
    /// How it ended; absent while it lives.
    pub ended: Option<Ended>,
    /// Texts that stay what they were when they were first asked for.
    pub kept: Kept,
}

/// A group of the winning pattern: its name, if it has one, and what it took.
pub type Capture = (Option<Arc<str>>, Box<str>);

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A unix socket; clients of these have no address of their own.
    Unix,
}

/// What a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// nginx's word for it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// What limits said of a session: `$limit_conn_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitStatus {
    /// None refused it.
    Passed,
    /// One would have, if it did more than tell.
    RejectedDryRun,
    /// One did.
    Rejected,
}

impl LimitStatus {
    /// nginx's word for it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::RejectedDryRun => "REJECTED_DRY_RUN",
            Self::Rejected => "REJECTED",
        }
    }
}

/// What the first bytes of a connection turned out to be: `$hello`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A hello with a host name.
    Named,
    /// A hello without one, or with an IP address in its place.
    Unnamed,
    /// Does not begin as a TLS handshake record.
    NotTls,
    /// Begins as TLS and is broken.
    Malformed,
    /// Larger than `preread_buffer_size`.
    TooLarge,
    /// Not whole within `preread_timeout`.
    Timeout,
    /// Closed by the client before it was whole.
    Gone,
}

/// One server that was tried.
#[derive(Clone, Debug)]
pub struct Try {
    /// As `$upstream_addr` says it; the upstream's name when it had no server left.
    pub address: Arc<str>,
    /// When the try began.
    pub started: Instant,
    /// How long the connect took; absent if it failed.
    pub connected: Option<Duration>,
    /// From the start of the try to the first byte that came back.
    pub first_byte: Option<Duration>,
    /// How long it lasted in all; absent while it lasts.
    pub lasted: Option<Duration>,
    /// Bytes sent to this server.
    pub bytes_sent: u64,
    /// Bytes that came from it.
    pub bytes_received: u64,
}

/// The end of a session.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Why.
    pub reason: CloseReason,
    /// What more there is to say, e.g. what is wrong with a hello.
    pub detail: Option<Box<str>>,
    /// How long the session lasted.
    pub lasted: Duration,
}

impl Session {
    /// A session that was just accepted.
    #[must_use]
    pub fn new(number: u64, listener: Arc<str>, client: Peer, local: Peer, started: Instant, started_at: SystemTime) -> Self {
        Self {
            number,
            listener,
            client,
            local,
            started,
            started_at,
            protocol: Protocol::Tcp,
            proxied: None,
            hello: None,
            server_name: None,
            alpn: None,
            tls_version: None,
            ech: false,
            tls: None,
            route: None,
            captures: Vec::new(),
            note: None,
            maintenance: false,
            limit_status: None,
            upstream: None,
            tries: Vec::new(),
            bytes_received: 0,
            bytes_sent: 0,
            ended: None,
            kept: Kept::default(),
        }
    }

    /// Notes what a hello says besides its name.
    pub fn note_hello(&mut self, tls_version: &'static str, alpn: &str, ech: bool) {
        self.tls_version = Some(tls_version);
        self.alpn = (!alpn.is_empty()).then(|| alpn.into());
        self.ech = ech;
    }

    /// Notes a try of a server; it stays open until [`Session::end_try`].
    pub fn begin_try(&mut self, address: Arc<str>, now: Instant) {
        // Most sessions have one try: a vector's usual first capacity of four would be kept for nothing.
        self.tries.reserve_exact(1);
        self.tries.push(Try { address, started: now, connected: None, first_byte: None, lasted: None, bytes_sent: 0, bytes_received: 0 });
    }

    /// Notes that the server of the try going on is connected.
    pub fn connected(&mut self, now: Instant) {
        if let Some(last) = self.tries.last_mut() {
            last.connected = Some(now.duration_since(last.started));
        }
    }

    /// Notes that the try going on is over, one way or the other.
    pub fn end_try(&mut self, now: Instant) {
        if let Some(last) = self.tries.last_mut().filter(|last| last.lasted.is_none()) {
            last.lasted = Some(now.duration_since(last.started));
        }
    }

    /// Notes how the session ended. The first ending counts.
    pub fn end(&mut self, reason: CloseReason, detail: Option<Box<str>>, now: Instant) {
        self.end_try(now);
        let lasted = now.duration_since(self.started);
        self.ended.get_or_insert(Ended { reason, detail, lasted });
    }

    /// What a pattern's group took, by number or by name.
    #[must_use]
    pub fn capture(&self, group: &str) -> Option<&str> {
        let by_number = group.parse::<usize>().ok().and_then(|number| self.captures.get(number));
        let found = by_number.or_else(|| self.captures.iter().find(|(name, _)| name.as_deref() == Some(group)));
        found.map(|(_, value)| &**value)
    }
}

impl Peer {
    /// The IP address, if there is one.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        self.socket_address().map(|address| address.ip())
    }

    /// The IP address and port, if there are any.
    #[must_use]
    pub fn socket_address(self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(address),
            Self::Unix => None,
        }
    }
}

impl Hello {
    /// The word in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Unnamed => "unnamed",
            Self::NotTls => "not_tls",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Gone => "gone",
        }
    }
}
