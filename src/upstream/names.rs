//! How the look-ups of an upstream's names stand: for those who ask, and for sessions that come before the first answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout};

use super::Upstream;
use super::resolve::{AbortOnDrop, Failing};
use crate::host::Hostname;

/// How the name of a server's line stands.
#[derive(Clone, Debug)]
pub struct NameStatus {
    /// The line's place among those of its upstream.
    pub line: usize,
    /// What is looked up.
    pub name: Hostname,
    /// Where it leads now.
    pub addresses: Vec<SocketAddr>,
    /// When the last good answer came; absent before the first.
    pub good_at: Option<Instant>,
    /// Since when look-ups fail, and why; absent while they do not.
    pub failing: Option<Failing>,
}

/// The names of an upstream, by their lines.
#[derive(Debug, Default)]
pub(super) struct Names {
    status: Mutex<BTreeMap<usize, NameStatus>>,
    /// Lines whose first look-up is not over.
    unsettled: AtomicUsize,
    /// Tells of everything that changes.
    changed: Notify,
    /// Who looks the names up; ends with the last upstream that wants to know.
    followed: Mutex<Vec<Arc<AbortOnDrop<()>>>>,
}

impl Upstream {
    /// Right after the start names may not have been looked up yet. Who would find nobody because of that waits, no
    /// longer than so.
    pub(super) async fn names_settled(&self, key: &[u8], limit: Duration) {
        if self.names.is_unsettled() {
            let finds_somebody = || self.first(key, Instant::now()).is_some();
            // When it takes longer, there is nobody.
            let _ = timeout(limit, self.names.settled_or(finds_somebody)).await;
        }
    }
}

impl Names {
    /// A line's name is about to be looked up for the first time.
    pub(super) fn begin(&self) {
        self.unsettled.fetch_add(1, Ordering::AcqRel);
    }

    /// Keeps a task that looks a name up.
    pub(super) fn keep(&self, following: Arc<AbortOnDrop<()>>) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).push(following);
    }

    /// The first look-up of a line's name is over, whatever came of it.
    pub(super) fn settle(&self) {
        self.unsettled.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Says how a line's name stands.
    pub(super) fn publish(&self, status: NameStatus) {
        self.lock().insert(status.line, status);
        self.changed.notify_waiters();
    }

    pub(super) fn status(&self) -> Vec<NameStatus> {
        self.lock().values().cloned().collect()
    }

    /// Whether there is a line whose first look-up is not over.
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Acquire) > 0
    }

    /// Waits until something holds, or every first look-up is over.
    pub(super) async fn settled_or(&self, holds: impl Fn() -> bool) {
        loop {
            // It hears of what changes from here on, so nothing is missed between the question and the wait.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.is_unsettled() || holds() {
                return;
            }
            changed.await;
        }
    }

    /// Whoever panicked with the lock held left a status that is as good as any.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, NameStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
