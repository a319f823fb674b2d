//! `[limit.NAME]`: how many sessions with the same key may be open at once, and how fast they may follow one another.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::RangeList;
use super::table::{Full, Pace, Permit, Table};

/// A limit, shared by all that name it: listeners, targets, workers.
#[derive(Debug)]
pub struct Limit {
    settings: LimitSettings,
    table: Arc<Table>,
}

/// What a limit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// `NAME`.
    pub name: Arc<str>,
    /// The template of its key, as written: counts are carried over to another limit only under the same one.
    pub key: Box<str>,
    /// How many sessions of a key may be open at once.
    pub connections: Option<u32>,
    /// How fast they may follow one another.
    pub pace: Option<Pace>,
    /// The rate as it is written: `50/s`.
    pub rate: Option<Box<str>>,
    /// Clients that are not counted.
    pub exempt: RangeList,
    /// Whether it only tells what it would refuse.
    pub dry_run: bool,
}

/// The sessions that one session counts as, one for each of its limits; dropping them ends that. It is as small as a
/// pointer, and for a session that no limit counts it is nothing.
#[derive(Debug, Default)]
pub struct Permits(Option<Box<Link>>);

#[derive(Debug)]
struct Link {
    permit: Permit,
    next: Option<Box<Link>>,
}

/// What a limit says of a session that it does not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is counted.
    Counted,
    /// It is not: its client is exempt, or its key is empty.
    Exempt,
    /// It is not: its key is longer than [`MOST_KEY`].
    LongKey,
}

/// Why a session is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[limit.{limit}]: {what} is reached")]
pub struct Refused {
    /// The name of the limit.
    pub limit: Arc<str>,
    /// Whether it only would be.
    pub dry_run: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Connections(u32),
    Rate(Box<str>),
}

impl Limit {
    /// A limit that has counted nothing yet.
    #[must_use]
    pub fn new(settings: LimitSettings) -> Self {
        Self { settings, table: Table::new() }
    }

    /// One that takes the place of another, and goes on from its counts if they are of the same keys.
    #[must_use]
    pub fn succeeding(settings: LimitSettings, previous: &Self) -> Self {
        match previous.settings.key == settings.key {
            true => Self { settings, table: previous.table.clone() },
            false => Self::new(settings),
        }
    }

    /// What it says.
    #[must_use]
    pub fn settings(&self) -> &LimitSettings {
        &self.settings
    }

    /// Counts a session, for as long as the permits live to which it is added.
    ///
    /// # Errors
    /// When the limit is reached for this key; nothing is counted then.
    pub fn take(&self, client: Option<IpAddr>, key: &[u8], now: Instant, permits: &mut Permits) -> Result<Taken, Refused> {
        if key.is_empty() || client.is_some_and(|client| self.settings.exempt.contains(client)) {
            return Ok(Taken::Exempt);
        }
        if key.len() > MOST_KEY {
            return Ok(Taken::LongKey);
        }
        let LimitSettings { connections, pace, .. } = self.settings;
        let permit = self.table.take(key, connections, pace, now).map_err(|full| self.refused(full))?;
        permits.0 = Some(Box::new(Link { permit, next: permits.0.take() }));
        Ok(Taken::Counted)
    }

    /// Forgets what need not be known any more. Once in a while is enough: in between, the number of keys is bounded.
    pub fn forget_idle(&self, now: Instant) {
        self.table.forget_idle(now);
    }

    /// How many keys are known.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.table.keys()
    }

    fn refused(&self, full: Full) -> Refused {
        let LimitSettings { name, connections, rate, dry_run, .. } = &self.settings;
        let what = match full {
            Full::Connections => What::Connections(connections.unwrap_or_default()),
            Full::Pace => What::Rate(rate.clone().unwrap_or_default()),
        };
        Refused { limit: name.clone(), dry_run: *dry_run, what }
    }
}

impl Permits {
    /// Takes the session back as though it had never come; its share of the rates is given back too.
    pub fn take_back(&mut self) {
        let mut next = self.0.take();
        while let Some(link) = next {
            link.permit.take_back();
            next = link.next;
        }
    }

    /// Adds those of another part of the session's way.
    pub fn append(&mut self, mut more: Self) {
        let mut end = &mut more.0;
        while let Some(link) = end {
            end = &mut link.next;
        }
        *end = self.0.take();
        self.0 = more.0;
    }

    /// Whether no limit counts the session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections(most) => write!(f, "connections = {most}"),
            Self::Rate(rate) => write!(f, "rate = \"{rate}\""),
        }
    }
}

/// The longest key that is counted, as in nginx.
pub const MOST_KEY: usize = 255;

#[cfg(test)]
mod tests;
