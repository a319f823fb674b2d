//! Variables of the user's own: `[map.NAME]` (nginx's `map`, `geo`, `split_clients`).

use std::collections::BTreeMap;

use figment::value::Value;
use serde::Serialize;

use super::read::{Read, Reader};
use super::values::entries;
use super::words as kinds;

/// `[map.NAME]`: defines `$NAME` from another text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// What is looked up, as a template.
    pub of: String,
    /// Values of whole texts, compared without regard to case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Values of host names: exact and with wildcards.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
    /// Values of address ranges and named networks; the longest that fits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<String, String>,
    /// Values of texts that a regex matches, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<MapPattern>,
    /// Values by chance that is the same for the same text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
    /// The value of anything else; absent is empty.
    pub default: Option<String>,
}

impl Map {
    /// Whether a row stands for anything.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        !(self.values.is_empty() && self.hosts.is_empty() && self.ranges.is_empty() && self.patterns.is_empty())
    }
}

impl Read for Map {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::MAP)?;
        let of = reader.require(&mut table, "of", "\"$remote_addr\"");
        // An empty text is one, too: that of a client without a server name.
        let values = reader.take(&mut table, "values").unwrap_or_default();
        let hosts = reader.take_with(&mut table, "hosts", entries).unwrap_or_default();
        let ranges = reader.take_with(&mut table, "ranges", entries).unwrap_or_default();
        let patterns = reader.take(&mut table, "patterns").unwrap_or_default();
        let shares = reader.take(&mut table, "shares").unwrap_or_default();
        let default = reader.take(&mut table, "default");
        Some(Self { of: of?, values, hosts, ranges, patterns, shares, default })
    }
}

/// A regex of a map, and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapPattern {
    /// The regex, as written.
    #[serde(rename = "match")]
    pub regex: String,
    /// The value, in which its groups may be used.
    pub value: String,
}

impl Read for MapPattern {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::MAP_PATTERN)?;
        let regex = reader.require(&mut table, "match", "'^10\\.'");
        let value = reader.require(&mut table, "value", "\"1\"");
        Some(Self { regex: regex?, value: value? })
    }
}

/// A part of all texts, and its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// How large it is, in hundredths with up to two decimals; absent is the rest.
    pub percent: Option<f64>,
    /// The value.
    pub value: String,
}

impl Read for Share {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::SHARE)?;
        let percent = reader.take_with(&mut table, "percent", percent);
        let value = reader.require(&mut table, "value", "\"canary\"");
        (!reader.was_cut("percent")).then_some(())?;
        Some(Self { percent, value: value? })
    }
}

fn percent(value: Value, reader: &mut Reader<'_>) -> Option<f64> {
    let number = value.to_f64().or_else(|| value.to_i128().map(|whole| whole as f64));
    let fits = number.filter(|number| *number > 0.0 && *number <= 100.0 && (number * 100.0).fract().abs() < 1e-9);
    if fits.is_none() {
        match number {
            Some(_) => reader.wrong("a percentage is more than 0 and at most 100, with at most two decimals").label("5 or 0.5"),
            None => reader.unfit(&value, "a percentage").label("5 or 0.5"),
        };
    }
    fits
}
