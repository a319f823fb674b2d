//! Names of a language that go elsewhere: every pair of winners that is met among them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use super::Comparison;
use crate::host::Hostname;
use crate::route::reason::budget::{Budget, Undecided};
use crate::route::reason::language::Language;
use crate::route::reason::space::Space;
use crate::route::reason::{Asked, Identity, Winner, identity, meet};

impl<'t, T> Comparison<'_, 't, T> {
    pub(super) fn search(&mut self, required: Option<&Language>, written: Option<&'t str>) {
        self.search_for(required, None, written, |_| false);
    }

    /// Notes what there is among the names of a language, which may be that of a pattern, until enough is noted.
    pub(super) fn search_for(
        &mut self,
        required: Option<&Language>,
        own: Option<usize>,
        written: Option<&'t str>,
        is_enough: impl Fn(&HashSet<(Identity, Identity)>) -> bool,
    ) {
        let mut found = Vec::new();
        let mut budget = std::mem::replace(self.budget, Budget::new(0));
        let searched = match required {
            Some(required) => budget.part(4, |budget| self.searched(required, own, budget, &mut found, is_enough)),
            None => Err(Undecided),
        };
        *self.budget = budget;
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
            let names: BTreeSet<_> = self.old.names.exact_names().chain(self.new.names.exact_names()).map(Hostname::as_str).collect();
            exact = names.into_iter().filter(|name| required.has(name)).collect();
        }
        Ok(())
    }
}
