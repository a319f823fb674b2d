//! What the gateway says of itself: tracing's events, each as one line. Whoever says something never waits for a reader.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{self as event, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;

use super::LogError;
use super::lost::Lost;
use super::sink::{Output, Sink};
use crate::config::SyslogSeverity;

/// `[log]`: what the gateway says of itself, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe level that is written.
    pub level: LevelFilter,
    /// One JSON object a line, instead of text.
    pub json: bool,
    /// Where it is said.
    pub output: Output,
}

/// The gateway's own log, for as long as it is written. What waits is written when this is dropped.
#[derive(Debug)]
pub struct OwnLog {
    sink: Arc<Sink>,
    lost: Arc<Lost>,
}

/// Starts the gateway's own log for the process. A second start in one process changes nothing.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(settings: &LogSettings) -> Result<OwnLog, LogError> {
    let lost = Lost::of_own();
    let sink = Arc::new(Sink::open(&settings.output, None, &lost)?);
    // The only failure is that a log is there already.
    let _ = subscriber(settings, Lines(sink.clone())).try_init();
    Ok(OwnLog { sink, lost })
}

impl OwnLog {
    /// Goes on in the file that has the log's name now.
    ///
    /// # Errors
    /// When it cannot be opened; the old one goes on then.
    pub fn reopen(&self) -> Result<(), LogError> {
        self.sink.reopen()
    }

    /// Says how many lines could not be written so far, if they have become more; again, should this one be lost as well.
    pub fn tell_losses(&self) {
        if self.lost.untold() > 0 {
            tracing::warn!(lost = self.lost.all(), "lines of [log] could not be written and are lost");
        }
    }
}

impl Drop for OwnLog {
    fn drop(&mut self) {
        self.tell_losses();
        self.sink.finish(Instant::now() + AT_MOST);
    }
}

/// How long the end waits for a reader of this log that still reads.
const AT_MOST: Duration = Duration::from_secs(10);

fn subscriber(settings: &LogSettings, lines: Lines) -> impl Subscriber {
    // What libraries tell at a finer level is about themselves: the resolver's alone would bury the rest.
    let others = settings.level.min(LevelFilter::WARN);
    let told = Targets::new().with_default(others).with_target(env!("CARGO_CRATE_NAME"), settings.level);
    let is_terminal = settings.output == Output::Stderr && io::IsTerminal::is_terminal(&io::stderr());
    let text = event::format().with_target(false).with_ansi(is_terminal);
    let format: Box<dyn Layer<Registry> + Send + Sync> = match (settings.json, &settings.output) {
        (true, _) => layer().json().flatten_event(true).with_target(false).with_writer(lines).boxed(),
        // Syslog knows the time and the level.
        (false, Output::Syslog(_)) => layer().event_format(OneLine(text.without_time().with_level(false))).with_writer(lines).boxed(),
        (false, _) => layer().event_format(OneLine(text)).with_writer(lines).boxed(),
    };
    Registry::default().with(format).with(told)
}

/// Text in which an event is one line, whatever is in it: what others say, libraries too, may have several.
struct OneLine<T>(event::Format<Full, T>);

impl<S, N, T> FormatEvent<S, N> for OneLine<T>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    T: FormatTime,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        writeln!(writer, "{}", text.trim_end_matches('\n').replace('\n', "\\n").replace('\r', "\\r"))
    }
}

/// Makes lines of what tracing writes, each at once.
struct Lines(Arc<Sink>);

struct Line<'s> {
    sink: &'s Sink,
    severity: SyslogSeverity,
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Line<'w> {
        Line { sink: &self.0, severity: SyslogSeverity::INFO }
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> Line<'w> {
        Line { sink: &self.0, severity: severity(*event.level()) }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.write(line, self.severity);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn severity(level: Level) -> SyslogSeverity {
    match level {
        Level::ERROR => SyslogSeverity::ERROR,
        Level::WARN => SyslogSeverity::WARNING,
        Level::INFO => SyslogSeverity::INFO,
        _ => SyslogSeverity::DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is logged at this level while `told` runs.
    fn logged(level: LevelFilter, json: bool, told: impl FnOnce()) -> String {
        let written = tempfile::NamedTempFile::new().unwrap();
        let settings = LogSettings { level, json, output: Output::File(written.path().into()) };
        let sink = Arc::new(Sink::open(&settings.output, None, &Lost::of_own()).unwrap());
        tracing::subscriber::with_default(subscriber(&settings, Lines(sink)), told);
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
