//! Where lines go. A line is whole or absent, and nobody who writes one waits for a reader.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustix::fs::{FileType, fstat};
use tokio::time::Instant;

use super::LogError;
use super::direct::Direct;
use super::lost::Lost;
use super::open::{is_still, open};
use super::queue::{Gather, Queue};
use super::syslog::{Syslog, SyslogSettings};
use crate::config::SyslogSeverity;

/// Where a log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
    /// Syslog.
    Syslog(SyslogSettings),
}

/// An open output.
#[derive(Debug)]
pub(super) enum Sink {
    /// What the process was started with.
    Standard(Stream),
    /// A file that another one may take the place of.
    File(Reopened),
    Syslog(Syslog),
}

impl Sink {
    /// Opens the output; a file exists from then on.
    pub(super) fn open(output: &Output, gather: Option<Gather>, lost: &Arc<Lost>) -> Result<Self, LogError> {
        let standard = |stream: rustix::fd::BorrowedFd<'_>| {
            let own = stream.as_fd().try_clone_to_owned().map_err(LogError::Standard)?;
            Stream::over(own.into(), gather, lost.clone()).map(Self::Standard)
        };
        match output {
            Output::Stdout => standard(rustix::stdio::stdout()),
            Output::Stderr => standard(rustix::stdio::stderr()),
            Output::File(path) => Reopened::open(path, gather, lost.clone()).map(Self::File),
            Output::Syslog(settings) => Syslog::open(settings, lost.clone()).map(Self::Syslog),
        }
    }

    /// Writes a line, with its newline. One that cannot be written is lost and counted.
    pub(super) fn write(&self, line: &[u8], severity: SyslogSeverity) {
        match self {
            Self::Standard(stream) => stream.write(line),
            Self::File(file) => file.current.load().write(line),
            Self::Syslog(syslog) => syslog.write(line, severity),
        }
    }

    /// Goes on in the file that has the log's name now.
    ///
    /// # Errors
    /// When it cannot be opened; the old one goes on then.
    pub(super) fn reopen(&self) -> Result<(), LogError> {
        match self {
            Self::File(file) => file.reopen(),
            Self::Standard(_) | Self::Syslog(_) => Ok(()),
        }
    }

    /// Has gathered lines written soon.
    pub(super) fn hurry(&self) {
        self.with_queue(Queue::hurry);
    }

    /// Waits until all lines are written, if need be until then, as long as somebody takes them.
    pub(super) fn finish(&self, until: Instant) {
        self.with_queue(|queue| queue.finish(until));
    }

    fn with_queue(&self, ask: impl Fn(&Queue)) {
        match self {
            Self::Standard(Stream::Queue(queue)) => ask(queue),
            Self::File(file) => {
                if let Stream::Queue(queue) = &**file.current.load() {
                    ask(queue);
                }
            }
            Self::Standard(Stream::Direct(_)) | Self::Syslog(_) => {}
        }
    }
}

/// Something that bytes flow into.
#[derive(Debug)]
pub(super) enum Stream {
    Direct(Direct),
    Queue(Queue),
}

impl Stream {
    /// Files take what comes; others may make whoever writes to them wait, so a thread does.
    fn over(file: File, gather: Option<Gather>, lost: Arc<Lost>) -> Result<Self, LogError> {
        let is_file = fstat(&file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        match gather {
            None if is_file => Ok(Self::Direct(Direct::new(file, lost))),
            _ => Queue::new(file, gather, lost).map(Self::Queue),
        }
    }

    fn write(&self, line: &[u8]) {
        match self {
            Self::Direct(file) => file.write(line),
            Self::Queue(queue) => queue.write(line),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Direct(direct) => &direct.file,
            Self::Queue(queue) => queue.file(),
        }
    }
}

/// A file by its name, which may come to be another file's.
#[derive(Debug)]
pub(super) struct Reopened {
    path: PathBuf,
    gather: Option<Gather>,
    lost: Arc<Lost>,
    current: ArcSwap<Stream>,
}

impl Reopened {
    fn open(path: &Path, gather: Option<Gather>, lost: Arc<Lost>) -> Result<Self, LogError> {
        let stream = Stream::over(open(path)?, gather, lost.clone())?;
        Ok(Self { path: path.into(), gather, lost, current: ArcSwap::from_pointee(stream) })
    }

    fn reopen(&self) -> Result<(), LogError> {
        if is_still(self.current.load().file(), &self.path) {
            return Ok(());
        }
        let stream = Stream::over(open(&self.path)?, self.gather, self.lost.clone())?;
        let old = self.current.swap(Arc::new(stream));
        // What was gathered belongs into the old file. Whoever is just writing a line may still do so there.
        if let Stream::Queue(queue) = &*old {
            queue.finish(Instant::now());
        }
        Ok(())
    }
}
