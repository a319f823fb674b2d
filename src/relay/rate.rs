//! How fast bytes may go: a bucket that holds a tenth of a second's worth and fills at the rate. Whoever is late finds it
//! fuller, so that nothing is lost to timers as long as they are late by less than what it holds.
//! Pure: the clock is an argument.

use std::num::NonZeroU64;

use tokio::time::{Duration, Instant};

/// Bytes in a second, for each direction of a session; absent is as fast as it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From the client.
    pub upload: Option<NonZeroU64>,
    /// To the client.
    pub download: Option<NonZeroU64>,
}

/// What one direction of one session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: NonZeroU64,
    /// From when on it is full, if nothing more is taken.
    full_at: Instant,
}

impl Rates {
    /// These, unless neither is a limit.
    #[must_use]
    pub fn some(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: NonZeroU64, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    /// How many bytes may be taken now; never none. Half of what it holds is worth a read: who took less would come for
    /// every byte on its own.
    ///
    /// # Errors
    /// When to ask again, if it is not worth it yet.
    pub fn allowance(&self, now: Instant) -> Result<usize, Instant> {
        let available = self.available(now);
        match available >= self.worth_a_read() {
            true => Ok(usize::try_from(available).unwrap_or(usize::MAX)),
            false => Err(self.holds_at(self.worth_a_read())),
        }
    }

    /// Takes so many bytes. What is not there is owed: nothing more is allowed until it has come in.
    pub fn take(&mut self, bytes: usize, now: Instant) {
        self.full_at = self.full_at.max(now) + self.span(bytes as u64);
    }

    /// Takes a datagram, which cannot be split: as it is, or not at all. One that is larger than the bucket goes when
    /// that is full, and the rest is owed.
    ///
    /// # Errors
    /// When it may go, if that is not yet.
    pub fn take_whole(&mut self, bytes: usize, now: Instant) -> Result<(), Instant> {
        let needed = (bytes as u64).min(self.size());
        if self.available(now) < needed {
            return Err(self.holds_at(needed));
        }
        self.take(bytes, now);
        Ok(())
    }

    /// What is in it.
    fn available(&self, now: Instant) -> u64 {
        let missing = self.full_at.saturating_duration_since(now).as_nanos() * u128::from(self.rate.get());
        self.size().saturating_sub(u64::try_from(missing.div_ceil(NANOSECONDS)).unwrap_or(u64::MAX))
    }

    /// What it holds when it is full. Below twenty bytes a second it is two bytes, so that there is one to take and one
    /// for a timer to be late by.
    fn size(&self) -> u64 {
        (self.rate.get() / 10).max(2)
    }

    fn worth_a_read(&self) -> u64 {
        self.size() / 2
    }

    /// When it holds so many bytes, of which there are fewer now.
    fn holds_at(&self, bytes: u64) -> Instant {
        self.full_at - self.span(self.size() - bytes)
    }

    /// How long so many bytes take to come in.
    fn span(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * NANOSECONDS / u128::from(self.rate.get());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(rate: u64) -> (Bucket, Instant) {
        let now = Instant::now();
        (Bucket::new(NonZeroU64::new(rate).unwrap(), now), now)
    }

    /// What is taken in so many seconds, and when, by one who takes all there is, up to `most` at once, and comes late.
    fn taken(rate: u64, seconds: u64, most: usize, late: impl Fn(usize) -> Duration) -> Vec<(Duration, usize)> {
        let (mut bucket, start) = bucket(rate);
        let (mut now, mut all) = (start, Vec::new());
        while now < start + Duration::from_secs(seconds) {
            match bucket.allowance(now) {
                Ok(allowed) => {
                    let bytes = allowed.min(most);
                    bucket.take(bytes, now);
                    all.push((now - start, bytes));
                }
                Err(until) => {
                    assert!(until > now, "else it would be asked for ever");
                    now = until + late(all.len());
                }
            }
        }
        all
    }

    fn sum(taken: &[(Duration, usize)]) -> f64 {
        taken.iter().map(|(_, bytes)| *bytes as f64).sum()
    }

    #[test]
    fn over_ten_seconds_the_rate_is_kept_however_late_timers_are() {
        for rate in [1, 7, 19, 100, 250, 1011, 65_536, 1 << 20, 125_000_000, 40_000_000_000] {
            for late in [0, 1, 20, 45] {
                let seconds = if rate < 50 { 1000 } else { 10 };
                let all = taken(rate, seconds, 64 * 1024 * 1024, |turn| Duration::from_millis(if turn % 2 == 0 { late } else { late / 2 }));
                let ratio = sum(&all) / (rate * seconds) as f64;
                assert!((0.995..=1.0101).contains(&ratio), "{rate}, {late} ms late: {ratio}");
            }
        }
    }

    #[test]
    fn a_hundred_bytes_a_second_are_ten_at_once() {
        let all = taken(100, 1, usize::MAX, |_| Duration::ZERO);
        assert_eq!(all[0], (Duration::ZERO, 10));
        assert_eq!(all[1], (Duration::from_millis(50), 5));
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn small_reads_are_not_made_smaller() {
        let all = taken(1 << 20, 1, 1448, |_| Duration::from_millis(1));
        assert!(!all.is_empty());
        assert!(all.iter().all(|(_, bytes)| *bytes == 1448), "{all:?}");
    }

    #[test]
    fn what_is_owed_comes_in_before_anything_more_is_allowed() {
        let (mut bucket, now) = bucket(100);
        bucket.take(610, now);
        assert_eq!(bucket.allowance(now), Err(now + Duration::from_millis(6050)));
        assert_eq!(bucket.allowance(now + Duration::from_millis(6050)), Ok(5));
    }

    #[test]
    fn a_datagram_goes_as_it_is_or_not_at_all() {
        let (mut bucket, now) = bucket(10_000);
        assert_eq!(bucket.take_whole(600, now), Ok(()));
        assert_eq!(bucket.take_whole(600, now), Err(now + Duration::from_millis(20)));
        assert_eq!(bucket.take_whole(400, now), Ok(()), "who fits goes");
        assert_eq!(bucket.take_whole(0, now), Ok(()), "an empty one always does");
        assert_eq!(bucket.take_whole(1, now), Err(now + Duration::from_nanos(100_000)));
    }

    #[test]
    fn a_datagram_larger_than_the_bucket_goes_when_that_is_full_and_the_rest_is_owed() {
        let (mut bucket, now) = bucket(1000);
        assert_eq!(bucket.take_whole(1200, now), Ok(()));
        let again = now + Duration::from_millis(1200);
        assert_eq!(bucket.take_whole(1200, now), Err(again));
        assert_eq!(bucket.take_whole(1200, again), Ok(()));
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_has_more_than_its_share_and_a_tenth_of_a_second(
            rate in 20..1_000_000_000_u64,
            most in 1..200_000_usize,
            late in 0..300_u64,
        ) {
            let all = taken(rate, 1, most.max(rate as usize / 5000), |turn| Duration::from_millis((turn as u64 * 7919) % (late + 1)));
            prop_assert!(!all.is_empty());
            // By how much the stretch that ends here is over its share, if it begins where that is most.
            let (mut over, mut before) = (0.0_f64, Duration::ZERO);
            for (at, bytes) in all {
                over = (over - rate as f64 * (at - before).as_secs_f64()).max(0.0) + bytes as f64;
                before = at;
                prop_assert!(over <= rate as f64 / 10.0 + 1.0, "{over} at once, until {at:?}");
            }
        }

        #[test]
        fn who_asks_again_as_told_is_allowed(rate in 1..u64::MAX / 2, owed in 0..10_000_000_usize, size in 0..70_000_usize) {
            let (mut bucket, now) = bucket(rate);
            bucket.take(owed, now);
            if let Err(until) = bucket.allowance(now) {
                prop_assert!(bucket.allowance(until).is_ok());
            }
            let mut datagrams = bucket;
            if let Err(until) = datagrams.take_whole(size, now) {
                prop_assert!(until > now);
                prop_assert_eq!(datagrams.take_whole(size, until), Ok(()));
            }
        }
    }
}
