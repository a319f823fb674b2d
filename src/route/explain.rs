//! Says how a table comes to its answer, by the very search that [`RouteTable::lookup`] makes, carried on to its end.

use super::{Captures, Entry, FirstName, Rank, RouteTable};

/// A rule that was asked, or would have been, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered<'t, T> {
    /// The rule.
    pub rank: Rank,
    /// Its entry; `None` if there is none.
    pub entry: Option<&'t Entry<T>>,
    /// What came of it.
    pub verdict: Verdict,
    /// What the groups of a pattern took, or would have taken.
    pub captures: Option<Captures>,
}

/// What came of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has no entry for this.
    NoEntry,
    /// Its entry is the answer.
    Wins,
    /// Its entry fits as well, but an earlier one won.
    Beaten,
    /// It is for what nothing else fits, and something did.
    NotAsked,
}

impl<T> RouteTable<T> {
    /// All that fits, in the order of precedence. Wildcards and patterns are there if they fit; the exact name, `no_sni`,
    /// `not_tls` and `default` are there whenever they are asked, as [`Verdict::NoEntry`] if need be.
    #[must_use]
    pub fn explain(&self, first: FirstName<'_>) -> Vec<Considered<'_, T>> {
        let mut all: Vec<_> = self.fitting(first).map(|(rank, entry)| self.fits(rank, entry, first)).collect();
        if let Some(winner) = all.first_mut() {
            winner.verdict = Verdict::Wins;
        }
        for &rank in always_asked(first) {
            let place = all.partition_point(|considered| considered.rank < rank);
            if all.get(place).is_none_or(|considered| considered.rank != rank) {
                all.insert(place, Considered { rank, entry: None, verdict: Verdict::NoEntry, captures: None });
            }
        }
        all
    }

    fn fits<'t>(&'t self, rank: Rank, entry: &'t Entry<T>, first: FirstName<'_>) -> Considered<'t, T> {
        let verdict = if rank == Rank::Default { Verdict::NotAsked } else { Verdict::Beaten };
        Considered { rank, entry: Some(entry), verdict, captures: self.captures(rank, first) }
    }
}

fn always_asked(first: FirstName<'_>) -> &'static [Rank] {
    match first {
        FirstName::Name(_) => &[Rank::Exact, Rank::Default],
        FirstName::NoName => &[Rank::NoSni, Rank::Default],
        FirstName::NotTls => &[Rank::NotTls],
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Pattern};
    use super::*;
    use crate::host::{HostPattern, Hostname};

    fn table() -> RouteTable<()> {
        let entry = |written: &str| Entry { written: written.into(), target: () };
        let mut builder = Builder::new();
        for written in ["*.apps.example.com", "*.com", "acme.*", "www.example.com"] {
            builder.host(HostPattern::parse(written).unwrap(), entry(written)).unwrap();
        }
        for written in ["x.*", r"(?<tenant>[a-z0-9-]+)\.apps\.example\.com"] {
            builder.pattern(Pattern::parse(written).unwrap(), entry(written));
        }
        builder.default(entry("default"));
        builder.build().unwrap()
    }

    fn told(table: &RouteTable<()>, first: FirstName<'_>) -> Vec<(Rank, Option<String>, Verdict)> {
        let told = table.explain(first).into_iter();
        told.map(|considered| (considered.rank, considered.entry.map(|entry| entry.written.to_string()), considered.verdict)).collect()
    }

    #[test]
    fn the_sample_of_the_contract_is_told_in_its_order() {
        let table = table();
        let name = Hostname::parse("acme.apps.example.com").unwrap();
        let pattern = r"(?<tenant>[a-z0-9-]+)\.apps\.example\.com";
        assert_eq!(
            told(&table, FirstName::Name(&name)),
            [
                (Rank::Exact, None, Verdict::NoEntry),
                (Rank::Leading, Some("*.apps.example.com".into()), Verdict::Wins),
                (Rank::Leading, Some("*.com".into()), Verdict::Beaten),
                (Rank::Trailing, Some("acme.*".into()), Verdict::Beaten),
                (Rank::Pattern(1), Some(pattern.into()), Verdict::Beaten),
                (Rank::Default, Some("default".into()), Verdict::NotAsked),
            ]
        );
        let beaten = table.explain(FirstName::Name(&name)).remove(4).captures.unwrap();
        assert_eq!(beaten.named().collect::<Vec<_>>(), [("tenant", "acme")]);
    }

    #[test]
    fn what_no_entry_fits_is_told_too() {
        let mut table = table();
        let name = Hostname::parse("other.net").unwrap();
        let exact = (Rank::Exact, None, Verdict::NoEntry);
        assert_eq!(told(&table, FirstName::Name(&name)), [exact.clone(), (Rank::Default, Some("default".into()), Verdict::Wins)]);
        let no_sni = (Rank::NoSni, None, Verdict::NoEntry);
        assert_eq!(told(&table, FirstName::NoName), [no_sni.clone(), (Rank::Default, Some("default".into()), Verdict::Wins)]);
        assert_eq!(told(&table, FirstName::NotTls), [(Rank::NotTls, None, Verdict::NoEntry)]);
        table.default = None;
        assert_eq!(told(&table, FirstName::Name(&name)), [exact, (Rank::Default, None, Verdict::NoEntry)]);
        assert_eq!(told(&table, FirstName::NoName), [no_sni, (Rank::Default, None, Verdict::NoEntry)]);
    }
}
