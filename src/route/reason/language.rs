//! The names that a regex matches, as a table of states over the letters that names have. A regex asked for Unicode has
//! thousands of letters that no name has; they are taken out of its meaning before the table is made.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::{primitives::StateID, start};
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

use super::budget::Budget;
use super::ends::Ends;

/// The letters of names, those first that read best.
pub(super) const LETTERS: &[u8; 39] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.";

/// The index of the dot among them.
pub(super) const DOT: usize = LETTERS.len() - 1;

/// The state from which nothing is matched any more.
pub(super) const DEAD: u32 = 0;

/// The names that something matches, decided letter by letter.
#[derive(Debug)]
pub(super) struct Language {
    start: u32,
    next: Vec<[u32; LETTERS.len()]>,
    matches: Vec<bool>,
    /// How its names begin and end.
    pub(super) ends: Ends,
}

impl Language {
    /// What a regex matches as a whole; nothing if its table would be too big to reason with.
    pub(super) fn of(regex: &str) -> Option<Self> {
        let meaning = in_letters(&regex_syntax::parse(regex).ok()?);
        let ends = Ends::of(&meaning);
        let meaning = Hir::concat(vec![Hir::look(Look::Start), meaning, Hir::look(Look::End)]);
        let small = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(MOST_BYTES));
        let nfa = thompson::Compiler::new().configure(small).build_from_hir(&meaning).ok()?;
        let all = dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored);
        let all = all.dfa_size_limit(Some(MOST_BYTES)).determinize_size_limit(Some(MOST_BYTES));
        Some(Self { ends, ..Self::of_automaton(&dense::Builder::new().configure(all).build_from_nfa(&nfa).ok()?)? })
    }

    /// The same as long as something may be spent; what turns out to be too big costs most.
    pub(super) fn within(regex: &str, budget: &mut Budget) -> Option<Self> {
        if budget.is_spent() {
            return None;
        }
        let language = Self::of(regex);
        let cost = language.as_ref().map_or(TOO_BIG, |language| language.next.len() * STATE);
        // It is there now, whether or not something is left for the next one.
        let _ = budget.spend(cost);
        language
    }

    /// Every name below this one.
    pub(super) fn below(name: &str) -> Option<Self> {
        Self::of(&format!(r".+\.{}", regex_syntax::escape(name)))
    }

    /// Every name that begins with these labels and has more.
    pub(super) fn behind(name: &str) -> Option<Self> {
        Self::of(&format!(r"{}\..+", regex_syntax::escape(name)))
    }

    /// What looks like an IPv4 address is no name.
    pub(super) fn addresses() -> Option<Self> {
        Self::of(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])")
    }

    /// Where reading begins.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    /// The state after one more letter, given by its index; [`DEAD`] if nothing more can be matched.
    pub(super) fn next(&self, state: u32, letter: usize) -> u32 {
        self.next.get(state as usize).and_then(|row| row.get(letter)).copied().unwrap_or(DEAD)
    }

    /// Whether what was read is matched.
    pub(super) fn matches(&self, state: u32) -> bool {
        self.matches.get(state as usize).copied().unwrap_or(false)
    }

    /// Whether it has a name.
    pub(super) fn has(&self, name: &str) -> bool {
        let index = |byte| LETTERS.iter().position(|letter| *letter == byte);
        let end = name.bytes().try_fold(self.start, |state, byte| Some(self.next(state, index(byte)?)).filter(|&state| state != DEAD));
        end.is_some_and(|state| self.matches(state))
    }

    fn of_automaton(dfa: &dense::DFA<Vec<u32>>) -> Option<Self> {
        let first = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        let mut numbers: HashMap<StateID, u32> = HashMap::from([(first, 1)]);
        let mut states = vec![first];
        let mut language = Self { start: 1, next: vec![[DEAD; LETTERS.len()]], matches: vec![false], ends: Ends::default() };
        let mut read = 0;
        while let Some(&state) = states.get(read) {
            read += 1;
            let row = std::array::from_fn(|letter| {
                let next = dfa.next_state(state, LETTERS.get(letter).copied().unwrap_or(b'.'));
                if dfa.is_dead_state(next) || dfa.is_quit_state(next) {
                    return DEAD;
                }
                *numbers.entry(next).or_insert_with(|| {
                    states.push(next);
                    u32::try_from(states.len()).unwrap_or(DEAD)
                })
            });
            language.next.push(row);
            language.matches.push(dfa.is_match_state(dfa.next_eoi_state(state)));
            if states.len() > MOST_STATES {
                return None;
            }
        }
        language.forget_the_hopeless();
        Some(language)
    }

    /// States from which nothing can be matched become one, so that no search follows them.
    fn forget_the_hopeless(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.next.len()];
        for (state, row) in self.next.iter().enumerate() {
            for &next in row {
                if let Some(before) = before.get_mut(next as usize) {
                    before.push(state);
                }
            }
        }
        let mut hopeful = self.matches.clone();
        let mut open: Vec<usize> = (0..hopeful.len()).filter(|&state| self.matches(state as u32)).collect();
        while let Some(state) = open.pop() {
            for &earlier in before.get(state).into_iter().flatten() {
                if let Some(is_hopeful) = hopeful.get_mut(earlier).filter(|hopeful| !**hopeful) {
                    *is_hopeful = true;
                    open.push(earlier);
                }
            }
        }
        let is_hopeful = |state: u32| hopeful.get(state as usize).copied().unwrap_or(false);
        for next in self.next.iter_mut().flatten().filter(|next| !is_hopeful(**next)) {
            *next = DEAD;
        }
        if !is_hopeful(self.start) {
            self.start = DEAD;
        }
    }
}

