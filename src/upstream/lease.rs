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
}

impl Lease {
    pub(super) fn new(upstream: Arc<Upstream>, server: Arc<Server>) -> Self {
        server.session_begins();
        Self { upstream, server }
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

    /// The server did not answer.
    pub fn failed(&self, now: Instant) {
        self.upstream.group().failed(&self.server, now);
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
