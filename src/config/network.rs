//! Names for addresses: `[networks]`.

use figment::value::Value;
use serde::Serialize;

use super::read::{Read, Reader};
use super::words as kinds;

/// One of `[networks]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Network {
    /// Address ranges, written out.
    Ranges(Vec<String>),
    /// The ranges that a file has, one a line.
    File {
        /// Its path.
        file: String,
    },
}

impl Read for Network {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            return Vec::read(value, reader).map(Self::Ranges);
        }
        let mut table = reader.table(value, &kinds::NETWORK)?;
        let file = reader.require(&mut table, "file", "\"lists/blocked.txt\"")?;
        Some(Self::File { file })
    }
}
