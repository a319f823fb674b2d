//! DNS names of servers, looked up on the control runtime: those of upstreams' lines again and again ([`Resolver::follow`]),
//! those that a client's name leads to when they are needed ([`OnDemand`]). A look-up that fails leaves what was good last.

mod answer;
mod ask;
mod demand;
mod follow;
mod found;
mod known;
mod name_server;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Upstream;
pub use answer::{Lack, Question, ResolveError};
use ask::NameServers;
pub use demand::{DemandedName, OnDemand};
use follow::{Followed, Line};
pub use known::Failing;
pub use settings::ResolverSettings;

/// Looks names up, for each distinct setting by resolvers of its own. A cheap handle; the work is done on one runtime,
/// whoever asks.
#[derive(Clone)]
pub struct Resolver {
    runtime: Handle,
    servers: Arc<Mutex<BTreeMap<ResolverSettings, Arc<NameServers>>>>,
}

impl Resolver {
    /// A resolver whose work is done on this runtime.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, servers: Arc::default() }
    }

    /// Keeps the servers of all lines with names as DNS has them, for as long as the upstreams live. A name is asked
    /// for once, however many lines have it. Nothing waits for the first answers but sessions that find nobody.
    ///
    /// # Errors
    /// When the resolver refuses its configuration.
    pub fn follow<'u>(&self, upstreams: impl IntoIterator<Item = (&'u ResolverSettings, &'u Arc<Upstream>)>) -> Result<(), ResolveError> {
        let mut lines = BTreeMap::<_, Vec<_>>::new();
        for (settings, upstream) in upstreams {
            for (subject, line) in Line::all(upstream) {
                lines.entry((settings, subject)).or_default().push(line);
            }
        }
        for ((settings, subject), lines) in lines {
            self.runtime.spawn(Followed::new(subject, lines, self.servers(settings)?).follow());
        }
        Ok(())
    }

    /// Looks names up by these settings when sessions need them.
    ///
    /// # Errors
    /// When the resolver refuses its configuration.
    pub fn on_demand(&self, settings: &ResolverSettings) -> Result<OnDemand, ResolveError> {
        Ok(OnDemand::new(self.runtime.clone(), self.servers(settings)?))
    }

    fn servers(&self, settings: &ResolverSettings) -> Result<Arc<NameServers>, ResolveError> {
        let mut all = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(servers) = all.get(settings) {
            return Ok(servers.clone());
        }
        let _inside = self.runtime.enter();
        let servers = Arc::new(NameServers::new(settings)?);
        all.insert(settings.clone(), servers.clone());
        Ok(servers)
    }
}

/// A task that ends with the one that wants its work.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
