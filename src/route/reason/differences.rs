//! What a change of a table does to names: every pair of entries, the old winner and the new one, between which there is
//! a name, with such a name. Exact names and wildcards are settled by looking them up, for two wildcards meet or not by
//! their labels; only for patterns the languages are searched.

mod by_labels;
mod by_search;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

use super::{Budget, Entry, FirstName, Identity, Language, Rank, RouteTable, Wildcards, Winner, identity};
use crate::host::Hostname;

/// All that changed between two tables.
#[derive(Debug)]
pub struct Differences<'t, T> {
    /// Each pair of winners that do not lead to the same, the strongest rule first.
    pub changes: Vec<Change<'t, T>>,
    /// The entries of which it could not be decided: patterns and wildcards, as written.
    pub undecided: Vec<&'t str>,
}

/// Connections that go elsewhere.
#[derive(Debug)]
pub struct Change<'t, T> {
    /// One of them.
    pub asked: Asked,
    /// The entry that they belonged to.
    pub old: Winner<'t, T>,
    /// The entry that they belong to now.
    pub new: Winner<'t, T>,
}

/// What a connection asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A host name.
    Name(Hostname),
    /// TLS without a name.
    NoName,
    /// Not TLS.
    NotTls,
}

impl<T> Change<'_, T> {
    /// The stronger of the rules, old or new: what the change is about.
    #[must_use]
    pub fn rank(&self) -> Rank {
        [self.old, self.new].into_iter().flatten().map(|(rank, _)| rank).min().unwrap_or(Rank::Default)
    }
}

impl<T> RouteTable<T> {
    /// Compares a table with the one that it replaces, for half of what may be spent at most; entries that mean the same lead
    /// to the same.
    #[must_use]
    pub fn differences<'t, M: Eq + Hash>(
        &'t self,
        old: &'t Self,
        meaning: impl FnMut(&'t Entry<T>) -> M,
        budget: &mut Budget,
    ) -> Differences<'t, T> {
        budget.part(2, |budget| self.differences_within(old, meaning, budget))
    }

    fn differences_within<'t, M: Eq + Hash>(
        &'t self,
        old: &'t Self,
        meaning: impl FnMut(&'t Entry<T>) -> M,
        budget: &mut Budget,
    ) -> Differences<'t, T> {
        let mut comparison = Comparison::new(old, self, meaning, budget);
        comparison.exact_names();
        comparison.wildcards();
        comparison.patterns();
        comparison.every_other_name();
        comparison.without_a_name();
        let Comparison { mut changes, mut undecided, .. } = comparison;
        changes.sort_by(|one, other| (one.rank(), &one.asked).cmp(&(other.rank(), &other.asked)));
        undecided.dedup();
        Differences { changes, undecided }
    }
}

struct Comparison<'b, 't, T> {
    old: &'t RouteTable<T>,
    new: &'t RouteTable<T>,
    /// Of each entry, by its address.
    meanings: HashMap<usize, usize>,
    wildcards: Rc<Wildcards>,
    languages: Languages,
    noted: HashSet<(Identity, Identity)>,
    changes: Vec<Change<'t, T>>,
    undecided: Vec<&'t str>,
    budget: &'b mut Budget,
}

/// The languages of the patterns of both, each regex once, and that of addresses, which are no names.
struct Languages {
    each: Vec<Option<Rc<Language>>>,
    /// The pattern's index and its language, in the order of the table.
    old: Vec<(usize, usize)>,
    new: Vec<(usize, usize)>,
    addresses: Option<Language>,
}

impl Languages {
    fn of<'t, T>(old: &'t RouteTable<T>, new: &'t RouteTable<T>, budget: &mut Budget) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut each = Vec::new();
        let mut number = |regex| {
            *numbers.entry(regex).or_insert_with(|| {
                each.push(Language::within(regex, budget).map(Rc::new));
                each.len() - 1
            })
        };
        let mut numbered = |table: &'t RouteTable<T>| table.patterns.regexes().map(&mut number).enumerate().collect();
        let (old, new) = (numbered(old), numbered(new));
        Self { each, old, new, addresses: Language::addresses() }
    }
}

