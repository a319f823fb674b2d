//! Tables that may be switched off where `[defaults]` has one.

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};

/// A table, or `false`: none, whatever `[defaults]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrOff<T> {
    /// None.
    Off,
    /// This one.
    On(T),
}

impl<T> OrOff<T> {
    /// The table, if there is one.
    #[must_use]
    pub fn on(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(table) => Some(table),
        }
    }
}

impl<T: Read> Read for OrOff<T> {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            Value::Bool(_, false) => Some(Self::Off),
            table => T::read(table, reader).map(Self::On),
        }
    }
}

impl<T: Serialize> Serialize for OrOff<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(table) => table.serialize(serializer),
        }
    }
}
