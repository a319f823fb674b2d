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

    /// Whether it holds its direction at the moment.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// Notes that so many bytes were read.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bucket.take(bytes, Instant::now());
    }
}
