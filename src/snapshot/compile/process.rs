//! `[process]`, `[log]`, `[access_log.NAME]`.

use tracing::level_filters::LevelFilter;

use super::Compiler;
use crate::config::{self, AccessLogFormat, Config, Count, LogFormat, LogLevel, Places, Watch, path_to};
use crate::log::{AccessLogSettings, Format, LogSettings, Output};
use crate::snapshot::Process;

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
        file: (written.file != "-").then(|| places.file(&path_to!["log", "file"], &written.file)),
    }
}

impl Compiler {
    pub(super) fn access_logs(&mut self, config: &Config) -> Option<Vec<AccessLogSettings>> {
        let mut logs = Vec::new();
        for (name, written) in &config.access_log {
            let format = match &written.format {
                AccessLogFormat::Text => Some(Format::Text),
                AccessLogFormat::Json => Some(Format::Json),
                AccessLogFormat::Template(text) => self.text(&path_to!["access_log", name, "format"], text, None).map(Format::Template),
            };
            let output = match written.file.as_str() {
                "-" => Output::Stdout,
                file => Output::File(self.places.file(&path_to!["access_log", name, "file"], file)),
            };
            logs.push(format.map(|format| AccessLogSettings { output, format }));
        }
        logs.into_iter().collect()
    }
}
