//! Why there is no connection to a server, and what that says of the server, of others, and of the session itself.

use std::io;
use std::sync::Arc;

use tokio::time::Duration;

use crate::net::SourceError;
use crate::tls::HandshakeError;

/// Why no server is connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// All that were tried failed. The last failure is told.
    #[error("{asked}: {last}")]
    NoServer {
        /// The upstreams that were asked, in their order.
        asked: Box<str>,
        /// The last failure.
        #[source]
        last: TryError,
    },
    /// None could be tried.
    #[error("{asked}: no server is left to try ({why})")]
    Nobody {
        /// The upstreams that were asked, in their order.
        asked: Box<str>,
        /// Why, in words.
        why: Box<str>,
    },
    /// There was a server, but no way to it from the source that was asked for.
    #[error("{asked}: {last}")]
    NoSource {
        /// The upstreams that were asked, in their order.
        asked: Box<str>,
        /// The last server that was not dialled, and why.
        #[source]
        last: TryError,
    },
    /// The process or the machine has no socket to spare; no server is to blame.
    #[error("no descriptor is left for a connection to {address}")]
    NoDescriptor {
        /// The server that was to be dialled.
        address: Arc<str>,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Why one server could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// It did not answer in time.
    #[error("{address} did not answer within {limit:?}")]
    Timeout {
        /// The server.
        address: Arc<str>,
        /// `connect_timeout`.
        limit: Duration,
    },
    /// Others found out meanwhile that it does not answer.
    #[error("{address} did not answer others")]
    GivenUp {
        /// The server.
        address: Arc<str>,
    },
    /// It refused, or cannot be reached.
    #[error("{address}: {source}")]
    Failed {
        /// The server.
        address: Arc<str>,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It is connected, and there is no TLS with it.
    #[error("{address}: {}", .source.of_server())]
    Tls {
        /// The server.
        address: Arc<str>,
        /// Whether it was asked for what a client said, which may be anything.
        is_led_by_client: bool,
        /// Why.
        #[source]
        source: HandshakeError,
    },
    /// It was not dialled: `server_name` gives no name that it could be asked for.
    #[error("{address} is not dialled: `server_name` gives {text:?}, which is no host name")]
    Name {
        /// The server.
        address: Arc<str>,
        /// What it gives.
        text: Box<str>,
    },
    /// It was not asked: what it speaks is not carried by datagrams.
    #[error("{address} is not asked: {why}")]
    NoDatagrams {
        /// The server.
        address: Arc<str>,
        /// Why.
        why: &'static str,
    },
    /// It was not dialled, for want of the source that was asked for.
    #[error("{address} is not dialled: the source {source}")]
    Source {
        /// The server.
        address: Arc<str>,
        /// What is wrong with the source.
        #[source]
        source: SourceError,
    },
}

impl TryError {
    /// The words alone, for where the server's address is told before.
    pub(super) fn without_address(&self) -> String {
        match self {
            Self::Timeout { limit, .. } => format!("it did not answer within {limit:?}"),
            Self::GivenUp { .. } => "it did not answer others".into(),
            Self::Failed { source, .. } => source.to_string(),
            Self::Tls { source, .. } => source.of_server(),
            Self::Name { .. } | Self::NoDatagrams { .. } | Self::Source { .. } => self.to_string(),
        }
    }

    /// Whether the source is to blame, and not the server.
    pub(super) fn is_of_source(&self) -> bool {
        matches!(self, Self::Source { .. })
    }

    /// Whether it says something of the server.
    pub(super) fn is_of_server(&self) -> bool {
        match self {
            Self::Source { .. } | Self::Name { .. } | Self::NoDatagrams { .. } => false,
            Self::Tls { is_led_by_client, source, .. } => !is_led_by_client || matches!(source, HandshakeError::Timeout(_)),
            Self::Timeout { .. } | Self::GivenUp { .. } | Self::Failed { .. } => true,
        }
    }

    /// Whether the source cannot be used for any other server either.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Source { source: SourceError::NoAddress(_) | SourceError::Bind { .. }, .. })
    }

    /// Whether nobody was there to answer, not even to refuse.
    pub(super) fn is_out_of_reach(&self) -> bool {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
        match self {
            Self::Timeout { .. } => true,
            Self::Failed { source, .. } => {
                matches!(source.kind(), AddrNotAvailable | HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
            }
            Self::GivenUp { .. } | Self::Tls { .. } | Self::Name { .. } | Self::NoDatagrams { .. } | Self::Source { .. } => false,
        }
    }
}
