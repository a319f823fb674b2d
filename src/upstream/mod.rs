//! Which server a session goes to. An upstream is a named group of servers with one short lock around each choice, so
//! that shares and failure counts are exact over all workers. Sockets are not known here, and time is an argument.

mod announcement;
mod balance;
mod connect;
mod datagrams;
mod encryption;
mod failure;
mod families;
mod found;
mod group;
mod lease;
mod member;
mod missing;
mod names;
mod pool;
mod resolve;
mod response;
mod search;
mod server;
#[cfg(test)]
mod tests;
mod told;
mod tried;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use announcement::{Announcement, Said, Version};
pub use balance::Balance;
use balance::Ring;
pub use connect::{ConnectLimits, Connected, Wanted};
pub use datagrams::Opened;
pub use encryption::Encryption;
pub(crate) use encryption::own_name;
pub use failure::{ConnectError, TryError};
pub use found::Found;
use found::{Place, Roster};
use group::Group;
pub use lease::Lease;
pub use names::NameStatus;
use names::Names;
pub use pool::Pool;
pub use resolve::{DemandedName, Failing, Lack, OnDemand, Question, ResolveError, Resolver, ResolverSettings};
pub use server::{Endpoint, Health, Server, ServerLine, ServerStatus};
pub use tried::Tried;

/// A named group of servers.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
    lines: Vec<Arc<ServerLine>>,
    balance: Balance,
    /// What the lines stand for, for those who change it; they hold it while they make ready.
    roster: Mutex<Roster>,
    /// The same with all that is counted, for those who pick.
    group: Mutex<Group>,
    names: Names,
    /// Whether clients choose it.
    of_clients: bool,
}

impl Upstream {
    /// Makes a group from the lines a user wrote. A line with a DNS name stands for no server until
    /// [`set_servers`](Self::set_servers) says where it is.
    #[must_use]
    pub fn new(name: Arc<str>, balance: Balance, lines: Vec<ServerLine>) -> Self {
        let lines: Vec<_> = lines.into_iter().map(Arc::new).collect();
        let roster = Roster::of(&lines);
        let mut group = Group::new(balance);
        for (number, line) in lines.iter().enumerate() {
            group.set(number, line, Place::fixed(line).into_iter().collect(), None);
        }
        if let Some(before) = group.ring() {
            let ring = Ring::new(roster.primaries(), before);
            group.set_ring(ring.into());
        }
        Self { name, balance, lines, roster: Mutex::new(roster), group: Mutex::new(group), names: Names::default(), of_clients: false }
    }

    /// The same as one that clients choose: what becomes of its servers is only told at debug level, or strangers would write
    /// the log.
    #[must_use]
    pub fn of_clients(self) -> Self {
        Self { of_clients: true, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How it chooses.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// The lines it was made from, in their order.
    #[must_use]
    pub fn lines(&self) -> &[Arc<ServerLine>] {
        &self.lines
    }

    /// Says where the servers of a line with a DNS name are now. One that stays, at its address and on its side, keeps
    /// its counts and its state, and so do all servers of other lines. Those that join after the line's first answer
    /// start slowly, if they are to. Lines without a DNS name are left alone.
    ///
    /// The order is the caller's and should not hang on that of an answer: hashes go by it.
    pub fn set_servers(&self, line: usize, found: Vec<Found>, now: Instant) {
        let late = self.roster().knows(line).then_some(now);
        self.replace_servers(line, found, late);
    }

    /// The same, where it is known whether those that join are `late`.
    fn replace_servers(&self, line: usize, found: Vec<Found>, late: Option<Instant>) {
        let Some(written) = self.lines.get(line).filter(|written| written.address.is_name()) else { return };
        let places: Vec<_> = found.into_iter().map(|found| Place::found(written, found)).collect();
        let mut roster = self.roster();
        roster.set(line, places.clone());
        // A circle is long: it is made while sessions still go by the one before.
        let before = self.group().ring().cloned();
        let ring = before.map(|before| Arc::new(Ring::new(roster.primaries(), &before)));
        let mut group = self.group();
        group.set(line, written, places, late);
        if let Some(ring) = ring {
            group.set_ring(ring);
        }
    }

    /// Chooses a server that this session has not tried yet, or none if none is left. `key` is what hashes go by; with
    /// an empty one they let servers take turns; the other balances need none.
    #[must_use]
    pub fn pick(self: &Arc<Self>, key: &[u8], tried: &mut Tried, now: Instant) -> Option<Lease> {
        let mut group = self.group();
        let chosen = group.pick(key, tried, now)?;
        // Made under the lock: what the lease knows of the server is what it was picked by.
        Some(Lease::new(Arc::clone(self), chosen, now))
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
            let server = group.choose(key, &mut tried, now)?.server;
            group.failed(&server, now);
            Some(server)
        };
        std::iter::from_fn(next).collect()
    }

    /// The servers that take turns by their weights, as often as it takes until the turns begin anew; none where all have the
    /// same weight, or where that takes longer than `most` sessions. Nothing is changed by asking.
    #[must_use]
    pub fn turns(&self, most: usize, now: Instant) -> Vec<Arc<Server>> {
        let mut group = self.group().clone();
        let length = group.turns().filter(|length| *length <= most && self.balance == Balance::RoundRobin).unwrap_or_default();
        (0..length).filter_map(|_| Some(group.choose(b"", &mut Tried::default(), now)?.server)).collect()
    }

    /// How each server stands, in the order of the lines, primaries first.
    #[must_use]
    pub fn status(&self) -> Vec<ServerStatus> {
        self.group().status()
    }

    /// How each name stands that is looked up for a line, in the order of the lines.
    #[must_use]
    pub fn names(&self) -> Vec<NameStatus> {
        self.names.status()
    }

    /// The first of [`order`](Self::order), for less than all of it costs.
    fn first(&self, key: &[u8], now: Instant) -> Option<Arc<Server>> {
        let mut group = self.group().clone();
        Some(group.choose(key, &mut Tried::default(), now)?.server)
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The servers and their counts. Whoever panicked with the lock held left them in a state that is as good as any.
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
