//! What entries mean, as numbers that can be compared: of 100,000 entries most share their targets, and a set of addresses
//! may be large, so that each is looked at once.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::admit::{Ranges, Who};
use crate::route::Entry;
use crate::snapshot::{Target, Targets};

/// What an entry means; equal numbers mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Meaning {
    /// Where connections go and who may: the part of it that a client could notice.
    pub(super) destination: usize,
    /// How sessions run there.
    settings: usize,
}

/// The meanings that were met so far, in two configurations that both outlive this.
#[derive(Default)]
pub(super) struct Meanings<'s> {
    texts: HashMap<String, usize>,
    targets: HashMap<*const [Target], Meaning>,
    sets: HashMap<&'s Ranges, usize>,
    sets_by_place: HashMap<*const Ranges, usize>,
}

impl<'s> Meanings<'s> {
    pub(super) fn of(&mut self, entry: &'s Entry<Targets>) -> Meaning {
        let targets: &'s [Target] = &entry.target;
        if targets.iter().any(Target::reads_the_entry) {
            return self.found(targets, &entry.written);
        }
        if let Some(known) = self.targets.get(&std::ptr::from_ref(targets)) {
            return *known;
        }
        let meaning = self.found(targets, "");
        self.targets.insert(targets, meaning);
        meaning
    }

    /// `written` is the entry's own text where that makes a difference.
    fn found(&mut self, targets: &'s [Target], written: &str) -> Meaning {
        let (mut destination, mut settings) = (written.to_owned(), String::new());
        for target in targets {
            let addresses = self.addresses(target);
            let guards = &target.guards;
            // Writing to memory cannot fail.
            let _ = write!(destination, "\0{}\0{:?}{:?}{addresses:?}", target.leads(), guards.alpn, guards.versions);
            let _ = write!(settings, "\0{:?}", target.settings());
        }
        Meaning { destination: self.number(destination), settings: self.number(settings) }
    }

    fn number(&mut self, text: String) -> usize {
        let next = self.texts.len();
        *self.texts.entry(text).or_insert(next)
    }

    /// The sets of addresses that decide who may take a target.
    fn addresses(&mut self, target: &'s Target) -> (Option<Vec<usize>>, Vec<Option<usize>>) {
        let from = target.guards.from.as_ref().map(|list| list.sets().map(|set| self.set(set)).collect());
        let access = target.admission.access.rules().iter().map(|rule| match &rule.who {
            Who::Ranges(set) => Some(self.set(set)),
            // What the rule says of them stands in its text.
            Who::All | Who::Unix => None,
        });
        (from, access.collect())
    }

    fn set(&mut self, set: &'s Arc<Ranges>) -> usize {
        let Self { sets, sets_by_place, .. } = self;
        let next = sets.len();
        *sets_by_place.entry(Arc::as_ptr(set)).or_insert_with(|| *sets.entry(set).or_insert(next))
    }
}
