//! What a profile remembers to resume its clients' TLS: sessions that are kept here, and its own keys of those that clients keep. It
//! outlives the files that it was made under; [`Policy`] keeps apart what was made under others.

use std::fmt;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Duration;

use super::policy::Policy;
use super::settings::ServerSettings;
use super::tickets::OwnKeys;

/// What rustls makes its ids of, those that stand for tickets too. Anything else is a stranger's.
const ID_LENGTH: usize = 32;

/// What an entry takes besides its key and value, as measured: the cache's own rows for it, and what the allocator rounds up.
const OVERHEAD: usize = 400;

/// TLS 1.3 lets nothing be resumed for longer (RFC 8446, 4.6.1).
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A profile's memory of clients.
pub(super) struct Resumption {
    size: u64,
    lifetime: Duration,
    sessions: Option<Cache<Key, Arc<[u8]>>>,
    own_keys: OwnKeys,
}

/// The policy that a session was made under is part of its key, so under any other there is no such session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    policy: Policy,
    id: [u8; ID_LENGTH],
}

impl Resumption {
    /// The memory of this profile: the one that there was, as long as its size and its time stay.
    pub(super) fn carried(settings: &ServerSettings, previous: Option<&Arc<Self>>) -> Arc<Self> {
        #[cfg(test)]
        if let Some(one) = test::ONE_FOR_ALL.with_borrow(Clone::clone) {
            return one;
        }
        let (size, lifetime) = (settings.session_cache, settings.session_timeout.min(LONGEST));
        match previous {
            Some(previous) if previous.size == size && previous.lifetime == lifetime => previous.clone(),
            _ => Arc::new(Self::new(size, lifetime)),
        }
    }

    fn new(size: u64, lifetime: Duration) -> Self {
        // Who comes is likely to come again: moka's own policy would rather keep those it knows already, and turn new ones away.
        let lru = EvictionPolicy::lru();
        let cache = || Cache::builder().max_capacity(size).weigher(weight).time_to_live(lifetime).eviction_policy(lru).build();
        Self { size, lifetime, sessions: (size > 0).then(cache), own_keys: OwnKeys::new(lifetime) }
    }

    /// For how long after its full handshake a session may be resumed.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The keys that the gateway makes by itself.
    pub(super) fn own_keys(&self) -> &OwnKeys {
        &self.own_keys
    }

    /// Whether sessions are kept at all.
    pub(super) fn keeps_sessions(&self) -> bool {
        self.sessions.is_some()
    }

    /// Keeps a session, and tells whether it does.
    pub(super) fn keep(&self, policy: Policy, id: &[u8], session: Vec<u8>) -> bool {
        let Some((sessions, key)) = self.sessions.as_ref().zip(Key::new(policy, id)) else { return false };
        sessions.insert(key, session.into());
        true
    }

    /// The session of this id, which stays.
    pub(super) fn look_up(&self, policy: Policy, id: &[u8]) -> Option<Arc<[u8]>> {
        self.sessions.as_ref()?.get(&Key::new(policy, id)?)
    }

    /// The session of this id, which is gone with that: of any number at once who ask for it, one has it.
    pub(super) fn take(&self, policy: Policy, id: &[u8]) -> Option<Arc<[u8]>> {
        self.sessions.as_ref()?.remove(&Key::new(policy, id)?)
    }

    /// How many bytes the sessions that are kept take.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        let sessions = self.sessions.as_ref().unwrap();
        sessions.run_pending_tasks();
        sessions.weighted_size()
    }
}

/// Without the sessions: who has them can read what was said in them.
impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, lifetime, own_keys, sessions: _ } = self;
        f.debug_struct("Resumption").field("size", size).field("lifetime", lifetime).field("own_keys", own_keys).finish_non_exhaustive()
    }
}

impl Key {
    fn new(policy: Policy, id: &[u8]) -> Option<Self> {
        Some(Self { policy, id: id.try_into().ok()? })
    }
}

fn weight(_: &Key, session: &Arc<[u8]>) -> u32 {
    u32::try_from(size_of::<Key>() + session.len() + OVERHEAD).unwrap_or(u32::MAX)
}

/// The switch with which nothing but the policy keeps profiles apart.
#[cfg(test)]
pub(super) mod test {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::{Resumption, ServerSettings};

    thread_local! {
        /// What all profiles of this thread remember together.
        pub(super) static ONE_FOR_ALL: RefCell<Option<Arc<Resumption>>> = const { RefCell::new(None) };
    }

    /// From now on all profiles of this thread have one memory, of this one's size and time.
    pub(in crate::tls) fn share(settings: &ServerSettings) {
        ONE_FOR_ALL.set(None);
        ONE_FOR_ALL.set(Some(Resumption::carried(settings, None)));
    }
}