impl<'b, 't, T> Comparison<'b, 't, T> {
    fn new<M: Eq + Hash>(
        old: &'t RouteTable<T>,
        new: &'t RouteTable<T>,
        mut meaning: impl FnMut(&'t Entry<T>) -> M,
        budget: &'b mut Budget,
    ) -> Self {
        let mut known: HashMap<M, usize> = HashMap::new();
        let mut meanings = HashMap::new();
        for entry in [old, new].into_iter().flat_map(RouteTable::entries) {
            let next = known.len() + 1;
            let number = *known.entry(meaning(entry)).or_insert(next);
            meanings.insert(std::ptr::from_ref(entry).addr(), number);
        }
        Self {
            old,
            new,
            meanings,
            wildcards: Rc::new(Wildcards::of([old, new])),
            languages: budget.part(2, |budget| Languages::of(old, new, budget)),
            noted: HashSet::new(),
            changes: Vec::new(),
            undecided: Vec::new(),
            budget,
        }
    }

    fn exact_names(&mut self) {
        let names: BTreeSet<_> = self.old.names.exact_names().chain(self.new.names.exact_names()).collect();
        for name in names {
            self.note_name(name.clone());
        }
    }

    /// The names that a pattern wins, in one table or the other.
    fn patterns(&mut self) {
        let means = |table: &RouteTable<T>, index| self.meaning(table.patterns.entry(index));
        let pairs = self.languages.old.iter().zip(&self.languages.new);
        let is_same = |((old, one), (new, other)): &(&(usize, usize), &(usize, usize))| {
            one == other && means(self.old, *old) == means(self.new, *new)
        };
        let unchanged = pairs.take_while(is_same).count();
        // Those that begin both lists and lead to the same win the same names, as long as the same wildcards beat them.
        let skipped = if Wildcards::of([self.old]) == Wildcards::of([self.new]) { unchanged } else { 0 };
        let changed = self.languages.old.iter().skip(skipped).chain(self.languages.new.iter().skip(skipped));
        let changed: BTreeSet<usize> = changed.map(|(_, language)| *language).collect();
        for language in changed {
            let required = self.languages.each.get(language).cloned().flatten();
            self.search_for(required.as_deref(), Some(language), self.written_of(language), |_| false);
        }
    }

    fn written_of(&self, language: usize) -> Option<&'t str> {
        let index = |patterns: &[(usize, usize)]| patterns.iter().find(|(_, one)| *one == language).map(|(index, _)| *index);
        let old = || self.old.patterns.entry(index(&self.languages.old)?);
        let new = || self.new.patterns.entry(index(&self.languages.new)?);
        old().or_else(new).map(|entry| &*entry.written)
    }

    /// The names that come to the default in both tables.
    fn every_other_name(&mut self) {
        let (old, new) = (self.old, self.new);
        if self.meaning(old.default.as_ref()) == self.meaning(new.default.as_ref()) {
            return;
        }
        let tries = if old.patterns.is_empty() && new.patterns.is_empty() { EVERY } else { FEW };
        if !self.note_fresh(str::to_owned, |_, host| comes_to_default(old, host) && comes_to_default(new, host), tries) {
            let pair = (identity(old.defaults()), identity(new.defaults()));
            let everything = Language::of(".+");
            self.search_for(everything.as_ref(), None, Some("default"), |noted| noted.contains(&pair));
        }
    }

    fn without_a_name(&mut self) {
        for (asked, first) in [(Asked::NoName, FirstName::NoName), (Asked::NotTls, FirstName::NotTls)] {
            self.note(asked, self.old.winner(first), self.new.winner(first));
        }
    }

    fn old_and_new(&self) -> impl Iterator<Item = &'t RouteTable<T>> + use<'t, T> {
        [self.old, self.new].into_iter()
    }

    fn note_name(&mut self, name: Hostname) {
        let (old, new) = (self.old.winner(FirstName::Name(&name)), self.new.winner(FirstName::Name(&name)));
        self.note(Asked::Name(name), old, new);
    }

    fn note(&mut self, asked: Asked, old: Winner<'t, T>, new: Winner<'t, T>) {
        if !self.same(old, new) && self.noted.insert((identity(old), identity(new))) {
            self.changes.push(Change { asked, old, new });
        }
    }

    fn same(&self, old: Winner<'_, T>, new: Winner<'_, T>) -> bool {
        self.meaning(old.map(|(_, entry)| entry)) == self.meaning(new.map(|(_, entry)| entry))
    }

    fn leads_elsewhere(&self, one: Option<&Entry<T>>, other: Option<&Entry<T>>) -> bool {
        self.meaning(one) != self.meaning(other)
    }

    /// What an entry leads to, as a number; that of no entry is 0.
    fn meaning(&self, entry: Option<&Entry<T>>) -> usize {
        entry.and_then(|entry| self.meanings.get(&std::ptr::from_ref(entry).addr()).copied()).unwrap_or(0)
    }
}

fn comes_to_default<T>(table: &RouteTable<T>, name: &Hostname) -> bool {
    table.winner(FirstName::Name(name)).is_none_or(|(rank, _)| rank == Rank::Default)
}

fn written<T>(entry: Option<&Entry<T>>) -> Option<&str> {
    entry.map(|entry| &*entry.written)
}

/// How many labels are tried: as many as there could be entries, or those that patterns and the like hardly all take.
const EVERY: usize = 400_000;
const FEW: usize = 40;
