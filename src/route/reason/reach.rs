//! Which entries of a table no name can come to, and which patterns share names with something that leads elsewhere.
//! A pattern all of whose names another one has, too, is how "the special case first" is written, and nothing is said of it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Budget, Entry, FirstName, Language, Rank, RouteTable, Space, Undecided, Wildcards, beyond, identity, languages, meet};
use crate::host::Hostname;

/// What was found of a table.
#[derive(Debug)]
pub struct Findings<'t, T> {
    /// In the order of the patterns.
    pub found: Vec<Finding<'t, T>>,
    /// The patterns of which it could not be decided, by their index.
    pub undecided: Vec<usize>,
}

/// Something that was hardly meant.
#[derive(Debug)]
pub enum Finding<'t, T> {
    /// No host name is matched by this pattern.
    Nothing {
        /// Its index.
        pattern: usize,
    },
    /// Nobody comes to this entry, as others take all it could have.
    Shadowed {
        /// By which rule it would win: a pattern's, or the default.
        rank: Rank,
        /// What takes it, the strongest rule first; exact names are not among it.
        by: Vec<(Rank, &'t Entry<T>)>,
    },
    /// A pattern and a stronger entry have names in common, and each has names that the other has not.
    Overlap {
        /// The pattern's index.
        pattern: usize,
        /// The entry that wins.
        winner: (Rank, &'t Entry<T>),
        /// A name of both.
        name: Hostname,
    },
}

impl<T> RouteTable<T> {
    /// Looks for patterns that never win, and for those that overlap with an entry that leads elsewhere, for half of what may
    /// be spent at most.
    #[must_use]
    pub fn reach(&self, leads_elsewhere: impl Fn(&T, &T) -> bool, budget: &mut Budget) -> Findings<'_, T> {
        budget.part(2, |budget| self.reach_within(leads_elsewhere, budget))
    }

    fn reach_within(&self, leads_elsewhere: impl Fn(&T, &T) -> bool, budget: &mut Budget) -> Findings<'_, T> {
        let mut findings = Findings { found: Vec::new(), undecided: Vec::new() };
        if self.patterns.is_empty() {
            return findings;
        }
        let judged = Judged {
            table: self,
            wildcards: Wildcards::of([self]),
            languages: budget.part(2, |budget| languages(self, budget)),
            addresses: Language::addresses(),
        };
        for pattern in 0..judged.languages.len() {
            match budget.part(4, |budget| judged.pattern(pattern, &leads_elsewhere, budget)) {
                Ok(found) => findings.found.extend(found),
                Err(Undecided) => findings.undecided.push(pattern),
            }
        }
        findings.found.extend(judged.default(budget).ok().flatten());
        findings
    }
}

struct Judged<'t, T> {
    table: &'t RouteTable<T>,
    wildcards: Wildcards,
    languages: Vec<Option<Language>>,
    addresses: Option<Language>,
}

