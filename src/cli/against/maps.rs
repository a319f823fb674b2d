//! Which connections of a listener go elsewhere, entry by entry.

use serde::Serialize;

use super::Side;
use super::listeners::pairs;
use super::meanings::Meanings;
use crate::config::{Places, path_to};
use crate::route::{Asked, Budget, Change, Entry, Rank, Winner};
use crate::snapshot::{Listener, Target, Targets};

/// What changes on listeners that lead to the same.
#[derive(PartialEq, Serialize)]
pub(super) struct Map {
    /// `routes dmz`, `routes dmz -> routes inner` or `listener mysql`.
    pub(super) of: String,
    pub(super) listeners: Vec<String>,
    /// What leads elsewhere.
    pub(super) targets: Vec<Row>,
    /// What leads where it did, with other settings.
    pub(super) settings: Vec<Row>,
    /// The entries of which it could not be decided.
    pub(super) undecided: Vec<String>,
}

/// One pair of entries, and what lies between them.
#[derive(PartialEq, Serialize)]
pub(super) struct Row {
    /// What is asked for: the entry as it is written, or `every other name` and the like.
    pub(super) what: String,
    /// By which rule: `exact`, `leading wildcard`, `pattern 2`.
    pub(super) rule: String,
    /// A name that is among it, of all that the rule is for or of a part.
    pub(super) example: Option<String>,
    pub(super) old: End,
    pub(super) new: End,
}

/// One end of a change.
#[derive(PartialEq, Serialize)]
pub(super) struct End {
    /// The entry that wins; nothing where none does.
    pub(super) entry: Option<String>,
    /// Where that leads, or which settings it has.
    pub(super) leads: String,
    pub(super) place: Option<String>,
}

/// The listeners that are there before and after, those with the same changes together.
pub(super) fn maps(old: &Side, new: &Side) -> Vec<Map> {
    let mut maps: Vec<Map> = Vec::new();
    let (mut meanings, mut budget) = (Meanings::default(), Budget::default());
    for (before, listener) in pairs(&old.snapshot, &new.snapshot) {
        let map = map((before, &old.places), (listener, &new.places), &mut meanings, &mut budget);
        if map.targets.is_empty() && map.settings.is_empty() && map.undecided.is_empty() {
            continue;
        }
        let is_same = |other: &&mut Map| (&other.of, &other.targets, &other.settings) == (&map.of, &map.targets, &map.settings);
        match maps.iter_mut().find(is_same) {
            Some(known) => known.listeners.extend(map.listeners),
            None => maps.push(map),
        }
    }
    maps
}

fn map<'s>(
    (old, old_places): (&'s Listener, &Places),
    (new, new_places): (&'s Listener, &Places),
    meanings: &mut Meanings<'s>,
    budget: &mut Budget,
) -> Map {
    let of = match (&old.map, &new.map) {
        (Some(one), Some(other)) if one != other => format!("routes {one} -> routes {other}"),
        (_, Some(map)) => format!("routes {map}"),
        (_, None) => format!("listener {}", new.name),
    };
    let differences = new.routes.differences(&old.routes, |entry| meanings.of(entry), budget);
    let mut map = Map {
        of,
        listeners: vec![new.name.to_string()],
        targets: Vec::new(),
        settings: Vec::new(),
        undecided: differences.undecided.iter().map(ToString::to_string).collect(),
    };
    for change in differences.changes {
        let end = |winner: Winner<'_, Targets>, listener: &Listener, places: &Places| End {
            entry: winner.map(|(_, entry)| entry.written.to_string()),
            leads: String::new(),
            place: winner.map(|(rank, entry)| place(listener, rank, entry, places)),
        };
        let (mut before, mut after) = (end(change.old, old, old_places), end(change.new, new, new_places));
        let (one, other) = (targets(change.old), targets(change.new));
        let leads_elsewhere = match (change.old, change.new) {
            (Some((_, one)), Some((_, other))) => meanings.of(one).destination != meanings.of(other).destination,
            _ => true,
        };
        (before.leads, after.leads) =
            if leads_elsewhere { led(&change.asked, one, other) } else { settings(one.unwrap_or_default(), other.unwrap_or_default()) };
        let row = Row { what: what(&change, new), rule: change.rank().to_string(), example: example(&change), old: before, new: after };
        if leads_elsewhere { map.targets.push(row) } else { map.settings.push(row) }
    }
    map
}

