//! Finds the entry of a map that a connection's name belongs to. What an entry leads to is not known here.
//! Pure: no socket, no clock. Names come from strangers, so a lookup costs no more than the name is long, whatever
//! the name and however many entries: one hash for the exact names, one per label for the wildcards, one pass for all patterns.

#![deny(clippy::indexing_slicing)]

mod builder;
mod explain;
mod labels;
#[cfg(test)]
mod linear;
mod names;
mod pattern;
#[cfg(test)]
mod properties;
mod reason;

use std::fmt;
use std::sync::Arc;

use crate::host::Hostname;

pub use builder::Builder;
pub use explain::{Considered, Verdict};
use names::Names;
use pattern::Patterns;
pub use pattern::{Captures, Pattern, PatternError, PatternsTooBig};
pub use reason::{Asked, Budget, Change, Differences, Finding, Findings, Winner};

/// What a connection asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstName<'a> {
    /// A host name.
    Name(&'a Hostname),
    /// TLS without a name.
    NoName,
    /// Not TLS.
    NotTls,
}

/// One entry of a table as the user wrote it, with its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// As written: `"*.shop.example"`, a regex, or `default`, `no_sni`, `not_tls`.
    pub written: Arc<str>,
    /// What it leads to.
    pub target: T,
}

/// By which rule an entry fits. For a name they are asked in the order in which they stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The name itself; `.example` is the name `example` as well.
    Exact,
    /// `*.example` or `.example`, the longest first.
    Leading,
    /// `www.example.*`, the longest first.
    Trailing,
    /// A regex, by its index, in the order of the table.
    Pattern(usize),
    /// For TLS without a name.
    NoSni,
    /// For what is not TLS.
    NotTls,
    /// For TLS that nothing else fits.
    Default,
}

/// The entry that wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match<'t, T> {
    /// The entry.
    pub entry: &'t Entry<T>,
    /// Why it fits.
    pub rank: Rank,
    /// What the groups of a pattern took; `None` if the entry is no pattern.
    pub captures: Option<Captures>,
}

/// A map from names to targets of type `T`, made by a [`Builder`].
#[derive(Debug)]
pub struct RouteTable<T> {
    names: Names<T>,
    patterns: Patterns<Entry<T>>,
    default: Option<Entry<T>>,
    no_sni: Option<Entry<T>>,
    not_tls: Option<Entry<T>>,
}

impl<T> RouteTable<T> {
    /// Finds the entry that wins.
    #[must_use]
    pub fn lookup(&self, first: FirstName<'_>) -> Option<Match<'_, T>> {
        let (rank, entry) = self.fitting(first).next()?;
        Some(Match { entry, rank, captures: self.captures(rank, first) })
    }

    /// The entries of the patterns, in their order.
    pub fn patterns(&self) -> impl Iterator<Item = &Entry<T>> {
        self.patterns.entries()
    }

    /// All entries.
    fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.names.entries().chain(self.patterns.entries()).chain([&self.default, &self.no_sni, &self.not_tls].into_iter().flatten())
    }

    /// All entries that fit, the winner first. Lazy: what nobody asks for is not searched.
    fn fitting<'t, 'n>(&'t self, first: FirstName<'n>) -> impl Iterator<Item = (Rank, &'t Entry<T>)> + use<'t, 'n, T> {
        let (name, special, default) = match first {
            FirstName::Name(name) => (Some(name), None, self.default.as_ref()),
            FirstName::NoName => (None, self.no_sni.as_ref().map(|entry| (Rank::NoSni, entry)), self.default.as_ref()),
            FirstName::NotTls => (None, self.not_tls.as_ref().map(|entry| (Rank::NotTls, entry)), None),
        };
        let named = name.into_iter().flat_map(|name| self.fitting_name(name));
        named.chain(special).chain(default.map(|entry| (Rank::Default, entry)))
    }

    fn fitting_name<'t, 'n>(&'t self, name: &'n Hostname) -> impl Iterator<Item = (Rank, &'t Entry<T>)> + use<'t, 'n, T> {
        let exact = later(|| self.names.exact(name)).map(|entry| (Rank::Exact, entry));
        let leading = later(|| self.names.leading(labels::from_the_top(name))).map(|entry| (Rank::Leading, entry));
        let trailing = later(|| self.names.trailing(labels::as_written(name))).map(|entry| (Rank::Trailing, entry));
        let patterns = later(|| self.patterns.matching(name)).map(|(index, entry)| (Rank::Pattern(index), entry));
        exact.chain(leading).chain(trailing).chain(patterns)
    }

