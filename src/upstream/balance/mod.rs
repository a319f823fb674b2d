//! The ways to choose among servers that may be chosen. Each picks the very server that nginx would pick, so that a
//! fleet can be migrated one machine at a time. Whether a server may be chosen is not known here.

mod consistent;
mod hash;
mod least;
mod random;
mod round_robin;

use std::fmt;
use std::sync::Arc;

use fastrand::Rng;
use tokio::time::Instant;

use super::member::Member;
use super::tried::Cursor;
pub(super) use consistent::Ring;

/// How an upstream chooses its servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// They take turns, by their weights.
    #[default]
    RoundRobin,
    /// The one with the fewest sessions for its weight.
    LeastConn,
    /// The one that answers soonest, for its sessions and its weight.
    LeastTime,
    /// By chance, by their weights.
    Random,
    /// Of two by chance, the one with fewer sessions for its weight.
    RandomTwo,
    /// By a hash of the key over the sum of the weights.
    Hash,
    /// By a hash of the key on a circle (ketama): when a server comes or goes, only its own keys move.
    ConsistentHash,
}

impl Balance {
    /// Whether it goes by a key.
    #[must_use]
    pub fn is_hash(self) -> bool {
        matches!(self, Self::Hash | Self::ConsistentHash)
    }

    /// Whether it goes by chance.
    #[must_use]
    pub fn is_random(self) -> bool {
        matches!(self, Self::Random | Self::RandomTwo)
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "round_robin",
            Self::LeastConn => "least_conn",
            Self::LeastTime => "least_time",
            Self::Random => "random",
            Self::RandomTwo => "random_two",
            Self::Hash => "hash",
            Self::ConsistentHash => "consistent_hash",
        })
    }
}

/// A [`Balance`] with what it keeps from one choice to the next.
#[derive(Clone, Debug)]
pub(super) enum Balancer {
    RoundRobin,
    LeastConn,
    LeastTime,
    Random(Rng),
    RandomTwo(Rng),
    Hash,
    ConsistentHash(Arc<Ring>),
}

impl Balancer {
    pub(super) fn new(balance: Balance) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin,
            Balance::LeastConn => Self::LeastConn,
            Balance::LeastTime => Self::LeastTime,
            Balance::Random => Self::Random(Rng::new()),
            Balance::RandomTwo => Self::RandomTwo(Rng::new()),
            Balance::Hash => Self::Hash,
            Balance::ConsistentHash => Self::ConsistentHash(Arc::default()),
        }
    }

    pub(super) fn ring(&self) -> Option<&Arc<Ring>> {
        match self {
            Self::ConsistentHash(ring) => Some(ring),
            _ => None,
        }
    }

    pub(super) fn set_ring(&mut self, new: Arc<Ring>) {
        if let Self::ConsistentHash(ring) = self {
            *ring = new;
        }
    }

    /// Lets chance be the same each time.
    #[cfg(test)]
    pub(super) fn seed(&mut self, seed: u64) {
        if let Self::Random(rng) | Self::RandomTwo(rng) = self {
            rng.seed(seed);
        }
    }

    /// The index of the member that is chosen among the eligible ones.
    pub(super) fn pick(
        &mut self,
        members: &mut [Member],
        key: &[u8],
        cursor: &mut Cursor,
        now: Instant,
        eligible: &impl Fn(&Member) -> bool,
    ) -> Option<usize> {
        let picked = match self {
            _ if members.len() < 2 => None,
            Self::RoundRobin => None,
            Self::LeastConn => return least::pick(members, now, |member| member.load(now), eligible),
            Self::LeastTime => return least::pick(members, now, |member| member.expected_time(now), eligible),
            Self::Random(rng) => random::pick(members, rng, cursor, now, eligible),
            Self::RandomTwo(rng) => random::pick_of_two(members, rng, cursor, now, eligible),
            Self::Hash | Self::ConsistentHash(_) if key.is_empty() => None,
            Self::Hash => hash::pick(members, key, cursor, eligible),
            Self::ConsistentHash(ring) => ring.pick(members, key, cursor, now, eligible),
        };
        picked.or_else(|| round_robin::pick(members, now, |_, member| eligible(member)))
    }

    /// The same among backups: the least loaded one, or else the one whose turn it is.
    pub(super) fn pick_backup(&mut self, members: &mut [Member], now: Instant, eligible: &impl Fn(&Member) -> bool) -> Option<usize> {
        match self {
            Self::LeastConn | Self::LeastTime => self.pick(members, b"", &mut Cursor::default(), now, eligible),
            _ => round_robin::pick(members, now, |_, member| eligible(member)),
        }
    }
}

/// The member into whose part a number below the sum of the weights falls.
fn by_weight(members: &[Member], number: u64, weight: impl Fn(&Member) -> u64) -> Option<usize> {
    let mut end = 0;
    members.iter().position(|member| {
        end += weight(member);
        number < end
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::upstream::found::Place;
    use crate::upstream::server::{Server, ServerLine};
    use crate::upstream::tests::line;

    #[test]
    fn a_hash_gives_up_after_its_twenty_first_miss() {
        let lines = [1, 2, 3].map(|port| Arc::new(line(&format!("10.0.0.1:{port}"))));
        let place = |line: &Arc<ServerLine>| Place::fixed(line).unwrap();
        let server = |(number, line)| Server::new(number as u32, number, line, &place(line));
        let mut members: Vec<_> = lines.iter().enumerate().map(server).map(|server| Member::new(server, 1, None)).collect();
        for balance in [Balance::Hash, Balance::ConsistentHash] {
            let (mut cursor, asked) = (Cursor::default(), Cell::new(0));
            let nobody = |_: &Member| {
                asked.set(asked.get() + 1);
                false
            };
            let mut balancer = Balancer::new(balance);
            balancer.set_ring(Ring::new(lines.iter().map(|line| (&line.written, 1)), &Ring::default()).into());
            assert_eq!(balancer.pick(&mut members, b"key", &mut cursor, Instant::now(), &nobody), None);
            assert_eq!((asked.take(), cursor.misses), (21 + members.len(), 21), "{balance:?}: then each has its turn");
            assert_eq!(balancer.pick(&mut members, b"key", &mut cursor, Instant::now(), &nobody), None);
            assert_eq!(asked.get(), members.len(), "{balance:?}: from then on they take turns");
        }
    }
}
