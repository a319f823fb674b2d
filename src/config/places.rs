//! Where each value of a configuration was written, and what of it was left out because of its own error.
//! Values are plain; a path such as `path_to!["upstream", "web", "servers", 0]` leads from one to its place.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::Place;
use super::source::Source;
use super::spot::{Below, Origin, Spot, Step, walk};

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Into a table.
    Name(String),
    /// Into a list.
    Index(usize),
}

/// As a TOML key, in quotes where it needs them.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) => {
                f.write_str(name)
            }
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Index(index) => index.fmt(f),
        }
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<&String> for Key {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}

impl From<usize> for Key {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The path to a value: `path_to!["routes", name, "hosts", host, 0, "upstream"]`.
///
/// What may be written as one value or as a list, or as a text or a table, has the path of its longest form: the one
/// above leads to the right text whether the host has a list of tables, one table or only an upstream's name.
#[macro_export]
macro_rules! path_to {
    ($($key:expr),* $(,)?) => { [$($crate::config::Key::from($key)),*] };
}

/// The places of all values, in every layer.
#[derive(Debug, Default)]
pub struct Places {
    layers: Vec<(Origin, Spot)>,
    cuts: BTreeSet<Vec<Key>>,
    is_partial: bool,
}

impl Places {
    pub(super) fn new(layers: Vec<(Origin, Spot)>) -> Self {
        Self { layers, ..Self::default() }
    }

    /// Notes that a file could not be read: what is missing may stand there.
    pub(super) fn set_partial(&mut self) {
        self.is_partial = true;
    }

    /// Whether a file could not be read.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Where a value's key stands; of what is missing, the key of the table it is missing from.
    #[must_use]
    pub fn key(&self, path: &[Key]) -> Place {
        self.place(&self.as_written(path), |spot| if spot.key.is_empty() { spot.value.clone() } else { spot.key.clone() })
    }

    /// Where a value stands: of a table with a header, the header; of what is missing, the table it is missing from.
    #[must_use]
    pub fn value(&self, path: &[Key]) -> Place {
        self.place(&self.as_written(path), |spot| spot.value.clone())
    }

    /// The files that were read.
    pub fn sources(&self) -> impl Iterator<Item = Arc<Source>> {
        let files = self.layers.iter().filter_map(|(origin, _)| match origin {
            Origin::Files(files) => Some(files.sources().iter().cloned()),
            Origin::Given { .. } => None,
        });
        files.flatten()
    }

    /// Where a key stands, if it is written at all.
    #[must_use]
    pub fn written(&self, path: &[Key]) -> Option<Place> {
        let written = self.as_written(path);
        let (key, table) = written.split_last()?;
        let has_it = |root| {
            let (depth, spot) = walk(root, table);
            depth == table.len() && matches!(spot.step(key), Step::Into(_))
        };
        self.layers.iter().any(|(_, root)| has_it(root)).then(|| self.key(path))
    }

    /// Where some bytes of a text stand; the whole text if it was written with escapes.
    #[must_use]
    pub fn inside(&self, path: &[Key], bytes: Range<usize>) -> Place {
        match self.find(&self.as_written(path)) {
            Some((Origin::Files(files), spot)) if !spot.value.is_empty() => {
                let bytes = files.filled(spot).map_or(bytes.clone(), |filled| filled.written(bytes));
                files.place(spot, files.source(spot).inside(spot.value.clone(), bytes))
            }
            _ => self.value(path),
        }
    }

    /// A path of a file that is written here: in a file it is relative to that file's folder, from elsewhere to the
    /// working folder.
    #[must_use]
    pub fn file(&self, path: &[Key], written: impl AsRef<Path>) -> PathBuf {
        match self.find(&self.as_written(path)) {
            Some((Origin::Files(files), spot)) => files.source(spot).folder().join(written),
            Some((Origin::Given { .. }, _)) | None => written.as_ref().into(),
        }
    }

    /// Whether this stands in a file that may not define everything, as a team's own.
    #[must_use]
    pub fn is_delegated(&self, path: &[Key]) -> bool {
        let found = self.find(&self.as_written(path));
        found.is_some_and(|(origin, spot)| matches!(origin, Origin::Files(files) if files.is_delegated(spot.file)))
    }

