//! Why an upstream has nobody for a session, in words for the log.

use tokio::time::Instant;

use super::{NameStatus, Upstream};
use crate::address::Address;

/// How many servers of a group are not to be had, by the first cause that each has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) left_alone: usize,
    pub(super) full: usize,
    pub(super) down: usize,
}

impl Upstream {
    /// Why nobody is left: `2 left alone, 1 full, web.internal has no address`.
    pub(super) fn missing(&self, now: Instant) -> String {
        let Missing { left_alone, full, down } = self.group().missing(now);
        let counted = [(left_alone, "left alone"), (full, "full"), (down, "down")];
        let mut causes: Vec<_> =
            counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let mut names: Vec<_> = self.nowhere().collect();
        let more = names.len().saturating_sub(MOST_NAMED);
        names.truncate(MOST_NAMED);
        causes.extend(names);
        if more > 0 {
            causes.push(format!("{more} more names"));
        }
        // What was full, or left alone, a moment ago.
        if causes.is_empty() { "one is free by now".into() } else { causes.join(", ") }
    }

    /// The names of lines that stand for no server, and why.
    fn nowhere(&self) -> impl Iterator<Item = String> {
        let names = self.names();
        let lines = self.lines().iter().enumerate().filter(|(number, line)| !line.down && !self.group().has_line(*number));
        lines.filter_map(move |(number, line)| {
            let (Address::Name(name, _) | Address::Service(name)) = &line.address else { return None };
            let why = match names.iter().find(|status| status.line == number) {
                None => "is not looked up yet",
                Some(NameStatus { failing: Some(_), .. }) => "cannot be looked up",
                Some(_) => "has no address",
            };
            Some(format!("{name} {why}"))
        })
    }
}

/// How many names a line of the log tells.
const MOST_NAMED: usize = 4;
