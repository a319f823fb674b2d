//! The right to one server for one session.

use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Server, Upstream};

/// The right to one server until dropped; it stands for one of the server's sessions. Used as the [`Server`] itself.
#[derive(Debug)]
pub struct Lease {
    upstream: Arc<Upstream>,
    server: Arc<Server>,
    /// How often the server had been given up when it was lent.
    given_up: usize,
}

impl Lease {
    pub(super) fn new(upstream: Arc<Upstream>, server: Arc<Server>) -> Self {
        server.session_begins();
        let given_up = server.times_given_up();
        Self { upstream, server, given_up }
    }

    /// The upstream it is from.
    #[must_use]
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The server answered. If this was the probe of a failed one, its failures are forgotten.
    pub fn connected(&self) {
        self.upstream.group().connected(&self.server);
    }

    /// The server did not answer. Those who wait for it as well hear of it, if it is left alone from now on.
    pub fn failed(&self, now: Instant) {
        let mut group = self.upstream.group();
        let was_last_straw = group.failed(&self.server, now);
        if was_last_straw {
            // Under the lock: who is lent the server after this, is so in spite of it.
            self.server.give_up();
        }
        drop(group);
        if was_last_straw {
            self.server.tell_waiting();
        }
    }

    /// Waits until others have failed with the server so often that it is left alone.
    pub(super) async fn given_up(&self) {
        self.server.given_up_since(self.given_up).await;
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
        self.server.session_ends();
    }
}
