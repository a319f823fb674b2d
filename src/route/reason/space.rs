//! Searches all host names, the shortest first, by what can still become of them and not one by one: names that no
//! language and no entry tells apart are one state, and of these there are few.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::budget::{Budget, Undecided};
use super::hosts::{Hosts, Reading};
use super::language::{DEAD, DOT, LETTERS, Language};
use crate::host::{Hostname, MAX_LABEL, MAX_NAME};

/// What tells names apart.
pub(super) struct Space<'a> {
    languages: Vec<&'a Language>,
    hosts: &'a Hosts<'a>,
    /// Those at the front of `languages` that must match; what they cannot match any more is not followed.
    required: usize,
}

/// Names that nothing tells apart.
pub(super) struct Found<'s> {
    space: &'s Space<'s>,
    nodes: &'s [Node],
    node: &'s Node,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    languages: Box<[u32]>,
    hosts: Reading,
    /// No dot and no end may follow.
    at_label: bool,
}

struct Node {
    state: State,
    before: usize,
    letter: usize,
    name_length: usize,
    label_length: usize,
}

impl<'a> Space<'a> {
    /// The names that all of `required` match, told apart by the other languages and the entries, too.
    pub(super) fn new(required: &[&'a Language], others: &[&'a Language], hosts: &'a Hosts<'a>) -> Self {
        Self { languages: [required, others].concat(), hosts, required: required.len() }
    }

