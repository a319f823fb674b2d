//! What becomes of a map's entries.

use serde::Serialize;

/// An entry of the map that was asked, or would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// By which rule it fits.
    pub rule: Rule,
    /// Of a pattern its number, counted from 1.
    pub number: Option<usize>,
    /// As it is written; nothing where there is none.
    pub written: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// What the groups of a pattern took, or would have taken.
    pub captures: Vec<Group>,
    /// Where it stands.
    pub at: Option<String>,
}

/// By which rule an entry fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The name itself.
    Exact,
    /// `*.example`, `.example`.
    LeadingWildcard,
    /// `www.example.*`.
    TrailingWildcard,
    /// A regex.
    Pattern,
    /// TLS without a name.
    NoSni,
    /// What is not TLS.
    NotTls,
    /// What nothing else fits.
    Default,
    /// The listener itself, which has no map.
    Listener,
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is none.
    NoEntry,
    /// It is the answer.
    Wins,
    /// It fits, but another one won.
    Beaten,
    /// It is for what nothing else fits, and something did.
    NotAsked,
}

/// What a group of a regex took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name, or its number.
    pub group: String,
    /// What it took.
    pub text: String,
}
