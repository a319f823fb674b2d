//! Connections that were turned away, and those that a drain cut, counted by listener and reason, so that the log can sum up what it does not tell one by
//! one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::session::CloseReason;

/// The counts, and what of them was told.
#[derive(Debug)]
pub(super) struct Refusals {
    counts: BTreeMap<Arc<str>, Counts>,
    /// Those that a drain cut.
    cut: BTreeMap<Arc<str>, AtomicU64>,
    told: Mutex<Told>,
}

/// One for each reason.
type Counts = [AtomicU64; CloseReason::REFUSALS.len()];

#[derive(Debug)]
struct Told {
    at: Instant,
    counts: BTreeMap<(Arc<str>, &'static str), u64>,
}

impl Refusals {
    pub(super) fn new(listeners: impl IntoIterator<Item = Arc<str>>) -> Self {
        let counts: BTreeMap<_, _> = listeners.into_iter().map(|name| (name, Counts::default())).collect();
        let cut = counts.keys().map(|name| (name.clone(), AtomicU64::new(0))).collect();
        Self { counts, cut, told: Mutex::new(Told { at: Instant::now(), counts: BTreeMap::new() }) }
    }

    /// Counts a session that ended, if it was turned away or cut by a drain.
    pub(super) fn count(&self, listener: &str, reason: CloseReason) {
        if reason == CloseReason::Drained
            && let Some(cut) = self.cut.get(listener)
        {
            cut.fetch_add(1, Ordering::Relaxed);
        }
        let label = reason.label();
        if let Some(at) = CloseReason::REFUSALS.iter().position(|known| *known == label)
            && let Some(counts) = self.counts.get(listener)
        {
            counts[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those so far, over all listeners.
    pub(super) fn sums(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for (label, count) in self.counts.values().flat_map(labelled) {
            *sums.entry(label).or_default() += count;
        }
        sums
    }

    /// Says of each listener what was not said yet.
    pub(super) fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = told.at.elapsed().as_secs_f64().round().max(1.0);
        for (listener, counts) in &self.counts {
            let mut news = Vec::new();
            for (label, count) in labelled(counts) {
                let before = told.counts.insert((listener.clone(), label), count).unwrap_or_default();
                if count > before {
                    news.push(format!("{label} {}", count - before));
                }
            }
            if !news.is_empty() {
                tracing::warn!(listener = &**listener, "connections turned away in the last {seconds} s: {}", news.join(", "));
            }
        }
        told.at = Instant::now();
    }

    /// Says of each listener how many sessions a drain has cut.
    pub(super) fn tell_cut(&self) {
        for (listener, cut) in &self.cut {
            let cut = cut.load(Ordering::Relaxed);
            if cut > 0 {
                tracing::warn!(listener = &**listener, "sessions cut at the end of shutdown_timeout: {cut}");
            }
        }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new([])
    }
}

/// The counts that are not 0.
fn labelled(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    let loaded = counts.iter().map(|count| count.load(Ordering::Relaxed));
    CloseReason::REFUSALS.iter().copied().zip(loaded).filter(|(_, count)| *count > 0)
}
