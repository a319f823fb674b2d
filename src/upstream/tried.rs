//! What one session has tried of one upstream, so that its next try goes on where the last one stood.

use super::families::Family;

/// What a session has tried of an upstream. A session that needs one try only allocates nothing for it.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    pub(super) servers: TriedServers,
    pub(super) cursor: Cursor,
    /// The address families of names of which a server did not answer.
    pub(super) silent: Vec<Family>,
}

/// The servers, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct TriedServers {
    latest: Option<u32>,
    /// All before the latest, sorted.
    earlier: Vec<u32>,
}

/// How far a hash has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// How often the key was hashed.
    pub(super) rounds: u32,
    /// The sum of what came of it.
    pub(super) sum: u64,
    /// How often that led to a server that could not be had.
    pub(super) misses: usize,
}

/// After so many misses nginx stops hashing and lets the servers take turns.
const MOST_MISSES: usize = 20;

impl TriedServers {
    pub(super) fn add(&mut self, id: u32) {
        let Some(before) = self.latest.replace(id) else { return };
        if let Err(place) = self.earlier.binary_search(&before) {
            self.earlier.insert(place, before);
        }
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.latest == Some(id) || self.earlier.binary_search(&id).is_ok()
    }
}

impl Cursor {
    /// Whether the hash has led nowhere too often.
    pub(super) fn is_spent(self) -> bool {
        self.misses > MOST_MISSES
    }
}
