//! The right to one server for one session.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::families::Family;
use super::group::{Chosen, Group};
use super::{Balance, Server, Tried, Upstream, told};

/// The right to one server until dropped; it stands for one of the server's sessions. Used as the [`Server`] itself.
#[derive(Debug)]
pub struct Lease {
    upstream: Arc<Upstream>,
    server: Arc<Server>,
    /// Whether all others wait for what becomes of this.
    probes: Cell<bool>,
    /// When the server was chosen, then when it was connected.
    since: Cell<Instant>,
    /// How often the server had been given up when it was lent.
    given_up: usize,
}

impl Lease {
    pub(super) fn new(upstream: Arc<Upstream>, Chosen { server, probes }: Chosen, now: Instant) -> Self {
        let given_up = server.times_given_up();
        Self { upstream, server, probes: Cell::new(probes), since: Cell::new(now), given_up }
    }

    /// The upstream it is from.
    #[must_use]
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    #[cfg(test)]
    pub(super) fn server(&self) -> Arc<Server> {
        self.server.clone()
    }

    /// The server answered. If this was the probe of a failed one, its failures are forgotten.
    pub fn connected(&self, now: Instant) {
        let took = self.lap(now);
        let mut group = self.upstream.group();
        self.end_probe(&mut group);
        let back = group.connected(&self.server, now, took);
        drop(group);
        told::back(self, back);
    }

    /// A server of datagrams did its part. There is no connect whose time could be told; the rest is as
    /// [`connected`](Self::connected).
    pub fn served(&self, now: Instant) {
        let mut group = self.upstream.group();
        self.end_probe(&mut group);
        let back = group.connected(&self.server, now, Duration::ZERO);
        drop(group);
        told::back(self, back);
    }

    /// Whether others wait for what becomes of this.
    pub(super) fn probes(&self) -> bool {
        self.probes.get()
    }

    /// The server did not answer. Says whether it is left alone from now on; those who wait for it as well hear of that.
    pub fn failed(&self, now: Instant) -> bool {
        let mut group = self.upstream.group();
        self.end_probe(&mut group);
        let was_last_straw = group.failed(&self.server, now);
        if was_last_straw {
            // Under the lock: who is lent the server after this, is so in spite of it.
            self.server.give_up();
        }
        drop(group);
        if was_last_straw {
            self.server.tell_waiting();
        }
        was_last_straw
    }

    /// Waits until others have failed with the server so often that it is left alone.
    pub(super) async fn given_up(&self) {
        self.server.given_up_since(self.given_up).await;
    }

    /// The server was silent, or there is no way to it: all addresses of its family may be dead, and this session tries
    /// the others first. Said besides [`failed`](Self::failed).
    pub fn not_reached(&self, tried: &mut Tried, now: Instant) {
        tried.silent.extend(Family::of(&self.server));
        let dead = self.upstream.group().not_reached(&self.server, now);
        if let Some(dead) = dead {
            told::dead(self, dead);
        }
    }

    /// The server's first byte came, after it was connected. Costs nothing where nobody wants to know.
    pub fn answered(&self, now: Instant) {
        if self.upstream.balance() == Balance::LeastTime {
            self.upstream.group().answered(&self.server, now, self.lap(now));
        }
    }

    fn lap(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since.replace(now))
    }

    fn end_probe(&self, group: &mut Group) {
        if self.probes.take() {
            group.probe_ends(&self.server);
        }
    }
}

impl Deref for Lease {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.probes.get() {
            self.end_probe(&mut self.upstream.group());
        }
        self.server.session_ends();
    }
}
