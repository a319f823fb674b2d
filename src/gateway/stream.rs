//! The life of one TCP session, on one screen: peek, route, pick, connect; then relay; then the end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};

use super::farewell;
use super::live::Live;
use super::worker::Worker;
use crate::address::Address;
use crate::hello::{ClientHello, ServerName};
use crate::host::Hostname;
use crate::net::Socket;
use crate::peek::{First, PeekError, first_bytes};
use crate::relay::{Counts, RelayEnd, RelayLimits, relay};
use crate::route::FirstName;
use crate::session::{CloseReason, Farewell, Hello, Session};
use crate::snapshot::{Action, Destination, ForwardError, ForwardRules, Listener, Pool, Target};
use crate::upstream::{Balance, ConnectError, ConnectLimits, Connected, ServerLine, Upstream};
use crate::variables::{Text, render};

/// Serves a connection from its first byte to its last.
pub(super) async fn serve(client: &Socket, listener: Arc<Listener>, live: &mut Live, worker: &Worker) {
    let mut joined = worker.unless_stopped(set_up(client, listener, live, worker).as_mut()).await;
    let (reason, detail) = match &mut joined {
        Ok(Ok(joined)) => (joined.relay(client, live, worker).await, None),
        Ok(Err(Refusal { reason, detail })) => (*reason, detail.take()),
        Err(stopped) => (*stopped, None),
    };
    live.end(reason, detail);
    drop(joined);
    farewell::say(client, reason, live.hello).await;
}

/// Everything up to the relay. Its future is on the heap and gone once the session is joined, so that nothing of
/// it weighs on an idle one.
fn set_up<'s>(
    client: &'s Socket,
    listener: Arc<Listener>,
    session: &'s mut Session,
    worker: &'s Worker,
) -> Pin<Box<impl Future<Output = Result<Joined, Refusal>> + 's>> {
    Box::pin(async move {
        let (first, read) = first(client, &listener, session).await?;
        let target = route(&listener, first.as_ref(), session)?;
        let destination = match &target.action {
            Action::Forward(destination) => destination,
            Action::Reject(alert) => return Err(CloseReason::Rejected(*alert).into()),
            Action::Respond(text) => return Err(respond(client, text, target, session).await),
        };
        // A client that gives up meanwhile takes no server's connection.
        let server = tokio::select! {
            biased;
            connected = connect(destination, &read, &target.limits.connect, session, worker) => connected?,
            () = client.broken() => return Err(CloseReason::ClientReset.into()),
        };
        Ok(Joined { server, first: read, limits: target.limits.relay })
    })
}

/// Finds the upstream, and connects to one of its servers.
async fn connect(
    destination: &Destination,
    first: &[u8],
    limits: &ConnectLimits,
    session: &mut Session,
    worker: &Worker,
) -> Result<Connected, Refusal> {
    let pool = destination.pool(limits.connect_timeout, session, worker).await?;
    session.upstream = Some(pool.upstream.name().clone());
    let key = pool.key(session);
    Ok(pool.upstream.connect(&key, first, limits, session).await?)
}

/// Reads the first bytes, if this listener looks at them, and notes what they are.
async fn first(client: &Socket, listener: &Listener, session: &mut Session) -> Result<(Option<First>, Vec<u8>), Refusal> {
    let mut read = Vec::new();
    let Some(limits) = &listener.peek else { return Ok((None, read)) };
    let first = first_bytes(client, limits, session.started, &mut read).await;
    session.bytes_received = read.len() as u64;
    match first {
        Ok(first) => {
            note_first(&first, session);
            Ok((Some(first), read))
        }
        Err(error) => {
            session.hello = Some(hello_of(&error));
            Err(error.into())
        }
    }
}

fn note_first(first: &First, session: &mut Session) {
    let (hello, said) = match first {
        First::Named(hello) => (Hello::Named, Some(hello)),
        First::Unnamed(hello) => (Hello::Unnamed, Some(hello)),
        First::NotTls => (Hello::NotTls, None),
    };
    session.hello = Some(hello);
    if let Some(said) = said {
        session.note_hello(said.protocol(), &said.alpn_text(), said.ech);
        if let ServerName::Host { sent, .. } = &said.server_name {
            session.server_name = Some(sent.clone());
        }
    }
}

