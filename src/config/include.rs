//! More files of the same form: `include`.

use figment::value::Value;
use serde::Serialize;

use super::read::{Read, Reader};
use super::values::OneOrMany;
use super::words as kinds;

/// One of `include`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Include {
    /// Paths, and patterns of them, relative to the file that has them.
    pub files: Vec<String>,
    /// The host names that these files may define, and nothing else but upstreams; absent is everything that may be included.
    pub hosts: Option<Vec<String>>,
}

impl Read for Include {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            return Some(Self { files: vec![String::read(value, reader)?], hosts: None });
        }
        let mut table = reader.table(value, &kinds::INCLUDE)?;
        let files: Option<OneOrMany<String>> = reader.require(&mut table, "files", "\"teams/pay/*.toml\"");
        let hosts = reader.take(&mut table, "hosts");
        // Without them the files could define everything.
        (!reader.was_cut("hosts")).then_some(Self { files: files?.0, hosts })
    }
}
