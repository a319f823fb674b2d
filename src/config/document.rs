//! One TOML document as plain values, with the place of each.

use std::ops::Range;
use std::sync::Arc;

use figment::value::{Dict, Empty, Num, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostics;
use super::source::Source;
use super::spot::{Below, FileNumber, Spot, Spots};
use super::syntax;

/// What one file has.
pub(super) struct Document {
    pub(super) values: Dict,
    pub(super) spots: Spots,
}

impl Document {
    /// Reads a file's text.
    ///
    /// # Errors
    /// All its syntax errors; what TOML makes of the rest is full of errors that follow from them.
    pub(super) fn read(source: &Arc<Source>, file: FileNumber) -> Result<Self, Diagnostics> {
        let (document, errors) = DeTable::parse_recoverable(source.text());
        if !errors.is_empty() {
            return Err(syntax::errors(source, errors));
        }
        let (values, spots) = table(document.get_ref(), file);
        Ok(Self { values, spots })
    }

    /// Leaves out an entry.
    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        let value = self.values.remove(key)?;
        self.spots.retain(|known| known != key);
        Some(value)
    }
}

/// The values of a table, and where they stand.
pub(super) fn table(entries: &DeTable<'_>, file: FileNumber) -> (Dict, Spots) {
    let both = entries.iter().map(|(key, entry)| {
        let (value, spot) = value(entry, key.span(), file);
        ((key.get_ref().to_string(), value), (key.get_ref().as_ref().into(), spot))
    });
    // Lists first: they come in order, and a tree of what is in order is made at once.
    let (values, spots): (Vec<_>, Vec<_>) = both.unzip();
    (values.into_iter().collect(), spots.into_iter().collect())
}

/// A number, or true or false, as a file would have it without quotes.
pub(super) fn plain(text: &str) -> Option<Value> {
    let parsed = DeValue::parse(text.trim()).ok()?;
    let is_plain = matches!(parsed.get_ref(), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_));
    is_plain.then(|| value(&parsed, 0..0, FileNumber::default()).0)
}

fn value(entry: &Spanned<DeValue<'_>>, key: Range<usize>, file: FileNumber) -> (Value, Spot) {
    let (value, below) = match entry.get_ref() {
        DeValue::String(text) => (Value::from(text.as_ref()), Below::Nothing),
        DeValue::Integer(number) => {
            // A number that no integer holds is beyond every range, whatever its digits.
            let digits = i128::from_str_radix(number.as_str(), number.radix());
            (Value::from(Num::I128(digits.unwrap_or(i128::MAX))), Below::Nothing)
        }
        DeValue::Float(number) => (Value::from(number.as_str().parse().unwrap_or(f64::NAN)), Below::Nothing),
        DeValue::Boolean(yes) => (Value::from(*yes), Below::Nothing),
        DeValue::Datetime(_) => (Value::from(Empty::Unit), Below::Nothing),
        DeValue::Array(elements) => {
            let read = elements.iter().map(|element| self::value(element, element.span(), file));
            let (values, spots) = read.unzip::<_, _, Vec<_>, Vec<_>>();
            (Value::from(values), Below::Listed(spots))
        }
        DeValue::Table(entries) => {
            let (values, spots) = table(entries, file);
            (Value::from(values), Below::Named(spots))
        }
    };
    (value, Spot { key, value: entry.span(), file, below })
}
