//! Reads plain values into types. What does not fit is noted with its place and left out, and reading goes on, so one
//! pass finds every error. serde would stop at the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::{Dict, Value};

use super::diagnostic::{Diagnostic, Diagnostics, Place};
use super::places::{Key, Origin, Places};
use super::words::{Advice, Kind, suggest};
use crate::units::{self, UnitError};

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
                self.wrong(format!("{} needs one of {}", table.kind.name, choice()));
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
    pub(super) fn at<T>(&mut self, key: impl Into<Key>, value: Value, read: impl FnOnce(Value, &mut Self) -> Option<T>) -> Option<T> {
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

    /// Whether what is missing of an entry was left out for its own error.
    pub(super) fn was_cut(&mut self, key: &str) -> bool {
        self.entry(key, Places::was_cut)
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

    fn stray(&mut self, stray: &str, is_section: bool, kind: &'static Kind) {
        let at_the_top = self.path.is_empty();
        let problem = if at_the_top && is_section { format!("unknown section [{stray}]") } else { format!("unknown key `{stray}`") };
        let label = match kind.advice(stray) {
            Advice::Say(text) => text,
            Advice::Meant(near) => {
                // What it stands for is not missing.
                self.cut(near);
                if at_the_top && is_section { format!("did you mean [{near}]?") } else { format!("did you mean `{near}`?") }
            }
        };
        self.wrong_entry(stray, problem).label(label);
    }

    /// What was written, where the environment or the command line gave it: they know no types.
    fn given(&self) -> Option<String> {
        match self.places.find(&self.path)? {
            (Origin::Given { text, .. }, spot) => Some(text[spot.value.clone()].to_owned()),
            (Origin::File(_), _) => None,
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

impl Read for String {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::String(_, text) => Some(text),
            Value::Num(..) | Value::Bool(..) | Value::Empty(..) => reader.given().or_else(|| {
                let quoted = value.to_i128().map_or_else(|| "quotes belong around it".into(), |number| format!("\"{number}\""));
                reader.unfit(&value, "a text").label(quoted);
                None
            }),
            Value::Char(..) | Value::Dict(..) | Value::Array(..) => {
                reader.unfit(&value, "a text");
                None
            }
        }
    }
}

impl Read for bool {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let meant = match value.as_str() {
            Some("true" | "on" | "yes") => Some("without quotes: true"),
            Some("false" | "off" | "no") => Some("without quotes: false"),
            _ => None,
        };
        let yes = value.to_bool();
        if yes.is_none() {
            let wrong = reader.unfit(&value, "true or false");
            meant.map(|meant| wrong.label(meant));
        }
        yes
    }
}

impl Read for Duration {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match (&value, value.to_i128()) {
            (Value::String(_, text), _) => reader.fits(units::duration(text)),
            (_, Some(number @ 0..)) => reader.fits(Err(units::bare_duration(&number.to_string()))),
            _ => {
                reader.unfit(&value, "a duration").label("\"30s\"");
                None
            }
        }
    }
}

/// Reads a whole number of this range.
pub(super) fn number<T: TryFrom<i128>>(range: RangeInclusive<i128>) -> impl FnOnce(Value, &mut Reader<'_>) -> Option<T> {
    move |value, reader| {
        let Some(number) = value.to_i128() else {
            let bare = value.as_str().and_then(|text| text.trim().parse::<i128>().ok());
            let wrong = reader.unfit(&value, "a whole number");
            bare.map(|bare| wrong.label(format!("without quotes: {bare}")));
            return None;
        };
        let fits = range.contains(&number).then(|| T::try_from(number).ok()).flatten();
        if fits.is_none() {
            reader.wrong(format!("a number from {} to {} belongs here", range.start(), range.end()));
        }
        fits
    }
}

/// The most that a count may be.
pub(super) const MOST: i128 = 0xffff_ffff;

/// Reads a number of bytes.
pub(super) fn size(value: Value, reader: &mut Reader<'_>) -> Option<u64> {
    match value.as_str().map(units::size) {
        Some(read) => reader.fits(read),
        None => number(0..=i128::from(i64::MAX))(value, reader),
    }
}

/// A type whose values are a few words.
pub(super) trait Word: Copy + 'static {
    /// What it is, as an error says it: "log format".
    const WHAT: &'static str;
    /// Each word with its value.
    const ALL: &'static [(&'static str, Self)];
}

impl<T: Word> Read for T {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, reader)?;
        if let Some(&(_, known)) = T::ALL.iter().find(|(word, _)| *word == text) {
            return Some(known);
        }
        unknown_word(&text, T::WHAT, T::ALL.iter().map(|&(word, _)| word), reader);
        None
    }
}

/// Notes a word that is none of the known ones.
pub(super) fn unknown_word(text: &str, what: &str, known: impl Iterator<Item = &'static str> + Clone, reader: &mut Reader<'_>) {
    let label = match suggest(text, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("one of {}", known.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")),
    };
    reader.wrong(format!("unknown {what} {text:?}")).label(label);
}

/// Defines an enum whose values are words of the file.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $crate::config::read::Word for $name {
            const WHAT: &'static str = $what;
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }
    };
}
pub(super) use words;

/// A list; elements that do not fit are left out.
impl<T: Read> Read for Vec<T> {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::Array(_, elements) => {
                Some(elements.into_iter().enumerate().filter_map(|(index, element)| reader.at(index, element, T::read)).collect())
            }
            other => {
                let example = other.as_str().map(|text| format!("[{text:?}]"));
                let wrong = reader.unfit(&other, "a list");
                example.map(|example| wrong.label(example));
                None
            }
        }
    }
}

/// A list that may be written as its only element.
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::Array(..) => Vec::read(value, reader).map(Self),
            single => T::read(single, reader).map(|one| Self(vec![one])),
        }
    }
}

/// Things by name; those that do not fit are left out.
impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::Dict(_, entries) => Some(
                entries.into_iter().filter_map(|(name, value)| Some((name.clone(), reader.at(name.as_str(), value, T::read)?))).collect(),
            ),
            other => {
                reader.unfit(&other, "a table");
                None
            }
        }
    }
}

/// Reads a section whose tables have names of the user's choosing, such as `[listener.https]`.
pub(super) fn named<T: Read>(value: Value, reader: &mut Reader<'_>) -> Option<BTreeMap<String, T>> {
    let section = match reader.path() {
        [.., Key::Name(section)] => section.clone(),
        _ => String::new(),
    };
    match value {
        Value::Dict(tag, mut entries) => {
            // A key right under [listener] means that the name was forgotten; it is said once.
            if let Some(key) = entries.iter().find(|(_, value)| !matches!(value, Value::Dict(..))).map(|(key, _)| key.clone()) {
                reader
                    .wrong_entry(&key, format!("[{section}] needs a name of your choosing"))
                    .label(format!("belongs under [{section}.NAME]"));
                entries.retain(|_, value| matches!(value, Value::Dict(..)));
            }
            BTreeMap::read(Value::Dict(tag, entries), reader)
        }
        other => {
            reader.unfit(&other, "a table").help(format!("[{section}.NAME]"));
            None
        }
    }
}
