//! Reads plain values into types. What does not fit is noted with its place and left out, and reading goes on, so one
//! pass finds every error. serde would stop at the first.

use figment::value::{Dict, Value};

use super::diagnostic::{Diagnostic, Diagnostics, Place};
use super::misfiled::{Misfiled, misfiled};
use super::places::{Key, Places};
use super::spot::Origin;
use super::words::{Advice, Kind, in_defaults};
use crate::units::UnitError;

/// A type that is read from a value.
pub(super) trait Read: Sized {
    /// The value as this type, or `None` when what is wrong has been noted.
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Knows where reading is, and notes what is wrong there.
pub(super) struct Reader<'a> {
    places: &'a mut Places,
    diagnostics: &'a mut Diagnostics,
    path: Vec<Key>,
}

/// A table being read; what is read is taken out.
pub(super) struct Table {
    kind: &'static Kind,
    entries: Dict,
}

impl Table {
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(places: &'a mut Places, diagnostics: &'a mut Diagnostics) -> Self {
        Self { places, diagnostics, path: Vec::new() }
    }

    /// The value as a table of this kind; keys it does not have are noted.
    pub(super) fn table(&mut self, value: Value, kind: &'static Kind) -> Option<Table> {
        let Value::Dict(_, mut entries) = value else {
            self.unfit(&value, "a table");
            return None;
        };
        let strays: Vec<_> = entries.keys().filter(|key| !kind.has(key)).cloned().collect();
        for stray in strays {
            let value = entries.remove(&stray);
            self.stray(&stray, value.is_some_and(|value| holds_tables(&value)), kind);
        }
        Some(Table { kind, entries })
    }

    /// An entry of a table, if it is there and fits.
    pub(super) fn take<T: Read>(&mut self, table: &mut Table, key: &'static str) -> Option<T> {
        self.take_with(table, key, T::read)
    }

    /// An entry of a table, if it is there and `read` accepts it.
    pub(super) fn take_with<T>(
        &mut self,
        table: &mut Table,
        key: &'static str,
        read: impl FnOnce(Value, &mut Self) -> Option<T>,
    ) -> Option<T> {
        debug_assert!(table.kind.has(key), "{key} is not among the keys of {}", table.kind.name);
        let value = table.entries.remove(key)?;
        self.at(key, value, read)
    }

    /// An entry that must be there.
    pub(super) fn require<T: Read>(&mut self, table: &mut Table, key: &'static str, example: &str) -> Option<T> {
        if !table.has(key) && !self.was_cut(key) {
            self.wrong(format!("{} needs `{key}`", table.kind.name)).help(format!("{key} = {example}"));
            self.cut(key);
        }
        self.take(table, key)
    }

