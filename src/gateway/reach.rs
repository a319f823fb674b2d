//! From a target to a connected server: which upstream is meant, made on the spot where a template gave an address.

use std::sync::Arc;

use tokio::time::Duration;

use super::refusal::Refusal;
use super::worker::Worker;
use crate::address::Address;
use crate::net::Socket;
use crate::session::{Peer, Session};
use crate::snapshot::{Destination, ForwardRules, Target, named_by_text};
use crate::upstream::{Balance, Connected, Opened, Pool, ServerLine, Upstream, Wanted};
use crate::variables::rendered;

/// Finds the upstream, and connects to one of its servers.
pub(super) async fn connect(
    client: &Socket,
    destination: &Destination,
    target: &Target,
    first: &[u8],
    session: &mut Session,
    worker: &Worker,
) -> Result<Connected, Refusal> {
    let limits = &target.limits.connect;
    let pool = destination.pool(limits.connect_timeout, session, worker).await?;
    session.upstream = Some(pool.upstream.name().clone());
    if pool.announces() {
        know_own_end(client, session);
    }
    let source = target.source.as_ref().and_then(|rule| rule.of(session));
    Ok(pool.connect(&Wanted { first, limits, source }, session).await?)
}

/// The same for a session of datagrams: finds the upstream, and opens a socket for one of its servers.
pub(super) async fn open(destination: &Destination, target: &Target, session: &mut Session, worker: &Worker) -> Result<Opened, Refusal> {
    let limits = &target.limits.connect;
    let pool = destination.pool(limits.connect_timeout, session, worker).await?;
    session.upstream = Some(pool.upstream.name().clone());
    let source = target.source.as_ref().and_then(|rule| rule.of(session));
    Ok(pool.open(&Wanted { first: &[], limits, source }, session).await?)
}

/// On a wildcard, the address that the client connected to is asked for only where a server is told of it.
fn know_own_end(client: &Socket, session: &mut Session) {
    if session.local.ip().is_some_and(|ip| ip.is_unspecified())
        && let Some(own) = client.local_address()
    {
        session.local = Peer::Ip(own);
    }
}

impl Destination {
    /// The upstream of a session; one that a template names is found or made now, within the limit.
    async fn pool(&self, limit: Duration, session: &Session, worker: &Worker) -> Result<Arc<Pool>, Refusal> {
        match self {
            Self::Pool(pool) => Ok(pool.clone()),
            Self::Template(template, rules) => {
                let text = rendered(template, session);
                match named_by_text(worker.pools(), &text) {
                    Some(pool) => Ok(pool.clone()),
                    None => made_pool(&text, rules, limit, worker).await,
                }
            }
        }
    }
}

/// The upstream of an address that a template gave: of a name a lasting one, of any other one for this session.
async fn made_pool(text: &str, rules: &Arc<ForwardRules>, limit: Duration, worker: &Worker) -> Result<Arc<Pool>, Refusal> {
    match rules.address(text)? {
        Address::Name(name, port) => worker.forwards().pool(text, (name, port), rules, limit).await,
        judged => {
            let upstream = Upstream::new(text.into(), Balance::RoundRobin, vec![ServerLine::new(judged)]);
            Ok(Arc::new(Pool::new(Arc::new(upstream), Arc::default())))
        }
    }
}
