//! Lines that could not be written. Sessions matter more than their lines, so a line is lost rather than waited for; that it
//! is lost is counted, and told where that can be told.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many lines a log has lost.
#[derive(Debug)]
pub(super) struct Lost {
    /// The access log; absent is what the gateway says of itself, which cannot say that it is not heard.
    access_log: Option<Arc<str>>,
    lines: AtomicU64,
    told: AtomicU64,
}

impl Lost {
    /// Those of an access log.
    pub(super) fn of(access_log: &Arc<str>) -> Arc<Self> {
        Arc::new(Self { access_log: Some(access_log.clone()), lines: AtomicU64::new(0), told: AtomicU64::new(0) })
    }

    /// Those of the gateway's own log.
    pub(super) fn of_own() -> Arc<Self> {
        Arc::new(Self { access_log: None, lines: AtomicU64::new(0), told: AtomicU64::new(0) })
    }

    /// What the log is called.
    pub(super) fn name(&self) -> &str {
        self.access_log.as_deref().unwrap_or_default()
    }

    /// Counts lines that are lost.
    pub(super) fn add(&self, lines: u64, why: &dyn Display) {
        let before = self.lines.fetch_add(lines, Ordering::Relaxed);
        let all = before + lines;
        let Some(name) = &self.access_log else { return };
        // Said when it begins and then ever more rarely: a full disk must not fill the other log.
        if before.checked_ilog2() != all.checked_ilog2() {
            self.told.fetch_max(all, Ordering::Relaxed);
            tracing::warn!(lost = all, "lines of [access_log.{name}] could not be written and are lost: {why}");
        }
    }

    /// Those that were lost since they were told last; from now on they count as told.
    pub(super) fn untold(&self) -> u64 {
        let all = self.all();
        all.saturating_sub(self.told.swap(all, Ordering::Relaxed))
    }

    /// Those so far.
    pub(super) fn all(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Says how many there are in all, if that was not said yet.
    pub(super) fn tell_rest(&self) {
        if let Some(name) = &self.access_log
            && self.untold() > 0
        {
            let all = self.all();
            tracing::warn!(lost = all, "lines of [access_log.{name}] could not be written and are lost");
        }
    }
}