fn targets(winner: Winner<'_, Targets>) -> Option<&[Target]> {
    winner.map(|(_, entry)| &*entry.target)
}

/// Where both lead; of two lists that differ in one target, only that one.
fn led(asked: &Asked, old: Option<&[Target]>, new: Option<&[Target]>) -> (String, String) {
    let nowhere = if *asked == Asked::NotTls { "closed" } else { "refused (unrecognized_name)" };
    let all = |targets: Option<&[Target]>| match targets {
        None | Some([]) => vec![nowhere.to_owned()],
        Some(targets) => targets.iter().map(Target::leads).collect(),
    };
    let (one, other) = (all(old), all(new));
    let (mut before, mut after) = (one.join("; else "), other.join("; else "));
    let differing: Vec<_> = one.iter().zip(&other).enumerate().filter(|(_, (one, other))| one != other).collect();
    if let ([(index, (one, other))], true) = (&differing[..], one.len() == other.len() && one.len() > 1) {
        (before, after) = (format!("target {}: {one}", index + 1), format!("target {}: {other}", index + 1));
    }
    if before == after {
        let is_for_others =
            |(old, new): (&Target, &Target)| old.guards.from != new.guards.from || old.admission.access != new.admission.access;
        let is_for_others = old.into_iter().flatten().zip(new.into_iter().flatten()).any(is_for_others);
        after.push_str(if is_for_others { " (for other addresses)" } else { " (by other addresses, or with other captures)" });
    }
    (before, after)
}

/// The settings in which they differ, on both sides; of those that have no short form only the key.
fn settings(old: &[Target], new: &[Target]) -> (String, String) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (one, other) in old.iter().zip(new) {
        for ((key, one), (_, other)) in one.settings().into_iter().zip(other.settings()).filter(|(one, other)| one != other) {
            let is_short = !one.contains('(') && !other.contains('(');
            before.push(if is_short { format!("{key} {one}") } else { format!("{key} as it was") });
            after.push(if is_short { format!("{key} {other}") } else { format!("another {key}") });
        }
    }
    (before.join(", "), after.join(", "))
}

fn what<T>(change: &Change<'_, T>, listener: &Listener) -> String {
    let rank = change.rank();
    let of_rank = |winner: &Winner<'_, T>| winner.filter(|(own, _)| *own == rank).map(|(_, entry)| entry.written.to_string());
    let written = of_rank(&change.new).or_else(|| of_rank(&change.old)).unwrap_or_default();
    match (&change.asked, rank) {
        (Asked::NotTls, _) => "what is not TLS".into(),
        (Asked::NoName, _) if listener.map.is_none() => "every connection".into(),
        (Asked::NoName, _) => "TLS without a name".into(),
        (Asked::Name(_), Rank::Default) if listener.map.is_none() => "every connection".into(),
        (Asked::Name(_), Rank::Default) => "every other name".into(),
        (Asked::Name(_), Rank::Pattern(_)) => format!("{rank} ({written})"),
        (Asked::Name(name), Rank::Exact) => name.to_string(),
        (Asked::Name(_), _) => written,
    }
}

fn example<T>(change: &Change<'_, T>) -> Option<String> {
    match &change.asked {
        Asked::Name(name) if change.rank() != Rank::Exact => Some(name.to_string()),
        _ => None,
    }
}

fn place(listener: &Listener, rank: Rank, entry: &Entry<Targets>, places: &Places) -> String {
    match &listener.map {
        Some(map) => entry.stands_at(map, rank, places),
        None => places.key(&path_to!["listener", &*listener.name]).to_string(),
    }
}
