//! From a pool to a connected server: pick, dial, count the failure, try the next (nginx's `proxy_next_upstream`). What
//! is tried next, and whether anything is, stands in `search`.

use std::pin::pin;

use tokio::time::{Duration, Instant, timeout};

use super::search::Search;
use super::{Announcement, ConnectError, Encryption, Endpoint, Lease, Pool, TryError, told};
use crate::net::{DialError, Silence, Socket, Source, SourceError, dial_tcp, dial_unix, is_out_of_descriptors};
use crate::session::Session;
use crate::tls::{Layer, TlsStream, of_server};

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

/// What a session asks of the connection to its server.
#[derive(Clone, Debug)]
pub struct Wanted<'s> {
    /// What the server is to hear first.
    pub first: &'s [u8],
    /// How long and how often servers are tried.
    pub limits: &'s ConnectLimits,
    /// Where it is to come from, unless that is left to the kernel; or the text that should have said so and is no
    /// address: no server is then dialled from anywhere. Unix sockets have no source.
    pub source: Option<Result<Source, Box<str>>>,
}

/// A server that is connected.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub socket: Socket,
    /// Its TLS, if it is spoken; nothing goes over the socket in the clear then.
    pub tls: Option<Box<Layer>>,
    /// The right to it.
    pub lease: Lease,
    /// How many of the first bytes it has taken already.
    pub sent: usize,
}

impl Connected {
    /// The plaintext, if TLS is spoken.
    #[must_use]
    pub fn plaintext(&self) -> Option<TlsStream<'_>> {
        self.tls.as_ref().map(|layer| layer.over(&self.socket))
    }

    /// What was wrong with the server's TLS.
    #[must_use]
    pub fn failure(&self) -> Option<Box<str>> {
        Some(of_server(&self.tls.as_ref()?.failure()?).into())
    }
}

impl Pool {
    /// Connects to a server, of this pool or those that it falls back on, and sends it the first bytes, from their start
    /// to each that is tried. Each try is noted in the session, with the upstream it was of.
    ///
    /// # Errors
    /// When no server could be connected within the limits, none from the source, or no descriptor is left.
    pub async fn connect(&self, wanted: &Wanted<'_>, session: &mut Session) -> Result<Connected, ConnectError> {
        let begun = Instant::now();
        let mut search = Search::new(self, wanted.limits, begun, session);
        let mut last: Option<TryError> = None;
        let mut next = search.next(session).await;
        while let Some(lease) = next {
            session.upstream = Some(lease.upstream().name().clone());
            session.begin_try(lease.address_text().clone(), Instant::now());
            let attempt = attempt(&lease, wanted, &mut search, session).await;
            let now = Instant::now();
            let error = match attempt {
                Attempt::Connected(Reached { socket, tls, sent }) => {
                    lease.connected(now);
                    session.connected(now);
                    return Ok(Connected { socket, tls, lease, sent });
                }
                Attempt::GivenUp(other) => {
                    session.end_try(now);
                    last = Some(TryError::GivenUp { address: lease.address_text().clone() });
                    next = Some(other);
                    continue;
                }
                Attempt::Failed(TryError::Failed { address, source }) if is_out_of_descriptors(&source) => {
                    return Err(ConnectError::NoDescriptor { address, source });
                }
                Attempt::Failed(error) => error,
            };
            session.end_try(now);
            if error.is_of_server() && lease.failed(now) {
                told::left_alone(&lease, &error);
            }
            if error.is_out_of_reach() {
                search.not_reached(&lease, now);
            }
            next = if error.is_final() { None } else { search.next(session).await };
            // A server that failed is the better reason.
            if !error.is_of_source() || last.as_ref().is_none_or(TryError::is_of_source) {
                last = Some(error);
            }
        }
        Err(self.gave_up(&search, begun, last, session))
    }

    /// Why a search led to nobody.
    pub(super) fn gave_up(&self, search: &Search<'_>, begun: Instant, last: Option<TryError>, session: &mut Session) -> ConnectError {
        if last.is_none() {
            // As nginx: with no server to name, `$upstream_addr` is the group's name.
            session.begin_try(self.upstream.name().clone(), begun);
        }
        let asked = search.asked(self);
        match last {
            Some(last) if last.is_of_source() => ConnectError::NoSource { asked, last },
            Some(last) => ConnectError::NoServer { asked, last },
            None => ConnectError::Nobody { asked, why: search.missing(self, Instant::now()) },
        }
    }
}

/// What became of a try.
enum Attempt {
    Connected(Reached),
    Failed(TryError),
    /// Others found out that the server does not answer, and there is another one to go to.
    GivenUp(Lease),
}

