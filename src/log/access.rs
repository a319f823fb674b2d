//! `[access_log.NAME]`: one line for each session, written before the client can see its end.

use std::cell::RefCell;

use super::sink::{Output, Sink};
use super::{Format, LogError};
use crate::session::Session;

/// An access log as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// Where lines go.
    pub output: Output,
    /// What they look like.
    pub format: Format,
}

/// An open access log, shared by all workers.
#[derive(Debug)]
pub struct AccessLog {
    sink: Sink,
    format: Format,
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub fn open(settings: &AccessLogSettings) -> Result<Self, LogError> {
        Ok(Self { sink: Sink::open(&settings.output)?, format: settings.format.clone() })
    }

    /// Writes the line of a session that has ended.
    pub fn write(&self, session: &Session) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.format.write(session, line);
            self.sink.write(line);
        });
    }
}
