//! Which warnings are wanted: `[lints]`. A single place is spoken for by a comment beside it, see `allow`.

use std::collections::BTreeMap;

use figment::value::Value;

use super::lints;
use super::read::Reader;
use super::values::{entries, words};
use super::words::suggest;

words! {
    /// What becomes of a lint.
    LintLevel, "a lint's level", {
        /// Nothing is said.
        Allow = "allow",
        /// It is said.
        Warn = "warn",
        /// It is an error.
        Deny = "deny",
    }
}

/// Reads `[lints]`; a name that no lint has is noted.
pub(super) fn levels(value: Value, reader: &mut Reader<'_>) -> Option<BTreeMap<String, LintLevel>> {
    let mut levels: BTreeMap<String, LintLevel> = entries(value, reader)?;
    let strays: Vec<_> = levels.keys().filter(|name| lints::find(name).is_none()).cloned().collect();
    for stray in strays {
        levels.remove(&stray);
        let wrong = reader.wrong_entry(&stray, format!("no lint is named {stray:?}"));
        match suggest(&stray, lints::names()) {
            Some(near) => wrong.label(format!("did you mean `{near}`?")),
            None => wrong.label("`vestibule check --explain all` lists them"),
        };
    }
    Some(levels)
}
