//! Where lines go. A line is one write, so that lines of several workers never mix and none is split.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{LogError, open};

/// Where an access log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

/// An open output.
#[derive(Debug)]
pub(super) struct Sink {
    to: To,
    lost: AtomicU64,
}

#[derive(Debug)]
enum To {
    Stdout,
    File(File),
}

impl Sink {
    /// Opens the output; a file exists from then on.
    pub(super) fn open(output: &Output) -> Result<Self, LogError> {
        let to = match output {
            Output::Stdout => To::Stdout,
            Output::File(path) => To::File(open(path)?),
        };
        Ok(Self { to, lost: AtomicU64::new(0) })
    }

    /// Writes a line. One that cannot be written is lost and counted, since sessions matter more.
    pub(super) fn write(&self, line: &[u8]) {
        let written = match &self.to {
            To::Stdout if !stdout_has_room() => false,
            To::Stdout => rustix::io::write(rustix::stdio::stdout(), line).is_ok_and(|length| length == line.len()),
            To::File(file) => { file }.write_all(line).is_ok(),
        };
        // Said when it begins and then ever more rarely: a full disk must not fill the other log.
        if !written && (self.lost.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
            tracing::warn!(lost = self.lost.load(Ordering::Relaxed), "access log lines could not be written and are lost");
        }
    }
}

/// A reader of our standard output that stalls must not stall every session: a full pipe loses lines instead.
fn stdout_has_room() -> bool {
    let stdout = rustix::stdio::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::OUT)];
    matches!(poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
}
