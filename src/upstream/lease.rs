//! The right to one server for one session.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::group::{Chosen, Group};
use super::{Balance, Server, Upstream};

/// The right to one server until dropped; it stands for one of the server's sessions. Used as the [`Server`] itself.
#[derive(Debug)]
pub struct Lease {
    upstream: Arc<Upstream>,
    server: Arc<Server>,
    /// Whether all others wait for what becomes of this.
    probes: Cell<bool>,
    /// When the server was chosen, then when it was connected.
    since: Cell<Instant>,
}

impl Lease {
    pub(super) fn new(upstream: Arc<Upstream>, Chosen { server, probes }: Chosen, now: Instant) -> Self {
        Self { upstream, server, probes: Cell::new(probes), since: Cell::new(now) }
    }

    /// The upstream it is from.
    #[must_use]
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The server answered. If this was the probe of a failed one, its failures are forgotten.
    pub fn connected(&self, now: Instant) {
        let took = self.lap(now);
        let mut group = self.upstream.group();
        self.end_probe(&mut group);
        group.connected(&self.server, now, took);
    }

    /// The server did not answer.
    pub fn failed(&self, now: Instant) {
        let mut group = self.upstream.group();
        self.end_probe(&mut group);
        group.failed(&self.server, now);
    }

    /// The server was silent, or there is no way to it: all addresses of its family may be dead. Said besides
    /// [`failed`](Self::failed).
    pub fn not_reached(&self, now: Instant) {
        self.upstream.group().not_reached(&self.server, now);
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
