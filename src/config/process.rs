//! What concerns the process as a whole: `[process]`, `[log]`, `[access_log.NAME]`.

use std::time::Duration;

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::log_file::{LogFile, access_log_file, log_file};
use super::read::{Read, Reader};
use super::values::{MOST, number, positive, size, unknown_word, words};
use super::words::suggest;
use super::{print, words as kinds};

/// `[process]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Threads on the data path; as many as cores unless a number is written.
    pub workers: Count,
    /// Sessions open at once; what the descriptor limit allows unless a number is written.
    pub max_connections: Count,
    /// How long open sessions may go on after SIGTERM.
    #[serde(serialize_with = "print::duration")]
    pub shutdown_timeout: Duration,
    /// Which files are read anew by themselves when they change.
    pub watch: Watch,
}

impl Default for Process {
    fn default() -> Self {
        Self { workers: Count::Auto, max_connections: Count::Auto, shutdown_timeout: Duration::from_secs(30), watch: Watch::Certificates }
    }
}

impl Read for Process {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::PROCESS)?;
        let built_in = Self::default();
        Some(Self {
            workers: reader.take(&mut table, "workers").unwrap_or(built_in.workers),
            max_connections: reader.take(&mut table, "max_connections").unwrap_or(built_in.max_connections),
            shutdown_timeout: reader.take(&mut table, "shutdown_timeout").unwrap_or(built_in.shutdown_timeout),
            watch: reader.take(&mut table, "watch").unwrap_or(built_in.watch),
        })
    }
}

words! {
    /// Which files are read anew by themselves when they change.
    Watch, "what may be watched", {
        /// Those of TLS: certificates and keys, revocations, ticket keys.
        Certificates = "certificates",
        /// None.
        Off = "off",
    }
}

/// A number, or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// As the machine suggests.
    Auto,
    /// At least 1.
    Exactly(u32),
}

impl Read for Count {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value.as_str() {
            Some("auto") => Some(Self::Auto),
            Some(text) if text.parse::<i128>().is_err() => {
                unknown_word(text, "a number or \"auto\"", ["auto"].into_iter(), reader);
                None
            }
            _ => number(1..=MOST)(value, reader).map(Self::Exactly),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(number) => serializer.serialize_u32(*number),
        }
    }
}

/// `[log]`: what the gateway says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Log {
    /// The least important thing that is still written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Where it is said; `-` is stderr.
    pub file: LogFile,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text, file: LogFile::Standard }
    }
}

impl Read for Log {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::LOG)?;
        let built_in = Self::default();
        Some(Self {
            level: reader.take(&mut table, "level").unwrap_or(built_in.level),
            format: reader.take(&mut table, "format").unwrap_or(built_in.format),
            file: reader.take_with(&mut table, "file", log_file).unwrap_or(built_in.file),
        })
    }
}

words! {
    /// How important a message is.
    LogLevel, "a log level", {
        /// The gateway's own fault.
        Error = "error",
        /// A server's fault, or something to look at.
        Warn = "warn",
        /// What an operator wants to know.
        Info = "info",
        /// A client's fault, and details.
        Debug = "debug",
    }
}

words! {
    /// How the gateway's own messages look.
    LogFormat, "a log format", {
        /// For people.
        Text = "text",
        /// For programs.
        Json = "json",
    }
}

/// `[access_log.NAME]`: one line for each session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessLog {
    /// Where the lines go; `-` is stdout.
    pub file: LogFile,
    /// How a line looks.
    pub format: AccessLogFormat,
    /// A template; a session has no line where it is empty or "0".
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// Bytes that are gathered before they are written; absent writes each line at once.
    pub buffer: Option<u64>,
    /// How long lines are gathered at most; absent is a second.
    #[serde(serialize_with = "print::some_duration")]
    pub flush: Option<Duration>,
    /// How hard a file is compressed, from 1 to 9; absent is not at all.
    pub gzip: Option<Gzip>,
}

impl Read for AccessLog {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::ACCESS_LOG)?;
        let log = Self {
            file: reader.take_with(&mut table, "file", access_log_file).unwrap_or(LogFile::Standard),
            format: reader.take(&mut table, "format").unwrap_or(AccessLogFormat::Text),
            condition: reader.take(&mut table, "if"),
            buffer: reader.take_with(&mut table, "buffer", buffer),
            flush: reader.take_with(&mut table, "flush", positive),
            gzip: reader.take(&mut table, "gzip"),
        };
        log.complain(reader);
        Some(log)
    }
}

impl AccessLog {
    /// Notes the keys that do nothing where the lines go.
    fn complain(&self, reader: &mut Reader<'_>) {
        let gathers = self.buffer.is_some() || self.is_packed();
        if self.flush.is_some() && !gathers && !reader.was_cut("buffer") {
            reader.wrong_entry("flush", "nothing is gathered here that could be written late").label("buffer = \"64k\" gathers lines");
        }
        if reader.was_cut("file") {
            return;
        }
        let (problem, instead) = match &self.file {
            LogFile::Syslog(_) => ("syslog takes each line as it comes", "leave it out"),
            path if path.has_variables() => {
                ("lines are not gathered for a path with variables", "leave it out, or write a path without `$`")
            }
            LogFile::Standard if self.is_packed() => ("what a program prints is not compressed", "leave it out, or write a path as `file`"),
            LogFile::Standard | LogFile::Path(_) => return,
        };
        let keys = [("buffer", self.buffer.is_some() && self.file != LogFile::Standard), ("gzip", self.is_packed())];
        for (key, _) in keys.into_iter().filter(|(_, is_written)| *is_written) {
            reader.wrong_entry(key, problem).label(instead);
        }
    }

    fn is_packed(&self) -> bool {
        matches!(self.gzip, Some(Gzip::Level(_)))
    }
}

/// Reads how many bytes are gathered. Each log has that memory twice: one part is written while the other one fills.
fn buffer(value: Value, reader: &mut Reader<'_>) -> Option<u64> {
    let bytes = size(value, reader)?;
    if !(1..=MOST_GATHERED).contains(&bytes) {
        reader
            .wrong("a size from 1 byte to 64 MiB belongs here")
            .label("\"64k\", for example; without `buffer` each line is written at once");
        return None;
    }
    Some(bytes)
}

/// The most that an access log gathers.
const MOST_GATHERED: u64 = 64 << 20;

/// `gzip`: a switch, or how hard it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gzip {
    /// Not at all.
    Off,
    /// So hard: 1 is the fastest, 9 the smallest.
    Level(u8),
}

impl Read for Gzip {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(value, Value::Num(..)) {
            return number(1..=9)(value, reader).map(Self::Level);
        }
        // nginx's level, where none is written.
        bool::read(value, reader).map(|on| if on { Self::Level(1) } else { Self::Off })
    }
}

impl Serialize for Gzip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::Level(level) => serializer.serialize_u8(*level),
        }
    }
}

/// How a session's line looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// For people.
    Text,
    /// Every field, for programs.
    Json,
    /// A template over the session's variables.
    Template(String),
}

impl Read for AccessLogFormat {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, reader)?;
        match text.as_str() {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ if text.contains('$') => Some(Self::Template(text)),
            // A line that is the same for every session is a misspelt word.
            _ => {
                let meant = suggest(&text, ["text", "json"].into_iter());
                reader.wrong(format!("{text:?} is not an access log format")).label(match meant {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => "\"text\", \"json\", or a template, which has variables: '$remote_addr $status'".into(),
                });
                None
            }
        }
    }
}

impl Serialize for AccessLogFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Template(text) => text,
        })
    }
}
