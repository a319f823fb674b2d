//! From a target to a connected server: which upstream is meant, made on the spot where a template gave an address.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Duration, timeout};

use super::refusal::Refusal;
use super::worker::Worker;
use crate::address::Address;
use crate::host::Hostname;
use crate::session::{CloseReason, Session};
use crate::snapshot::{Destination, ForwardError, ForwardRules, Target};
use crate::upstream::{Balance, Connected, Pool, ServerLine, Upstream, Wanted};
use crate::variables::render;

/// Finds the upstream, and connects to one of its servers.
pub(super) async fn connect(
    destination: &Destination,
    target: &Target,
    first: &[u8],
    session: &mut Session,
    worker: &Worker,
) -> Result<Connected, Refusal> {
    let limits = &target.limits.connect;
    let pool = destination.pool(limits.connect_timeout, session, worker).await?;
    session.upstream = Some(pool.upstream.name().clone());
    let source = target.source.as_ref().and_then(|rule| rule.of(session));
    Ok(pool.connect(&Wanted { first, limits, source }, session).await?)
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
    Ok(Arc::new(Pool::new(upstream)))
}

/// The addresses of a name, within the limit.
async fn resolved(name: &Hostname, port: u16, limit: Duration, worker: &Worker) -> Result<Vec<SocketAddr>, Refusal> {
    let unresolved = |detail: String| Refusal { reason: CloseReason::Unresolved, detail: Some(detail.into()) };
    let looked_up = timeout(limit, worker.resolver().resolve(name)).await;
    let looked_up = looked_up.map_err(|_| unresolved(format!("{name} was not resolved within {limit:?}")))?;
    let addresses = looked_up.map_err(|error| unresolved(error.to_string()))?;
    Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}
