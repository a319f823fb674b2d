//! Who may come in: access lists ([`Access`]) and limits ([`Limit`]). Pure: no socket, and the time is an argument.
//! What a session is, and what it has in common with others, is the caller's to say: an address, the bytes of a key.

#![deny(clippy::indexing_slicing)]

mod access;
mod limit;
mod ranges;
mod table;

pub use access::{Access, Rule, Who};
pub use limit::{Limit, LimitSettings, MOST_KEY, Permits, Refused, Taken};
pub use ranges::{RangeList, Ranges};
pub use table::Pace;
