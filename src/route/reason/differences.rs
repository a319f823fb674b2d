//! What a change of a table does to names: every pair of entries, the old winner and the new one, between which there is
//! a name, with such a name. Exact names and wildcards are settled by looking them up, for two wildcards meet or not by
//! their labels; only for patterns the languages are searched.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::iter;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::{Budget, Entry, FirstName, Identity, Language, Rank, RouteTable, Space, Undecided, Wildcards, Winner, identity, meet};
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
    /// Compares a table with the one that it replaces; entries that mean the same lead to the same.
    #[must_use]
    pub fn differences<'t, M: Eq + Hash>(&'t self, old: &'t Self, meaning: impl Fn(&Entry<T>) -> M) -> Differences<'t, T> {
        let mut comparison = Comparison::new(old, self, meaning);
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

struct Comparison<'t, T> {
    old: &'t RouteTable<T>,
    new: &'t RouteTable<T>,
    /// Of each entry, by its address.
    meanings: HashMap<usize, usize>,
    wildcards: Rc<Wildcards>,
    languages: Languages,
    noted: HashSet<(Identity, Identity)>,
    changes: Vec<Change<'t, T>>,
    undecided: Vec<&'t str>,
    budget: usize,
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
    fn of<'t, T>(old: &'t RouteTable<T>, new: &'t RouteTable<T>) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut each = Vec::new();
        let mut number = |regex| {
            *numbers.entry(regex).or_insert_with(|| {
                each.push(Language::of(regex).map(Rc::new));
                each.len() - 1
            })
        };
        let mut numbered = |table: &'t RouteTable<T>| table.patterns.regexes().map(&mut number).enumerate().collect();
        let (old, new) = (numbered(old), numbered(new));
        Self { each, old, new, addresses: Language::addresses() }
    }
}

