//! Regexes of a map. Unlike those of routes they are looked for anywhere in the text, which may be any bytes, as in nginx.

use regex::bytes::{Captures, Match, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::ParserBuilder;

use crate::route::{PatternError, PatternsTooBig};

/// A regex that is ready to stand in a map.
#[derive(Clone, Debug)]
pub struct MapPattern(Regex);

impl MapPattern {
    /// Reads a regex; it is to match anywhere in a text.
    ///
    /// # Errors
    /// When it is no regex, with the place in the text, or when it is too big.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        // The engine would tell of the same error without its place.
        ParserBuilder::new().utf8(false).build().parse(text).map_err(|error| PatternError::syntax(text, &error))?;
        let regex = RegexBuilder::new(text).size_limit(PatternError::LIMIT).build();
        regex.map(Self).map_err(|error| PatternError::build(text, &error))
    }

    /// The names of its groups, as far as they have one; the first is the whole match.
    pub fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.capture_names()
    }
}

/// What the groups of a pattern took.
pub(super) struct Groups<'k>(Captures<'k>);

impl<'k> Groups<'k> {
    /// What a group took, if it took part.
    pub(super) fn get(&self, number: usize) -> Option<Match<'k>> {
        self.0.get(number)
    }
}

/// All patterns of a map, matched in one pass.
#[derive(Debug)]
pub(super) struct Patterns<V> {
    set: RegexSet,
    each: Vec<(MapPattern, V)>,
}

impl<V> Patterns<V> {
    pub(super) fn compile(each: Vec<(MapPattern, V)>) -> Result<Self, PatternsTooBig> {
        let regexes = each.iter().map(|(pattern, _)| pattern.0.as_str());
        let set = RegexSetBuilder::new(regexes).size_limit(PatternsTooBig::LIMIT).build();
        // Each of them has been compiled alone, so their size is all that can be wrong.
        let set = set.map_err(|_| PatternsTooBig { count: each.len(), limit: PatternsTooBig::LIMIT })?;
        Ok(Self { set, each })
    }

    /// The first that matches, and its groups.
    pub(super) fn find<'k>(&self, key: &'k [u8]) -> Option<(&V, Groups<'k>)> {
        if self.each.is_empty() {
            return None;
        }
        let first = self.set.matches(key).iter().next()?;
        let (pattern, value) = self.each.get(first)?;
        Some((value, Groups(pattern.0.captures(key)?)))
    }
}
