//! The ways to choose among servers that may be chosen. Each picks the very server that nginx would pick, so that a
//! fleet can be migrated one machine at a time. Whether a server may be chosen is not known here.

mod consistent;
mod hash;
mod round_robin;

use std::sync::Arc;

use super::group::Member;
use super::tried::Cursor;
pub(super) use consistent::Ring;

/// How an upstream chooses its servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// They take turns, by their weights.
    #[default]
    RoundRobin,
    /// By a hash of the key over the sum of the weights.
    Hash,
    /// By a hash of the key on a circle (ketama): when a server comes or goes, only its own keys move.
    ConsistentHash,
}

/// A [`Balance`] with what it computes once.
#[derive(Clone, Debug)]
pub(super) enum Balancer {
    RoundRobin,
    Hash,
    ConsistentHash(Arc<Ring>),
}

impl Balancer {
    pub(super) fn new(balance: Balance) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin,
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

    /// The index of the member that is chosen among the eligible ones.
    pub(super) fn pick(
        &self,
        members: &mut [Member],
        key: &[u8],
        cursor: &mut Cursor,
        eligible: &impl Fn(&Member) -> bool,
    ) -> Option<usize> {
        let hashed = match self {
            _ if members.len() < 2 || key.is_empty() => None,
            Self::RoundRobin => None,
            Self::Hash => hash::pick(members, key, cursor, eligible),
            Self::ConsistentHash(ring) => ring.pick(members, key, cursor, eligible),
        };
        hashed.or_else(|| round_robin::pick(members, |_, member| eligible(member)))
    }
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
        let mut members: Vec<_> = lines.iter().enumerate().map(server).map(|server| Member::new(server, 1)).collect();
        for balance in [Balance::Hash, Balance::ConsistentHash] {
            let (mut cursor, asked) = (Cursor::default(), Cell::new(0));
            let nobody = |_: &Member| {
                asked.set(asked.get() + 1);
                false
            };
            let mut balancer = Balancer::new(balance);
            balancer.set_ring(Ring::new(lines.iter().map(|line| (&line.written, 1)), &Ring::default()).into());
            assert_eq!(balancer.pick(&mut members, b"key", &mut cursor, &nobody), None);
            assert_eq!((asked.take(), cursor.misses), (21 + members.len(), 21), "{balance:?}: then each has its turn");
            assert_eq!(balancer.pick(&mut members, b"key", &mut cursor, &nobody), None);
            assert_eq!(asked.get(), members.len(), "{balance:?}: from then on they take turns");
        }
    }
}
