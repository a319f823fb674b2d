//! `[map.NAME]`: variables of the user's own. Maps may be made of maps, so each is compiled after those that it names.

mod rows;
mod shares;

use std::collections::HashMap;
use std::sync::Arc;

use super::Compiler;
use crate::config::{self, Config, Key, path_to};
use crate::template::{Name, Template};
use crate::variables::{Map, MapTable, MapValue, Variable};

/// The values of a map so far: of many rows most have one of a few.
type Values<'m> = HashMap<&'m str, Arc<MapValue>>;

impl Compiler {
    /// Makes variables of all maps. One of which something is wrong is known as well, so that nobody complains of its name.
    pub(super) fn compile_maps(&mut self, config: &Config) {
        for name in config.map.keys() {
            self.compile_map(name, config, &mut Vec::new());
        }
    }

    /// Compiles a map and, before that, those that it names. `way` are those that have led here.
    fn compile_map<'c>(&mut self, name: &'c str, config: &'c Config, way: &mut Vec<&'c str>) {
        let Some(written) = config.map.get(name).filter(|_| !self.maps.contains_key(name)) else { return };
        way.push(name);
        for (path, text) in texts(name, written, has_variables) {
            for used in names(text) {
                let Some((inner, _)) = config.map.get_key_value(&*used.name) else { continue };
                if let Some(start) = way.iter().position(|before| before == inner) {
                    self.made_of_itself(&path, &used, &way[start..]);
                } else if way.len() < DEEPEST {
                    self.compile_map(inner, config, way);
                } else {
                    self.too_deep(&path, &used);
                    self.maps.insert(inner.clone(), None);
                }
            }
        }
        way.pop();
        // One that is made of itself is lost.
        if !self.maps.contains_key(name) {
            let map = self.map(name, written);
            self.maps.insert(name.into(), map.map(Arc::new));
        }
    }

    fn map(&mut self, name: &str, written: &config::Map) -> Option<Map> {
        let is_named = self.check_map_name(name);
        let mut values = Values::new();
        let of = self.text(&path_to!["map", name, "of"], &written.of, None);
        if of.as_ref().is_some_and(|of| of.variables().next().is_none()) {
            self.warn_of_constant(name, &written.of);
        }
        let table = match written.shares.is_empty() {
            true => self.map_rows(name, written, &mut values).map(|rows| MapTable::Rows(rows.into())),
            false => self.map_shares(name, written, &mut values).map(MapTable::Shares),
        };
        let default = written.default.as_deref().map(|text| self.value(&mut values, text, || path_to!["map", name, "default"].into()));
        let map = Map::new(name, of?, table?, default.flatten());
        if map.depth() > DEEPEST {
            let place = self.places.key(&path_to!["map", name]);
            self.wrong_at(place, format!("more than {DEEPEST} maps stand on each other here"))
                .label("a map over several variables can stand for some");
            return None;
        }
        is_named.then_some(map)
    }

    fn warn_of_constant(&mut self, name: &str, of: &str) {
        let meant = self.variable_meant(of).unwrap_or("remote_addr".into());
        let place = self.places.value(&path_to!["map", name, "of"]);
        let problem = format!("no variable is in {of:?}, so ${name} is looked up by the same text in every session");
        self.diagnostics.warning("constant-map", place, problem).help(format!("of = \"${meant}\""));
    }

    /// The value of a row; `path` leads to it.
    fn value<'m>(&mut self, values: &mut Values<'m>, written: &'m str, path: impl Fn() -> Vec<Key>) -> Option<Arc<MapValue>> {
        if let Some(known) = values.get(written) {
            return Some(known.clone());
        }
        let value = match written.contains('$') {
            true => self.map_value(&path(), written, None)?,
            false => MapValue::from(written),
        };
        Some(values.entry(written).or_insert(Arc::new(value)).clone())
    }

    fn check_map_name(&mut self, name: &str) -> bool {
        let path = path_to!["map", name];
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_word || name.starts_with(|first: char| first.is_ascii_digit()) {
            let instead: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let instead = instead.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
            let error = self.wrong_key(&path, format!("{name:?} cannot be a variable: a name has letters, digits and _, no digit first"));
            if !instead.is_empty() {
                error.label(format!("[map.{instead}] would be ${instead}"));
            }
            return false;
        }
        if Variable::named(name).is_some() {
            self.wrong_key(&path, format!("${name} is a variable already")).label("a map needs a name of its own");
            return false;
        }
        true
    }

    fn made_of_itself(&mut self, path: &[Key], used: &Name, circle: &[&str]) {
        let all: Vec<_> = circle.iter().map(|name| format!("${name}")).collect();
        let problem = match &all[..] {
            [one] => format!("{one} is made of itself"),
            [first, ..] => format!("{first} is made of itself: {}, {first}", all.join(", ")),
            [] => return,
        };
        self.wrong_inside(path, used.start..used.end, problem).label("a map can be made of any variable but those that are made of it");
        self.maps.extend(circle.iter().map(|name| ((*name).to_owned(), None)));
    }

    fn too_deep(&mut self, path: &[Key], used: &Name) {
        let problem = format!("more than {DEEPEST} maps stand on each other here");
        self.wrong_inside(path, used.start..used.end, problem).label("a map over several variables can stand for some");
    }
}

/// The texts of a map that are wanted, with their paths: there may be many thousands.
pub(super) fn texts<'m>(name: &'m str, map: &'m config::Map, wanted: fn(&str) -> bool) -> impl Iterator<Item = (Vec<Key>, &'m str)> {
    let at = move |rest: &[Key]| [&path_to!["map", name], rest].concat();
    let single = [("of", Some(&map.of)), ("default", map.default.as_ref())];
    let single = single.into_iter().filter_map(move |(key, text)| Some((at(&path_to![key]), text?.as_str())));
    let rows = [("values", &map.values), ("hosts", &map.hosts), ("ranges", &map.ranges)];
    let rows = rows.into_iter().flat_map(move |(key, rows)| {
        rows.iter().filter(move |(_, text)| wanted(text)).map(move |(row, text)| (at(&path_to![key, row]), text.as_str()))
    });
    let patterns = map.patterns.iter().map(|pattern| &pattern.value).enumerate();
    let patterns = patterns.map(move |(index, text)| (at(&path_to!["patterns", index, "value"]), text.as_str()));
    let shares = map.shares.iter().map(|share| &share.value).enumerate();
    let shares = shares.map(move |(index, text)| (at(&path_to!["shares", index, "value"]), text.as_str()));
    single.chain(rows).chain(patterns).chain(shares).filter(move |(_, text)| wanted(text))
}

fn has_variables(text: &str) -> bool {
    text.contains('$')
}

/// The variables that a text names; what is wrong with it is told when it is linked.
fn names(text: &str) -> Vec<Name> {
    Template::parse(text).map(|template| template.variables().cloned().collect()).unwrap_or_default()
}

/// How many maps may stand on each other. Each asks the next one, and a text may grow with each.
const DEEPEST: usize = 16;
