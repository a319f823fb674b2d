//! The entries of a map that were asked, and where each stands.

use super::explanation::{Entry, Group, Rule, Verdict};
use crate::config::{Key, Places, path_to};
use crate::route::{self, Captures, Considered, Rank};
use crate::snapshot::{Listener, Targets, entry_path};

/// All that were asked; without a map there is nothing to beat, and the listener itself is the answer.
pub(super) fn told(listener: &Listener, considered: &[Considered<'_, Targets>], places: &Places) -> Vec<Entry> {
    let is_told = |rule: &&Considered<'_, _>| listener.map.is_some() || rule.verdict == route::Verdict::Wins;
    considered.iter().filter(is_told).map(|rule| one(listener, rule, places)).collect()
}

fn one(listener: &Listener, considered: &Considered<'_, Targets>, places: &Places) -> Entry {
    let (rule, number) = match considered.rank {
        _ if listener.map.is_none() => (Rule::Listener, None),
        Rank::Exact => (Rule::Exact, None),
        Rank::Leading => (Rule::LeadingWildcard, None),
        Rank::Trailing => (Rule::TrailingWildcard, None),
        Rank::Pattern(index) => (Rule::Pattern, Some(index + 1)),
        Rank::NoSni => (Rule::NoSni, None),
        Rank::NotTls => (Rule::NotTls, None),
        Rank::Default => (Rule::Default, None),
    };
    let written = considered.entry.map(|entry| &*entry.written);
    Entry {
        rule,
        number,
        written: written.filter(|_| listener.map.is_some()).map(Into::into),
        verdict: match considered.verdict {
            route::Verdict::NoEntry => Verdict::NoEntry,
            route::Verdict::Wins => Verdict::Wins,
            route::Verdict::Beaten => Verdict::Beaten,
            route::Verdict::NotAsked => Verdict::NotAsked,
        },
        captures: considered.captures.as_ref().map(groups).unwrap_or_default(),
        at: considered.entry.map(|entry| at(listener, considered.rank, entry, places)),
    }
}

fn groups(captures: &Captures) -> Vec<Group> {
    let groups = captures.groups().enumerate().skip(1);
    groups.map(|(number, (name, text))| Group { group: name.map_or_else(|| number.to_string(), Into::into), text: text.into() }).collect()
}

fn at(listener: &Listener, rank: Rank, entry: &route::Entry<Targets>, places: &Places) -> String {
    match &listener.map {
        Some(map) => entry.stands_at(map, rank, places),
        None => places.key(&path(listener, rank, &entry.written)).to_string(),
    }
}

/// The path of an entry; of a listener without a map, the listener's.
pub(super) fn path(listener: &Listener, rank: Rank, written: &str) -> Vec<Key> {
    match &listener.map {
        Some(map) => entry_path(map, rank, written),
        None => path_to!["listener", &*listener.name].to_vec(),
    }
}