/// Finds the target: the entry that wins, and of its targets the first that fits.
fn route<'l>(listener: &'l Listener, first: Option<&First>, session: &mut Session) -> Result<&'l Target, Refusal> {
    let refused = if matches!(first, Some(First::NotTls)) { CloseReason::NotTls } else { CloseReason::NoRoute };
    let found = listener.routes.lookup(first_name(listener, first)).ok_or(refused)?;
    // One without a map has a default that nobody wrote.
    session.route = listener.map.is_some().then(|| found.entry.written.clone());
    if let Some(captures) = found.captures {
        session.captures = captures.groups().map(|(name, taken)| (name.map(Into::into), taken.into())).collect();
    }
    let client = session.client.ip();
    let target = found.entry.target.iter().find(|target| target.guards.fit(client, hello(first)));
    target.ok_or_else(|| CloseReason::NoTarget.into())
}

/// What the table is asked for. One without a map has only a default, which is for everybody.
fn first_name<'f>(listener: &Listener, first: Option<&'f First>) -> FirstName<'f> {
    match first {
        _ if listener.map.is_none() => FirstName::NoName,
        Some(First::NotTls) => FirstName::NotTls,
        other => name(hello(other)).map_or(FirstName::NoName, FirstName::Name),
    }
}

fn hello(first: Option<&First>) -> Option<&ClientHello> {
    match first {
        Some(First::Named(hello) | First::Unnamed(hello)) => Some(hello),
        Some(First::NotTls) | None => None,
    }
}

fn name(hello: Option<&ClientHello>) -> Option<&Hostname> {
    match &hello?.server_name {
        ServerName::Host { name, .. } => Some(name),
        ServerName::None => None,
    }
}

/// Sends the answer. A client that takes nothing of it for `idle_timeout` gets no more.
async fn respond(client: &Socket, text: &Text, target: &Target, session: &mut Session) -> Refusal {
    let mut answer = Vec::new();
    render(text, session, &mut answer);
    let mut left = &answer[..];
    while !left.is_empty() {
        match timeout(target.limits.relay.idle_timeout, client.write(left)).await {
            Ok(Ok(length)) => {
                session.bytes_sent += length as u64;
                left = &left[length..];
            }
            Ok(Err(_)) => return CloseReason::ClientReset.into(),
            Err(_) => return CloseReason::IdleTimeout.into(),
        }
    }
    CloseReason::Responded.into()
}

impl Destination {
    /// The upstream of a session; one that a template names is found or made now, within the limit.
    async fn pool(&self, limit: Duration, session: &Session, worker: &Worker) -> Result<Arc<Pool>, Refusal> {
        match self {
            Self::Pool(pool) => Ok(pool.clone()),
            Self::Template(template, rules) => {
                let mut text = Vec::new();
                render(template, session, &mut text);
                let text = String::from_utf8_lossy(&text);
                match worker.pools().get(&*text) {
                    Some(pool) => Ok(pool.clone()),
                    None => made_pool(&text, rules, limit, worker).await,
                }
            }
        }
    }
}

/// An upstream for one session, of the address that a template gave.
async fn made_pool(text: &str, rules: &ForwardRules, limit: Duration, worker: &Worker) -> Result<Arc<Pool>, Refusal> {
    let addresses = match rules.address(text)? {
        Address::Name(name, port) => {
            resolved(&name, port, limit, worker).await?.into_iter().filter(|ip| rules.allow(ip.ip())).map(Address::Ip).collect()
        }
        judged => vec![judged],
    };
    if addresses.is_empty() {
        return Err(ForwardError::Refused(text.into()).into());
    }
    let lines = addresses.into_iter().map(ServerLine::new).collect();
    let upstream = Upstream::new(text.into(), Balance::RoundRobin, lines);
    Ok(Arc::new(Pool { upstream: Arc::new(upstream), hash_key: None }))
}