/// Who takes the names of a pattern.
struct Taken<'t, T> {
    /// Whether it has any.
    any: bool,
    /// Whether some are left to itself.
    wins: bool,
    /// The others, each with a name.
    by: Vec<((Rank, &'t Entry<T>), Hostname)>,
}

impl<'t, T> Judged<'t, T> {
    fn pattern(
        &self,
        pattern: usize,
        leads_elsewhere: &impl Fn(&T, &T) -> bool,
        budget: &mut Budget,
    ) -> Result<Vec<Finding<'t, T>>, Undecided> {
        let language = self.language(pattern)?;
        let Taken { any, wins, mut by } = self.taken(pattern, language, budget)?;
        by.sort_by_key(|((rank, _), _)| *rank);
        if !any {
            return Ok(vec![Finding::Nothing { pattern }]);
        }
        if !wins {
            let by = by.into_iter().map(|(winner, _)| winner).collect();
            return Ok(vec![Finding::Shadowed { rank: Rank::Pattern(pattern), by }]);
        }
        let own = self.table.patterns.entry(pattern).ok_or(Undecided)?;
        let mut overlaps = Vec::new();
        for (winner, name) in by.into_iter().filter(|((_, entry), _)| leads_elsewhere(&entry.target, &own.target)) {
            if overlaps.len() < MOST_TOLD && self.has_more(winner, language, budget)? {
                overlaps.push(Finding::Overlap { pattern, winner, name });
            }
        }
        Ok(overlaps)
    }

    /// The names that come to the default, where nothing but names does.
    fn default(&self, budget: &mut Budget) -> Result<Option<Finding<'t, T>>, Undecided> {
        let has_a_say = self.table.default.is_some() && self.table.no_sni.is_some();
        let comes_here = |name: &Hostname| self.table.winner(FirstName::Name(name)).is_some_and(|(rank, _)| rank == Rank::Default);
        let is_left = |name: &str| Hostname::parse(name).is_ok_and(|name| comes_here(&name));
        if !has_a_say || ["a", "b", "_", "-", "0", "a.a", "_.-"].into_iter().any(is_left) {
            return Ok(None);
        }
        let every = Language::of(".+").ok_or(Undecided)?;
        let taken = self.taken(self.languages.len(), &every, budget)?;
        let by = taken.by.into_iter().map(|(winner, _)| winner).collect();
        Ok((!taken.wins).then_some(Finding::Shadowed { rank: Rank::Default, by }))
    }

    fn language(&self, pattern: usize) -> Result<&Language, Undecided> {
        self.languages.get(pattern).and_then(Option::as_ref).ok_or(Undecided)
    }

    /// Who takes the names of a language that is asked before all patterns from this one on.
    fn taken(&self, until: usize, language: &Language, budget: &mut Budget) -> Result<Taken<'t, T>, Undecided> {
        let addresses = self.addresses.as_ref().ok_or(Undecided)?;
        let mut others = vec![addresses];
        let mut places = Vec::new();
        for pattern in 0..until {
            let earlier = self.language(pattern)?;
            if meet(language, earlier, budget)? {
                others.push(earlier);
                places.push((pattern, others.len()));
            }
        }
        let mut taken = Taken { any: false, wins: false, by: Vec::new() };
        let mut known = HashSet::new();
        let mut exact = Vec::new();
        // Exact names are looked at only where one of them is what was found, and then all of the language.
        for _ in 0..2 {
            let hosts = self.wildcards.hosts(exact);
            let mut met_exact = false;
            Space::new(&[language], &others, &hosts).search(budget, |names| {
                if names.is_in(1) || names.is_exact() {
                    return ControlFlow::Continue(());
                }
                taken.any = true;
                let winner = self.table.winner_of(names, &self.wildcards, &places);
                let by = winner.filter(|(rank, _)| *rank != Rank::Default);
                if taken.wins && by.is_none() || by.is_some() && known.contains(&identity(winner)) {
                    return ControlFlow::Continue(());
                }
                match (by, names.name()) {
                    (_, Some(name)) if self.table.has_exactly(&name) => met_exact = true,
                    (Some(by), Some(name)) => {
                        known.insert(identity(winner));
                        taken.by.push((by, name));
                    }
                    (None, _) => taken.wins = true,
                    (Some(_), None) => {}
                }
                ControlFlow::Continue(())
            })?;
            if !met_exact {
                break;
            }
            let mut names: Vec<_> = self.table.names.exact_names().map(Hostname::as_str).filter(|name| language.has(name)).collect();
            names.sort_unstable();
            exact = names;
        }
        Ok(taken)
    }

    /// Whether an entry has names that a language has not.
    fn has_more(&self, (rank, entry): (Rank, &Entry<T>), language: &Language, budget: &mut Budget) -> Result<bool, Undecided> {
        let of_wildcard;
        let own = match rank {
            Rank::Pattern(index) => self.language(index)?,
            _ => {
                let name = super::name(entry).ok_or(Undecided)?;
                of_wildcard = if rank == Rank::Leading { Language::below(&name) } else { Language::behind(&name) };
                of_wildcard.as_ref().ok_or(Undecided)?
            }
        };
        Ok(beyond(own, language, budget)?.is_some())
    }
}

/// How many overlaps of a pattern are told.
const MOST_TOLD: usize = 3;
