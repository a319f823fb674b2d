//! The entries of names and wildcards. They stand in one list, and the tables by which they are found have their numbers:
//! of 100,000 each would cost a piece of memory of its own otherwise.
//!
//! The hash of the exact names is the standard one, whose key is random in each process: of a service that gives its
//! customers names of their choice, strangers do fill the table.

use std::collections::HashMap;
use std::collections::hash_map;

use super::Entry;
use super::labels::{self, LabelTree};
use crate::host::{HostPattern, Hostname};

/// Entries by the names they are for.
#[derive(Debug)]
pub(super) struct Names<T> {
    entries: Vec<Entry<T>>,
    exact: HashMap<Hostname, usize>,
    leading: LabelTree<usize>,
    trailing: LabelTree<usize>,
}

impl<T> Names<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), exact: HashMap::new(), leading: LabelTree::new(), trailing: LabelTree::new() }
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, names: usize) {
        self.entries.reserve(names);
        self.exact.reserve(names);
    }

    /// Adds an entry, or says which one has the name already.
    pub(super) fn insert(&mut self, pattern: HostPattern, entry: Entry<T>) -> Result<(), &Entry<T>> {
        let number = self.entries.len();
        let earlier = match pattern {
            HostPattern::Exact(name) => match self.exact.entry(name) {
                hash_map::Entry::Occupied(taken) => Some(*taken.get()),
                hash_map::Entry::Vacant(free) => {
                    free.insert(number);
                    None
                }
            },
            HostPattern::Below(name) => self.leading.insert(labels::from_the_top(&name), number),
            HostPattern::AndBelow(name) => {
                let earlier = self.exact.get(&name).copied().or_else(|| self.leading.insert(labels::from_the_top(&name), number));
                if earlier.is_none() {
                    self.exact.insert(name, number);
                }
                earlier
            }
            HostPattern::Trailing(name) => self.trailing.insert(labels::as_written(&name), number),
        };
        match earlier {
            Some(earlier) => self.entries.get(earlier).map_or(Ok(()), Err),
            None => {
                self.entries.push(entry);
                Ok(())
            }
        }
    }

    /// All entries, in the order in which they came.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    /// The exact names, in no order.
    pub(super) fn exact_names(&self) -> impl Iterator<Item = &Hostname> {
        self.exact.keys()
    }

    /// The entry that has this very name.
    pub(super) fn exact(&self, name: &Hostname) -> Option<&Entry<T>> {
        self.exact.get(name).and_then(|number| self.entries.get(*number))
    }

    /// The wildcards in front of a name, in no order.
    pub(super) fn leading_wildcards(&self) -> impl Iterator<Item = &Entry<T>> {
        self.leading.values().filter_map(|number| self.entries.get(*number))
    }

    /// The wildcards behind a name, in no order.
    pub(super) fn trailing_wildcards(&self) -> impl Iterator<Item = &Entry<T>> {
        self.trailing.values().filter_map(|number| self.entries.get(*number))
    }

    /// The wildcards in front that labels fit, given from the last to the first; the longest first.
    pub(super) fn leading<'t, 'n>(&'t self, labels: impl Iterator<Item = &'n str>) -> impl Iterator<Item = &'t Entry<T>> {
        self.leading.longest_first(labels).filter_map(|number| self.entries.get(*number))
    }

    /// The wildcards behind that labels fit, the longest first.
    pub(super) fn trailing<'t, 'n>(&'t self, labels: impl Iterator<Item = &'n str>) -> impl Iterator<Item = &'t Entry<T>> {
        self.trailing.longest_first(labels).filter_map(|number| self.entries.get(*number))
    }

    /// Whether `*.NAME` or `.NAME` is there; the labels are given from the last to the first.
    pub(super) fn has_leading<'n>(&self, labels: impl Iterator<Item = &'n str>) -> bool {
        self.leading.get(labels).is_some()
    }

    /// Whether `NAME.*` is there.
    pub(super) fn has_trailing<'n>(&self, labels: impl Iterator<Item = &'n str>) -> bool {
        self.trailing.get(labels).is_some()
    }
}