/// The addresses of a name, within the limit.
async fn resolved(name: &Hostname, port: u16, limit: Duration, worker: &Worker) -> Result<Vec<SocketAddr>, Refusal> {
    let unresolved = |detail: String| Refusal { reason: CloseReason::Unresolved, detail: Some(detail.into()) };
    let looked_up = timeout(limit, worker.resolver().resolve(name)).await;
    let looked_up = looked_up.map_err(|_| unresolved(format!("{name} was not resolved within {limit:?}")))?;
    let addresses = looked_up.map_err(|error| unresolved(error.to_string()))?;
    Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// A client and its server.
struct Joined {
    server: Connected,
    first: Vec<u8>,
    limits: RelayLimits,
}

impl Joined {
    /// Relays until the end, and notes what has moved. The server hears of the end when this is dropped.
    async fn relay(&mut self, client: &Socket, session: &mut Session, worker: &Worker) -> CloseReason {
        let Self { server: Connected { socket: server, sent, .. }, first, limits } = self;
        let counts = Counts::default();
        let ended = worker.unless_stopped(pin!(relay(client, server, std::mem::take(first), *sent, limits, &counts))).await;
        note_counts(&counts, session);
        let reason = ended.map_or_else(|stopped| stopped, CloseReason::from);
        if reason.farewell() == Farewell::Reset {
            server.reset_on_drop();
        }
        reason
    }
}

fn note_counts(counts: &Counts, session: &mut Session) {
    session.bytes_received = counts.from_client.get();
    session.bytes_sent = counts.to_client.get();
    if let Some(last) = session.tries.last_mut() {
        last.bytes_sent = counts.to_server.get();
        last.bytes_received = counts.from_server.get();
        last.first_byte = counts.first_byte.get().map(|at| at.duration_since(last.started));
    }
    session.end_try(Instant::now());
}

/// Why a session was not joined.
struct Refusal {
    reason: CloseReason,
    detail: Option<Box<str>>,
}

impl From<CloseReason> for Refusal {
    fn from(reason: CloseReason) -> Self {
        Self { reason, detail: None }
    }
}

impl From<PeekError> for Refusal {
    fn from(error: PeekError) -> Self {
        let reason = match &error {
            PeekError::Malformed(malformed) => CloseReason::MalformedHello(malformed.alert()),
            PeekError::TooLarge => CloseReason::HelloTooLarge,
            PeekError::Timeout => CloseReason::HelloTimeout,
            PeekError::Gone => CloseReason::HelloGone,
            PeekError::Reset(_) => CloseReason::ClientReset,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        let reason = match &error {
            ForwardError::NoAddress { .. } => CloseReason::Unresolved,
            ForwardError::Refused(_) => CloseReason::ForwardRefused,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        let reason = match &error {
            ConnectError::NoServer { .. } => CloseReason::NoServer,
            ConnectError::NoDescriptor { .. } => CloseReason::NoDescriptor,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}

impl From<RelayEnd> for CloseReason {
    fn from(end: RelayEnd) -> Self {
        match end {
            RelayEnd::ClientClosed => Self::ClientClosed,
            RelayEnd::ServerClosed => Self::ServerClosed,
            RelayEnd::ClientReset => Self::ClientReset,
            RelayEnd::ServerReset => Self::ServerReset,
            RelayEnd::Idle => Self::IdleTimeout,
        }
    }
}

fn hello_of(error: &PeekError) -> Hello {
    match error {
        PeekError::Malformed(_) => Hello::Malformed,
        PeekError::TooLarge => Hello::TooLarge,
        PeekError::Timeout => Hello::Timeout,
        PeekError::Gone | PeekError::Reset(_) => Hello::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_session_is_small() {
        let serve = size_of_output(|client: &'static Socket, listener, live: &'static mut Live, worker: &'static Worker| {
            serve(client, listener, live, worker)
        });
        assert!(serve <= 1024, "the future of a session takes {serve} bytes, and each idle session keeps one");
    }
}
