//! What is written down: one line per session in the access logs ([`AccessLog`]), and what the gateway says of
//! itself ([`start`]). Lines are whole or absent, and nothing a stranger sends can forge one.

mod access;
mod format;
mod sink;

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

pub use access::{AccessLog, AccessLogSettings};
pub use format::Format;
pub use sink::Output;

/// `[log]`: what the gateway says of itself, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe level that is written.
    pub level: LevelFilter,
    /// One JSON object a line, instead of text.
    pub json: bool,
    /// A file; stderr if there is none.
    pub file: Option<PathBuf>,
}

/// A log that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log {}: {source}", .path.display())]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Starts the gateway's own log for the process. A second start in one process changes nothing.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    match &settings.file {
        None => install(settings, io::stderr, io::IsTerminal::is_terminal(&io::stderr())),
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let file = opened.map_err(|source| LogError { path: path.clone(), source })?;
            install(settings, Mutex::new(file), false);
        }
    }
    Ok(())
}

fn install(settings: &LogSettings, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static, color: bool) {
    let text = tracing_subscriber::fmt().with_max_level(settings.level).with_target(false).with_ansi(color).with_writer(writer);
    // The only failure is that a log is there already.
    let _ = if settings.json { text.json().flatten_event(true).finish().try_init() } else { text.finish().try_init() };
}
