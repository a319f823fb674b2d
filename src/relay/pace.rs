//! The rate of one direction, and the timer that wakes it when more is due.

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::rate::Bucket;

/// What a direction keeps to.
#[derive(Debug)]
pub(super) struct Pace {
    bucket: Bucket,
    timer: Pin<Box<Sleep>>,
    holds: bool,
}

impl Pace {
    /// A pace at which so many bytes were taken already.
    pub(super) fn new(rate: NonZeroU64, taken: usize, now: Instant) -> Self {
        let mut bucket = Bucket::new(rate, now);
        bucket.take(taken, now);
        Self { bucket, timer: Box::pin(sleep_until(now)), holds: false }
    }

    /// How many bytes may be read now. Notes in `moved` the end of a wait, from which on a sender may be said to be idle.
    pub(super) fn poll_allowance(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<usize> {
        loop {
            if self.holds && self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            *moved |= std::mem::take(&mut self.holds);
            match self.bucket.allowance(Instant::now()) {
                Ok(allowed) => return Poll::Ready(allowed),
                Err(until) => {
                    self.timer.as_mut().reset(until);
                    self.holds = true;
                }
            }
        }
    }

    /// Whether it holds its direction at the moment. It may not have been asked since a wait was over: a receiver that takes
    /// nothing is seen to first.
    pub(super) fn holds(&self) -> bool {
        self.holds && !self.timer.is_elapsed()
    }

    /// Notes that so many bytes were read.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bucket.take(bytes, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Duration, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_over_holds_nothing_though_nobody_has_asked_since() {
        let mut pace = Pace::new(NonZeroU64::new(1000).unwrap(), 1000, Instant::now());
        assert!(poll_fn(|cx| Poll::Ready(pace.poll_allowance(cx, &mut false).is_pending())).await && pace.holds());
        sleep(Duration::from_secs(2)).await;
        assert!(!pace.holds(), "else a client that takes nothing is never said to be idle");
    }
}
