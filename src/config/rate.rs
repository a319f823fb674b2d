//! How many bytes may pass in a second.

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};
use super::values::number;
use crate::units;

/// `upload_rate`, `download_rate`: bytes per second, 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So many.
    Bytes(u64),
    /// As many as a template says for the session.
    Template(String),
}

impl Read for Rate {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value.as_str() {
            Some(text) if text.contains('$') => Some(Self::Template(text.to_owned())),
            Some(text) => reader.fits(units::rate(text)).map(Self::Bytes),
            None => number(0..=i128::from(i64::MAX))(value, reader).map(Self::Bytes),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => bytes.serialize(serializer),
            Self::Template(text) => text.serialize(serializer),
        }
    }
}
