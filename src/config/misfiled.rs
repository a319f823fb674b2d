//! Keys that stand below a header and belong above it: TOML reads whatever follows a header as a part of its table.

use super::diagnostic::Place;
use super::hosts::ends;
use super::places::{Key, Places};
use super::spot::Spot;
use super::words::{DEFAULTS, Kind, LISTENER, ROUTES, TERMINATE, UPSTREAM};

/// What to say of a key that its table does not have, if it belongs to one of those above.
pub(super) struct Misfiled {
    pub(super) place: Place,
    pub(super) problem: String,
    pub(super) instead: String,
}

/// Looks at a stray key of the table at this path.
pub(super) fn misfiled(places: &Places, table: &[Key], stray: &str) -> Option<Misfiled> {
    let path = [table, &[Key::from(stray)]].concat();
    let (_, spot) = places.find(&path)?;
    let name = whole_name(spot, stray);
    let is_host = name.contains(['.', '*']);
    let mut place = places.written_key(&path);
    if let Place::File { source, span } = &mut place
        && source.text()[span.start..].starts_with(&name)
    {
        span.end = span.start + name.len();
    }
    let names: Vec<_> = table.iter().map_while(|key| if let Key::Name(name) = key { Some(&name[..]) } else { None }).collect();
    if let (["routes", map], true) = (&names[..], is_host) {
        let hosts = section(&[&table[..2], &[Key::from("hosts")]].concat());
        let problem = format!("`{name}` is a host name, and stands in [routes.{map}] itself");
        return Some(Misfiled { place, problem, instead: format!("host names stand under {hosts}") });
    }
    let (depth, kind) = above(&names)?;
    let line = header(places, table)?;
    if is_host && matches!(names[..], ["routes", _, "hosts" | "patterns", ..]) {
        let hosts = section(&[&table[..2], &[Key::from("hosts")]].concat());
        let problem = format!("`{name}` stands below the header in line {line}, and is read as a key of that target");
        return Some(Misfiled { place, problem, instead: format!("host names stand above line {line}, under {hosts}") });
    }
    kind.has(stray).then(|| Misfiled {
        place,
        problem: format!("`{stray}` stands below the header in line {line}, and belongs above it"),
        instead: format!("under {}", section(&table[..depth])),
    })
}

/// The nearest table above with keys of its own: how deep it is, and its sort.
fn above(names: &[&str]) -> Option<(usize, &'static Kind)> {
    Some(match names {
        ["routes", _, _, ..] => (2, &ROUTES),
        ["upstream", _, _, ..] => (2, &UPSTREAM),
        ["terminate", _, _, ..] => (2, &TERMINATE),
        ["listener", _, _, ..] => (2, &LISTENER),
        ["defaults", _, ..] => (1, &DEFAULTS),
        _ => return None,
    })
}

/// The line of a table's header, if it has one.
fn header(places: &Places, table: &[Key]) -> Option<usize> {
    let place = places.written_value(table);
    let Place::File { source, span } = &place else { return None };
    source.text()[span.clone()].starts_with('[').then(|| place.line()).flatten()
}

/// A host name without quotes is read as tables in tables.
fn whole_name(spot: &Spot, stray: &str) -> String {
    let mut found = Vec::new();
    ends(spot, &mut vec![stray.to_owned()], &mut found);
    match &found[..] {
        [only] => only.join("."),
        _ => stray.to_owned(),
    }
}

/// `[routes.dmz]`.
pub(super) fn section(path: &[Key]) -> String {
    let names: Vec<_> = path.iter().map(ToString::to_string).collect();
    format!("[{}]", names.join("."))
}
