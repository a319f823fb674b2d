//! The targets of an entry. Of 100,000 entries most lead to one of a few places, so that targets are shared; what an
//! entry has of its own beside its name is at most its line in a list.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::Target;

/// Where an entry leads: the first of these whose guards all fit.
#[derive(Clone, Debug)]
pub struct Targets {
    shared: Arc<[Target]>,
    listed: Option<Listed>,
}

/// Where an entry stands of which routes.toml itself says nothing: `tenants.map:123`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Behind one pointer, for there is one of these for each of 100,000 entries.
    list: Arc<ListName>,
    line: u32,
}

/// What messages call a file of `hosts_files`.
#[derive(Debug, PartialEq, Eq)]
pub struct ListName(pub Box<str>);

impl Targets {
    /// The targets of an entry that a list has.
    #[must_use]
    pub fn listed(shared: Arc<[Target]>, listed: Listed) -> Self {
        Self { shared, listed: Some(listed) }
    }

    /// Where the entry stands, if it does in a list.
    #[must_use]
    pub fn listed_at(&self) -> Option<&Listed> {
        self.listed.as_ref()
    }
}

/// The targets of an entry that routes.toml itself has.
impl<T: Into<Arc<[Target]>>> From<T> for Targets {
    fn from(targets: T) -> Self {
        Self { shared: targets.into(), listed: None }
    }
}

impl Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &Self::Target {
        &self.shared
    }
}

impl Listed {
    /// A line of a list, counted from 1.
    #[must_use]
    pub fn new(list: Arc<ListName>, line: u32) -> Self {
        Self { list, line }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list.0, self.line)
    }
}
