//! Regexes over the whole of a name. All of a table's are matched in one pass, in time linear in the name; only the
//! winner is asked a second time, for what its groups took.

use std::ops::Range;
use std::sync::Arc;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::hir::{Hir, Look};

use crate::host::Hostname;

/// A regex that is ready to stand in a table.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// The name of each group, that of the whole match included, which has none.
    names: Arc<[Option<Box<str>>]>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no regex.
    #[error("{problem}")]
    Syntax {
        /// What is wrong.
        problem: String,
        /// The bytes of the text where it is wrong; empty for something that is missing.
        at: Range<usize>,
    },
    /// It would take too much memory.
    #[error("this pattern takes more than {} MiB when compiled", .limit >> 20)]
    TooBig {
        /// The most bytes that one pattern may take.
        limit: usize,
    },
}

/// All patterns of a table together would take too much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these {count} patterns together take more than {} MiB when compiled", .limit >> 20)]
pub struct PatternsTooBig {
    /// How many there are.
    pub count: usize,
    /// The most bytes they may take.
    pub limit: usize,
}

/// What the groups of a pattern took from a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    name: Box<str>,
    taken: Box<[Range<usize>]>,
    names: Arc<[Option<Box<str>>]>,
}

/// The patterns of a table, each with its entry.
#[derive(Debug)]
pub(super) struct Patterns<E> {
    set: RegexSet,
    each: Vec<(Pattern, E)>,
}

impl PatternError {
    /// The most bytes that one pattern may take: what the engine itself allows by default, room for any regex that a person
    /// writes by hand.
    pub const LIMIT: usize = 10 << 20;

    /// A text that the parser does not take.
    #[must_use]
    pub fn syntax(text: &str, error: &regex_syntax::Error) -> Self {
        let (problem, span) = match error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
            other => (other.to_string(), None),
        };
        let at = span.map_or(0..text.len(), |span| span.start.offset..span.end.offset);
        Self::Syntax { problem, at }
    }

    /// A text that the parser takes and the engine does not.
    #[must_use]
    pub fn build(text: &str, error: &regex::Error) -> Self {
        match error {
            regex::Error::CompiledTooBig(limit) => Self::TooBig { limit: *limit },
            other => Self::Syntax { problem: other.to_string(), at: 0..text.len() },
        }
    }
}

impl PatternsTooBig {
    /// The most bytes that all patterns of a table may take: room for hundreds with Unicode classes, of some 30 kB each.
    pub const LIMIT: usize = 64 << 20;
}

impl Pattern {
    /// Reads a regex; it is to match the whole of a name in its normal form.
    ///
    /// # Errors
    /// When it is no regex, with the place in the text, or when it is too big.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let anchored = anchored(text)?;
        let regex = RegexBuilder::new(&anchored).size_limit(PatternError::LIMIT).build();
        let regex = regex.map_err(|error| PatternError::build(text, &error))?;
        let names = regex.capture_names().map(|name| name.map(Box::from)).collect();
        Ok(Self { regex, names })
    }

    /// How many groups it has; they are numbered from 1 to this.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.names.len() - 1
    }

    /// The name of each group, if it has one; the first is the whole name.
    pub fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.names.iter().map(Option::as_deref)
    }

    /// The names of its groups, as far as they have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(|name| &**name)
    }

    pub(super) fn captures(&self, name: &str) -> Option<Captures> {
        let found = self.regex.captures(name)?;
        let taken = found.iter().map(|group| group.map_or(0..0, |group| group.range())).collect();
        Some(Captures { name: name.into(), taken, names: Arc::clone(&self.names) })
    }
}

impl Captures {
    /// What a group took, by its number; 0 is the whole name. A group that took no part is empty, one that is not there `None`.
    #[must_use]
    pub fn by_number(&self, number: usize) -> Option<&str> {
        self.name.get(self.taken.get(number)?.clone())
    }

    /// What a group took, by its name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&str> {
        self.by_number(self.names.iter().position(|group| group.as_deref() == Some(name))?)
    }

    /// All groups in their order, the whole name first: the name of each, if it has one, and what it took.
    pub fn groups(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let groups = self.names.iter().enumerate();
        groups.filter_map(|(number, name)| Some((name.as_deref(), self.by_number(number)?)))
    }

    /// The groups that have a name, each with what it took.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.groups().filter_map(|(name, taken)| Some((name?, taken)))
    }
}

impl<E> Patterns<E> {
    pub(super) fn compile(each: Vec<(Pattern, E)>) -> Result<Self, PatternsTooBig> {
        let regexes = each.iter().map(|(pattern, _)| pattern.regex.as_str());
        let set = RegexSetBuilder::new(regexes).size_limit(PatternsTooBig::LIMIT).build();
        // Each of them has been compiled alone, so their size is all that can be wrong.
        let set = set.map_err(|_| PatternsTooBig { count: each.len(), limit: PatternsTooBig::LIMIT })?;
        Ok(Self { set, each })
    }

