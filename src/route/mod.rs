//! stub
use crate::host::{HostPattern, Hostname};
use std::sync::Arc;

/// What a connection asks for.
#[derive(Clone, Copy, Debug)]
pub enum FirstName<'a> {
    /// A host name.
    Name(&'a Hostname),
    /// TLS without a name.
    NoName,
    /// Not TLS.
    NotTls,
}

/// One entry of a table as the user wrote it, with its target.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// As written: `"*.shop.example"`, a regex, or `default`, `no_sni`, `not_tls`.
    pub written: Arc<str>,
    /// What it leads to.
    pub target: T,
}

/// Stub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    /// (name or none, value) in order of the groups; group 0 is the whole name.
    pub groups: Vec<(Option<Arc<str>>, Box<str>)>,
}

/// Stub
pub struct Match<'t, T> {
    /// The entry that wins.
    pub entry: &'t Entry<T>,
    /// What a pattern's groups took.
    pub captures: Option<Captures>,
}

/// Stub
pub struct RouteTable<T> {
    _t: Vec<Entry<T>>,
}

/// Stub
pub struct Builder<T> {
    _t: Vec<Entry<T>>,
}

impl<T> Builder<T> {
    /// Stub
    pub fn new() -> Self {
        Self { _t: Vec::new() }
    }
    /// Err gives back the entry that is there already under this name (in this or another form).
    pub fn host(&mut self, _pattern: HostPattern, _entry: Entry<T>) -> Result<(), Arc<str>> {
        Ok(())
    }
    /// A regex over the whole name, tried in the order of the calls.
    pub fn pattern(&mut self, _regex: &str, _entry: Entry<T>) -> Result<(), regex::Error> {
        Ok(())
    }
    /// Stub
    pub fn default(&mut self, _entry: Entry<T>) {}
    /// Stub
    pub fn no_sni(&mut self, _entry: Entry<T>) {}
    /// Stub
    pub fn not_tls(&mut self, _entry: Entry<T>) {}
    /// Stub
    pub fn build(self) -> Result<RouteTable<T>, regex::Error> {
        Ok(RouteTable { _t: Vec::new() })
    }
}

impl<T> RouteTable<T> {
    /// Finds the entry that wins.
    pub fn lookup(&self, _first: FirstName<'_>) -> Option<Match<'_, T>> {
        None
    }
}
