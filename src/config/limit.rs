//! How many may come: `[limit.NAME]`.

use std::fmt;

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};
use super::values::{MOST, number};
use super::words as kinds;

/// `[limit.NAME]`: sessions that have a key in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// What they have in common, as a template.
    pub key: Option<String>,
    /// How many of them may be open at once.
    pub connections: Option<u32>,
    /// How many new ones may come in a time.
    pub rate: Option<Frequency>,
    /// How many may come at once beyond that.
    pub burst: Option<u32>,
    /// Clients from these ranges or named networks are not counted.
    pub exempt: Vec<String>,
    /// Whether it only tells what it would refuse.
    pub dry_run: bool,
}

impl Read for Limit {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::LIMIT)?;
        let limit = Self {
            key: reader.take(&mut table, "key"),
            connections: reader.take_with(&mut table, "connections", number(1..=MOST)),
            rate: reader.take(&mut table, "rate"),
            burst: reader.take_with(&mut table, "burst", number(0..=MOST)),
            exempt: reader.take(&mut table, "exempt").unwrap_or_default(),
            dry_run: reader.take(&mut table, "dry_run").unwrap_or(false),
        };
        let is_cut = reader.was_cut("connections") || reader.was_cut("rate");
        if limit.connections.is_none() && limit.rate.is_none() && !is_cut {
            reader.wrong("this limits nothing: it needs `connections`, `rate`, or both").help("connections = 20");
        }
        Some(limit)
    }
}

/// So many in a time, such as `"50/s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Per,
}

/// The time in which a [`Frequency`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
}

impl Per {
    const ALL: [(&'static str, Self); 3] = [("s", Self::Second), ("m", Self::Minute), ("h", Self::Hour)];
}

impl Read for Frequency {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let parsed = value.as_str().and_then(|text| {
            let (count, unit) = text.split_once('/')?;
            let (_, per) = Per::ALL.into_iter().find(|(word, _)| *word == unit.trim())?;
            count.trim().parse().ok().filter(|&count| count > 0).map(|count| Self { count, per })
        });
        if parsed.is_none() {
            let example = "\"50/s\", \"300/m\" or \"1000/h\"";
            match value.as_str() {
                Some(text) => reader.wrong(format!("{text:?} is not how many new sessions may come in a time")).label(example),
                None => reader.unfit(&value, "how many new sessions in a time").label(example),
            };
        }
        parsed
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = Per::ALL.into_iter().find(|(_, per)| *per == self.per).map_or("", |(word, _)| word);
        write!(f, "{}/{unit}", self.count)
    }
}

impl Serialize for Frequency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