impl<'t, T> Comparison<'t, T> {
    fn new<M: Eq + Hash>(old: &'t RouteTable<T>, new: &'t RouteTable<T>, meaning: impl Fn(&Entry<T>) -> M) -> Self {
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
            languages: Languages::of(old, new),
            noted: HashSet::new(),
            changes: Vec::new(),
            undecided: Vec::new(),
            budget: MOST_STATES,
        }
    }

    fn exact_names(&mut self) {
        let names: BTreeSet<_> = self.old.exact.keys().chain(self.new.exact.keys()).collect();
        for name in names {
            self.note_name(name.clone());
        }
    }

    /// The names that are not exact, by the longest wildcards of both tables that they fit.
    fn wildcards(&mut self) {
        let wildcards = Rc::clone(&self.wildcards);
        for name in &wildcards.leading {
            self.leading(name, &wildcards.trailing);
        }
        for name in &wildcards.trailing {
            self.trailing(name);
        }
    }

    /// Names below this one and below no longer wildcard of either table.
    fn leading(&mut self, name: &str, trailing: &[String]) {
        let found = self.note_fresh(|label| format!("{label}.{name}"), |_, _| true, EVERY);
        let (old, new) = (self.old.below(name), self.new.below(name));
        let (other, winner) = match (old, new) {
            (Some(_), Some(_)) => {
                if !found {
                    self.search_below(name);
                }
                return;
            }
            (old, None) => (self.new, old),
            (None, new) => (self.old, new),
        };
        let is_default = |_: &str, host: &Hostname| comes_to_default(other, host);
        if self.leads_elsewhere(winner, other.default.as_ref())
            && !self.note_fresh(|label| format!("{label}.{name}"), is_default, FEW)
            && (!other.patterns.is_empty() || !found)
        {
            self.search_below(name);
        }
        for front in trailing {
            let beaten = other.behind(front);
            if beaten.is_none() || !self.leads_elsewhere(winner, beaten) {
                continue;
            }
            let Some(left) = self.budget.checked_sub(1) else { return self.undecided.extend(written(winner)) };
            self.budget = left;
            match self.between(front, name) {
                Some(host) => self.note_name(host),
                None => self.search_below(name),
            }
        }
    }

    /// A name that has both as its longest wildcards.
    fn between(&self, front: &str, back: &str) -> Option<Hostname> {
        let is_longest = |label: &str, _: &Hostname| {
            let (front, back) = (format!("{front}.{label}"), format!("{label}.{back}"));
            let has_longer = |table: &RouteTable<T>| {
                table.trailing.get(front.split('.')).is_some() || table.leading.get(back.split('.').rev()).is_some()
            };
            !self.old_and_new().any(has_longer)
        };
        self.fresh(|label| format!("{front}.{label}.{back}"), is_longest, EVERY)
    }

    /// Names that begin with these labels, and fit no leading wildcard nor a longer trailing one.
    fn trailing(&mut self, name: &str) {
        let (old_table, new_table) = (self.old, self.new);
        let is_alone = |_: &str, host: &Hostname| !old_table.has_leading(host) && !new_table.has_leading(host);
        let found = self.note_fresh(|label| format!("{name}.{label}"), is_alone, EVERY);
        let (old, new) = (old_table.behind(name), new_table.behind(name));
        let (other, winner) = match (old, new) {
            (Some(_), Some(_)) => {
                if !found {
                    self.search_behind(name);
                }
                return;
            }
            (old, None) => (new_table, old),
            (None, new) => (old_table, new),
        };
        let is_default = |label: &str, host: &Hostname| is_alone(label, host) && comes_to_default(other, host);
        if self.leads_elsewhere(winner, other.default.as_ref())
            && !self.note_fresh(|label| format!("{name}.{label}"), is_default, FEW)
            && (!other.patterns.is_empty() || !found)
        {
            self.search_behind(name);
        }
    }

    fn search_below(&mut self, name: &str) {
        let written = written(self.old.below(name).or_else(|| self.new.below(name)));
        self.search(Language::below(name).as_ref(), written);
    }

    fn search_behind(&mut self, name: &str) {
        let written = written(self.old.behind(name).or_else(|| self.new.behind(name)));
        self.search(Language::behind(name).as_ref(), written);
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

    fn search(&mut self, required: Option<&Language>, written: Option<&'t str>) {
        self.search_for(required, None, written, |_| false);
    }

    /// Notes what there is among the names of a language, which may be that of a pattern, until enough is noted.
    fn search_for(
        &mut self,
        required: Option<&Language>,
        own: Option<usize>,
        written: Option<&'t str>,
        is_enough: impl Fn(&HashSet<(Identity, Identity)>) -> bool,
    ) {
        let mut budget = Budget::new(self.budget.min(MOST_STATES / 4));
        let mut found = Vec::new();
        let searched = match required {
            Some(required) => self.searched(required, own, &mut budget, &mut found, is_enough),
            None => Err(Undecided),
        };
        self.budget -= self.budget.min(MOST_STATES / 4) - budget.left();
        for (name, old, new) in found {
            self.note(Asked::Name(name), old, new);
        }
        if searched.is_err() {
            self.undecided.extend(written);
        }
    }

    fn searched(
        &self,
        required: &Language,
        own: Option<usize>,
        budget: &mut Budget,
        found: &mut Vec<(Hostname, Winner<'t, T>, Winner<'t, T>)>,
        is_enough: impl Fn(&HashSet<(Identity, Identity)>) -> bool,
    ) -> Result<(), Undecided> {
        let mut related = vec![required];
        // From the number of a language to its place in the space; the first is the required one.
        let mut places: HashMap<usize, usize> = own.into_iter().map(|own| (own, 0)).collect();
        for (number, language) in self.languages.each.iter().enumerate().filter(|(number, _)| Some(*number) != own) {
            let language = language.as_deref().ok_or(Undecided)?;
            if meet(required, language, budget)? {
                places.insert(number, related.len());
                related.push(language);
            }
        }
        let addresses = self.languages.addresses.as_ref().ok_or(Undecided)?;
        let address = meet(required, addresses, budget)?.then(|| {
            related.push(addresses);
            related.len() - 1
        });
        let placed = |patterns: &[(usize, usize)]| -> Vec<(usize, usize)> {
            patterns.iter().filter_map(|(index, language)| Some((*index, *places.get(language)?))).collect()
        };
        let (old, new) = (placed(&self.languages.old), placed(&self.languages.new));
        let mut noted = self.noted.clone();
        let mut exact = Vec::new();
        // Exact names are looked at only where one of them is what was found, and then all of the language.
        for _ in 0..2 {
            let hosts = self.wildcards.hosts(exact);
            let mut met_exact = false;
            Space::new(&[required], related.get(1..).unwrap_or_default(), &hosts).search(budget, |names| {
                if address.is_some_and(|address| names.is_in(address)) || names.is_exact() {
                    return ControlFlow::Continue(());
                }
                let old = self.old.winner_of(names, &self.wildcards, &old);
                let new = self.new.winner_of(names, &self.wildcards, &new);
                let pair = (identity(old), identity(new));
                if self.same(old, new) || noted.contains(&pair) {
                    return ControlFlow::Continue(());
                }
                match names.name() {
                    Some(name) if self.old.has_exactly(&name) || self.new.has_exactly(&name) => met_exact = true,
                    Some(name) => {
                        found.push((name, old, new));
                        noted.insert(pair);
                    }
                    None => {}
                }
                if is_enough(&noted) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if !met_exact || is_enough(&noted) {
                break;
            }
            let names: BTreeSet<_> = self.old.exact.keys().chain(self.new.exact.keys()).map(Hostname::as_str).collect();
            exact = names.into_iter().filter(|name| required.has(name)).collect();
        }
        Ok(())
    }

    /// Looks a name up that could not be found before, and says whether there is one.
    fn note_fresh(&mut self, build: impl Fn(&str) -> String, fits: impl Fn(&str, &Hostname) -> bool, tries: usize) -> bool {
        let found = self.fresh(build, fits, tries);
        let is_found = found.is_some();
        found.into_iter().for_each(|name| self.note_name(name));
        is_found
    }

    /// A name with a label of our choice that is no exact name of either table, and fits.
    fn fresh(&self, build: impl Fn(&str) -> String, fits: impl Fn(&str, &Hostname) -> bool, tries: usize) -> Option<Hostname> {
        let mut names = labels().take(tries).map_while(|label| Some((Hostname::parse(&build(&label)).ok()?, label)));
        let found = names.find(|(name, label)| !self.old_and_new().any(|table| table.has_exactly(name)) && fits(label, name));
        found.map(|(name, _)| name)
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

/// `a`, `b` and so on, then `aa`.
fn labels() -> impl Iterator<Item = String> {
    let letters = || (b'a'..=b'z').map(char::from);
    let longer = move |shorter: &Vec<String>| {
        Some(shorter.iter().flat_map(|label| letters().map(move |letter| format!("{label}{letter}"))).collect())
    };
    iter::successors(Some(letters().map(String::from).collect::<Vec<_>>()), longer).flatten()
}

/// How many states all searches of a comparison may look at.
const MOST_STATES: usize = 400_000;

/// How many labels are tried: as many as there could be entries, or those that patterns and the like hardly all take.
const EVERY: usize = 400_000;
const FEW: usize = 40;