    /// The only one of these keys that a table has; none or several are an error.
    pub(super) fn only_one<const N: usize>(&mut self, table: &Table, keys: [&'static str; N]) -> Option<&'static str> {
        let written: Vec<_> = keys.into_iter().filter(|key| table.has(key)).collect();
        let choice = || keys.map(|key| format!("`{key}`")).join(", ");
        match written[..] {
            [one] => return Some(one),
            [] if keys.iter().any(|key| self.was_cut(key)) => {}
            [] => {
                self.wrong(format!("{} needs one of {}", table.kind.name, choice())).help(format!("{} = \"NAME\"", keys[0]));
            }
            [first, ref others @ ..] => {
                let place = self.entry(first, Places::written_key);
                for other in others {
                    self.wrong_entry(other, format!("{} has only one of {}", table.kind.name, choice()))
                        .label(format!("`{first}` is there already ({place})"));
                }
            }
        }
        None
    }

    /// The value at a step further; what can't be read is left out.
    pub(super) fn at<V, T>(&mut self, key: impl Into<Key>, value: V, read: impl FnOnce(V, &mut Self) -> Option<T>) -> Option<T> {
        self.path.push(key.into());
        let value = read(value, self);
        if value.is_none() {
            self.places.cut(&self.path);
        }
        self.path.pop();
        value
    }

    /// Leaves out what stands, or would stand, elsewhere.
    pub(super) fn cut_path(&mut self, path: &[Key]) {
        self.places.cut(path);
    }

    /// Leaves out an entry of the table being read.
    pub(super) fn cut(&mut self, key: &str) {
        self.path.push(key.into());
        self.places.cut(&self.path);
        self.path.pop();
    }

    /// Whether what is missing of an entry was left out for its own error, or may stand in a file that could not be read.
    pub(super) fn was_cut(&mut self, key: &str) -> bool {
        let is_shared_by_files = self.path.len() <= 2;
        (is_shared_by_files && self.places.is_partial()) || self.entry(key, Places::is_cut)
    }

    /// Whether the value being read, or a part of it, was left out for its own error.
    pub(super) fn was_cut_within(&self) -> bool {
        self.places.is_cut(&self.path)
    }

    /// What the places say of an entry of the table being read.
    pub(super) fn entry<T>(&mut self, key: &str, ask: impl FnOnce(&Places, &[Key]) -> T) -> T {
        self.path.push(key.into());
        let answer = ask(self.places, &self.path);
        self.path.pop();
        answer
    }

    /// What a parser of texts made of the value, or its complaint noted.
    pub(super) fn fits<T>(&mut self, read: Result<T, UnitError>) -> Option<T> {
        read.map_err(|error| self.wrong(error.problem).label(error.instead)).ok()
    }

    /// Notes what is wrong with the value being read.
    pub(super) fn wrong(&mut self, problem: impl AsRef<str>) -> &mut Diagnostic {
        let place = self.places.written_value(&self.path);
        self.diagnostics.error(place, problem)
    }

    /// Notes what is wrong with an entry of the table being read, and counts it as left out.
    pub(super) fn wrong_entry(&mut self, key: &str, problem: impl AsRef<str>) -> &mut Diagnostic {
        self.cut(key);
        let place = self.entry(key, Places::written_key);
        self.diagnostics.error(place, problem)
    }

    /// Notes that a value is not what belongs here.
    pub(super) fn unfit(&mut self, value: &Value, wanted: &str) -> &mut Diagnostic {
        self.wrong(format!("{wanted} belongs here, not {}", sort_of(value)))
    }

    /// The name of what is being read.
    pub(super) fn name(&self) -> &str {
        match self.path.last() {
            Some(Key::Name(name)) => name,
            _ => "",
        }
    }

    pub(super) fn path(&self) -> &[Key] {
        &self.path
    }

    pub(super) fn places(&self) -> &Places {
        self.places
    }

    /// Notes an error at a place of the caller's own finding.
    pub(super) fn error(&mut self, place: Place, problem: impl AsRef<str>) -> &mut Diagnostic {
        self.diagnostics.error(place, problem)
    }

    /// Notes a header with a quote too many or too few around the dots of a name; whether it was that.
    fn dotted(&mut self, stray: &str, kind: &'static Kind) -> bool {
        let (section, name, joined) = match (&self.path[..], stray.split_once('.')) {
            ([], Some((section, name))) if kind.has(section) => (section.to_owned(), name.to_owned(), name.to_owned()),
            ([Key::Name(section), Key::Name(name)], _)
                if NAMED.contains(&&section[..]) && matches!(kind.advice(stray), Advice::Unknown) =>
            {
                (section.to_string(), format!("{name}.{stray}"), format!("{name}{stray}"))
            }
            _ => return false,
        };
        let at_the_top = self.path.is_empty();
        // Nobody who names it misses it.
        for name in [&name, &joined] {
            self.cut_path(&[Key::from(&section[..]), Key::from(&name[..])]);
        }
        if at_the_top {
            self.wrong_entry(stray, format!("the quotes make one name of {stray:?}")).label(format!("[{stray}]"));
        } else {
            self.cut("servers");
            let problem = format!("unknown key `{stray}`: a dot parts the names of tables");
            self.wrong_entry(stray, problem).label(format!("[{section}.{name:?}] has a dot in its name"));
        }
        true
    }

    fn stray(&mut self, stray: &str, is_section: bool, kind: &'static Kind) {
        if let Some(Misfiled { place, problem, instead }) = misfiled(self.places, &self.path, stray) {
            self.cut(stray);
            self.error(place, problem).label(instead);
            return;
        }
        let at_the_top = self.path.is_empty();
        if is_section && self.dotted(stray, kind) {
            return;
        }
        let problem = if at_the_top && is_section { format!("unknown section [{stray}]") } else { format!("unknown key `{stray}`") };
        let written = match self.entry(stray, Places::written_value) {
            Place::File { source, span } => source.text()[span].to_owned(),
            _ => "...".to_owned(),
        };
        let advice = in_defaults(kind, stray, &written).map_or_else(|| kind.advice(stray), Advice::Elsewhere);
        if let Advice::Meant(near) = advice {
            // What it stands for is not missing.
            self.cut(near);
        }
        let wrong = self.wrong_entry(stray, problem);
        match advice {
            Advice::Meant(near) if at_the_top && is_section => wrong.label(format!("did you mean [{near}]?")),
            Advice::Meant(near) => wrong.label(format!("did you mean `{near}`?")),
            Advice::Elsewhere(text) => wrong.label(text),
            Advice::Unknown if at_the_top && is_section => wrong
                .label("there is no such section")
                .help(kind.known().map(|section| format!("[{section}]")).collect::<Vec<_>>().join(", ")),
            Advice::Unknown => wrong.label(format!("not a key of {}", kind.name)).help(kind.known().collect::<Vec<_>>().join(", ")),
        };
    }

    /// What was written, where the environment or the command line gave it, all of it: they know no types.
    pub(super) fn given(&self) -> Option<String> {
        match self.places.find(&self.path)? {
            (Origin::Given { text, .. }, spot) => Some(text[spot.value.clone()].to_owned()),
            (Origin::Files(files), spot) => files.filled(spot).map(|filled| filled.text.clone()),
        }
    }
}

fn holds_tables(value: &Value) -> bool {
    match value {
        Value::Dict(..) => true,
        Value::Array(_, elements) => elements.iter().any(|element| matches!(element, Value::Dict(..))),
        _ => false,
    }
}

fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        // TOML has no empty values: dates are carried as such.
        Value::Empty(..) => "a date",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// Sections whose tables have names of the user's choosing.
const NAMED: [&str; 5] = ["upstream", "listener", "terminate", "limit", "map"];
