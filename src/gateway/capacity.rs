//! How many sessions there may be, over all workers: in all, and of a listener that has a number of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many sessions may be open at once.
///
/// Who waits says so and then looks whether there is room; who leaves makes room and then looks whether somebody waits.
/// That one of the two sees the other takes an order that all threads agree on, hence `SeqCst`.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    /// What this is a part of: whoever has room here needs room there, too.
    whole: Option<Arc<Capacity>>,
    open: AtomicUsize,
    waiting: AtomicUsize,
    freed: Notify,
}

/// The right to one session, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Capacity>);

impl Capacity {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Self::within(None, most)
    }

    /// A part of this, for so many sessions at most.
    pub(super) fn part(self: &Arc<Self>, most: usize) -> Arc<Self> {
        Self::within(Some(self.clone()), most)
    }

    fn within(whole: Option<Arc<Self>>, most: usize) -> Arc<Self> {
        Arc::new(Self { most, whole, open: AtomicUsize::new(0), waiting: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// How many sessions are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A permit, if one is left.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        self.enter().then(|| Permit(self.clone()))
    }

    /// A permit, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Permit {
        loop {
            if let Some(permit) = self.try_take() {
                return permit;
            }
            let full = self.full();
            full.wait(|| !full.is_full()).await;
        }
    }

    /// The one that has no room, or had none a moment ago.
    pub(super) fn full(&self) -> &Self {
        match &self.whole {
            Some(whole) if !self.is_full() => whole,
            _ => self,
        }
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Whether this is a part of another.
    pub(super) fn is_part(&self) -> bool {
        self.whole.is_some()
    }

    /// Waits until a session ends.
    pub(super) async fn one_less(&self) {
        self.wait(|| false).await;
    }

    /// Waits for the next session to end, unless `over` says that one has meanwhile.
    async fn wait(&self, over: impl Fn() -> bool) {
        let waiting = Waiting::new(self);
        let freed = self.freed.notified();
        if !over() {
            freed.await;
        }
        drop(waiting);
    }

    fn is_full(&self) -> bool {
        self.open() >= self.most
    }

    /// Counts one more here and in the whole, if both have room.
    fn enter(&self) -> bool {
        let below = |open| (open < self.most).then_some(open + 1);
        if self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).is_err() {
            return false;
        }
        let has_room = self.whole.as_ref().is_none_or(|whole| whole.enter());
        if !has_room {
            self.leave_part();
        }
        has_room
    }

    fn leave(&self) {
        self.leave_part();
        if let Some(whole) = &self.whole {
            whole.leave();
        }
    }

    fn leave_part(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Counts an acceptor among those that wait, so that sessions which end while nobody does need not tell anyone.
struct Waiting<'c>(&'c Capacity);

impl<'c> Waiting<'c> {
    fn new(capacity: &'c Capacity) -> Self {
        capacity.waiting.fetch_add(1, Ordering::SeqCst);
        Self(capacity)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for a permit, which is there as soon as `freed` is dropped.
    async fn taken_once_free(capacity: &Arc<Capacity>, freed: Permit) -> Permit {
        let waiting = tokio::spawn({
            let capacity = capacity.clone();
            async move { capacity.take().await }
        });
        tokio::task::yield_now().await;
        drop(freed);
        waiting.await.unwrap()
    }

    #[tokio::test]
    async fn a_permit_that_is_given_back_is_taken_at_once() {
        let capacity = Capacity::new(1);
        let first = capacity.try_take().unwrap();
        assert!(capacity.try_take().is_none());
        let second = taken_once_free(&capacity, first).await;
        assert_eq!(capacity.open(), 1);
        drop(second);
        assert_eq!(capacity.open(), 0);
    }

    #[tokio::test]
    async fn a_part_has_room_only_where_the_whole_has() {
        let whole = Capacity::new(2);
        let (small, large) = (whole.part(1), whole.part(5));
        let one = small.try_take().unwrap();
        assert!(small.try_take().is_none(), "the part is full");
        let other = large.try_take().unwrap();
        assert!(large.try_take().is_none(), "the whole is full");
        assert_eq!([whole.open(), small.open(), large.open()], [2, 1, 1], "what was not given is not counted");
        let third = taken_once_free(&large, one).await;
        assert_eq!([whole.open(), small.open(), large.open()], [2, 0, 2]);
        let fourth = taken_once_free(&small, other).await;
        drop((third, fourth));
        assert_eq!([whole.open(), small.open(), large.open()], [0, 0, 0]);
    }

    #[tokio::test]
    async fn a_part_that_is_full_waits_for_its_own() {
        let whole = Capacity::new(10);
        let part = whole.part(1);
        let first = part.try_take().unwrap();
        let second = taken_once_free(&part, first).await;
        assert_eq!([whole.open(), part.open()], [1, 1]);
        drop(second);
    }
}
