//! Which server a session tries next: one of its pool, then of the pool that this one falls back on, and so on, for as
//! long as the limits let it.

use std::future::pending;

use tokio::time::Instant;

use super::{Announcement, ConnectLimits, Encryption, Lease, Pool, Tried};
use crate::net::Silence;
use crate::session::Session;

/// A session's way through the servers.
pub(super) struct Search<'s> {
    limits: &'s ConnectLimits,
    begun: Instant,
    /// How many servers it has been given in all.
    given: usize,
    /// Where it stands.
    pool: &'s Pool,
    key: Vec<u8>,
    tried: Tried,
    /// How many servers this pool gave it.
    given_here: usize,
}

impl<'s> Search<'s> {
    pub(super) fn new(pool: &'s Pool, limits: &'s ConnectLimits, begun: Instant, session: &Session) -> Self {
        Self { limits, begun, given: 0, pool, key: pool.key(session), tried: Tried::default(), given_here: 0 }
    }

    /// The server to try next, if there is one and it may be tried.
    pub(super) async fn next(&mut self, session: &Session) -> Option<Lease> {
        loop {
            if self.given_here == 0 {
                self.pool.upstream.names_settled(&self.key, self.limits.connect_timeout).await;
            }
            let now = Instant::now();
            if !self.may_go_on(now) {
                return None;
            }
            if let Some(lease) = self.pick(now) {
                self.given += 1;
                self.given_here += 1;
                return Some(lease);
            }
            self.enter(self.pool.fallback()?, session);
        }
    }

    /// Waits until others have found out that a server does not answer, if there is another one to try. If there is
    /// none, this one's own deadline counts.
    pub(super) async fn instead_of(&mut self, lease: &Lease, session: &Session) -> Lease {
        lease.given_up().await;
        match self.next(session).await {
            Some(other) => other,
            None => pending().await,
        }
    }

    /// A server was silent, or there is no way to it.
    pub(super) fn not_reached(&mut self, lease: &Lease, now: Instant) {
        lease.not_reached(&mut self.tried, now);
    }

    /// TLS towards servers of the pool where the search stands.
    pub(super) fn encryption(&self) -> Option<&'s Encryption> {
        self.pool.encryption.as_ref()
    }

    /// How servers of the pool where the search stands are told whom a connection is from.
    pub(super) fn announcement(&self) -> Option<&'s Announcement> {
        self.pool.announcement.as_ref()
    }

    /// What the kernel does about servers of the pool where the search stands.
    pub(super) fn silence(&self) -> Silence {
        self.pool.silence
    }

    /// The pools that were asked since this one, in words.
    pub(super) fn asked(&self, first: &Pool) -> Box<str> {
        let names: Vec<_> = self.since(first).map(|pool| &**pool.upstream.name()).collect();
        format!("upstream {}", names.join(", then ")).into()
    }

    /// Why none of these pools has a server, in words.
    pub(super) fn missing(&self, first: &Pool, now: Instant) -> Box<str> {
        let of = |pool: &Pool| format!("{}: {}", pool.upstream.name(), pool.upstream.missing(now));
        match std::ptr::eq(first, self.pool) {
            true => first.upstream.missing(now).into(),
            false => self.since(first).map(of).collect::<Vec<_>>().join("; ").into(),
        }
    }

    /// The pools from this one to where the search stands.
    fn since<'p>(&self, first: &'p Pool) -> impl Iterator<Item = &'p Pool> {
        let last: *const Pool = self.pool;
        std::iter::successors(Some(first), move |pool| pool.fallback().filter(|_| !std::ptr::eq(*pool, last)))
    }

    fn may_go_on(&self, now: Instant) -> bool {
        let ConnectLimits { next_upstream, tries, tries_timeout, .. } = *self.limits;
        let in_time = tries_timeout.is_zero() || now.duration_since(self.begun) < tries_timeout;
        self.given == 0 || next_upstream && (tries == 0 || self.given < tries) && in_time
    }

    /// A server of the pool. No more are given than it has, whoever joins it meanwhile.
    fn pick(&mut self, now: Instant) -> Option<Lease> {
        let upstream = &self.pool.upstream;
        let has_more = self.given_here == 0 || self.given_here < upstream.tries();
        if has_more { upstream.pick(&self.key, &mut self.tried, now) } else { None }
    }

    fn enter(&mut self, pool: &'s Pool, session: &Session) {
        (self.pool, self.key) = (pool, pool.key(session));
        (self.tried, self.given_here) = (Tried::default(), 0);
    }
}
