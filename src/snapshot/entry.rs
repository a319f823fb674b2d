//! Where the entries of a map stand.

use super::Targets;
use crate::config::{Key, Place, Places, path_to};
use crate::route::{Entry, Rank};

impl Entry<Targets> {
    /// Where this entry of a map stands: on its line of a list, or in a file of the configuration.
    #[must_use]
    pub fn stands_at(&self, map: &str, rank: Rank, places: &Places) -> String {
        match self.target.listed_at() {
            Some(listed) => listed.to_string(),
            None => entry_place(map, rank, &self.written, places).to_string(),
        }
    }
}

/// Where an entry stands in a file of the configuration; a pattern does where its regex does.
#[must_use]
pub fn entry_place(map: &str, rank: Rank, written: &str, places: &Places) -> Place {
    let path = entry_path(map, rank, written);
    match rank {
        Rank::Pattern(_) => places.value(&[&path[..], &path_to!["host"]].concat()),
        _ => places.key(&path),
    }
}

/// The path of an entry.
#[must_use]
pub fn entry_path(map: &str, rank: Rank, written: &str) -> Vec<Key> {
    match rank {
        Rank::Pattern(index) => path_to!["routes", map, "patterns", index].to_vec(),
        Rank::Default | Rank::NoSni | Rank::NotTls => path_to!["routes", map, written].to_vec(),
        Rank::Exact | Rank::Leading | Rank::Trailing => path_to!["routes", map, "hosts", written].to_vec(),
    }
}
