//! `[access_log.NAME]`: one line for each session, written before the client can see its end.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use super::lost::Lost;
use super::path::PathTemplate;
use super::paths::{MOST_OPEN, Paths};
use super::sink::{Output, Sink};
use super::{Format, Gather, LogError};
use crate::config::SyslogSeverity;
use crate::session::Session;
use crate::variables::{Text, Variable, render};

/// An access log as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// What it is called.
    pub name: Arc<str>,
    /// Where lines go.
    pub output: AccessLogOutput,
    /// What they look like.
    pub format: Format,
    /// A session has no line where this is empty or "0".
    pub condition: Option<Text>,
    /// Whether lines are gathered before they are written.
    pub gather: Option<Gather>,
    /// How important syslog is told that they are.
    pub severity: SyslogSeverity,
}

/// Where an access log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogOutput {
    /// All lines to one place.
    One(Output),
    /// Each session's where its path leads.
    Several(PathTemplate),
}

impl AccessLogSettings {
    /// Whether the log tells the gateway's own address, which costs a call for each session on a wildcard.
    #[must_use]
    pub fn tells_server_address(&self) -> bool {
        let path = match &self.output {
            AccessLogOutput::One(_) => None,
            AccessLogOutput::Several(path) => Some(&path.text),
        };
        let texts = self.condition.iter().chain(path);
        self.format.tells_server_address() || texts.flat_map(Text::variables).any(Variable::tells_server_address)
    }

    /// How many descriptors the log takes at most.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        match self.output {
            // A file that is being reopened is open twice.
            AccessLogOutput::One(_) => 2,
            AccessLogOutput::Several(_) => MOST_OPEN as u64,
        }
    }
}

/// An open access log, shared by all workers.
#[derive(Debug)]
pub struct AccessLog {
    to: To,
    format: Format,
    condition: Option<Text>,
    severity: SyslogSeverity,
    lost: Arc<Lost>,
}

#[derive(Debug)]
enum To {
    One(Sink),
    Several(Paths),
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub fn open(settings: &AccessLogSettings) -> Result<Self, LogError> {
        let lost = Lost::of(&settings.name);
        let to = match &settings.output {
            AccessLogOutput::One(output) => To::One(Sink::open(output, settings.gather, &lost)?),
            AccessLogOutput::Several(template) => To::Several(Paths::open(template, lost.clone())?),
        };
        let AccessLogSettings { format, condition, severity, .. } = settings.clone();
        Ok(Self { to, format, condition, severity, lost })
    }

    /// Writes the line of a session that has ended.
    pub fn write(&self, session: &Session) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            if self.condition.as_ref().is_some_and(|condition| is_false(condition, session, line)) {
                return;
            }
            line.clear();
            self.format.write(session, line);
            match &self.to {
                To::One(sink) => sink.write(line, self.severity),
                To::Several(paths) => paths.write(session, line),
            }
        });
    }

    /// Goes on in the files that have the log's names now.
    ///
    /// # Errors
    /// When one cannot be opened; the old one goes on then.
    pub fn reopen(&self) -> Result<(), LogError> {
        match &self.to {
            To::One(sink) => sink.reopen(),
            To::Several(paths) => {
                paths.reopen();
                Ok(())
            }
        }
    }

    /// Has gathered lines written soon.
    pub fn hurry(&self) {
        if let To::One(sink) = &self.to {
            sink.hurry();
        }
    }

    /// Waits until all lines are written, if need be until then, as long as somebody takes them, and says how many are lost.
    pub fn finish(&self, until: Instant) {
        if let To::One(sink) = &self.to {
            sink.finish(until);
        }
        self.lost.tell_rest();
    }
}

/// As nginx's `if`. `room` is what the text is filled into.
fn is_false(condition: &Text, session: &Session, room: &mut Vec<u8>) -> bool {
    render(condition, session, room);
    matches!(&room[..], b"" | b"0")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Duration;

    use super::*;
    use crate::session::{CloseReason, Hello, Peer};

    fn ended_session() -> Session {
        let client = Peer::Ip("192.0.2.1:5000".parse().unwrap());
        let mut session = Session::new(3, "https".into(), client, client, Instant::now(), SystemTime::now());
        session.hello = Some(Hello::Named);
        session.server_name = Some("shop.example".into());
        session.upstream = Some("shop".into());
        session.begin_try("10.0.0.1:443".into(), session.started);
        session.end(CloseReason::ClientClosed, None, session.started + Duration::from_millis(1500));
        session
    }

    fn open(output: Output, format: Format, gather: Option<Gather>) -> AccessLog {
        let output = AccessLogOutput::One(output);
        let name = "a".into();
        AccessLog::open(&AccessLogSettings { name, output, format, condition: None, gather, severity: SyslogSeverity::INFO }).unwrap()
    }

    /// `cargo test --release --lib -- --ignored --nocapture lines_a_second`
    #[test]
    #[ignore = "a measurement, which asserts nothing"]
    fn lines_a_second() {
        const LINES: u32 = 100_000;
        let (folder, session) = (tempfile::tempdir().unwrap(), ended_session());
        let gather = |gzip| Some(Gather { bytes: 65536, flush: Duration::from_secs(1), gzip });
        let ways = [("each", None), ("gathered", gather(None)), ("gathered and compressed", gather(Some(1)))];
        for (format, shape) in [("text", Format::Text), ("json", Format::Json)] {
            for (way, gather) in ways {
                let log = open(Output::File(folder.path().join(format)), shape.clone(), gather);
                let began = Instant::now();
                (0..LINES).for_each(|_| log.write(&session));
                let each = began.elapsed() / LINES;
                log.finish(Instant::now());
                println!("{format}, {way}: {each:?} a line, {} lost", log.lost.all());
            }
        }
    }
}
