//! `[process]`, `[log]`, `[access_log.NAME]`.

use std::path::PathBuf;

use tokio::time::Duration;
use tracing::level_filters::LevelFilter;

use super::Compiler;
use crate::config::{
    self, AccessLogFormat, Config, Count, Gzip, Key, LogFile, LogFormat, LogLevel, Places, SyslogSeverity, Watch, path_to,
};
use crate::log::{AccessLogOutput, AccessLogSettings, Format, Gather, LogSettings, Output, PathTemplate, SyslogSettings};
use crate::snapshot::Process;
use crate::variables::Text;

pub(super) fn process(written: &config::Process) -> Process {
    let count = |count| match count {
        Count::Auto => None,
        Count::Exactly(number) => Some(number as usize),
    };
    Process {
        workers: count(written.workers),
        max_connections: count(written.max_connections),
        shutdown_timeout: written.shutdown_timeout,
        watches_certificates: written.watch == Watch::Certificates,
    }
}

pub(super) fn log(written: &config::Log, places: &Places) -> LogSettings {
    let level = match written.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    LogSettings {
        level,
        json: written.format == LogFormat::Json,
        output: output(&written.file, "log", Output::Stderr, |file| places.file(&path_to!["log", "file"], file)),
    }
}

fn output(written: &LogFile, log: &str, standard: Output, path: impl FnOnce(&str) -> PathBuf) -> Output {
    match written {
        LogFile::Standard => standard,
        LogFile::Path(file) => Output::File(path(file)),
        LogFile::Syslog(syslog) => Output::Syslog(SyslogSettings::new(syslog, log)),
    }
}

impl Compiler {
    pub(super) fn access_logs(&mut self, config: &Config) -> Option<Vec<AccessLogSettings>> {
        let logs: Vec<_> = config.access_log.iter().map(|(name, written)| self.access_log(name, written)).collect();
        logs.into_iter().collect()
    }

    fn access_log(&mut self, name: &str, written: &config::AccessLog) -> Option<AccessLogSettings> {
        let format = match &written.format {
            AccessLogFormat::Text => Some(Format::Text),
            AccessLogFormat::Json => Some(Format::Json),
            AccessLogFormat::Template(text) => self.text(&path_to!["access_log", name, "format"], text, None).map(Format::Template),
        };
        let condition = match &written.condition {
            Some(text) => self.log_condition(&path_to!["access_log", name, "if"], text).map(Some),
            None => Some(None),
        };
        let severity = match &written.file {
            LogFile::Syslog(syslog) => syslog.severity.unwrap_or(SyslogSeverity::INFO),
            LogFile::Standard | LogFile::Path(_) => SyslogSeverity::INFO,
        };
        let output = self.access_log_output(name, &written.file);
        Some(AccessLogSettings {
            name: name.into(),
            output: output?,
            format: format?,
            condition: condition?,
            gather: gather(written),
            severity,
        })
    }

    fn log_condition(&mut self, path: &[Key], written: &str) -> Option<Text> {
        let text = self.text(path, written, None)?;
        self.tells_apart(path, written, &text, "leave it out for a line of every session").then_some(text)
    }

    fn access_log_output(&mut self, name: &str, written: &LogFile) -> Option<AccessLogOutput> {
        let path = path_to!["access_log", name, "file"];
        if let LogFile::Path(file) = written
            && written.has_variables()
        {
            let text = self.text(&path, file, None)?;
            return Some(AccessLogOutput::Several(PathTemplate { folder: self.places.file(&path, ""), text }));
        }
        Some(AccessLogOutput::One(output(written, name, Output::Stdout, |file| self.places.file(&path, file))))
    }
}

/// Whether and how lines are gathered. What is compressed is gathered in any case, 64 kB at a time, as nginx does.
fn gather(written: &config::AccessLog) -> Option<Gather> {
    let gzip = match written.gzip {
        Some(Gzip::Level(level)) => Some(level),
        Some(Gzip::Off) | None => None,
    };
    let bytes = written.buffer.or(gzip.map(|_| GZIP_BUFFER))?;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Some(Gather { bytes, flush: written.flush.unwrap_or(FLUSH), gzip })
}

/// How much is compressed at a time.
const GZIP_BUFFER: u64 = 64 << 10;
/// How long lines are gathered, so that those of a quiet hour are seen, too.
const FLUSH: Duration = Duration::from_secs(1);
