//! The JSON Schema of `routes.toml` (draft 7, which editors take best), from tables that say of each key what may be written,
//! what is built in, and what it is for. `words` has the same keys for the reader; a test keeps both alike.

mod listeners;
mod process;
mod routing;
mod shape;
mod tls;
mod upstreams;

use serde_json::{Value, json};

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = shape::Definitions::default();
    let mut schema = process::FILE.render(&mut definitions);
    if let Value::Object(entries) = &mut schema {
        entries.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        entries.insert("title".into(), json!("routes.toml"));
        entries.insert("definitions".into(), Value::Object(definitions.into_entries()));
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::shape::Table;
    use super::*;
    use crate::config::words;

    /// Every table of the schema, each once.
    fn tables() -> Vec<&'static Table> {
        let mut found = Vec::new();
        process::FILE.visit(&mut found);
        found
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read_and_no_others() {
        let tables = tables();
        for table in &tables {
            let described: BTreeSet<_> = table.entries().map(|entry| entry.key).collect();
            let read: BTreeSet<_> = table.kind.known().collect();
            assert_eq!(described, read, "{}", table.kind.name);
            assert_eq!(table.entries().count(), described.len(), "{} says one twice", table.kind.name);
        }
        let named: BTreeSet<_> = tables.iter().map(|table| table.kind.name).collect();
        let missing: Vec<_> = words::EVERYWHERE.iter().map(|kind| kind.name).filter(|name| !named.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_key_is_documented_in_plain_words() {
        for table in tables() {
            for entry in table.entries() {
                let doc = entry.doc;
                assert!(doc.len() > 10 && doc.ends_with('.') && doc.starts_with(char::is_uppercase), "{}: {doc}", entry.key);
            }
        }
    }
}
