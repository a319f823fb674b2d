//! How many sessions there may be, over all workers: in all, and of a listener that has a number of its own; and how many
//! descriptors they may take together. A connection takes two, a session of datagrams one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::net::Crowd;

/// How many sessions may be open at once.
///
/// Who waits says so and then looks whether there is room; who leaves makes room and then looks whether somebody waits.
/// That one of the two sees the other takes an order that all threads agree on, hence `SeqCst`.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    descriptors: usize,
    /// What this is a part of: whoever has room here needs room there, too.
    whole: Option<Arc<Capacity>>,
    /// The sessions in the upper half, their descriptors in the lower one.
    open: AtomicU64,
    waiting: AtomicUsize,
    /// How many of those wait for a descriptor, though there is room.
    lacking: AtomicUsize,
    freed: Notify,
    /// Who may have sessions that make room, and by which number they know that they are asked for it.
    relievers: Mutex<Vec<(Arc<Crowd>, u64)>>,
}

/// The right to one session that takes so many descriptors, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit<const DESCRIPTORS: u64 = CONNECTION>(Arc<Capacity>);

impl Capacity {
    /// For so many sessions, which take no more descriptors than these.
    pub(super) fn new(most: usize, descriptors: usize) -> Arc<Self> {
        Self::within(None, most, descriptors)
    }

    /// A part of this, for so many sessions at most.
    pub(super) fn part(self: &Arc<Self>, most: usize) -> Arc<Self> {
        Self::within(Some(self.clone()), most, usize::MAX)
    }

