//! Which server a session goes to. An upstream is a named group of servers with one short lock around each choice, so
//! that shares and failure counts are exact over all workers. Sockets are not known here, and time is an argument.

mod balance;
mod connect;
mod group;
mod lease;
mod pool;
mod resolve;
mod search;
mod server;
#[cfg(test)]
mod tests;
mod tried;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::address::Address;

pub use balance::Balance;
use balance::Balancer;
pub use connect::{ConnectError, ConnectLimits, Connected, TryError, Wanted};
use group::Group;
pub use lease::Lease;
pub use pool::Pool;
pub use resolve::{ResolveError, Resolver};
pub use server::{Endpoint, Server, ServerLine, ServerStatus};
pub use tried::Tried;

/// A named group of servers.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
    lines: Vec<Arc<ServerLine>>,
    balancer: Balancer,
    group: Mutex<Group>,
}

impl Upstream {
    /// Makes a group from the lines a user wrote. A line with a DNS name stands for no server until
    /// [`set_addresses`](Self::set_addresses) says where it is.
    #[must_use]
    pub fn new(name: Arc<str>, balance: Balance, lines: Vec<ServerLine>) -> Self {
        let lines: Vec<_> = lines.into_iter().map(Arc::new).collect();
        let mut group = Group::default();
        for (number, line) in lines.iter().enumerate() {
            group.set(number, line, fixed_endpoint(&line.address));
        }
        Self { name, balancer: Balancer::new(balance, &lines), lines, group: Mutex::new(group) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How it chooses.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.balancer.balance()
    }

    /// The lines it was made from, in their order.
    #[must_use]
    pub fn lines(&self) -> &[Arc<ServerLine>] {
        &self.lines
    }

    /// Says which addresses the DNS name of a line has now. One that stays keeps its counts and weights, and so do all
    /// servers of other lines. Lines without a DNS name are left alone.
    pub fn set_addresses(&self, line: usize, addresses: &[IpAddr]) {
        let Some((written, &Address::Name(_, port))) = self.lines.get(line).map(|written| (written, &written.address)) else { return };
        let mut addresses = addresses.to_vec();
        // An answer comes in any order. Sorted, a hash finds the same servers on every machine and after every answer.
        addresses.sort_unstable();
        addresses.dedup();
        self.group().set(line, written, addresses.into_iter().map(|ip| Endpoint::Ip(SocketAddr::new(ip, port))));
    }

    /// Chooses a server that this session has not tried yet, or none if none is left. `key` is what hashes go by; with
    /// an empty one, as always with [`Balance::RoundRobin`], servers take turns.
    #[must_use]
    pub fn pick(self: &Arc<Self>, key: &[u8], tried: &mut Tried, now: Instant) -> Option<Lease> {
        let mut group = self.group();
        let server = group.pick(&self.balancer, key, tried, now)?;
        // Made under the lock: what the lease knows of the server is what it was picked by.
        Some(Lease::new(Arc::clone(self), server))
    }

    /// How many servers a session may try: all that are not `down`, backups included.
    #[must_use]
    pub fn tries(&self) -> usize {
        self.group().tries()
    }

    /// The servers that a session with this key would meet, in their order, if each refused it. Nothing is changed by asking.
    #[must_use]
    pub fn order(&self, key: &[u8], now: Instant) -> Vec<Arc<Server>> {
        let mut group = self.group().clone();
        let mut tried = Tried::default();
        let next = || {
            let server = group.pick(&self.balancer, key, &mut tried, now)?;
            group.failed(&server, now);
            Some(server)
        };
        std::iter::from_fn(next).collect()
    }

    /// How each server stands, in the order of the lines, primaries first.
    #[must_use]
    pub fn status(&self) -> Vec<ServerStatus> {
        self.group().status()
    }

    /// The servers and their counts. Whoever panicked with the lock held left them in a state that is as good as any.
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fixed_endpoint(address: &Address) -> Option<Endpoint> {
    match address {
        Address::Ip(address) => Some(Endpoint::Ip(*address)),
        Address::Unix(path) => Some(Endpoint::Unix(path.clone())),
        Address::Name(..) => None,
    }
}
