//! How a certificate stands to the time of day.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Certificate, Certificates};
use crate::tls::x509::{DAY, Facts};

/// How a certificate stands to the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does not hold yet.
    Early,
    /// It holds.
    Good,
    /// It holds, and it is time for another one.
    Ending,
    /// It does not hold any more.
    Ended,
}

impl Standing {
    pub(super) fn of(facts: &Facts, now: SystemTime) -> Self {
        let life = facts.not_after.duration_since(facts.not_before).unwrap_or_default();
        match facts.not_after.duration_since(now) {
            Err(_) => Self::Ended,
            _ if facts.not_before > now => Self::Early,
            // Some are made for a week, and made anew when a third of it is left.
            Ok(left) if left <= ENDING.min(life / 3) => Self::Ending,
            Ok(_) => Self::Good,
        }
    }
}

impl Certificates {
    /// Says in the log how long each certificate is good for.
    pub fn log_days_left(&self, profile: &str) {
        self.all.iter().for_each(|certificate| certificate.log_days_left(profile));
    }
}

impl Certificate {
    fn log_days_left(&self, profile: &str) {
        let now = SystemTime::now();
        let (kind, file, names) = (self.kind(), self.file.display(), self.names_text());
        let lasts = self.lasts(now);
        match Standing::of(&self.facts, now) {
            Standing::Good => tracing::info!(profile, "the {kind} certificate {file} for {names} {lasts}"),
            Standing::Early | Standing::Ending | Standing::Ended => {
                tracing::warn!(profile, "the {kind} certificate {file} for {names} {lasts}");
            }
        }
    }

    /// `is good for 89 days`.
    #[must_use]
    pub fn lasts(&self, now: SystemTime) -> String {
        match (Standing::of(&self.facts, now), self.facts.days_left(now)) {
            (Standing::Early, _) => format!("is not good before {}", date(self.facts.not_before)),
            (_, None) => format!("has expired on {}", date(self.facts.not_after)),
            (_, Some(0)) => "is good for less than a day".into(),
            (_, Some(1)) => "is good for 1 day".into(),
            (_, Some(days)) => format!("is good for {days} days"),
        }
    }
}

/// `2026-11-20 11:33 UTC`.
pub(in crate::tls) fn date(time: SystemTime) -> String {
    let known = Timestamp::try_from(time).map(|time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string());
    known.unwrap_or_else(|_| "a day beyond all calendars".into())
}

const ENDING: Duration = Duration::from_secs(14 * DAY.as_secs());
