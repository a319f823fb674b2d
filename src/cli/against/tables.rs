//! What `[map.NAME]` says of the same texts before and after.

use std::collections::{BTreeMap, BTreeSet};

use super::parts::{Part, parts};
use crate::config::{Map, Share};

pub(super) fn tables(old: &BTreeMap<String, Map>, new: &BTreeMap<String, Map>) -> Vec<Part> {
    parts(old, new, |_| Vec::new(), map)
}

fn map(old: &Map, new: &Map) -> Vec<String> {
    let mut details = Vec::new();
    if old.of != new.of {
        details.push(format!("of {:?} -> {:?}", old.of, new.of));
    }
    for (old, new) in [(&old.values, &new.values), (&old.hosts, &new.hosts), (&old.ranges, &new.ranges)] {
        details.extend(rows(old, new));
    }
    details.extend(patterns(old, new));
    if old.shares != new.shares {
        details.push(format!("shares {} -> {}", shares(&old.shares), shares(&new.shares)));
    }
    if old.default != new.default {
        let default = |map: &Map| format!("{:?}", map.default.as_deref().unwrap_or_default());
        details.push(format!("default {} -> {}", default(old), default(new)));
    }
    details
}

fn rows<K: Ord + AsRef<str>>(old: &BTreeMap<K, String>, new: &BTreeMap<K, String>) -> Vec<String> {
    let all: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
    let row = |key: &K| {
        let written = key.as_ref();
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => (old != new).then(|| format!("{written:?}: {old:?} -> {new:?}")),
            (Some(_), None) => Some(format!("no longer {written:?}")),
            (None, new) => new.map(|new| format!("new {written:?}: {new:?}")),
        }
    };
    all.into_iter().filter_map(row).collect()
}

/// The patterns that differ; of those that only stand in another order, that they do.
fn patterns(old: &Map, new: &Map) -> Vec<String> {
    let by_regex = |map: &Map| map.patterns.iter().rev().map(|pattern| (pattern.regex.clone(), pattern.value.clone())).collect();
    let differing = rows::<String>(&by_regex(old), &by_regex(new));
    match differing.is_empty() && old.patterns != new.patterns {
        true => vec!["its patterns in another order".into()],
        false => differing,
    }
}

fn shares(shares: &[Share]) -> String {
    let share = |share: &Share| match share.percent {
        Some(percent) => format!("{percent} % {:?}", share.value),
        None => format!("the rest {:?}", share.value),
    };
    shares.iter().map(share).collect::<Vec<_>>().join(", ")
}
