//! DNS names of servers: looked up in the background as often as their records say, on the control runtime.
//! A look-up that fails leaves the addresses that were good last.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};

use super::{Found, Upstream};
use crate::address::Address;
use crate::host::Hostname;

/// Looks names up by the system's resolv.conf and hosts file. A cheap handle; the work is done on one runtime,
/// whoever asks.
#[derive(Clone)]
pub struct Resolver {
    runtime: Handle,
    resolver: Arc<TokioResolver>,
}

/// A name that could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The resolver could not be set up.
    #[error("the resolver could not be set up: {0}")]
    SetUp(#[source] NetError),
    /// No address, or no answer.
    #[error("{name} cannot be resolved: {source}")]
    LookUp {
        /// The name.
        name: Hostname,
        /// What the resolver said.
        #[source]
        source: NetError,
    },
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// The addresses of a name, and until when they are good.
#[derive(Clone, Debug)]
struct Answer {
    addresses: Vec<IpAddr>,
    until: Instant,
}

impl Resolver {
    /// A resolver whose work is done on this runtime. Without a readable resolv.conf only the hosts file is asked.
    ///
    /// # Errors
    /// When the resolver refuses its configuration.
    pub fn new(runtime: Handle) -> Result<Self, ResolveError> {
        let _inside = runtime.enter();
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!("resolv.conf cannot be used, so only the hosts file is asked for names: {error}");
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = CACHED_NAMES;
        let resolver = builder.build().map_err(ResolveError::SetUp)?;
        Ok(Self { runtime: runtime.clone(), resolver: Arc::new(resolver) })
    }

    /// All addresses of a name, in the resolver's order.
    ///
    /// # Errors
    /// When there are none, or no server answers.
    pub async fn resolve(&self, name: &Hostname) -> Result<Vec<IpAddr>, ResolveError> {
        Ok(self.look_up(name).await?.addresses)
    }

    /// Keeps the addresses of an upstream's named servers as DNS has them. `resolved` hears once of each name
    /// that its first look-up is over.
    pub fn follow(&self, upstream: &Arc<Upstream>, resolved: &Sender<()>) {
        for (line, server) in upstream.lines().iter().enumerate() {
            if let Address::Name(name, port) = &server.address {
                let (resolver, upstream, name, port) = (self.clone(), upstream.clone(), name.clone(), *port);
                let resolved = resolved.clone();
                self.runtime.spawn(async move { resolver.follow_name(&upstream, line, (&name, port), resolved).await });
            }
        }
    }

    async fn follow_name(&self, upstream: &Upstream, line: usize, (name, port): (&Hostname, u16), resolved: Sender<()>) {
        let mut first = Some(resolved);
        let (mut failing, mut known) = (false, false);
        loop {
            let answer = self.look_up(name).await;
            let wait = match answer {
                Ok(answer) => {
                    upstream.set_servers(line, Found::of_name(&answer.addresses, port), Instant::now());
                    (failing, known) = (false, true);
                    answer.until.saturating_duration_since(Instant::now()).clamp(SHORTEST_TTL, LONGEST_TTL)
                }
                Err(ResolveError::Stopping) => return,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let left = if known { "the last good addresses stay" } else { "the server is left out until it resolves" };
                        tracing::warn!(upstream = &**upstream.name(), "{error}; {left}; the next look-up is in {RETRY:?}");
                    }
                    RETRY
                }
            };
            if let Some(resolved) = first.take() {
                // Nobody may be waiting any more.
                let _ = resolved.send(());
            }
            sleep(wait).await;
        }
    }

    async fn look_up(&self, name: &Hostname) -> Result<Answer, ResolveError> {
        let (resolver, asked) = (self.resolver.clone(), name.as_str().to_owned());
        // Whoever no longer waits, or may wait no longer, leaves no look-up behind.
        let mut looking_up = AbortOnDrop(self.runtime.spawn(async move { resolver.lookup_ip(asked).await }));
        let looked_up = (&mut looking_up.0).await;
        let found = looked_up.map_err(|_| ResolveError::Stopping)?.map_err(|source| ResolveError::LookUp { name: name.clone(), source })?;
        Ok(Answer { addresses: found.iter().collect(), until: Instant::from_std(found.valid_until()) })
    }
}

/// A task that ends with the one that waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The bound of the resolver's own cache.
const CACHED_NAMES: u64 = 4096;
/// A record's TTL of 0 must not become a flood of questions.
const SHORTEST_TTL: Duration = Duration::from_secs(1);
const LONGEST_TTL: Duration = Duration::from_secs(3600);
const RETRY: Duration = Duration::from_secs(5);
