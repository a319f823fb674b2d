//! What is in effect, and who says so.

use serde::Serialize;

/// A setting as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key; that of a table in an upstream's with its name: `tls.ca`.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Whence.
    pub origin: Origin,
}

/// Whence a setting is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// What decides.
    pub level: Level,
    /// The table, as `[listener.https]`; nothing for a target's and for what is built in.
    pub table: Option<String>,
    /// Where it is written: `routes.toml:7`, `--set defaults.idle_timeout=5s`.
    pub at: Option<String>,
}

/// What decides a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The target's own key.
    Target,
    /// The listener's.
    Listener,
    /// The upstream's.
    Upstream,
    /// The TLS profile's.
    Terminate,
    /// That of `[defaults]` or of a table in it.
    Defaults,
    /// A variable of the environment.
    Environment,
    /// `--set`.
    Set,
    /// Nobody wrote it.
    BuiltIn,
}