    fn captures(&self, rank: Rank, first: FirstName<'_>) -> Option<Captures> {
        match (rank, first) {
            (Rank::Pattern(index), FirstName::Name(name)) => self.patterns.captures(index, name),
            _ => None,
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Leading => f.write_str("leading wildcard"),
            Self::Trailing => f.write_str("trailing wildcard"),
            Self::Pattern(index) => write!(f, "pattern {}", index + 1),
            Self::NoSni => f.write_str("no_sni"),
            Self::NotTls => f.write_str("not_tls"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Searches only when the first item is asked for.
fn later<I: IntoIterator>(search: impl FnOnce() -> I) -> impl Iterator<Item = I::Item> {
    std::iter::once_with(search).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostPattern;

    fn table(hosts: &[&str], patterns: &[&str], others: &[&str]) -> RouteTable<usize> {
        let mut builder = Builder::new();
        for (target, written) in hosts.iter().enumerate() {
            builder.host(HostPattern::parse(written).unwrap(), entry(written, target)).unwrap();
        }
        for (target, written) in patterns.iter().enumerate() {
            builder.pattern(Pattern::parse(written).unwrap(), entry(written, target));
        }
        for (target, &written) in others.iter().enumerate() {
            match written {
                "default" => builder.default(entry(written, target)),
                "no_sni" => builder.no_sni(entry(written, target)),
                _ => builder.not_tls(entry(written, target)),
            }
        }
        builder.build().unwrap()
    }

    fn entry(written: &str, target: usize) -> Entry<usize> {
        Entry { written: written.into(), target }
    }

    fn winner(table: &RouteTable<usize>, name: &str) -> Option<String> {
        let name = Hostname::parse(name).unwrap();
        table.lookup(FirstName::Name(&name)).map(|found| found.entry.written.to_string())
    }

    const ALL: [&str; 7] = ["a.shop.example", "*.shop.example", "*.b.shop.example", ".example.org", "www.example.*", "www.*", "*.org"];

    #[test]
    fn each_rank_beats_the_next() {
        let table = table(&ALL, &["(?<first>[a-z]+)\\..*", ".*"], &["default"]);
        let cases = [
            ("a.shop.example", "a.shop.example"),
            ("b.shop.example", "*.shop.example"),
            ("x.b.shop.example", "*.b.shop.example"),
            ("y.x.a.shop.example", "*.shop.example"),
            ("example.org", ".example.org"),
            ("deep.www.example.org", ".example.org"),
            ("www.example.de", "www.example.*"),
            ("www.example.co.uk", "www.example.*"),
            ("www.else", "www.*"),
            ("www.some.org", "*.org"),
            ("shop.example", "(?<first>[a-z]+)\\..*"),
            ("1", ".*"),
        ];
        for (name, expected) in cases {
            assert_eq!(winner(&table, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_at_least() {
        let table = table(&["*.a.b", "a.b.*"], &[], &[]);
        for name in ["a.b", "xa.b", "a.bx", "b", "a"] {
            assert_eq!(winner(&table, name), None, "{name}");
        }
        assert_eq!(winner(&table, "x.a.b").as_deref(), Some("*.a.b"));
        assert_eq!(winner(&table, "a.b.x").as_deref(), Some("a.b.*"));
    }

    #[test]
    fn what_has_no_name_goes_where_the_contract_says() {
        let find = |others: &[&str], first| table(&[], &[".*"], others).lookup(first).map(|found| (found.rank, found.entry.target));
        assert_eq!(find(&["default", "no_sni", "not_tls"], FirstName::NoName), Some((Rank::NoSni, 1)));
        assert_eq!(find(&["default"], FirstName::NoName), Some((Rank::Default, 0)));
        assert_eq!(find(&[], FirstName::NoName), None);
        assert_eq!(find(&["default", "no_sni", "not_tls"], FirstName::NotTls), Some((Rank::NotTls, 2)));
        assert_eq!(find(&["default", "no_sni"], FirstName::NotTls), None);
    }

    #[test]
    fn a_name_that_nothing_fits_goes_to_the_default_or_nowhere() {
        assert_eq!(winner(&table(&ALL, &["x.*"], &["default"]), "unknown").as_deref(), Some("default"));
        assert_eq!(winner(&table(&ALL, &["x.*"], &["no_sni", "not_tls"]), "unknown"), None);
    }

    #[test]
    fn each_of_100_000_names_finds_its_own_entry() {
        let names: Vec<_> = (0..100_000).map(|n| format!("host{n}.tenant{}.example", n % 977)).collect();
        let table = table(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[], &["default"]);
        for (target, name) in names.iter().enumerate() {
            let found = table.lookup(FirstName::Name(&Hostname::parse(name).unwrap())).unwrap();
            assert_eq!((found.rank, found.entry.target), (Rank::Exact, target), "{name}");
        }
        assert_eq!(winner(&table, "host100000.tenant0.example").as_deref(), Some("default"));
    }

    #[test]
    fn a_hostile_name_costs_what_its_length_costs() {
        let deepest = vec!["a"; 126].join(".");
        let wildcards: Vec<_> = (1..126).map(|labels| format!("*.{}", vec!["a"; labels].join("."))).collect();
        let table = table(&wildcards.iter().map(String::as_str).collect::<Vec<_>>(), &[], &[]);
        assert_eq!(winner(&table, &deepest), wildcards.last().cloned());
        let name = Hostname::parse(&deepest).unwrap();
        let looked_at = std::cell::Cell::new(0);
        let labels = labels::from_the_top(&name).inspect(|_| looked_at.set(looked_at.get() + 1));
        assert_eq!(table.names.leading(labels).count(), 125);
        assert_eq!(looked_at.get(), 126);
    }

    #[test]
    fn only_a_winning_pattern_captures() {
        let table = table(&["a.b"], &["(?<first>[^.]+)\\.(.+)"], &["default"]);
        let name = Hostname::parse("x.y.z").unwrap();
        let captures = table.lookup(FirstName::Name(&name)).unwrap().captures.unwrap();
        assert_eq!((captures.by_name("first"), captures.by_number(2)), (Some("x"), Some("y.z")));
        for name in ["a.b", "unknown"] {
            let name = Hostname::parse(name).unwrap();
            assert_eq!(table.lookup(FirstName::Name(&name)).unwrap().captures, None);
        }
    }
}
