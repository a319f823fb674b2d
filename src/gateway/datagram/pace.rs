//! How fast the datagrams of one session may go. They are never split: a client's go or are lost, answers go or wait.

use tokio::time::Instant;

use crate::relay::{Bucket, Rates};

/// How fast datagrams may go, in each direction.
pub(super) struct Paces {
    pub(super) upload: Option<Bucket>,
    pub(super) download: Option<Bucket>,
    /// Until when answers wait.
    rests_until: Option<Instant>,
}

/// Whether answers have to wait.
pub(super) enum Rest {
    Over,
    Begins(Instant),
    /// As was said before.
    GoesOn,
}

impl Paces {
    /// Full buckets, where there is a limit.
    pub(super) fn of(rates: Rates) -> Option<Box<Self>> {
        let bucket = |rate| Bucket::new(rate, Instant::now());
        let paces = Self { upload: rates.upload.map(bucket), download: rates.download.map(bucket), rests_until: None };
        rates.some().map(|_| Box::new(paces))
    }

    /// Whether they have to wait now.
    pub(super) fn rest(&mut self, now: Instant) -> Rest {
        if self.rests_until.is_some_and(|until| now < until) {
            return Rest::GoesOn;
        }
        self.rests_until = self.download.as_ref().and_then(|bucket| bucket.allowance(now).err());
        self.rests_until.map_or(Rest::Over, Rest::Begins)
    }
}
