//! What is written down: one line per session in the access logs ([`AccessLog`]), and what the gateway says of
//! itself ([`start`]). Lines are whole or absent, and nothing a stranger sends can forge one.

mod access;
mod format;
mod sink;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{self as event, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
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
#[error("cannot open the log {}: {}", .path.display(), explain(.source, .path))]
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
        Some(path) => install(settings, Mutex::new(open(path)?), false),
    }
    Ok(())
}

fn install(settings: &LogSettings, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static, color: bool) {
    // The only failure is that a log is there already.
    let _ = subscriber(settings, writer, color).try_init();
}

fn subscriber(settings: &LogSettings, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static, color: bool) -> impl Subscriber {
    // What libraries tell at a finer level is about themselves: the resolver's alone would bury the rest.
    let others = settings.level.min(LevelFilter::WARN);
    let told = Targets::new().with_default(others).with_target(env!("CARGO_CRATE_NAME"), settings.level);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.json {
        true => layer().json().flatten_event(true).with_target(false).with_writer(writer).boxed(),
        false => layer().event_format(OneLine(event::format().with_target(false).with_ansi(color))).with_writer(writer).boxed(),
    };
    Registry::default().with(lines).with(told)
}

/// Text in which an event is one line, whatever is in it: what others say, libraries too, may have several.
struct OneLine(event::Format);

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        writeln!(writer, "{}", text.trim_end_matches('\n').replace('\n', "\\n").replace('\r', "\\r"))
    }
}

/// Opens a log to append to; a file exists from then on. A FIFO without a reader must not hold the start up, which
/// opening it to write would (fifo(7)), nor a reader that stalls the sessions.
fn open(path: &Path) -> Result<File, LogError> {
    let opened = OpenOptions::new().create(true).append(true).custom_flags(libc::O_NONBLOCK).open(path);
    opened.map_err(|source| LogError { path: path.into(), source })
}

fn explain(error: &io::Error, path: &Path) -> String {
    let is_fifo = || std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    match error.raw_os_error() {
        Some(libc::ENXIO) if is_fifo() => "nobody reads this FIFO; start its reader first".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is logged at this level while `told` runs.
    fn logged(level: LevelFilter, json: bool, told: impl FnOnce()) -> String {
        let written = tempfile::NamedTempFile::new().unwrap();
        let settings = LogSettings { level, json, file: None };
        let file = written.reopen().unwrap();
        tracing::subscriber::with_default(subscriber(&settings, Mutex::new(file), false), told);
        std::fs::read_to_string(written.path()).unwrap()
    }

    #[test]
    fn an_event_of_several_lines_is_one_line() {
        for json in [false, true] {
            let log = logged(LevelFilter::INFO, json, || tracing::info!(field = "a\nb", "first\r\n2026 ERROR forged"));
            assert_eq!(log.matches('\n').count(), 1, "{log}");
            assert!(log.ends_with('\n') && log.contains("first\\r\\n2026 ERROR forged"), "{log}");
        }
    }

    #[test]
    fn libraries_are_only_heard_when_they_warn() {
        let told = || {
            tracing::debug!(target: "hickory_resolver::caching_client", "a record");
            tracing::warn!(target: "hickory_resolver::caching_client", "a warning");
            tracing::debug!(target: "vestibule::gateway", "ours");
        };
        let words = |level| ["a record", "a warning", "ours"].map(|word| logged(level, false, told).contains(word));
        assert_eq!(words(LevelFilter::DEBUG), [false, true, true]);
        assert_eq!(words(LevelFilter::INFO), [false, true, false]);
        assert_eq!(words(LevelFilter::ERROR), [false, false, false]);
    }
}
