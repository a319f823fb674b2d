//! How the simple values are read: texts, switches, numbers, durations, sizes, words, lists, and things by name.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::{Dict, Value};

use super::places::Key;
use super::read::{Read, Reader};
use super::words::{EVERYWHERE, suggest};
use crate::units;

impl Read for String {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::String(_, text) => Some(text),
            Value::Num(..) | Value::Bool(..) | Value::Empty(..) => reader.given().or_else(|| {
                let wrong = reader.unfit(&value, "a text");
                value.to_i128().map(|number| wrong.label(format!("\"{number}\"")));
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
        // Where it was put in, the quotes are right and the value is not.
        let is_put_in = reader.given().is_some();
        let meant = match value.as_str() {
            Some(_) if is_put_in => Some("the value that was put in is neither true nor false"),
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

/// Reads a duration that is not zero.
pub(super) fn lasting(value: Value, reader: &mut Reader<'_>) -> Option<Duration> {
    let duration = Duration::read(value, reader)?;
    if duration.is_zero() {
        let problem = format!("`{}` of 0 would cut each session at once", reader.name());
        reader.wrong(problem).label("leave it out, or write a long time, such as \"1d\"");
        return None;
    }
    Some(duration)
}

/// Reads a duration that is not zero, where zero would mean nothing.
pub(super) fn positive(value: Value, reader: &mut Reader<'_>) -> Option<Duration> {
    let duration = Duration::read(value, reader)?;
    if duration.is_zero() {
        let problem = format!("`{}` of 0 means nothing", reader.name());
        reader.wrong(problem).label("leave it out for what is built in");
        return None;
    }
    Some(duration)
}

/// Reads a whole number of this range.
pub(super) fn number<T: TryFrom<i128>>(range: RangeInclusive<i128>) -> impl FnOnce(Value, &mut Reader<'_>) -> Option<T> {
    number_or(range, None)
}

/// The same, with what to write where a number is out of it.
pub(super) fn number_or<T: TryFrom<i128>>(
    range: RangeInclusive<i128>,
    instead: impl Into<Option<&'static str>>,
) -> impl FnOnce(Value, &mut Reader<'_>) -> Option<T> {
    move |value, reader| {
        let Some(number) = value.to_i128() else {
            if value.to_f64().is_some_and(f64::is_finite) {
                reader.wrong("a whole number belongs here, not a fraction");
                return None;
            }
            let bare = value.as_str().and_then(|text| text.trim().parse::<i128>().ok());
            let is_put_in = value.as_str().is_some() && reader.given().is_some();
            let wrong = reader.unfit(&value, "a whole number");
            if is_put_in {
                wrong.label("the value that was put in is none");
                return None;
            }
            bare.map(|bare| wrong.label(format!("without quotes: {bare}")));
            return None;
        };
        let fits = range.contains(&number).then(|| T::try_from(number).ok()).flatten();
        if fits.is_none() {
            let wrong = reader.wrong(format!("a number from {} to {} belongs here", range.start(), range.end()));
            instead.into().map(|instead| wrong.label(instead));
        }
        fits
    }
}

/// A port where an address belongs, as a number or a text.
pub(super) fn bare_port(value: &Value) -> Option<u16> {
    let number = value.to_i128().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok()
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
    /// What it is, as an error says it: "a log format".
    const WHAT: &'static str;
    /// Each word with its value.
    const ALL: &'static [(&'static str, Self)];
}

impl<T: Word> Read for T {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let words = T::ALL.iter().map(|&(word, _)| word);
        let Some(text) = value.as_str() else {
            reader.unfit(&value, T::WHAT).label(one_of(words));
            return None;
        };
        let known = T::ALL.iter().find(|(word, _)| *word == text);
        if known.is_none() {
            unknown_word(text, T::WHAT, words, reader);
        }
        known.map(|&(_, value)| value)
    }
}

/// Notes a word that is none of the known ones.
pub(super) fn unknown_word(text: &str, what: &str, known: impl Iterator<Item = &'static str> + Clone, reader: &mut Reader<'_>) {
    let label = match suggest(text, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => one_of(known),
    };
    reader.wrong(format!("{text:?} is not {what}")).label(label);
}

fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let quoted: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
    if quoted.len() > 1 { format!("one of {}", quoted.join(", ")) } else { quoted.concat() }
}

/// Defines an enum whose values are words of the file.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $crate::config::values::Word for $name {
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
            Value::Dict(_, entries) => {
                let read = entries.into_iter().map(|(name, value)| (reader.at(name.as_str(), value, T::read), name));
                Some(read.filter_map(|(value, name)| Some((name, value?))).collect())
            }
            other => {
                reader.unfit(&other, "a table");
                None
            }
        }
    }
}

/// Reads a section whose tables have names of the user's choosing, such as `[listener.https]`.
pub(super) fn named<T: Read>(value: Value, reader: &mut Reader<'_>) -> Option<BTreeMap<String, T>> {
    let section = reader.name().to_owned();
    match value {
        Value::Dict(tag, mut entries) => {
            without_empty_name(&mut entries, reader);
            let strays: Vec<_> =
                entries.iter().filter(|(_, value)| !matches!(value, Value::Dict(..))).map(|(key, _)| key.clone()).collect();
            entries.retain(|_, value| matches!(value, Value::Dict(..)));
            let (keys, names): (Vec<_>, Vec<_>) = strays.into_iter().partition(|key| EVERYWHERE.iter().any(|kind| kind.has(key)));
            // A key right under [listener] means that the name was forgotten; it is said once.
            if let Some(key) = keys.first() {
                reader
                    .wrong_entry(key, format!("[{section}] needs a name of your choosing"))
                    .label(format!("belongs under [{section}.NAME]"));
            }
            for name in names {
                reader.wrong_entry(&name, format!("`{name}` is a table of its own")).label(format!("[{section}.{name}], its keys below"));
            }
            BTreeMap::read(Value::Dict(tag, entries), reader)
        }
        other if listed(&other, "name", reader) => None,
        other => {
            reader.unfit(&other, "a table").help(format!("[{section}.NAME]"));
            None
        }
    }
}

/// Tables in a list, each with its name inside, as other gateways have them; whether that was it.
pub(super) fn listed(value: &Value, name: &str, reader: &mut Reader<'_>) -> bool {
    let Value::Array(_, elements) = value else { return false };
    let is_table = |element: &Value| matches!(element, Value::Dict(..));
    if elements.is_empty() || !elements.iter().all(is_table) {
        return false;
    }
    let section = reader.path().iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    for (index, element) in elements.iter().enumerate() {
        let given = element.find_ref(name).and_then(Value::as_str).map_or_else(|| "NAME".into(), |name| Key::from(name).to_string());
        reader.at(index, (), |(), reader| {
            reader.wrong(format!("a table of [{section}] has its name in the header")).label(format!("[{section}.{given}]"));
            None::<()>
        });
    }
    true
}

/// Reads a section whose entries have names of the user's choosing and are no tables: `[networks]`.
pub(super) fn entries<T: Read>(value: Value, reader: &mut Reader<'_>) -> Option<BTreeMap<String, T>> {
    match value {
        Value::Dict(tag, mut entries) => {
            without_empty_name(&mut entries, reader);
            BTreeMap::read(Value::Dict(tag, entries), reader)
        }
        other => BTreeMap::read(other, reader),
    }
}

fn without_empty_name(entries: &mut Dict, reader: &mut Reader<'_>) {
    if entries.remove("").is_some() {
        let section = reader.name().to_owned();
        reader.wrong_entry("", format!("a name in [{section}] is empty")).label("it needs a name of your choosing");
    }
}
