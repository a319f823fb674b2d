//! `[routes.NAME.hosts]`, and the slips that TOML reads as something else: a name without quotes, and a word of nginx's
//! map that would silently become a host.

use std::collections::{BTreeMap, HashMap};

use figment::value::{Dict, Value};

use super::diagnostic::Place;
use super::misfiled::section;
use super::places::{Key, Places};
use super::read::{Read, Reader};
use super::routes::Targets;
use super::spot::{Below, Spot};
use super::values::listed;
use super::words::{self, suggest};

/// Reads the table of hosts.
pub(super) fn read(value: Value, reader: &mut Reader<'_>) -> Option<BTreeMap<String, Targets>> {
    let Value::Dict(_, mut entries) = value else {
        let is_without_hosts = |element: &Value| matches!(element, Value::Dict(_, keys) if !keys.contains_key("host"));
        if matches!(&value, Value::Array(_, elements) if !elements.is_empty() && elements.iter().all(is_without_hosts)) {
            let path = reader.path().iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            reader.at(0, (), |(), reader| {
                reader.wrong("the hosts of a map are one table").label(format!("[{path}]"));
                None::<()>
            });
            return None;
        }
        return if listed(&value, "host", reader) { None } else { BTreeMap::read(value, reader) };
    };
    for (word, lost) in MISPLACED {
        if entries.remove(word).is_some() {
            misplaced(word, lost, reader);
        }
    }
    for (word, instead) in NEEDLESS {
        if entries.remove(word).is_some() {
            let problem = format!("`{word}` stands among the hosts: it would be a host called \"{word}\"");
            reader.wrong_entry(word, problem).label(format!("in nginx's map {instead}: leave it out"));
        }
    }
    let tables = entries.iter().filter(|(_, value)| matches!(value, Value::Dict(..)));
    let unquoted: Vec<_> = tables.flat_map(|(name, _)| unquoted(name, reader)).collect();
    for names in &unquoted {
        entries.remove(&names[0]);
        needs_quotes(names, reader);
    }
    Some(targets(entries, reader))
}

/// The targets by their hosts. Of 100,000 hosts most lead to one of a few upstreams.
fn targets(entries: Dict, reader: &mut Reader<'_>) -> BTreeMap<String, Targets> {
    let mut plain: HashMap<String, Targets> = HashMap::new();
    let mut targets = |host: &str, value| match value {
        Value::String(_, upstream) => Some(plain.entry(upstream).or_insert_with_key(|upstream| Targets::plain(upstream)).clone()),
        value => reader.at(host, value, Targets::read),
    };
    // A list first: a tree of what is in order is made at once.
    let read: Vec<_> = entries.into_iter().filter_map(|(host, value)| Some((targets(&host, value)?, host))).collect();
    read.into_iter().map(|(targets, host)| (host, targets)).collect()
}

/// A word that says what becomes of the rest, one level too deep.
fn misplaced(word: &str, lost: &str, reader: &mut Reader<'_>) {
    let routes = reader.path()[..reader.path().len() - 1].to_vec();
    let header = match reader.places().find(&routes) {
        Some((_, spot)) if !spot.is_implied() => Some(reader.places().written_value(&routes)),
        _ => None,
    };
    let here = reader.entry(word, Places::written_key);
    let line = header.map_or_else(String::new, |header| match header.line() {
        Some(line) if header.is_beside(&here) => format!(", line {line}"),
        _ => format!(" ({header})"),
    });
    reader
        .wrong_entry(word, format!("`{word}` stands among the hosts: it would be a host called \"{word}\", and {lost}"))
        .label(format!("nginx's map has it inside; here it belongs under {}{line}", section(&routes)));
    reader.cut_path(&[routes, vec![word.into()]].concat());
}

/// The names that a user wrote without quotes and TOML read as tables in tables.
fn unquoted(name: &str, reader: &mut Reader<'_>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    reader.entry(name, |places, path| {
        if let Some((_, spot)) = places.find(path) {
            ends(spot, &mut vec![name.to_owned()], &mut found);
        }
    });
    // `api.upstream = "web"` is how TOML lets a target be written.
    found.retain(|names| match &names[1..] {
        [] => false,
        [key] => suggest(key, words::TARGET.known()).is_none(),
        _ => true,
    });
    found
}

/// The paths from a table that nobody wrote for its own sake to what was written in it.
pub(super) fn ends(spot: &Spot, names: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match &spot.below {
        Below::Named(entries) if spot.is_implied() => {
            for (key, below) in entries.iter() {
                names.push(key.to_owned());
                ends(below, names, found);
                names.pop();
            }
        }
        _ => found.push(names.clone()),
    }
}

fn needs_quotes(names: &[String], reader: &mut Reader<'_>) {
    let path = [reader.path(), &names.iter().map(Key::from).collect::<Vec<_>>()].concat();
    let name = names.join(".");
    let mut place = reader.places().written_key(&path);
    let mut instead = format!("\"{name}\"");
    if let (Place::File { source, span }, Some((_, spot))) = (&mut place, reader.places().find(&path)) {
        let text = source.text();
        if text[..span.end].ends_with(&name) {
            span.start = span.end - name.len();
        }
        let value = text[spot.value.clone()].lines().next().unwrap_or_default();
        let is_header = spot.value.start < span.end;
        instead = if is_header { value.replace(&name, &instead) } else { format!("{instead} = {value}") };
    }
    let nested = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" holding ");
    reader.error(place, format!("host names need quotes: this is read as the table {nested}")).help(instead);
    reader.cut(&names[0]);
}

/// What nginx's map has among its names, and what would become of connections if it were taken for one.
const MISPLACED: [(&str, &str); 3] = [
    ("default", "unknown names would be refused"),
    ("no_sni", "clients that send no name would go to `default`"),
    ("not_tls", "what is not TLS would be closed"),
];

/// What nginx's map has among its names and nobody needs here.
const NEEDLESS: [(&str, &str); 2] = [
    ("hostnames", "it makes wildcards work, which always do here"),
    ("volatile", "it forbids to cache the answer, which nobody does here"),
];
