//! Several files become one: tables merge, a few lists grow, and what stands in two files is said at the second.

use figment::value::{Tag, Value};

use super::diagnostic::Diagnostics;
use super::document::Document;
use super::places::Key;
use super::spot::{Below, Files, Spot};

/// The documents as one, in the order of the files.
pub(super) fn merge(mut documents: Vec<Document>, files: &Files, diagnostics: &mut Diagnostics) -> Document {
    match documents.len() {
        1 => documents.remove(0),
        _ => Merger { files, diagnostics, path: Vec::new() }.tables(documents),
    }
}

struct Merger<'a> {
    files: &'a Files,
    diagnostics: &'a mut Diagnostics,
    path: Vec<String>,
}

impl Merger<'_> {
    fn tables(&mut self, tables: Vec<Document>) -> Document {
        let mut entries: Vec<_> = tables.into_iter().flat_map(entries).collect();
        // Stable: what has one key stays in the order of the files.
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut groups: Vec<(Box<str>, Vec<Entry>)> = Vec::with_capacity(entries.len());
        for (key, entry) in entries {
            match groups.last_mut() {
                Some((last, group)) if *last == key => group.push(entry),
                _ => groups.push((key, vec![entry])),
            }
        }
        let merged = groups.into_iter().map(|(key, group)| {
            let Entry { value, spot } = self.same_key(&key, group);
            ((key.to_string(), value), (key, spot))
        });
        let (values, spots): (Vec<_>, Vec<_>) = merged.unzip();
        Document { values: values.into_iter().collect(), spots: spots.into_iter().collect() }
    }

    /// What stands under one key in one or several files; never nothing.
    fn same_key(&mut self, key: &str, mut group: Vec<Entry>) -> Entry {
        if group.len() == 1 {
            return group.remove(0);
        }
        self.path.push(key.to_owned());
        let merged = if self.grows() {
            grown(group)
        } else {
            let others = group.split_off(1);
            let first = group.remove(0);
            let (alike, clashing): (Vec<_>, Vec<_>) = others.into_iter().partition(|other| self.may_merge(&first, other));
            for other in &clashing {
                self.twice(key, &first, other);
            }
            if alike.is_empty() { first } else { self.one_table(first, alike) }
        };
        self.path.pop();
        merged
    }

    fn one_table(&mut self, first: Entry, others: Vec<Entry>) -> Entry {
        let all: Vec<_> = std::iter::once(first).chain(others).collect();
        // It is best known by a header of its own.
        let known_by = all.iter().find(|entry| !entry.spot.is_implied()).or(all.first()).map(|entry| &entry.spot);
        let (key, value, file) = known_by.map(|spot| (spot.key.clone(), spot.value.clone(), spot.file)).unwrap_or_default();
        let Document { values, spots } = self.tables(all.into_iter().filter_map(Entry::into_table).collect());
        Entry { value: Value::Dict(Tag::Default, values), spot: Spot { key, value, file, below: Below::Named(spots) } }
    }

    /// Whether it is a list that the files fill together.
    fn grows(&self) -> bool {
        match self.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["include"] | ["routes", _, "patterns" | "tests" | "hosts_files"] | ["map", _, "patterns"] => true,
            _ => false,
        }
    }

    /// Whether both are tables that files may share: those of sections, of what has a name, and of names themselves.
    fn may_merge(&self, first: &Entry, other: &Entry) -> bool {
        let is_shared = match self.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [_] => true,
            // A team's upstream is its own.
            ["upstream", _] => self.files.have_one_owner(&first.spot, &other.spot),
            [section, _] => NAMED.contains(&section),
            ["routes", _, "hosts"] | ["map", _, "values" | "hosts" | "ranges"] => true,
            _ => false,
        };
        let is_table = |entry: &Entry| matches!((&entry.value, &entry.spot.below), (Value::Dict(..), Below::Named(_)));
        is_shared && is_table(first) && is_table(other)
    }

    fn twice(&mut self, key: &str, first: &Entry, second: &Entry) {
        let what = self.what(key);
        let before = self.files.key(&first.spot);
        self.diagnostics
            .error(self.files.key(&second.spot), format!("{what} is defined twice"))
            .label(format!("the first is in another file ({before})"));
    }

    /// What is being merged, as its user would call it.
    fn what(&self, key: &str) -> String {
        let quoted = Key::from(key).to_string();
        let bare = if quoted.starts_with('"') { quoted } else { format!("`{quoted}`") };
        match &self.path[..] {
            [name, _] if NAMED.contains(&&**name) => section(&self.path),
            [] | [_] => bare,
            [table @ .., _] if table.last().is_some_and(|table| NAMES.contains(&&**table)) => bare,
            [table @ .., _] => format!("{bare} of {}", section(table)),
        }
    }
}

/// `[routes.dmz]`.
fn section(path: &[String]) -> String {
    format!("[{}]", path.iter().map(|key| Key::from(key).to_string()).collect::<Vec<_>>().join("."))
}

/// A value with its place.
struct Entry {
    value: Value,
    spot: Spot,
}

impl Entry {
    fn into_table(self) -> Option<Document> {
        match (self.value, self.spot.below) {
            (Value::Dict(_, values), Below::Named(spots)) => Some(Document { values, spots }),
            _ => None,
        }
    }
}

/// The entries of a table; values and places have the same order.
fn entries(table: Document) -> impl Iterator<Item = (Box<str>, Entry)> {
    let Document { values, spots } = table;
    values.into_values().zip(spots).map(|(value, (key, spot))| (key, Entry { value, spot }))
}

/// The elements of several lists behind one another; what is no list is the only element of one.
fn grown(group: Vec<Entry>) -> Entry {
    let first = group.first().map(|entry| &entry.spot);
    let (key, value, file) = first.map(|spot| (spot.key.clone(), spot.value.clone(), spot.file)).unwrap_or_default();
    let (mut values, mut spots) = (Vec::new(), Vec::new());
    for entry in group {
        match (entry.value, entry.spot) {
            (Value::Array(_, more), Spot { below: Below::Listed(places), .. }) => {
                values.extend(more);
                spots.extend(places);
            }
            (single, place) => {
                values.push(single);
                spots.push(place);
            }
        }
    }
    Entry { value: Value::Array(Tag::Default, values), spot: Spot { key, value, file, below: Below::Listed(spots) } }
}

/// Sections whose tables have names of the user's choosing, which several files may fill.
const NAMED: [&str; 7] = ["access_log", "listener", "routes", "limit", "map", "terminate", "upstream"];

/// Tables of names, which say themselves what they are.
const NAMES: [&str; 4] = ["hosts", "values", "ranges", "networks"];