/// A connection, with its TLS if it is spoken, and how many of the first bytes it has taken.
struct Reached {
    socket: Socket,
    tls: Option<Box<Layer>>,
    sent: usize,
}

/// Dials a server, for as long as it may take and others have not found it dead.
async fn attempt(lease: &Lease, wanted: &Wanted<'_>, search: &mut Search<'_>, session: &Session) -> Attempt {
    let (announcement, encryption, silence) = (search.announcement(), search.encryption(), search.silence());
    let reached = async {
        match (announcement, encryption) {
            (None, None) => dial(lease, wanted.first, wanted, silence).await.map(|(socket, sent)| Reached { socket, tls: None, sent }),
            // On the heap, so that who goes on as it came does not pay for it.
            (announcement, None) => Box::pin(announce(lease, announcement, wanted.first, wanted, silence, session)).await,
            (announcement, Some(encryption)) => Box::pin(reach(lease, announcement, encryption, wanted, silence, session)).await,
        }
    };
    // Pinned here: a future that is handed on by value takes its room twice.
    let reached = pin!(reached);
    tokio::select! {
        biased;
        reached = reached => reached.map_or_else(Attempt::Failed, Attempt::Connected),
        other = search.instead_of(lease, session) => Attempt::GivenUp(other),
    }
}

/// Dials a server and goes through the handshake. As in nginx, the limit counts for each of the two.
async fn reach(
    lease: &Lease,
    announcement: Option<&Announcement>,
    encryption: &Encryption,
    wanted: &Wanted<'_>,
    silence: Silence,
    session: &Session,
) -> Result<Reached, TryError> {
    let address = || lease.address_text().clone();
    let name = encryption.name(lease, session).map_err(|text| TryError::Name { address: address(), text })?;
    let Reached { socket, .. } = announce(lease, announcement, &[], wanted, silence, session).await?;
    let tls = encryption.begin(lease, &name, &socket, wanted.limits.connect_timeout).await;
    let is_led_by_client = encryption.is_led_by_clients();
    let tls = tls.map_err(|source| TryError::Tls { address: address(), is_led_by_client, source })?;
    Ok(Reached { socket, tls: Some(tls), sent: 0 })
}

/// Dials a server, and tells it whom the connection is from, if it is told, before the first bytes and with them.
async fn announce(
    lease: &Lease,
    announcement: Option<&Announcement>,
    first: &[u8],
    wanted: &Wanted<'_>,
    silence: Silence,
    session: &Session,
) -> Result<Reached, TryError> {
    let mut words = Vec::new();
    if let Some(announcement) = announcement {
        announcement.write(session, &mut words);
    }
    let header = words.len();
    words.extend_from_slice(first);
    let (socket, sent) = dial(lease, &words, wanted, silence).await?;
    let rest = words.get(sent..header).unwrap_or_default();
    let limit = wanted.limits.connect_timeout;
    match timeout(limit, socket.write_all(rest)).await {
        // A connection that broke takes nothing more: what becomes of that is found out later.
        Ok(Ok(()) | Err(_)) => Ok(Reached { socket, tls: None, sent: sent.saturating_sub(header) }),
        Err(_) => Err(TryError::Timeout { address: lease.address_text().clone(), limit }),
    }
}

/// Dials a server within the limit, and sends it the first bytes.
async fn dial(lease: &Lease, first: &[u8], wanted: &Wanted<'_>, silence: Silence) -> Result<(Socket, usize), TryError> {
    let limit = wanted.limits.connect_timeout;
    let address = || lease.address_text().clone();
    let dialled = pin!(dial_endpoint(lease.endpoint(), first, wanted, silence));
    match timeout(limit, dialled).await {
        Ok(Ok(dialled)) => Ok(dialled),
        Ok(Err(DialError::Failed(source))) => Err(TryError::Failed { address: address(), source }),
        Ok(Err(DialError::Source(source))) => Err(TryError::Source { address: address(), source }),
        Err(_) => Err(TryError::Timeout { address: address(), limit }),
    }
}

async fn dial_endpoint(endpoint: &Endpoint, first: &[u8], wanted: &Wanted<'_>, silence: Silence) -> Result<(Socket, usize), DialError> {
    match endpoint {
        Endpoint::Ip(address) => {
            let source = wanted.source.clone().transpose().map_err(SourceError::NoAddress)?;
            dial_tcp(*address, first, &silence, source).await
        }
        Endpoint::Unix(path) => Ok(dial_unix(path, first).await?),
    }
}
