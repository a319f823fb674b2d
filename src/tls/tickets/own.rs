//! Secrets that the gateway makes by itself, and changes in time: whoever comes by one opens what was sealed for as long as it was
//! used, and nothing older.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::time::Duration;

use super::Secret;
use crate::tls::clock::Moment;

/// A profile's own secrets.
#[derive(Debug)]
pub(in crate::tls) struct OwnKeys {
    lifetime: Duration,
    ring: ArcSwap<Vec<Dated>>,
    changing: Mutex<()>,
}

/// A secret, and since when it seals.
#[derive(Clone, Debug)]
pub(in crate::tls) struct Dated {
    made: Moment,
    secret: Arc<Secret>,
}

impl OwnKeys {
    /// Secrets for tickets that are good for so long.
    pub(in crate::tls) fn new(lifetime: Duration) -> Self {
        Self { lifetime, ring: ArcSwap::default(), changing: Mutex::new(()) }
    }

    /// The secrets at this moment: the first seals, all open.
    pub(in crate::tls) fn at(&self, now: Moment) -> Arc<Vec<Dated>> {
        let ring = self.ring.load_full();
        if self.is_good(&ring, now) { ring } else { self.change(now) }
    }

    fn change(&self, now: Moment) -> Arc<Vec<Dated>> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring.load_full();
        if self.is_good(&ring, now) {
            return ring;
        }
        let new = Secret::random().map(|secret| Dated { made: now, secret: Arc::new(secret) });
        let changed: Arc<Vec<_>> = Arc::new(new.into_iter().chain(self.still_needed(&ring, now)).collect());
        self.ring.store(changed.clone());
        changed
    }

    fn is_good(&self, ring: &[Dated], now: Moment) -> bool {
        ring.first().is_some_and(|newest| now.since(newest.made) < self.period())
    }

    /// The secrets of tickets that may still be good: as none seals for longer than a period, its last ticket ends with the lifetime
    /// after that.
    fn still_needed(&self, ring: &[Dated], now: Moment) -> Vec<Dated> {
        let is_needed = |dated: &&Dated| now < dated.made.after(self.period()).after(self.lifetime);
        ring.iter().filter(is_needed).cloned().collect()
    }

    /// For how long a secret seals.
    fn period(&self) -> Duration {
        self.lifetime.clamp(SHORTEST, LONGEST)
    }
}

impl Dated {
    pub(in crate::tls) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// A shorter one would change secrets for nothing: a ticket's age is looked at, too.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
