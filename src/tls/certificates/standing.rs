//! How a certificate stands to the time of day.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls::sign::CertifiedKey;

use super::{Certificate, Certificates};
use crate::tls::ocsp;
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
        let now = SystemTime::now();
        self.all.iter().for_each(|certificate| certificate.log_days_left(profile, now));
    }

    /// The same without the OCSP answers that have ended, and the files of the certificates that had them; nothing if
    /// none has.
    pub(in crate::tls) fn without_ended_staples(&self, now: SystemTime) -> Option<(Self, Vec<PathBuf>)> {
        let has_ended = |certificate: &Certificate| certificate.staple_ends().is_some_and(|end| end <= now);
        let ended: Vec<_> = self.all.iter().filter(|one| has_ended(one)).map(|one| one.file.clone()).collect();
        if ended.is_empty() {
            return None;
        }
        let mut rest = self.clone();
        for certificate in rest.all.iter_mut().filter(|one| has_ended(one)) {
            certificate.certified = Arc::new(CertifiedKey { ocsp: None, ..CertifiedKey::clone(&certificate.certified) });
        }
        Some((rest, ended))
    }
}

/// What was said, while the gateway runs, of certificates that end.
#[derive(Debug, Default)]
pub(in crate::tls) struct Reminders(HashMap<(PathBuf, SystemTime), (Standing, SystemTime)>);

impl Reminders {
    /// Those of which it is time to say how they stand: at once when that has become worse, then every day. Of one that is
    /// new it was said when it was read.
    pub(in crate::tls) fn due<'c>(&mut self, certificates: &'c Certificates, now: SystemTime) -> Vec<&'c Certificate> {
        let before = std::mem::take(&mut self.0);
        let mut due = Vec::new();
        for certificate in &certificates.all {
            let known = (certificate.file.clone(), certificate.facts.not_after);
            let standing = Standing::of(&certificate.facts, now);
            let is_bad = matches!(standing, Standing::Ending | Standing::Ended);
            let last = before.get(&known).copied();
            let is_old = |said: SystemTime| now.duration_since(said).is_ok_and(|past| past >= DAY);
            let is_due = is_bad && last.is_some_and(|(was, said)| was != standing || is_old(said));
            let said = last.filter(|_| !is_due).map_or(now, |(_, said)| said);
            self.0.insert(known, (standing, said));
            due.extend(is_due.then_some(certificate));
        }
        due
    }
}

impl Certificate {
    /// When the OCSP answer that is sent along ends.
    fn staple_ends(&self) -> Option<SystemTime> {
        ocsp::end(self.certified.ocsp.as_deref()?, &self.facts)
    }

    pub(in crate::tls) fn log_days_left(&self, profile: &str, now: SystemTime) {
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