/// The same regex over the letters of names alone. What tells words of all scripts apart means the same there as what
/// knows only ASCII, which is what a table can be made of.
fn in_letters(regex: &Hir) -> Hir {
    match regex.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.iter().all(|byte| LETTERS.contains(byte)) => Hir::literal(literal.0.clone()),
        HirKind::Literal(_) => Hir::fail(),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = ClassUnicode::new(LETTERS.map(|letter| ClassUnicodeRange::new(letter.into(), letter.into())));
            letters.intersect(class);
            Hir::class(Class::Unicode(letters))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut letters = ClassBytes::new(LETTERS.map(|letter| ClassBytesRange::new(letter, letter)));
            letters.intersect(class);
            Hir::class(Class::Bytes(letters))
        }
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => *other,
        }),
        HirKind::Repetition(repeated) => Hir::repetition(Repetition { sub: Box::new(in_letters(&repeated.sub)), ..repeated.clone() }),
        HirKind::Capture(group) => in_letters(&group.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(in_letters).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(in_letters).collect()),
    }
}

/// The most states of one table, and the most bytes of what it is made from.
const MOST_STATES: usize = 5_000;
const MOST_BYTES: usize = 1 << 19;

/// What a state costs that is made, and to find that there are too many.
const STATE: usize = 50;
const TOO_BIG: usize = 150_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_the_names_that_its_regex_matches() {
        let regexes = [
            r"(?<tenant>[a-z0-9-]+)\.apps\.example",
            "a|ab",
            r"(?i)A\.\w+",
            r"(?:[^.]+\.){2,3}\p{L}{2}",
            r"\bab?\b.*",
            r"^a$|b",
            r"(?x) a # comment",
            r"a{2,4}?\d",
        ];
        let names = ["acme.apps.example", "a", "ab", "abc", "a.b", "a.b.de", "a.b.c.de", "b", "aa1", "aaaaa1", "a_b", "ab.", "-a"];
        let mut matched = 0;
        for regex in regexes {
            let language = Language::of(regex).unwrap();
            let plain = super::super::super::Pattern::parse(regex).unwrap();
            for name in names {
                assert_eq!(language.has(name), plain.captures(name).is_some(), "{regex} {name}");
                matched += usize::from(language.has(name));
            }
        }
        assert!(matched >= 10, "{matched}");
    }

    #[test]
    fn what_no_name_has_is_matched_by_none() {
        for regex in [r"\.Example", "a b", "[A-Z]+", "ü", r"a\b_"] {
            assert_eq!(Language::of(regex).unwrap().start(), DEAD, "{regex}");
        }
        assert_ne!(Language::of("a ?").unwrap().start(), DEAD);
    }

    #[test]
    fn what_would_be_too_big_says_so() {
        assert!(Language::of("(?:a|b)*a(?:a|b){16}").is_none());
    }

    #[test]
    fn addresses_are_what_no_name_may_be() {
        let addresses = Language::addresses().unwrap();
        for name in ["127.0.0.1", "255.255.255.255", "0.0.0.0", "256.0.0.1", "01.0.0.0", "1.2.3", "1.2.3.4.5", "a.b.c.d", "1.2.3.04"] {
            let is_name = crate::host::Hostname::parse(name).is_ok();
            assert_eq!(addresses.has(name), !is_name, "{name}");
        }
    }
}