    /// The indices and entries of the patterns that match, in their order.
    pub(super) fn matching(&self, name: &Hostname) -> impl Iterator<Item = (usize, &E)> + use<'_, E> {
        let matches = (!self.each.is_empty()).then(|| self.set.matches(name.as_str()));
        matches.into_iter().flatten().filter_map(|index| Some((index, &self.each.get(index)?.1)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    pub(super) fn entry(&self, index: usize) -> Option<&E> {
        self.each.get(index).map(|(_, entry)| entry)
    }

    /// What each of them matches from end to end, in their order.
    pub(super) fn regexes(&self) -> impl Iterator<Item = &str> {
        self.each.iter().map(|(pattern, _)| pattern.regex.as_str())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &E> {
        self.each.iter().map(|(_, entry)| entry)
    }

    pub(super) fn captures(&self, index: usize, name: &Hostname) -> Option<Captures> {
        self.each.get(index)?.0.captures(name.as_str())
    }
}

/// The regex that matches where this one matches a whole name. The anchors are added to what the text means, not to the
/// text: there they would disappear in the comment of a `(?x)`.
fn anchored(text: &str) -> Result<String, PatternError> {
    let meaning = regex_syntax::parse(text).map_err(|error| PatternError::syntax(text, &error))?;
    Ok(Hir::concat(vec![Hir::look(Look::Start), meaning, Hir::look(Look::End)]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, name: &str) -> bool {
        let patterns = Patterns::compile(vec![(Pattern::parse(text).unwrap(), ())]).unwrap();
        let name = Hostname::parse(name).unwrap();
        let in_the_set = patterns.matching(&name).count() == 1;
        assert_eq!(in_the_set, patterns.captures(0, &name).is_some(), "the set and the pattern agree: {text} {name}");
        in_the_set
    }

    #[test]
    fn a_pattern_is_anchored_to_the_whole_name() {
        assert!(matches("a|b", "a") && matches("a|b", "b"));
        assert!(!matches("a|b", "ab") && !matches("a|b", "xb"));
        assert!(matches("^a$", "a") && matches("(?x) a # comment)", "a") && !matches("(?x) a # comment", "ab"));
        assert!(matches("a|ab", "ab"), "the shorter alternative does not hide the longer");
        assert!(matches(r"(?i)A\.\w+", "a.b") && !matches("A", "a"));
        assert!(matches(r"(?:[^.]+\.){2,3}\p{L}{2}", "a.b.de"));
    }

    #[test]
    fn groups_are_found_by_number_and_name() {
        let pattern = Pattern::parse(r"(?<tenant>[a-z]+)(-(?P<no>\d+))?\.(b|c)").unwrap();
        assert_eq!(pattern.groups(), 4);
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["tenant", "no"]);
        let captures = pattern.captures("acme.c").unwrap();
        assert_eq!([0, 1, 2, 3, 4].map(|number| captures.by_number(number).unwrap()), ["acme.c", "acme", "", "", "c"]);
        assert_eq!(captures.by_number(5), None);
        assert_eq!((captures.by_name("tenant"), captures.by_name("no"), captures.by_name("x")), (Some("acme"), Some(""), None));
        assert_eq!(captures.named().collect::<Vec<_>>(), [("tenant", "acme"), ("no", "")]);
    }

    #[test]
    fn a_broken_regex_says_where() {
        let cases = [
            ("(a", "unclosed group", 0..1),
            ("a)|(b", "unopened group", 1..2),
            ("ab**{", "repetition", 4..5),
            ("[z-a]", "invalid character class range", 1..4),
            (r"ü\q", "unrecognized escape", 2..4),
            ("a*\\", "incomplete escape", 2..3),
            (r"\p{Nope}", "Unicode property", 0..8),
            ("(?<a>x)(?<a>y)", "duplicate capture group", 10..11),
        ];
        for (text, expected, place) in cases {
            match Pattern::parse(text) {
                Err(PatternError::Syntax { problem, at }) => {
                    assert!(problem.contains(expected), "{text}: {problem}");
                    assert_eq!(at, place, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_pattern_that_is_too_big_says_so() {
        assert_eq!(Pattern::parse(r"((\w{100}){100}){100}").unwrap_err(), PatternError::TooBig { limit: PatternError::LIMIT });
    }

    #[test]
    fn hundreds_of_patterns_compile_and_the_first_match_leads() {
        let each = (0..200).map(|n| (Pattern::parse(&format!(r"([a-z0-9-]+|x)\.\w+\.t{n}\.example|both")).unwrap(), n)).collect();
        let patterns = Patterns::compile(each).unwrap();
        let found = |name| patterns.matching(&Hostname::parse(name).unwrap()).map(|(_, &n)| n).collect::<Vec<_>>();
        assert_eq!(found("a-1.b.t199.example"), [199]);
        assert_eq!(found("both"), (0..200).collect::<Vec<_>>());
        assert_eq!(found("neither"), [0; 0]);
    }
}