    /// The files of which that is so.
    pub fn delegated_sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        let files = self.layers.iter().filter_map(|(origin, _)| match origin {
            Origin::Files(files) => Some(files.delegated_sources()),
            Origin::Given { .. } => None,
        });
        files.flatten()
    }

    /// Whether something at this path, above or below it was left out because of an error that has been noted, so
    /// that what is missing now needs no second complaint.
    #[must_use]
    pub fn was_cut(&self, path: &[Key]) -> bool {
        self.is_partial || self.is_cut(&self.as_written(path))
    }

    /// The same of a path as it stands in the text.
    pub(super) fn is_cut(&self, path: &[Key]) -> bool {
        let above = (1..=path.len()).any(|length| self.cuts.contains(&path[..length]));
        above || self.cuts.range(path.to_vec()..).next().is_some_and(|cut| cut.starts_with(path))
    }

    /// Leaves out what stands at this path of the text.
    pub(super) fn cut(&mut self, path: &[Key]) {
        self.cuts.insert(path.to_vec());
    }

    /// The place of a path as it stands in the text, cuts not counted.
    pub(super) fn written_value(&self, path: &[Key]) -> Place {
        self.place(path, |spot| spot.value.clone())
    }

    /// The place of a key as it stands in the text, cuts not counted.
    pub(super) fn written_key(&self, path: &[Key]) -> Place {
        self.place(path, |spot| spot.key.clone())
    }

    /// The layer that decides a value, and its spot there.
    pub(super) fn find(&self, path: &[Key]) -> Option<(&Origin, &Spot)> {
        let mut best: Option<(usize, bool, &Origin, &Spot)> = None;
        for (origin, root) in &self.layers {
            let (depth, spot) = walk(root, path);
            let decides = depth == path.len() && !matches!(spot.below, Below::Named(_));
            // Later layers decide single values; a table is best known by where it was first written.
            if best.is_none_or(|(deepest, _, _, _)| depth > deepest || (depth == deepest && decides)) {
                best = Some((depth, decides, origin, spot));
            }
        }
        best.map(|(_, _, origin, spot)| (origin, spot))
    }

    fn place(&self, path: &[Key], span: impl FnOnce(&Spot) -> Range<usize>) -> Place {
        match self.find(path) {
            None => Place::Whole,
            Some((Origin::Given { by, .. }, _)) => by.clone(),
            Some((Origin::Files(_), spot)) if spot.value.is_empty() && spot.key.is_empty() => Place::Whole,
            Some((Origin::Files(files), spot)) => files.place(spot, span(spot)),
        }
    }

