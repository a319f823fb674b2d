//! The counts of a limit: for each key, how many sessions are open, and how much of its rate is used up.
//!
//! What strangers send is bounded: keys with open sessions are as many as there are sessions, which other limits bound,
//! and of the others, which are known only for their rate, [`MOST_IDLE`]. Beyond that those are forgotten whose rate is
//! nearest to being whole again, so that a flood of keys lets somebody come a little early, but keeps nobody out.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// All keys of a limit. It is split, each part under a lock of its own, so that workers seldom meet.
#[derive(Debug)]
pub(super) struct Table {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

/// A session that is counted under a key; dropping it ends that.
#[derive(Debug)]
pub(super) struct Permit {
    table: Arc<Table>,
    key: Box<[u8]>,
    pace: Option<Pace>,
}

/// How fast sessions of a key may follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time after which one more may come.
    pub interval: Duration,
    /// How many may come at once beyond the first.
    pub burst: u32,
}

/// What a key has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Connections,
    Pace,
}

#[derive(Debug, Default)]
struct Shard {
    keys: HashMap<Box<[u8]>, Count>,
    /// How many keys there may be until it is looked which of them can be forgotten.
    look_at: usize,
}

#[derive(Debug, Default)]
struct Count {
    open: u32,
    /// When the rate will be whole again; each session puts it off by an interval (the GCRA of ATM networks).
    whole: Option<Instant>,
}

impl Table {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() })
    }

    /// Counts one more session of a key, if it has room.
    pub(super) fn take(self: &Arc<Self>, key: &[u8], most: Option<u32>, pace: Option<Pace>, now: Instant) -> Result<Permit, Full> {
        let mut shard = self.shard(key);
        match shard.keys.get_mut(key) {
            Some(count) => count.take(most, pace, now)?,
            None => {
                let mut count = Count::default();
                count.take(most, pace, now)?;
                shard.make_room(now);
                shard.keys.insert(key.into(), count);
            }
        }
        Ok(Permit { table: self.clone(), key: key.into(), pace })
    }

    /// Forgets what need not be known any more, and gives its memory back.
    pub(super) fn forget_idle(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.forget_idle(now);
            shard.keys.shrink_to(LEAST_LOOK);
        }
    }

    /// How many keys are known.
    pub(super) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).keys.len()).sum()
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        let shard = self.shards.get(index).expect("the index is below the number of shards");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Takes the session back as though it had never come: its share of the rate is given back too.
    pub(super) fn take_back(self) {
        let mut shard = self.table.shard(&self.key);
        if let (Some(count), Some(pace)) = (shard.keys.get_mut(&self.key), self.pace) {
            count.whole = count.whole.and_then(|whole| whole.checked_sub(pace.interval));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shard = self.table.shard(&self.key);
        let Some(count) = shard.keys.get_mut(&self.key) else { return };
        count.open -= 1;
        if count.open == 0 && count.whole.is_none() {
            shard.keys.remove(&self.key);
        }
    }
}

impl Shard {
    /// Makes room for one more key, now and then: the keys that are looked through have come since the last time.
    fn make_room(&mut self, now: Instant) {
        if self.keys.len() >= self.look_at.max(LEAST_LOOK) {
            self.forget_idle(now);
        }
    }

    /// Forgets the keys that have no session and their whole rate, and of the others without a session those that are too
    /// many, the ones that would have been forgotten first.
    fn forget_idle(&mut self, now: Instant) {
        self.keys.retain(|_, count| count.open > 0 || count.whole.is_some_and(|whole| whole > now));
        let mut idle: Vec<Instant> = self.keys.values().filter(|count| count.open == 0).filter_map(|count| count.whole).collect();
        let too_many = idle.len().saturating_sub(MOST_IDLE / SHARDS / 2);
        if too_many > 0 {
            let (_, last, _) = idle.select_nth_unstable(too_many - 1);
            let last = *last;
            self.keys.retain(|_, count| count.open > 0 || count.whole.is_some_and(|whole| whole > last));
        }
        let open = self.keys.values().filter(|count| count.open > 0).count();
        self.look_at = (2 * self.keys.len()).min(open + MOST_IDLE / SHARDS);
    }
}

impl Count {
    fn take(&mut self, most: Option<u32>, pace: Option<Pace>, now: Instant) -> Result<(), Full> {
        if most.is_some_and(|most| self.open >= most) {
            return Err(Full::Connections);
        }
        let whole = pace.map(|pace| pace.after(self.whole.map_or(now, |whole| whole.max(now)), now)).transpose()?;
        self.open = self.open.saturating_add(1);
        self.whole = whole;
        Ok(())
    }
}

impl Pace {
    /// When the rate will be whole again after one more session, if there is room for it.
    fn after(self, whole: Instant, now: Instant) -> Result<Instant, Full> {
        let used = whole.saturating_duration_since(now);
        if used > self.interval.saturating_mul(self.burst) {
            return Err(Full::Pace);
        }
        whole.checked_add(self.interval).ok_or(Full::Pace)
    }
}

const SHARDS: usize = 16;
/// The keys without sessions that a limit knows for their rate, over all shards: some 20 MB.
const MOST_IDLE: usize = 1 << 18;
/// Below this many keys a shard is not looked through.
const LEAST_LOOK: usize = 64;
