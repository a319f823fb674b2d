//! `[map.NAME]`: a variable of the user's own, looked up by what other variables say (nginx's `map`, `geo` and
//! `split_clients`). Keys come from strangers: no look-up costs more than the key is long, however many rows there are.

#![deny(clippy::indexing_slicing)]

mod nature;
mod pattern;
mod ranges;
mod rows;
mod shares;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Text, Variable, render};
use crate::session::Session;
use crate::template::{Piece, Template};

pub(super) use nature::Nature;
pub use pattern::MapPattern;
pub use ranges::{Ranges, RangesBuilder};
pub use rows::{Rows, RowsBuilder};
pub use shares::Shares;

use pattern::Groups;

/// A text that a map gives.
pub type MapValue = Template<Part>;

/// What a value of a map may hold besides its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Another variable.
    Variable(Variable),
    /// What a group of the pattern took that led here, by its number.
    Group(usize),
}

/// A map, linked and ready to be asked.
#[derive(Debug)]
pub struct Map {
    name: Box<str>,
    /// No two maps of a process have the same one, though they have the same name after a reload.
    id: u64,
    of: Text,
    table: MapTable,
    default: Arc<MapValue>,
    nature: Nature,
}

/// How a map finds its value.
#[derive(Debug)]
pub enum MapTable {
    /// By what stands in rows.
    Rows(Box<Rows>),
    /// By a hash.
    Shares(Shares),
}

impl Map {
    /// The map that defines `$name` from the text `of`; `default` is for what the table has nothing for.
    #[must_use]
    pub fn new(name: &str, of: Text, table: MapTable, default: Option<Arc<MapValue>>) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let default = default.unwrap_or_else(|| Arc::new("".into()));
        let values = table.filled().chain([&default]);
        let nature = Nature::of_map(&of, values.map(|value| &**value));
        Self { name: name.into(), id: MADE.fetch_add(1, Ordering::Relaxed), of, table, default, nature }
    }

    /// What it is called, without `$`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many maps stand on each other here, this one counted.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.nature.depth
    }

    /// The text that is looked up.
    #[must_use]
    pub fn of(&self) -> &Text {
        &self.of
    }

    pub(super) fn nature(&self) -> &Nature {
        &self.nature
    }

    /// The value for this session. One that tells the time is found once in a session's life, so that all who ask are
    /// answered alike; of any other the same facts give the same value.
    #[must_use]
    pub fn value<'s>(&'s self, session: &'s Session) -> Cow<'s, [u8]> {
        match self.nature.tells_time {
            true => session.kept.get_or(self.id, || (&*self.found(session)).into()).to_vec().into(),
            false => self.found(session),
        }
    }

    fn found<'s>(&'s self, session: &'s Session) -> Cow<'s, [u8]> {
        let key = self.key(session);
        match &self.table {
            MapTable::Shares(shares) => filled(shares.find(&key).unwrap_or(&self.default), None, session),
            MapTable::Rows(rows) => {
                let address = || self.address(&key, session);
                match rows.find(&key, address) {
                    Some((value, groups)) => filled(value, groups.as_ref(), session),
                    None => filled(&self.default, None, session),
                }
            }
        }
    }

    /// The text that is looked up in this session.
    fn key<'s>(&'s self, session: &'s Session) -> Cow<'s, [u8]> {
        if let Some(variable) = self.of.only_variable() {
            return variable.value(session).unwrap_or_default();
        }
        let mut key = Vec::new();
        render(&self.of, session, &mut key);
        key.into()
    }

    /// The address that a key stands for.
    fn address(&self, key: &[u8], session: &Session) -> Option<std::net::IpAddr> {
        match self.of.only_variable() {
            // Its bytes may happen to read as the text of another address.
            Some(Variable::BinaryRemoteAddr | Variable::RemoteAddr) => session.client.ip(),
            _ => std::str::from_utf8(key).ok()?.parse().ok(),
        }
    }
}

/// Known by where it is: two maps that are written alike are still two.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Map {}

impl MapTable {
    /// The values that say more than their own words.
    fn filled(&self) -> Box<dyn Iterator<Item = &Arc<MapValue>> + '_> {
        match self {
            Self::Rows(rows) => Box::new(rows.filled()),
            Self::Shares(shares) => Box::new(shares.values()),
        }
    }
}

/// A value with everything filled in.
fn filled<'s>(value: &'s MapValue, groups: Option<&Groups<'_>>, session: &Session) -> Cow<'s, [u8]> {
    if let Some(text) = value.plain() {
        return text.as_bytes().into();
    }
    let mut out = Vec::new();
    for piece in value.pieces() {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Variable(Part::Variable(variable)) => out.extend_from_slice(&variable.value(session).unwrap_or_default()),
            Piece::Variable(Part::Group(number)) => {
                let taken = groups.and_then(|groups| groups.get(*number));
                out.extend_from_slice(taken.map_or(&[], |taken| taken.as_bytes()));
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests;