    fn within(whole: Option<Arc<Self>>, most: usize, descriptors: usize) -> Arc<Self> {
        // No machine has so many as half a count does not hold.
        let (most, descriptors) = (most.min(MOST_COUNTED), descriptors.min(MOST_COUNTED));
        let (open, waiting, lacking) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { most, descriptors, whole, open, waiting, lacking, freed: Notify::new(), relievers: Mutex::default() })
    }

    /// How many sessions are open.
    pub(super) fn open(&self) -> usize {
        (self.open.load(Ordering::SeqCst) >> HALF) as usize
    }

    /// Whether a permit is left.
    pub(super) fn has_room(&self, descriptors: u64) -> bool {
        self.fits(self.open.load(Ordering::SeqCst), descriptors) && self.whole.as_ref().is_none_or(|whole| whole.has_room(descriptors))
    }

    /// A permit, if one is left.
    pub(super) fn try_take<const DESCRIPTORS: u64>(self: &Arc<Self>) -> Option<Permit<DESCRIPTORS>> {
        self.enter(DESCRIPTORS).then(|| Permit(self.clone()))
    }

    /// A permit for a connection, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Permit {
        loop {
            if let Some(permit) = self.try_take() {
                return permit;
            }
            let full = self.full();
            // Asked only now: who makes room looks whether somebody waits for it.
            full.wait(|| {
                self.ask_for_room();
                !full.is_full()
            })
            .await;
        }
    }

    /// The one that has no room, or had none a moment ago.
    pub(super) fn full(&self) -> &Self {
        match &self.whole {
            Some(whole) if !self.is_full() => whole,
            _ => self,
        }
    }

    /// How many there may be that take so many descriptors.
    pub(super) fn most<const DESCRIPTORS: u64>(&self) -> usize {
        self.most.min(self.descriptors / DESCRIPTORS as usize)
    }

    /// Whether somebody waits for room here, or in what this is a part of.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0 || self.whole.as_ref().is_some_and(|whole| whole.is_waited_for())
    }

    /// Whether somebody waits for room that there is none of, here or in what this is a part of.
    pub(super) fn wants_room(&self) -> bool {
        let here = self.waiting.load(Ordering::SeqCst) > 0 && self.is_full();
        here || self.whole.as_ref().is_some_and(|whole| whole.wants_room())
    }

    /// Whether somebody waits for a descriptor, here or in what this is a part of: the process has no more, whatever was
    /// counted on.
    pub(super) fn lacks_descriptors(&self) -> bool {
        self.lacking.load(Ordering::SeqCst) > 0 || self.whole.as_ref().is_some_and(|whole| whole.lacks_descriptors())
    }

    /// Has somebody asked for room from now on whenever a connection waits for it, by this number.
    pub(super) fn is_relieved_by(&self, crowd: Arc<Crowd>, number: u64) {
        self.relievers.lock().unwrap_or_else(PoisonError::into_inner).push((crowd, number));
    }

    fn ask_for_room(&self) {
        match &self.whole {
            Some(whole) => whole.ask_for_room(),
            None => self.relievers.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(crowd, number)| crowd.tell(*number)),
        }
    }

    /// Whether this is a part of another.
    pub(super) fn is_part(&self) -> bool {
        self.whole.is_some()
    }

    /// Waits until a session ends, for want of a descriptor.
    pub(super) async fn one_less(&self) {
        let _lacking = Waiting::new(&self.lacking);
        self.wait(|| false).await;
    }

    /// Waits for the next session to end, unless `over` says that one has meanwhile.
    async fn wait(&self, over: impl Fn() -> bool) {
        let waiting = Waiting::new(&self.waiting);
        let freed = self.freed.notified();
        if !over() {
            freed.await;
        }
        drop(waiting);
    }

    /// Whether there is no room for a connection.
    fn is_full(&self) -> bool {
        !self.fits(self.open.load(Ordering::SeqCst), CONNECTION)
    }

    fn fits(&self, open: u64, descriptors: u64) -> bool {
        let (sessions, taken) = (open >> HALF, open & (u64::MAX >> HALF));
        sessions < self.most as u64 && taken + descriptors <= self.descriptors as u64
    }

    /// Counts one more here and in the whole, if both have room.
    fn enter(&self, descriptors: u64) -> bool {
        let more = |open| self.fits(open, descriptors).then_some(open + counted(descriptors));
        if self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
            return false;
        }
        let has_room = self.whole.as_ref().is_none_or(|whole| whole.enter(descriptors));
        if !has_room {
            self.leave_part(descriptors);
        }
        has_room
    }

    fn leave(&self, descriptors: u64) {
        self.leave_part(descriptors);
        if let Some(whole) = &self.whole {
            whole.leave(descriptors);
        }
    }

    fn leave_part(&self, descriptors: u64) {
        self.open.fetch_sub(counted(descriptors), Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

impl<const DESCRIPTORS: u64> Drop for Permit<DESCRIPTORS> {
    fn drop(&mut self) {
        self.0.leave(DESCRIPTORS);
    }
}

/// What one session is in a count.
fn counted(descriptors: u64) -> u64 {
    (1 << HALF) + descriptors
}

/// Counts an acceptor among those that wait, so that sessions which end while nobody does need not tell anyone.
struct Waiting<'c>(&'c AtomicUsize);

impl<'c> Waiting<'c> {
    fn new(waiting: &'c AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The descriptors of a connection.
pub(super) const CONNECTION: u64 = 2;
/// The descriptors of a session of datagrams.
pub(super) const FLOW: u64 = 1;
/// Where the upper half of a count begins.
const HALF: u32 = 32;
/// What half a count holds, with room for one more.
const MOST_COUNTED: usize = (u32::MAX - 2) as usize;

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
        let capacity = Capacity::new(1, usize::MAX);
        let first: Permit = capacity.try_take().unwrap();
        assert!(capacity.try_take::<CONNECTION>().is_none());
        let second = taken_once_free(&capacity, first).await;
        assert_eq!(capacity.open(), 1);
        drop(second);
        assert_eq!(capacity.open(), 0);
    }

    #[tokio::test]
    async fn a_part_has_room_only_where_the_whole_has() {
        let whole = Capacity::new(2, usize::MAX);
        let (small, large) = (whole.part(1), whole.part(5));
        let one: Permit = small.try_take().unwrap();
        assert!(small.try_take::<CONNECTION>().is_none(), "the part is full");
        let other: Permit = large.try_take().unwrap();
        assert!(large.try_take::<CONNECTION>().is_none(), "the whole is full");
        assert_eq!([whole.open(), small.open(), large.open()], [2, 1, 1], "what was not given is not counted");
        let third = taken_once_free(&large, one).await;
        assert_eq!([whole.open(), small.open(), large.open()], [2, 0, 2]);
        let fourth = taken_once_free(&small, other).await;
        drop((third, fourth));
        assert_eq!([whole.open(), small.open(), large.open()], [0, 0, 0]);
    }

    #[tokio::test]
    async fn a_part_that_is_full_waits_for_its_own() {
        let whole = Capacity::new(10, usize::MAX);
        let part = whole.part(1);
        let first = part.try_take().unwrap();
        let second = taken_once_free(&part, first).await;
        assert_eq!([whole.open(), part.open()], [1, 1]);
        drop(second);
    }

    #[test]
    fn descriptors_are_shared_by_those_that_take_two_and_those_that_take_one() {
        let capacity = Capacity::new(10, 4);
        assert_eq!([capacity.most::<CONNECTION>(), capacity.most::<FLOW>()], [2, 4]);
        let connection: Permit = capacity.try_take().unwrap();
        let flows: Vec<Permit<FLOW>> = std::iter::from_fn(|| capacity.try_take()).collect();
        assert_eq!((flows.len(), capacity.open()), (2, 3));
        drop(connection);
        assert_eq!(std::iter::from_fn(|| capacity.try_take::<FLOW>().map(std::mem::forget)).count(), 2);
        assert_eq!(capacity.open(), 4);
    }
}
