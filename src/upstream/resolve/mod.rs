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
            let upstreams: Vec<_> = lines.iter().filter_map(Line::upstream).collect();
            let followed = Followed::new(subject, lines, self.servers(settings)?);
            let following = Arc::new(AbortOnDrop(self.runtime.spawn(followed.follow())));
            upstreams.iter().for_each(|upstream| upstream.names.keep(following.clone()));
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
#[derive(Debug)]
pub(super) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use tokio::time::{Duration, timeout};

    use super::*;
    use crate::upstream::Balance;
    use crate::upstream::tests::line;

    #[tokio::test]
    async fn names_are_followed_no_longer_than_somebody_wants_to_know() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let settings = ResolverSettings {
            nameservers: Some(vec![silent.local_addr().unwrap()]),
            timeout: Duration::from_secs(3600),
            ..ResolverSettings::default()
        };
        let (resolver, tasks) = (Resolver::new(Handle::current()), Handle::current().metrics());
        let [one, other] = ["one", "other"].map(|name| Arc::new(Upstream::new(name.into(), Balance::RoundRobin, vec![line("web.test:1")])));
        resolver.follow([(&settings, &one), (&settings, &other)]).unwrap();
        drop((resolver, one));
        tokio::task::yield_now().await;
        assert!(tasks.num_alive_tasks() > 0, "the other one still wants to know");
        drop(other);
        let ended = async {
            while tasks.num_alive_tasks() > 0 {
                tokio::task::yield_now().await
            }
        };
        assert!(timeout(Duration::from_secs(20), ended).await.is_ok(), "{} tasks are left", tasks.num_alive_tasks());
    }
}
