//! The life of one TCP session, on one screen: peek, route, end TLS, pick, connect; then relay; then the end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};

use super::client::Client;
use super::farewell;
use super::live::Live;
use super::proxied::read_header;
use super::rates::rates;
use super::reach::connect;
use super::refusal::Refusal;
use super::show;
use super::worker::Worker;
use crate::hello::{ClientHello, ServerName};
use crate::net::{Socket, Stream};
use crate::peek::{First, first_bytes};
use crate::relay::{Counts, Rates, RelayEnd, RelayLimits, relay};
use crate::route::FirstName;
use crate::session::{CloseReason, Hello, Session};
use crate::snapshot::{Action, Listener, Target, first_name};
use crate::tls::{Layer, version_in_common};
use crate::upstream::Connected;
use crate::variables::{Text, render};

/// Serves a connection from its first byte to its last.
pub(super) async fn serve(client: &Socket, listener: Arc<Listener>, live: &mut Live, worker: &Worker) {
    let mut client = Client::new(client);
    let mut joined = worker.unless_stopped(set_up(&mut client, listener, live, worker).as_mut()).await;
    let (reason, detail) = match &mut joined {
        Ok(Ok(joined)) => (joined.relay(&client, live, worker).await, client.failure().or_else(|| joined.server.failure())),
        Ok(Err(Refusal { reason, detail })) => (*reason, detail.take()),
        Err(stopped) => (*stopped, None),
    };
    live.end(reason, detail);
    match joined.ok().and_then(Result::ok).and_then(|joined| joined.unended(reason)) {
        None => farewell::say(&client, reason, live.hello, worker).await,
        // The server's TLS ends in order as well, and neither side waits for the other.
        Some((server, tls)) => {
            let both =
                async { tokio::join!(farewell::say(&client, reason, live.hello, worker), farewell::end_server(&server, &tls, worker)) };
            let _ = Box::pin(both).await;
        }
    }
}

/// Everything up to the relay. Its future is on the heap and gone once the session is joined, so that nothing of
/// it weighs on an idle one.
fn set_up<'s>(
    client: &'s mut Client<'_>,
    listener: Arc<Listener>,
    live: &'s mut Live,
    worker: &'s Worker,
) -> Pin<Box<impl Future<Output = Result<Joined, Refusal>> + 's>> {
    Box::pin(async move {
        let (before, began) = match &listener.proxy {
            Some(rule) => {
                let before = read_header(client.socket, rule, live).await?;
                // Only now is it known whom the connection is from.
                live.admit(&listener.admission)?;
                (before, Instant::now())
            }
            None => (Vec::new(), live.started),
        };
        let (first, mut read) = first(client.socket, &listener, before, began, live).await?;
        let target = route(&listener, first.as_ref(), live)?;
        live.admit(&target.admission)?;
        let session = &mut **live;
        if let Some(terminator) = &target.terminate {
            if first == Some(First::NotTls) {
                return Err(CloseReason::NotTls.into());
            }
            if let Some(said) = hello(first.as_ref()) {
                version_in_common(said, terminator.settings())?;
            }
            // The server gets none of it, and its room is free again.
            let hello = std::mem::take(&mut read);
            Box::pin(client.terminate(terminator, hello, session)).await?;
        }
        let destination = match &target.action {
            Action::Forward(destination) => destination,
            Action::Reject(alert) => return Err(CloseReason::Rejected(*alert).into()),
            Action::Show => return Err(answer(client, &show::upstreams(worker.pools()), target, session).await),
            Action::Respond(text) => return Err(respond(client, text, target, session).await),
        };
        // A client that gives up meanwhile takes no server's connection.
        let server = tokio::select! {
            biased;
            connected = connect(client.socket, destination, target, &read, session, worker) => connected?,
            () = client.socket.broken() => return Err(CloseReason::ClientReset.into()),
        };
        let rates = rates(&target.rates, session, worker.ledger()).some();
        Ok(Joined { server, first: read, limits: target.limits.relay, rates })
    })
}

/// Reads the first bytes, if this listener looks at them, and notes what they are. Some may have been read already.
async fn first(
    client: &Socket,
    listener: &Listener,
    mut read: Vec<u8>,
    began: Instant,
    session: &mut Session,
) -> Result<(Option<First>, Vec<u8>), Refusal> {
    session.bytes_received = read.len() as u64;
    let Some(limits) = &listener.peek else { return Ok((None, read)) };
    let first = first_bytes(client, limits, began, &mut read).await;
    session.bytes_received = read.len() as u64;
    match first {
        Ok(first) => {
            note_first(&first, session);
            Ok((Some(first), read))
        }
        Err(error) => {
            session.hello = Some(Refusal::hello(&error));
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
    let choice = listener.routes.choose(asked(listener, first), session.client.ip(), hello(first)).ok_or(refused)?;
    // One without a map has a default that nobody wrote.
    if listener.map.is_some() {
        choice.note(session);
    }
    let (_, target) = choice.target.ok_or(CloseReason::NoTarget)?;
    session.note = target.note.clone();
    session.maintenance = target.in_maintenance;
    Ok(target)
}

/// What the table is asked for. One without a map has only a default, which is for everybody.
fn asked<'f>(listener: &Listener, first: Option<&'f First>) -> FirstName<'f> {
    if listener.map.is_some() { first_name(hello(first)) } else { FirstName::NoName }
}

