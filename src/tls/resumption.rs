//! What a profile remembers of clients to resume their TLS: it outlives the files that it was made under.

use std::sync::Arc;

use tokio::time::Duration;

use super::settings::ServerSettings;

/// A profile's memory of clients.
#[derive(Debug)]
pub(super) struct Resumption {
    cache_size: u64,
    timeout: Duration,
}

impl Resumption {
    /// The memory of this profile: the one that there was, as long as its size and its time stay.
    pub(super) fn carried(settings: &ServerSettings, previous: Option<&Arc<Self>>) -> Arc<Self> {
        let fits = |one: &&Arc<Self>| one.cache_size == settings.session_cache && one.timeout == settings.session_timeout;
        let new = || Arc::new(Self { cache_size: settings.session_cache, timeout: settings.session_timeout });
        previous.filter(fits).map_or_else(new, Arc::clone)
    }
}
