//! Where the servers of a line with a DNS name are, as a look-up found them.

use std::net::SocketAddr;
use std::sync::Arc;

use super::server::{Endpoint, ServerLine};
use crate::address::Address;

/// A server that a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub address: SocketAddr,
    /// Its weight, if the look-up says one; else it has its line's.
    pub weight: Option<u32>,
    /// Whether it is a backup; those of a backup's line are so anyhow.
    pub backup: bool,
    /// What its points on the circle of the consistent hash are made of; absent is the line as written.
    pub text: Option<Arc<str>>,
}

/// One of the servers that a line stands for, with what the line says filled in.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    pub(super) weight: u32,
    pub(super) backup: bool,
    pub(super) text: Arc<str>,
}

impl Place {
    /// Where a line with a fixed address is; nowhere yet, if it has a DNS name.
    pub(super) fn fixed(line: &ServerLine) -> Option<Self> {
        let endpoint = match &line.address {
            Address::Ip(address) => Endpoint::Ip(*address),
            Address::Unix(path) => Endpoint::Unix(path.clone()),
            Address::Name(..) | Address::Service(_) => return None,
        };
        Some(Self { endpoint, weight: line.weight, backup: line.backup, text: Arc::clone(&line.written) })
    }

    pub(super) fn found(line: &ServerLine, found: Found) -> Self {
        Self {
            endpoint: Endpoint::Ip(found.address),
            weight: found.weight.map_or(line.weight, |weight| weight.max(1)),
            backup: line.backup || found.backup,
            text: found.text.unwrap_or_else(|| Arc::clone(&line.written)),
        }
    }
}

/// The servers of each line, for those who change them.
#[derive(Debug)]
pub(super) struct Roster(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    places: Vec<Place>,
    /// Whether a look-up of its name, if it has one, said anything before.
    known: bool,
}

impl Roster {
    pub(super) fn of(lines: &[Arc<ServerLine>]) -> Self {
        Self(lines.iter().map(|line| Entry { places: Place::fixed(line).into_iter().collect(), known: false }).collect())
    }

    /// Whether a line's name had an answer.
    pub(super) fn knows(&self, line_number: usize) -> bool {
        self.0.get(line_number).is_some_and(|entry| entry.known)
    }

    /// Puts these in place of those that a line had.
    pub(super) fn set(&mut self, line_number: usize, places: Vec<Place>) {
        if let Some(entry) = self.0.get_mut(line_number) {
            *entry = Entry { places, known: true };
        }
    }

    /// The circle's texts of the primaries with their weights, in the order that the group has them in.
    pub(super) fn primaries(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        let places = self.0.iter().flat_map(|entry| &entry.places);
        places.filter(|place| !place.backup).map(|place| (&place.text, place.weight))
    }
}