fn hello(first: Option<&First>) -> Option<&ClientHello> {
    match first {
        Some(First::Named(hello) | First::Unnamed(hello)) => Some(hello),
        Some(First::NotTls) | None => None,
    }
}

/// Sends the answer, over TLS if that ends here.
async fn respond(client: &Client<'_>, text: &Text, target: &Target, session: &mut Session) -> Refusal {
    let mut text_of_session = Vec::new();
    render(text, session, &mut text_of_session);
    answer(client, &text_of_session, target, session).await
}

/// Sends bytes that are the whole answer.
async fn answer(client: &Client<'_>, bytes: &[u8], target: &Target, session: &mut Session) -> Refusal {
    let idle_timeout = target.limits.relay.idle_timeout;
    let ended = match client.tls() {
        Some(tls) => send(&tls, bytes, idle_timeout, session).await,
        None => send(client.socket, bytes, idle_timeout, session).await,
    };
    ended.err().unwrap_or(CloseReason::Responded).into()
}

/// Sends all of the bytes.
async fn send(client: &impl Stream, mut left: &[u8], idle_timeout: Duration, session: &mut Session) -> Result<(), CloseReason> {
    while !left.is_empty() {
        let length = in_time(idle_timeout, poll_fn(|cx| client.poll_write(cx, left))).await?;
        session.bytes_sent += length as u64;
        left = &left[length..];
    }
    in_time(idle_timeout, poll_fn(|cx| client.poll_flush(cx, &mut false))).await
}

/// A client that takes nothing for `idle_timeout` gets no more.
async fn in_time<T>(idle_timeout: Duration, sending: impl Future<Output = io::Result<T>>) -> Result<T, CloseReason> {
    let sent = timeout(idle_timeout, sending).await.map_err(|_| CloseReason::IdleTimeout)?;
    sent.map_err(|_| CloseReason::ClientReset)
}

/// A client and its server.
struct Joined {
    server: Connected,
    first: Vec<u8>,
    limits: RelayLimits,
    rates: Option<Box<Rates>>,
}

impl Joined {
    /// Relays until the end, and notes what has moved. The server hears of the end when this is dropped, unless its TLS is
    /// still to be ended.
    async fn relay(&mut self, client: &Client<'_>, session: &mut Session, worker: &Worker) -> CloseReason {
        let Self { server, first, limits, rates } = self;
        let (socket, sent, answered) = (&server.socket, server.sent, |now| server.lease.answered(now));
        let counts = Counts { on_first_byte: Some(&answered), ..Counts::default() };
        let (first, rates) = (std::mem::take(first), rates.take());
        let ended = match (client.tls(), server.plaintext()) {
            (None, None) => worker.unless_stopped(pin!(relay(client.socket, socket, first, sent, limits, rates, &counts))).await,
            // On the heap, so that who passes through does not pay for it.
            (Some(tls), None) => worker.unless_stopped(Box::pin(relay(&tls, socket, first, sent, limits, rates, &counts)).as_mut()).await,
            (None, Some(tls)) => {
                worker.unless_stopped(Box::pin(relay(client.socket, &tls, first, sent, limits, rates, &counts)).as_mut()).await
            }
            (Some(client), Some(tls)) => {
                worker.unless_stopped(Box::pin(relay(&client, &tls, first, sent, limits, rates, &counts)).as_mut()).await
            }
        };
        note_counts(&counts, session);
        let reason = ended.map_or_else(|stopped| stopped, CloseReason::from);
        if reason.is_cut_for_server() {
            socket.reset_on_drop();
        }
        reason
    }

    /// The server's connection, if its TLS is to be ended in order; if not, it is gone by now.
    fn unended(self, reason: CloseReason) -> Option<(Socket, Box<Layer>)> {
        let Connected { socket, tls, .. } = self.server;
        tls.filter(|_| !reason.is_cut_for_server()).map(|tls| (socket, tls))
    }
}

fn note_counts(counts: &Counts<'_>, session: &mut Session) {
    session.bytes_received = counts.from_client.get();
    session.bytes_sent = counts.to_client.get();
    if let Some(last) = session.tries.last_mut() {
        last.bytes_sent = counts.to_server.get();
        last.bytes_received = counts.from_server.get();
        last.first_byte = counts.first_byte.get().map(|at| at.duration_since(last.started));
    }
    session.end_try(Instant::now());
}

impl From<RelayEnd> for CloseReason {
    fn from(end: RelayEnd) -> Self {
        match end {
            RelayEnd::ClientClosed => Self::ClientClosed,
            RelayEnd::ServerClosed => Self::ServerClosed,
            RelayEnd::ClientClosedUnanswered => Self::ClientClosedUnanswered,
            RelayEnd::ClientReset => Self::ClientReset,
            RelayEnd::ServerReset => Self::ServerReset,
            RelayEnd::ClientTruncated => Self::ClientTruncated,
            RelayEnd::ServerTruncated => Self::ServerTruncated,
            RelayEnd::ClientGarbled => Self::ClientTlsError,
            RelayEnd::ServerGarbled => Self::ServerTlsError,
            RelayEnd::Idle => Self::IdleTimeout,
        }
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
