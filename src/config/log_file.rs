//! Where a log goes, as it is written: `"-"`, a path, or syslog.

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};
use super::syslog::Syslog;

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// `"-"`: stdout for sessions, stderr for what the gateway says of itself.
    Standard,
    /// A path; that of an access log may hold variables.
    Path(String),
    /// Syslog.
    Syslog(Syslog),
}

impl LogFile {
    /// Whether each session says where its line goes.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        matches!(self, Self::Path(path) if path.contains('$'))
    }
}

impl Serialize for LogFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Standard => "-".serialize(serializer),
            Self::Path(path) => path.serialize(serializer),
            Self::Syslog(syslog) => syslog.serialize(serializer),
        }
    }
}

/// Reads where an access log goes.
pub(super) fn access_log_file(value: Value, reader: &mut Reader<'_>) -> Option<LogFile> {
    let file = String::read(value, reader)?;
    match file.as_str() {
        "" => {
            reader.wrong("a log needs a file").label("a path, or \"-\": systemd and containers take what a program prints");
            None
        }
        "-" => Some(LogFile::Standard),
        "off" => {
            reader.wrong("a log that is off is none").label("leave its table out; a file of this name would be \"./off\"");
            None
        }
        syslog if Syslog::is_meant(syslog) => reader.fits(Syslog::parse(syslog)).map(LogFile::Syslog),
        _ => Some(LogFile::Path(file)),
    }
}

/// The same for what the gateway says of itself, which is not about a session.
pub(super) fn log_file(value: Value, reader: &mut Reader<'_>) -> Option<LogFile> {
    let file = access_log_file(value, reader)?;
    if file.has_variables() {
        reader.wrong("this log is not about one session, so its path has no variables").label("a path without `$`");
        return None;
    }
    if matches!(&file, LogFile::Syslog(syslog) if syslog.severity.is_some()) {
        reader.wrong("this log says of each line how important it is").label("leave `severity` out; `level` says what is written at all");
        return None;
    }
    Some(file)
}
