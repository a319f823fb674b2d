//! Names that differ in the wildcards they fit. Whether two wildcards have a name in common is settled by their labels, and
//! such a name is made of them and a label of our choice; only where patterns have a say the languages are searched.

use std::iter;
use std::rc::Rc;

use super::{Comparison, EVERY, FEW, comes_to_default, written};
use crate::host::Hostname;
use crate::route::RouteTable;
use crate::route::reason::language::Language;

impl<T> Comparison<'_, '_, T> {
    /// The names that are not exact, by the longest wildcards of both tables that they fit.
    pub(super) fn wildcards(&mut self) {
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
        if self.leads_elsewhere(winner, other.default.as_ref()) && !self.note_fresh(|label| format!("{label}.{name}"), is_default, FEW) {
            self.search_below(name);
        }
        for front in trailing {
            let beaten = other.behind(front);
            if beaten.is_none() || !self.leads_elsewhere(winner, beaten) {
                continue;
            }
            if self.budget.spend(1).is_err() {
                return self.undecided.extend(written(winner));
            }
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
            let has_longer =
                |table: &RouteTable<T>| table.names.has_trailing(front.split('.')) || table.names.has_leading(back.split('.').rev());
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
        if self.leads_elsewhere(winner, other.default.as_ref()) && !self.note_fresh(|label| format!("{name}.{label}"), is_default, FEW) {
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

    /// Looks a name up that could not be found before, and says whether there is one.
    pub(super) fn note_fresh(&mut self, build: impl Fn(&str) -> String, fits: impl Fn(&str, &Hostname) -> bool, tries: usize) -> bool {
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
}

/// `a`, `b` and so on, then `aa`.
fn labels() -> impl Iterator<Item = String> {
    let letters = || (b'a'..=b'z').map(char::from);
    let longer = move |shorter: &Vec<String>| {
        Some(shorter.iter().flat_map(|label| letters().map(move |letter| format!("{label}{letter}"))).collect())
    };
    iter::successors(Some(letters().map(String::from).collect::<Vec<_>>()), longer).flatten()
}
