//! The rows of a map: whole texts, host names, address ranges and patterns, asked in this order.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::pattern::{Groups, Patterns};
use super::{MapPattern, MapValue, Ranges, RangesBuilder};
use crate::host::{HostPattern, Hostname};
use crate::route::{Builder, Entry, FirstName, PatternsTooBig, RouteTable};

/// All rows of a map, ready to be asked.
#[derive(Debug)]
pub struct Rows {
    /// By texts in lower case.
    texts: HashMap<Box<[u8]>, Arc<MapValue>>,
    hosts: Option<RouteTable<Arc<MapValue>>>,
    ranges: Option<Ranges<Arc<MapValue>>>,
    patterns: Patterns<Arc<MapValue>>,
    /// Those values that are more than words of their own.
    filled: Vec<Arc<MapValue>>,
}

/// [`Rows`] in the making.
#[derive(Debug, Default)]
pub struct RowsBuilder {
    texts: HashMap<Box<[u8]>, Arc<MapValue>>,
    hosts: Option<Builder<Arc<MapValue>>>,
    ranges: Option<RangesBuilder<Arc<MapValue>>>,
    patterns: Vec<(MapPattern, Arc<MapValue>)>,
    filled: Vec<Arc<MapValue>>,
}

impl Rows {
    /// The longest text that is looked up. Strangers choose the texts, and each pattern reads all of one.
    pub const LONGEST: usize = 4096;

    /// The value of a text, with what the groups of its pattern took. `address` says which one the text stands for.
    pub(super) fn find<'k>(
        &self,
        text: &'k [u8],
        address: impl FnOnce() -> Option<IpAddr>,
    ) -> Option<(&Arc<MapValue>, Option<Groups<'k>>)> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let without_pattern = self.text(text).or_else(|| self.host(text)).or_else(|| self.ranges.as_ref()?.find(address()));
        match without_pattern {
            Some(value) => Some((value, None)),
            None => self.patterns.find(text).map(|(value, groups)| (value, Some(groups))),
        }
    }

    fn text(&self, text: &[u8]) -> Option<&Arc<MapValue>> {
        match self.texts.is_empty() {
            true => None,
            false => self.texts.get(&*text.to_ascii_lowercase()),
        }
    }

    fn host(&self, text: &[u8]) -> Option<&Arc<MapValue>> {
        let hosts = self.hosts.as_ref()?;
        let name = Hostname::parse(std::str::from_utf8(text).ok()?).ok()?;
        hosts.lookup(FirstName::Name(&name)).map(|found| &found.entry.target)
    }

    /// The values that say more than their own words.
    pub(super) fn filled(&self) -> impl Iterator<Item = &Arc<MapValue>> {
        self.filled.iter()
    }
}

impl RowsBuilder {
    /// Adds a text, which is compared without regard to case. Whether it is new; of two alike the later one counts.
    pub fn text(&mut self, text: &str, value: Arc<MapValue>) -> bool {
        self.note(&value);
        self.texts.insert(text.to_ascii_lowercase().into_bytes().into(), value).is_none()
    }

    /// Adds a host name or a wildcard.
    ///
    /// # Errors
    /// When another row has the name already, that one.
    pub fn host(&mut self, pattern: HostPattern, written: &str, value: Arc<MapValue>) -> Result<(), &Entry<Arc<MapValue>>> {
        self.note(&value);
        self.hosts.get_or_insert_default().host(pattern, Entry { written: written.into(), target: value })
    }

    /// Adds a range of addresses. Of two that are the same the later one counts.
    pub fn range(&mut self, range: IpNet, value: Arc<MapValue>) {
        self.note(&value);
        self.ranges.get_or_insert_default().add(range, value);
    }

    /// Adds a pattern; they are tried in the order in which they come.
    pub fn pattern(&mut self, pattern: MapPattern, value: Arc<MapValue>) {
        self.note(&value);
        self.patterns.push((pattern, value));
    }

    /// Makes the table.
    ///
    /// # Errors
    /// When the patterns, each small enough, are too big together.
    pub fn build(self) -> Result<Rows, PatternsTooBig> {
        let Self { texts, hosts, ranges, patterns, filled } = self;
        Ok(Rows {
            texts,
            hosts: hosts.map(Builder::build).transpose()?,
            ranges: ranges.map(RangesBuilder::build),
            patterns: Patterns::compile(patterns)?,
            filled,
        })
    }

    fn note(&mut self, value: &Arc<MapValue>) {
        // Of many rows in a line most have one value.
        let is_known = || self.filled.last().is_some_and(|last| Arc::ptr_eq(last, value));
        if value.plain().is_none() && !is_known() {
            self.filled.push(value.clone());
        }
    }
}
