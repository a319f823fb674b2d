//! From an upstream to a connected server: pick, dial, count the failure, try the next (nginx's `proxy_next_upstream`).

use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};

use super::{Endpoint, Lease, Tried, Upstream};
use crate::net::{Socket, dial_tcp, dial_unix, is_out_of_descriptors};
use crate::session::Session;

/// How long and how often servers are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectLimits {
    /// How long one connect may take.
    pub connect_timeout: Duration,
    /// Whether another server is tried when one cannot be connected.
    pub next_upstream: bool,
    /// The most servers that are tried; 0 is no limit.
    pub tries: usize,
    /// No further try begins later than this after the first; 0 is no limit.
    pub tries_timeout: Duration,
}

/// A server that is connected.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub socket: Socket,
    /// The right to it.
    pub lease: Lease,
    /// How many of the first bytes it has taken already.
    pub sent: usize,
}

/// Why no server is connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// None was eligible, or all that were tried failed. The last failure is told.
    #[error("upstream {upstream}: {}", .last.as_ref().map_or_else(|| "no server is left to try".into(), ToString::to_string))]
    NoServer {
        /// The upstream's name.
        upstream: Arc<str>,
        /// The last failure, if any server was tried.
        last: Option<TryError>,
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
    /// It refused, or cannot be reached.
    #[error("{address}: {source}")]
    Failed {
        /// The server.
        address: Arc<str>,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl TryError {
    /// Whether nobody was there to answer, not even to refuse.
    fn is_out_of_reach(&self) -> bool {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
        match self {
            Self::Timeout { .. } => true,
            Self::Failed { source, .. } => {
                matches!(source.kind(), AddrNotAvailable | HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
            }
        }
    }
}

impl Upstream {
    /// Connects to a server, and sends it the first bytes, from their start to each that is tried. Each try is noted
    /// in the session.
    ///
    /// # Errors
    /// When no server could be connected within the limits, or no descriptor is left.
    pub async fn connect(
        self: &Arc<Self>,
        key: &[u8],
        first: &[u8],
        limits: &ConnectLimits,
        session: &mut Session,
    ) -> Result<Connected, ConnectError> {
        self.wait_for_names(key, limits.connect_timeout).await;
        let mut tried = Tried::default();
        let mut last = None;
        let begun = Instant::now();
        for _ in 0..self.tries_within(limits) {
            let now = Instant::now();
            if last.is_some() && !limits.tries_timeout.is_zero() && now.duration_since(begun) >= limits.tries_timeout {
                break;
            }
            let Some(lease) = self.pick(key, &mut tried, now) else { break };
            session.begin_try(lease.address_text().clone(), now);
            match dial(&lease, first, limits.connect_timeout).await {
                Ok((socket, sent)) => {
                    let now = Instant::now();
                    lease.connected(now);
                    session.connected(now);
                    return Ok(Connected { socket, lease, sent });
                }
                Err(TryError::Failed { address, source }) if is_out_of_descriptors(&source) => {
                    return Err(ConnectError::NoDescriptor { address, source });
                }
                Err(error) => {
                    let now = Instant::now();
                    lease.failed(now);
                    if error.is_out_of_reach() {
                        lease.not_reached(now);
                    }
                    session.end_try(now);
                    last = Some(error);
                }
            }
        }
        if last.is_none() {
            // As nginx: with no server to name, `$upstream_addr` is the group's name.
            session.begin_try(self.name().clone(), begun);
        }
        Err(ConnectError::NoServer { upstream: self.name().clone(), last })
    }

    /// Right after the start names may not have been looked up yet. Who finds nobody because of that waits.
    async fn wait_for_names(&self, key: &[u8], limit: Duration) {
        if self.names.is_unsettled() {
            let finds_somebody = || !self.order(key, Instant::now()).is_empty();
            // When it takes longer, there is nobody.
            let _ = timeout(limit, self.names.settled_or(finds_somebody)).await;
        }
    }

    fn tries_within(&self, limits: &ConnectLimits) -> usize {
        match (limits.next_upstream, limits.tries) {
            (false, _) => 1,
            (true, 0) => self.tries(),
            (true, most) => self.tries().min(most),
        }
    }
}

async fn dial(lease: &Lease, first: &[u8], limit: Duration) -> Result<(Socket, usize), TryError> {
    // Pinned here: a future that is handed on by value takes its room twice.
    let dialled = pin!(async {
        match lease.endpoint() {
            Endpoint::Ip(address) => dial_tcp(*address, first).await,
            Endpoint::Unix(path) => dial_unix(path, first).await,
        }
    });
    match timeout(limit, dialled).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(source)) => Err(TryError::Failed { address: lease.address_text().clone(), source }),
        Err(_) => Err(TryError::Timeout { address: lease.address_text().clone(), limit }),
    }
}