    /// Has a look at names of every kind there is, each kind by the shortest, until `visit` breaks off.
    ///
    /// # Errors
    /// When the budget is spent.
    pub(super) fn search(&self, budget: &mut Budget, mut visit: impl FnMut(&Found<'_>) -> ControlFlow<()>) -> Result<(), Undecided> {
        let state = State { languages: self.languages.iter().map(|one| one.start()).collect(), hosts: self.hosts.start(), at_label: true };
        if !self.have_hope(&state.languages) {
            return Ok(());
        }
        // The shortest last label with which a state was met; a longer one may end where names end sooner.
        let mut seen: HashMap<State, usize> = HashMap::new();
        let mut nodes = vec![Node { state, before: 0, letter: 0, name_length: 0, label_length: 0 }];
        let cost = STATE + self.languages.len() * LANGUAGE;
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            budget.spend(cost)?;
            let found = Found { space: self, nodes: &nodes, node };
            if !node.state.at_label && self.is_match(&node.state) && visit(&found).is_break() {
                return Ok(());
            }
            let following: Vec<_> = (0..LETTERS.len()).filter_map(|letter| self.follow(node, at, letter)).collect();
            for next in following {
                let best = seen.entry(next.state.clone()).or_insert(usize::MAX);
                if next.label_length < *best {
                    *best = next.label_length;
                    nodes.push(next);
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn follow(&self, node: &Node, before: usize, letter: usize) -> Option<Node> {
        let (name_length, label_length) = (node.name_length + 1, if letter == DOT { 0 } else { node.label_length + 1 });
        if name_length > MAX_NAME || label_length > MAX_LABEL || letter == DOT && node.state.at_label {
            return None;
        }
        let languages =
            self.languages.iter().zip(&node.state.languages).map(|(one, &state)| one.next(state, letter)).collect::<Box<[u32]>>();
        // The entries cost more, and are only followed where it is of use.
        if !self.have_hope(&languages) {
            return None;
        }
        let state = State { languages, hosts: self.hosts.next(&node.state.hosts, letter), at_label: letter == DOT };
        Some(Node { state, before, letter, name_length, label_length })
    }

    fn have_hope(&self, languages: &[u32]) -> bool {
        languages.iter().take(self.required).all(|&state| state != DEAD)
    }

    fn is_match(&self, state: &State) -> bool {
        self.languages.iter().zip(&state.languages).take(self.required).all(|(one, &state)| one.matches(state))
    }
}

impl Found<'_> {
    /// Whether a language has these names, by its place among all of the space.
    pub(super) fn is_in(&self, language: usize) -> bool {
        let state = self.node.state.languages.get(language).copied().unwrap_or(DEAD);
        self.space.languages.get(language).is_some_and(|one| one.matches(state))
    }

    /// Whether it is one of the exact names.
    pub(super) fn is_exact(&self) -> bool {
        self.space.hosts.is_exact(&self.node.state.hosts)
    }

    /// The longest leading wildcard that they fit.
    pub(super) fn leading(&self) -> Option<usize> {
        self.space.hosts.leading(&self.node.state.hosts)
    }

    /// The longest trailing wildcard that they fit.
    pub(super) fn trailing(&self) -> Option<usize> {
        self.space.hosts.trailing(&self.node.state.hosts)
    }

    /// One of them, among the shortest.
    pub(super) fn name(&self) -> Option<Hostname> {
        let letters = std::iter::successors(Some(self.node), |node| self.nodes.get(node.before).filter(|_| node.name_length > 0));
        let mut name: Vec<u8> = letters.filter(|node| node.name_length > 0).filter_map(|node| LETTERS.get(node.letter).copied()).collect();
        name.reverse();
        Hostname::parse(std::str::from_utf8(&name).ok()?).ok()
    }
}

/// What a look at a state costs, and at what each language makes of it.
const STATE: usize = 20;
const LANGUAGE: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first name that the first regex matches and the others don't.
    fn first(required: &str, without: &[&str], exact: &[&str]) -> Option<String> {
        let (required, without) =
            (Language::of(required).unwrap(), without.iter().map(|one| Language::of(one).unwrap()).collect::<Vec<_>>());
        let hosts = Hosts { exact: exact.to_vec(), ..Hosts::default() };
        let space = Space::new(&[&required], &without.iter().collect::<Vec<_>>(), &hosts);
        let mut found = None;
        let searched = space.search(&mut Budget::new(2_500_000), |names| {
            if (1..=without.len()).any(|one| names.is_in(one)) || names.is_exact() {
                return ControlFlow::Continue(());
            }
            found = names.name().map(|name| name.to_string());
            ControlFlow::Break(())
        });
        assert_eq!(searched, Ok(()));
        found
    }

    #[test]
    fn the_shortest_name_is_found_or_there_is_none() {
        assert_eq!(first(r"[a-z0-9-]+\.apps\.example", &[], &[]).as_deref(), Some("a.apps.example"));
        assert_eq!(first(r"[a-z]+\.x", &[r"a.*", r"[b-y]\.x"], &[]).as_deref(), Some("z.x"));
        assert_eq!(first(r"[a-z]+\.x", &[r".+\.x"], &[]), None);
        assert_eq!(first(".*", &[], &["a", "b", "c"]).as_deref(), Some("d"));
        assert_eq!(first("a|b", &[], &["a", "b"]), None);
    }

    #[test]
    fn what_is_found_is_a_host_name() {
        assert_eq!(first(r"\.*a?\.?\.?", &[], &[]).as_deref(), Some("a"));
        assert_eq!(first(r"[.-]+\.\.b", &[], &[]), None, "no label is empty");
        assert_eq!(first("a{64}", &[], &[]), None, "a label of 64 letters is none");
        assert_eq!(first("[a.]{64}", &[], &[]).map(|name| name.len()), Some(64), "a longer name may have shorter labels");
        assert_eq!(first("(?:a{60}[.]){4}a{9}", &[], &[]).map(|name| name.len()), Some(253));
        assert_eq!(first("(?:a{60}[.]){4}a{10}", &[], &[]), None, "254 letters are too many");
    }

    #[test]
    fn a_budget_ends_what_takes_too_long() {
        let language = Language::of("[a-z.]*").unwrap();
        let none = Hosts::default();
        let space = Space::new(&[&language], &[], &none);
        assert_eq!(space.search(&mut Budget::new(1), |_| ControlFlow::Continue(())), Err(Undecided));
    }
}
