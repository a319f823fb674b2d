//! Whence settings are: of the tables that might say something of a key, the nearest that does.

use super::explanation::{Level, Origin, Setting};
use crate::config::{Key, Place, Places, path_to};

/// Where everything is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origins<'p> {
    pub(super) places: &'p Places,
}

/// A table that may say something of a key.
#[derive(Clone, Debug)]
pub(super) struct Table {
    path: Vec<Key>,
    level: Level,
    name: Option<String>,
}

/// The tables that a thing's keys stand in, the nearest first.
pub(super) struct Tables<'t> {
    places: &'t Places,
    tables: &'t [Table],
}

impl<'p> Origins<'p> {
    pub(super) fn of<'t>(&self, tables: &'t [Table]) -> Tables<'t>
    where
        'p: 't,
    {
        Tables { places: self.places, tables }
    }
}

impl Tables<'_> {
    /// Whence a key is.
    pub(super) fn origin(&self, key: &'static str) -> Origin {
        self.written(key).unwrap_or(Origin { level: Level::BuiltIn, table: None, at: None })
    }

    /// A setting that is told wherever it is from.
    pub(super) fn always(&self, key: &'static str, value: impl Into<String>) -> Setting {
        Setting { key: key.into(), value: value.into(), origin: self.origin(key) }
    }

    /// A setting that is told if somebody wrote it.
    pub(super) fn if_written(&self, key: &'static str, value: impl FnOnce() -> String) -> Option<Setting> {
        self.written(key).map(|origin| Setting { key: key.into(), value: value(), origin })
    }

    fn written(&self, key: &'static str) -> Option<Origin> {
        self.tables.iter().find_map(|table| table.written(key, self.places))
    }
}

impl Table {
    pub(super) fn target(path: &[Key]) -> Self {
        Self { path: path.to_vec(), level: Level::Target, name: None }
    }

    pub(super) fn listener(name: &str) -> Self {
        Self::of(&path_to!["listener", name], Level::Listener)
    }

    pub(super) fn defaults() -> Self {
        Self::of(&path_to!["defaults"], Level::Defaults)
    }

    pub(super) fn upstream(name: &str) -> Self {
        Self::of(&path_to!["upstream", name], Level::Upstream)
    }

    pub(super) fn upstream_defaults() -> Self {
        Self::of(&path_to!["defaults", "upstream"], Level::Defaults)
    }

    pub(super) fn terminate(name: &str) -> Self {
        Self::of(&path_to!["terminate", name], Level::Terminate)
    }

    pub(super) fn terminate_defaults() -> Self {
        Self::of(&path_to!["defaults", "terminate"], Level::Defaults)
    }

    pub(super) fn resolver() -> Self {
        Self::of(&path_to!["resolver"], Level::Defaults)
    }

    /// A table in this one.
    pub(super) fn below(&self, key: &str) -> Self {
        Self::of(&[&self.path[..], &path_to![key]].concat(), self.level)
    }

    fn of(path: &[Key], level: Level) -> Self {
        let keys: Vec<_> = path.iter().map(Key::to_string).collect();
        Self { path: path.to_vec(), level, name: Some(format!("[{}]", keys.join("."))) }
    }

    fn written(&self, key: &str, places: &Places) -> Option<Origin> {
        let place = places.written(&[&self.path[..], &path_to![key]].concat())?;
        let level = match place {
            Place::Environment(_) => Level::Environment,
            Place::Set(_) => Level::Set,
            Place::File { .. } | Place::Whole => self.level,
        };
        Some(Origin { level, table: self.name.clone(), at: Some(place.to_string()) })
    }
}