    /// A list's elements are counted in the configuration without those that were cut from it.
    fn as_written(&self, path: &[Key]) -> Vec<Key> {
        let mut written: Vec<Key> = Vec::with_capacity(path.len());
        for key in path {
            let mut key = key.clone();
            if let Key::Index(index) = &mut key {
                let elements = self.cuts.range(written.clone()..).take_while(|cut| cut.starts_with(&written));
                for cut in elements.filter(|cut| cut.len() == written.len() + 1) {
                    if matches!(cut.last(), Some(Key::Index(before)) if before <= index) {
                        *index += 1;
                    }
                }
            }
            written.push(key);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, parse};

    const TEXT: &str = r#"[routes.dmz]
default = "web"
[routes.dmz.hosts]
"a.example" = "w${b}"
"b.example" = { upstream = "web" }
"c.example" = [{ from = ["x"], upstream = 'web' }, "api"]
"d.example" = "esc\u0061ped"
[upstream.web]
servers = [1, "10.0.0.1:443", { address = "10.0.0.2:443", wieght = 1 }, 2, "10.0.0.3:443"]
"#;

    fn loaded() -> Loaded {
        let sets = ["routes.dmz.hosts.\"e.example\"=web".to_owned(), "routes.dmz.default=api".to_owned()];
        parse("a.toml", TEXT, &sets, []).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
    }

    fn text(place: &super::Place) -> &str {
        match place {
            super::Place::File { source, span } => &source.text()[span.clone()],
            super::Place::Set(item) => item,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn one_path_leads_to_a_target_in_all_its_forms() {
        let places = loaded().places;
        let upstream = |host: &str, target: usize| {
            let place = places.value(&path_to!["routes", "dmz", "hosts", host, target, "upstream"]);
            text(&place).to_owned()
        };
        assert_eq!(upstream("a.example", 0), "\"w${b}\"");
        assert_eq!(upstream("b.example", 0), "\"web\"");
        assert_eq!(upstream("c.example", 0), "'web'");
        assert_eq!(upstream("c.example", 1), "\"api\"");
        assert_eq!(upstream("e.example", 0), "routes.dmz.hosts.\"e.example\"=web");
    }

    #[test]
    fn the_last_layer_decides_a_value_but_a_table_is_where_it_was_first() {
        let places = loaded().places;
        assert_eq!(text(&places.value(&path_to!["routes", "dmz", "default"])), "routes.dmz.default=api");
        assert_eq!(text(&places.value(&path_to!["routes", "dmz"])), "[routes.dmz]");
        assert_eq!(text(&places.key(&path_to!["routes", "dmz", "hosts", "a.example"])), "\"a.example\"");
    }

    #[test]
    fn what_is_missing_is_missing_from_its_table() {
        let places = loaded().places;
        assert_eq!(text(&places.value(&path_to!["upstream", "web", "balance"])), "[upstream.web]");
        assert_eq!(places.value(&path_to!["listener", "x", "listen"]), super::Place::Whole);
    }

    #[test]
    fn only_what_is_written_is_written_somewhere() {
        let places = loaded().places;
        let written = |path: &[super::Key]| places.written(path).map(|place| text(&place).to_owned());
        assert_eq!(written(&path_to!["routes", "dmz", "hosts", "b.example", 0, "upstream"]).as_deref(), Some("upstream"));
        assert_eq!(written(&path_to!["routes", "dmz", "hosts", "a.example", 0, "idle_timeout"]), None);
        assert_eq!(written(&path_to!["upstream", "web", "balance"]), None);
        assert_eq!(written(&path_to!["listener", "x", "listen"]), None);
    }

    #[test]
    fn bytes_inside_a_text_are_found_where_it_stands_as_it_is() {
        let places = loaded().places;
        let inside = |host: &str, bytes| text(&places.inside(&path_to!["routes", "dmz", "hosts", host, 0, "upstream"], bytes)).to_owned();
        assert_eq!(inside("a.example", 1..5), "${b}");
        assert_eq!(inside("c.example", 1..3), "eb");
        assert_eq!(inside("d.example", 0..3), "\"esc\\u0061ped\"", "escapes shift the bytes");
        assert_eq!(inside("a.example", 3..50), "\"w${b}\"");
        assert_eq!(inside("e.example", 0..1), "routes.dmz.hosts.\"e.example\"=web");
    }

    #[test]
    fn elements_are_counted_without_those_that_were_cut() {
        let loaded = loaded();
        let servers = &loaded.config.upstream["web"].servers;
        assert_eq!(servers.len(), 3);
        for (index, server) in servers.iter().enumerate() {
            let place = loaded.places.value(&path_to!["upstream", "web", "servers", index, "address"]);
            assert_eq!(text(&place), format!("\"{}\"", server.address));
        }
    }

    #[test]
    fn a_cut_is_known_from_above_and_from_below() {
        let places = loaded().places;
        let was_cut = |path: &[super::Key]| places.was_cut(path);
        assert!(was_cut(&path_to!["upstream"]));
        assert!(was_cut(&path_to!["upstream", "web", "servers"]));
        assert!(!was_cut(&path_to!["upstream", "web", "servers", 0, "weight"]), "the first that is left");
        assert!(!was_cut(&path_to!["upstream", "web", "balance"]));
        assert!(!was_cut(&path_to!["upstream", "api"]));
        assert!(!was_cut(&path_to!["routes"]));
    }
}
