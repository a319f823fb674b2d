//! Reasons over tables: which entries can never win, which overlap, and which names go elsewhere after a change. For all
//! names there are, not for samples: what regexes match is turned into automata, and these are searched. What would take
//! too long is told as undecided.

mod budget;
mod differences;
mod ends;
mod hosts;
mod language;
mod reach;
mod space;
#[cfg(test)]
mod tests;

use super::labels;
use super::{Entry, FirstName, Rank, RouteTable};
use crate::host::{HostPattern, Hostname};

pub use budget::Budget;
use budget::Undecided;
pub use differences::{Asked, Change, Differences};
use hosts::Hosts;
use language::Language;
pub use reach::{Finding, Findings};
use space::{Found, Space};

/// What a name comes to: the entry, and by which rule it fits; nothing where it is refused.
pub type Winner<'t, T> = Option<(Rank, &'t Entry<T>)>;

/// Tells entries apart, and both halves of `.example`.
type Identity = Option<(Rank, usize)>;

fn identity<T>(winner: Winner<'_, T>) -> Identity {
    winner.map(|(rank, entry)| (rank, std::ptr::from_ref(entry).addr()))
}

/// The languages of a table's patterns; nothing for one that is too big.
fn languages<T>(table: &RouteTable<T>, budget: &mut Budget) -> Vec<Option<Language>> {
    table.patterns.regexes().map(|regex| Language::within(regex, budget)).collect()
}

/// The names of wildcards, in order and each once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wildcards {
    leading: Vec<String>,
    trailing: Vec<String>,
}

impl Wildcards {
    fn of<'t, T: 't>(tables: impl IntoIterator<Item = &'t RouteTable<T>>) -> Self {
        let mut all = Self::default();
        for table in tables {
            all.leading.extend(table.names.leading_wildcards().filter_map(name));
            all.trailing.extend(table.names.trailing_wildcards().filter_map(name));
        }
        for list in [&mut all.leading, &mut all.trailing] {
            list.sort_unstable();
            list.dedup();
        }
        all
    }

    fn hosts<'t>(&'t self, exact: Vec<&'t str>) -> Hosts<'t> {
        let texts = |list: &'t [String]| list.iter().map(String::as_str).collect();
        Hosts { exact, leading: texts(&self.leading), trailing: texts(&self.trailing) }
    }
}

/// The name in an entry as it is written.
fn name<T>(entry: &Entry<T>) -> Option<String> {
    match HostPattern::parse(&entry.written).ok()? {
        HostPattern::Exact(name) | HostPattern::Below(name) | HostPattern::AndBelow(name) | HostPattern::Trailing(name) => {
            Some(name.as_str().to_owned())
        }
    }
}

impl<T> RouteTable<T> {
    /// What a connection comes to.
    fn winner(&self, first: FirstName<'_>) -> Winner<'_, T> {
        self.fitting(first).next()
    }

    /// What the names come to that a search has found, by the numbers of the patterns among its languages; all of them
    /// have the wildcards of the space.
    fn winner_of(&self, found: &Found<'_>, wildcards: &Wildcards, patterns: &[(usize, usize)]) -> Winner<'_, T> {
        let leading = || self.below(wildcards.leading.get(found.leading()?)?).map(|entry| (Rank::Leading, entry));
        let trailing = || self.behind(wildcards.trailing.get(found.trailing()?)?).map(|entry| (Rank::Trailing, entry));
        let pattern = || {
            let &(index, _) = patterns.iter().find(|(_, language)| found.is_in(*language))?;
            Some((Rank::Pattern(index), self.patterns.entry(index)?))
        };
        leading().or_else(trailing).or_else(pattern).or_else(|| self.defaults())
    }

    fn defaults(&self) -> Winner<'_, T> {
        self.default.as_ref().map(|entry| (Rank::Default, entry))
    }

    /// The leading wildcard that wins for what is below a name, unless a longer one does.
    fn below(&self, name: &str) -> Option<&Entry<T>> {
        // A wildcard stands for one label more.
        self.names.leading(name.split('.').rev().chain(["*"])).next()
    }

    /// The trailing wildcard that wins for what begins with a name, unless a longer one does.
    fn behind(&self, name: &str) -> Option<&Entry<T>> {
        self.names.trailing(name.split('.').chain(["*"])).next()
    }

    fn has_exactly(&self, name: &Hostname) -> bool {
        self.names.exact(name).is_some()
    }

    fn has_leading(&self, name: &Hostname) -> bool {
        self.names.leading(labels::from_the_top(name)).next().is_some()
    }
}

/// Whether two languages have a name in common.
fn meet(one: &Language, other: &Language, budget: &mut Budget) -> Result<bool, Undecided> {
    budget.spend(1)?;
    if !one.ends.may_meet(&other.ends) {
        return Ok(false);
    }
    let (none, mut meet) = (Hosts::default(), false);
    Space::new(&[one, other], &[], &none).search(budget, |_| {
        meet = true;
        std::ops::ControlFlow::Break(())
    })?;
    Ok(meet)
}

/// A name that the first language has and the other has not.
fn beyond(one: &Language, other: &Language, budget: &mut Budget) -> Result<Option<Hostname>, Undecided> {
    let (none, mut beyond) = (Hosts::default(), None);
    Space::new(&[one], &[other], &none).search(budget, |found| {
        // What looks like an address is no name.
        beyond = if found.is_in(1) { None } else { found.name() };
        if beyond.is_some() { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    })?;
    Ok(beyond)
}
