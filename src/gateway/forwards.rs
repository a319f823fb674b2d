//! The upstreams of names that templates give: made when a session first needs one and kept for the next, so that
//! look-ups and what is known of servers serve all. How many are kept is bounded, since clients choose the names.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;
use tokio::time::{Duration, Instant, timeout};

use super::refusal::Refusal;
use crate::address::Address;
use crate::host::Hostname;
use crate::session::CloseReason;
use crate::snapshot::{ForwardError, ForwardRules};
use crate::upstream::{Balance, DemandedName, Found, OnDemand, Pool, ServerLine, Upstream};

/// All that were made, by the rules of their template and the text that it gave. Rules are known by where they are: a
/// made one keeps its own, so that no others can be there.
pub(super) struct Forwards {
    names: OnDemand,
    made: Cache<(usize, Box<str>), Arc<Made>>,
}

/// A name's upstream.
struct Made {
    name: Arc<DemandedName>,
    pool: Arc<Pool>,
    /// One of its addresses, if it has some, but none that may be forwarded to.
    refused: Arc<Mutex<Option<IpAddr>>>,
}

impl Forwards {
    pub(super) fn new(names: OnDemand) -> Self {
        Self { names, made: Cache::builder().max_capacity(MOST_MADE).time_to_idle(IDLE).build() }
    }

    /// The upstream of a name, its addresses as good as they can be had within the limit.
    pub(super) async fn pool(
        &self,
        text: &str,
        (name, port): (Hostname, u16),
        rules: &Arc<ForwardRules>,
        limit: Duration,
    ) -> Result<Arc<Pool>, Refusal> {
        let key = (Arc::as_ptr(rules).addr(), text.into());
        let made = self.made.get_with(key, || Arc::new(self.make(text, name, port, rules)));
        let unresolved = |detail: String| Refusal { reason: CloseReason::Unresolved, detail: Some(detail.into()) };
        match timeout(limit, self.names.ready(&made.name)).await {
            Err(_) => Err(unresolved(format!("{text} was not resolved within {limit:?}"))),
            Ok(Err(error)) => Err(unresolved(error.to_string())),
            Ok(Ok(())) => match *made.refused.lock().unwrap_or_else(PoisonError::into_inner) {
                None => Ok(made.pool.clone()),
                address => Err(ForwardError::Refused { text: text.into(), address }.into()),
            },
        }
    }

    fn make(&self, text: &str, name: Hostname, port: u16, rules: &Arc<ForwardRules>) -> Made {
        let line = ServerLine { written: text.into(), ..ServerLine::new(Address::Name(name.clone(), port)) };
        let upstream = Arc::new(Upstream::new(text.into(), Balance::RoundRobin, vec![line]).of_clients());
        let refused = Arc::new(Mutex::new(None));
        let (told, rules, is_refused) = (upstream.clone(), rules.clone(), refused.clone());
        // Judged at every look-up: a name may lead elsewhere the next time.
        let apply = move |addresses: &[IpAddr]| {
            let allowed = addresses.iter().filter(|&&ip| rules.allow(ip));
            let found: Vec<_> =
                allowed.map(|&ip| Found { address: SocketAddr::new(ip, port), weight: None, backup: false, text: None }).collect();
            *is_refused.lock().unwrap_or_else(PoisonError::into_inner) = addresses.first().copied().filter(|_| found.is_empty());
            told.set_servers(0, found, Instant::now());
        };
        let pool = Pool::new(upstream, Arc::default());
        Made { name: self.names.name(name, apply), pool: Arc::new(pool), refused }
    }
}

/// How many are kept; those that are used least make room.
const MOST_MADE: u64 = 4096;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(600);
