//! Connections that were turned away, counted by listener and reason, so that the log can sum up what it does not tell one by
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
        let counts = listeners.into_iter().map(|name| (name, Counts::default())).collect();
        Self { counts, told: Mutex::new(Told { at: Instant::now(), counts: BTreeMap::new() }) }
    }

    /// Counts a session that ended, if it was turned away.
    pub(super) fn count(&self, listener: &str, reason: CloseReason) {
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
