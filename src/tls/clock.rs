//! The time of day, as certificates and tickets have it.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::time::Duration;

/// A moment: milliseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    /// The end of time.
    pub(super) const NEVER: Self = Self(u64::MAX);

    /// This very moment.
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        #[cfg(test)]
        let since = since + test::AHEAD.get();
        Self::at(since)
    }

    /// So long after Unix time began.
    pub(super) fn at(since: Duration) -> Self {
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment so much later.
    pub(super) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::at(duration).0))
    }

    /// How long ago another moment was; nothing, if it is still to come.
    pub(super) fn since(self, other: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(other.0))
    }
}

/// Tells rustls the same time.
#[derive(Debug)]
pub(super) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(Moment::now().0)))
    }
}

/// For tests that cannot wait.
#[cfg(test)]
pub(super) mod test {
    use std::cell::Cell;

    use tokio::time::Duration;

    thread_local! {
        /// How far this thread's clock is ahead.
        pub(in crate::tls) static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Lets this thread's time pass.
    pub(in crate::tls) fn pass(duration: Duration) {
        AHEAD.set(AHEAD.get() + duration);
    }
}
