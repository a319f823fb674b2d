//! How long a server takes: moving averages of its connects and of the first bytes after them.

use tokio::time::{Duration, Instant};

/// What was measured of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResponseTime {
    connect: Average,
    first_byte: Average,
    used: Option<Instant>,
}

/// A moving average of milliseconds, each new one an eighth of it; kept times eight, so that small steps count too.
#[derive(Clone, Copy, Debug, Default)]
struct Average(Option<u64>);

impl ResponseTime {
    /// A session goes there.
    pub(super) fn used(&mut self, now: Instant) {
        self.used = self.used.max(Some(now));
    }

    pub(super) fn connected(&mut self, now: Instant, took: Duration) {
        self.used(now);
        self.connect.add(took);
    }

    pub(super) fn answered(&mut self, now: Instant, took: Duration) {
        self.used(now);
        self.first_byte.add(took);
    }

    /// Both averages together as `least_time` weighs them: in steps of 20, none of them nothing, so that what was never
    /// measured counts as fast. What is unused for longer than this timeout is forgiven, by halves.
    pub(super) fn milliseconds(&self, now: Instant, timeout: Duration) -> u64 {
        let idle = self.used.map_or(Duration::ZERO, |used| now.saturating_duration_since(used));
        let halves = match idle > timeout {
            true => idle.as_millis() / (timeout + Duration::from_secs(1)).as_millis(),
            false => 0,
        };
        let average = (self.connect.milliseconds() + self.first_byte.milliseconds()).min(SLOWEST);
        let left = average.checked_shr(u32::try_from(halves).unwrap_or(u32::MAX)).unwrap_or(0);
        (left / STEP + 1) * STEP
    }

    /// Both averages together as they are, once there is one.
    pub(super) fn measured(&self) -> Option<Duration> {
        let known = self.connect.0.is_some() || self.first_byte.0.is_some();
        known.then(|| Duration::from_millis(self.connect.milliseconds() + self.first_byte.milliseconds()))
    }
}

impl Average {
    fn add(&mut self, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).min(SLOWEST);
        self.0 = Some(self.0.map_or(took * EIGHTHS, |eighths| eighths - eighths / EIGHTHS + took));
    }

    fn milliseconds(self) -> u64 {
        self.0.unwrap_or(0) / EIGHTHS
    }
}

const EIGHTHS: u64 = 8;
const STEP: u64 = 20;
/// What takes longer counts as this.
const SLOWEST: u64 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_time_counts_whole_and_each_later_one_by_an_eighth() {
        let mut average = Average::default();
        average.add(ms(80));
        assert_eq!(average.milliseconds(), 80);
        average.add(ms(160));
        assert_eq!(average.milliseconds(), 90);
        (0..100).for_each(|_| average.add(ms(160)));
        assert!((155..=160).contains(&average.milliseconds()), "{average:?}");
        average.add(Duration::MAX);
        assert!((755..=765).contains(&average.milliseconds()), "what takes forever counts as five seconds: {average:?}");
    }

    #[test]
    fn both_averages_are_added_and_rounded_to_steps() {
        let now = Instant::now();
        let mut response = ResponseTime::default();
        assert_eq!((response.milliseconds(now, TIMEOUT), response.measured()), (20, None));
        response.connected(now, ms(30));
        assert_eq!((response.milliseconds(now, TIMEOUT), response.measured()), (40, Some(ms(30))));
        response.answered(now, ms(29));
        assert_eq!((response.milliseconds(now, TIMEOUT), response.measured()), (60, Some(ms(59))));
        response.answered(now, ms(37));
        assert_eq!((response.milliseconds(now, TIMEOUT), response.measured()), (80, Some(ms(60))));
    }

    #[test]
    fn the_slowest_count_as_five_seconds() {
        let now = Instant::now();
        let mut response = ResponseTime::default();
        response.connected(now, ms(60_000));
        response.answered(now, ms(60_000));
        assert_eq!(response.milliseconds(now, TIMEOUT), 5020);
    }

    #[test]
    fn what_is_unused_is_forgiven_by_halves() {
        let start = Instant::now();
        let mut response = ResponseTime::default();
        response.answered(start, ms(1000));
        let after = |seconds| response.milliseconds(start + Duration::from_secs(seconds), TIMEOUT);
        assert_eq!([0, 10, 11, 21, 22, 33, 10_000].map(after), [1020, 1020, 520, 520, 260, 140, 20]);
        let mut again = response;
        again.used(start + Duration::from_secs(33));
        assert_eq!(again.milliseconds(start + Duration::from_secs(33), TIMEOUT), 1020, "one that is used is not");
    }
}
