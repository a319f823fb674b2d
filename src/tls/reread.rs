//! Reading the files of a profile anew when they have changed. What has changed is asked of the file system; that it was told
//! of a change is only an occasion to ask.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::certificates::Reminders;
use super::files::{Contents, Files, Stamp};
use super::originate::Originator;
use super::roots::SystemRoots;
use super::settings::Finding;
use super::terminator::Terminator;

/// A profile whose files may change.
#[derive(Debug)]
pub struct Reread {
    place: Box<str>,
    tls: Tls,
    files: Files,
    seen: Mutex<Seen>,
    reminders: Mutex<Reminders>,
}

/// Who reads the files.
#[derive(Clone, Debug)]
pub enum Tls {
    /// TLS towards clients.
    Server(Arc<Terminator>),
    /// TLS towards servers.
    Client(Arc<Originator>),
}

/// What was seen of files. Those that are read after that are at least as new.
#[derive(Clone, Debug)]
pub struct Seen {
    stamp: Stamp,
    contents: Contents,
}

/// What became of a look at files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are as they were, and were not read.
    Same,
    /// They were read and are in use. What is found are warnings.
    Read {
        /// Whether anything in them is new.
        is_new: bool,
        /// What is found.
        findings: Vec<Finding>,
    },
    /// They were read and cannot be used: what was in use still is.
    Unusable(Vec<Finding>),
}

impl Seen {
    /// How files stand.
    #[must_use]
    pub fn of(files: &Files) -> Self {
        Self { stamp: files.stamp(), contents: files.contents() }
    }
}

impl Reread {
    /// A profile that was read after its files were seen like this. `place` is where it stands in `routes.toml`.
    #[must_use]
    pub fn new(place: impl Into<Box<str>>, tls: Tls, files: Files, seen: Seen) -> Self {
        Self { place: place.into(), tls, files, seen: Mutex::new(seen), reminders: Mutex::default() }
    }

    /// Where it stands, as `[terminate.public]`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Says in the log how long the certificates that are shown to clients are good for.
    pub fn log_days_left(&self) {
        if let Tls::Server(terminator) = &self.tls {
            terminator.certificates().log_days_left(&terminator.settings().name);
        }
    }

    /// Says in the log which certificates have ended since the last time, or end soon, and has OCSP answers that have ended
    /// sent no longer.
    pub fn remind(&self, now: SystemTime) {
        let Tls::Server(terminator) = &self.tls else { return };
        {
            // Not while the files are read.
            let _seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for file in terminator.drop_ended_staples(now) {
                tracing::warn!(
                    "{}: the OCSP answer for the certificate in {} has ended and is not sent any more",
                    self.place,
                    file.display()
                );
            }
        }
        let certificates = terminator.certificates();
        let mut reminders = self.reminders.lock().unwrap_or_else(PoisonError::into_inner);
        for certificate in reminders.due(&certificates, now) {
            certificate.log_days_left(&terminator.settings().name, now);
        }
    }

    /// The folders in which a change may concern it.
    #[must_use]
    pub fn folders(&self) -> BTreeMap<PathBuf, (u64, u64)> {
        self.files.folders()
    }

    /// Reads the files anew if there is something new in them. Nothing is read while nothing is touched.
    pub fn look(&self, system: &SystemRoots) -> Outcome {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if stamp == seen.stamp {
            return Outcome::Same;
        }
        seen.stamp = stamp;
        let contents = self.files.contents();
        if contents == seen.contents {
            return Outcome::Same;
        }
        seen.contents = contents;
        self.reload(true, system)
    }

    /// Reads the files anew, whatever is in them.
    pub fn read(&self, system: &SystemRoots) -> Outcome {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Seen::of(&self.files);
        let before = std::mem::replace(&mut *seen, now);
        self.reload(seen.contents != before.contents, system)
    }

    fn reload(&self, is_new: bool, system: &SystemRoots) -> Outcome {
        let findings = match &self.tls {
            Tls::Server(terminator) => terminator.reload(),
            Tls::Client(originator) => originator.reload(system),
        };
        match findings.iter().any(Finding::is_error) {
            true => Outcome::Unusable(findings),
            false => Outcome::Read { is_new, findings },
        }
    }
}
