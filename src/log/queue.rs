//! Lines that are written by a thread of their own: those for a pipe whose reader may stall, and those that are gathered.
//! What waits is bounded; beyond it lines are lost, and nobody who writes one ever waits.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::time::{Duration, Instant};

use super::LogError;
use super::lost::Lost;
use super::outlet::Outlet;

/// When gathered lines are written, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// As soon as there are so many bytes.
    pub bytes: usize,
    /// At the latest so long after the first line of them.
    pub flush: Duration,
    /// Compressed at this level, from 1 to 9.
    pub gzip: Option<u8>,
}

/// The lines that wait, and the thread that writes them. It ends, with everything written, when this is dropped.
#[derive(Debug)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    outlet: Outlet,
    gather: Option<Gather>,
    lost: Arc<Lost>,
    waiting: Mutex<Waiting>,
    /// Tells the thread that there is something to do.
    work: Condvar,
    /// Tells others that everything is written.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Whether the thread is writing others.
    is_writing: bool,
    /// How many of those others are not written yet.
    unwritten: u64,
    /// Whether those who wait for them no longer do. What is not written by then is lost.
    is_given_up: bool,
    /// Whether they are to be written now, however few.
    is_urgent: bool,
    /// Whether no more will come.
    is_over: bool,
}

impl Queue {
    /// Lines for this file.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn new(file: File, gather: Option<Gather>, lost: Arc<Lost>) -> Result<Self, LogError> {
        let outlet = Outlet::new(file, gather.and_then(|gather| gather.gzip));
        let shared = Arc::new(Shared { outlet, gather, lost, waiting: Mutex::default(), work: Condvar::new(), idle: Condvar::new() });
        let work = shared.clone();
        thread::Builder::new().name("log".into()).spawn(move || work.write_all()).map_err(LogError::Thread)?;
        Ok(Self(shared))
    }

    /// The file they are for.
    pub(super) fn file(&self) -> &File {
        &self.0.outlet.file
    }

    /// Takes a line, or loses it.
    pub(super) fn write(&self, line: &[u8]) {
        let shared = &*self.0;
        let mut waiting = shared.waiting();
        if waiting.is_given_up {
            drop(waiting);
            return shared.lost.add(1, &NOT_READ);
        }
        match shared.gather {
            None => shared.pass_on(&mut waiting, line),
            Some(gather) => shared.gather(&mut waiting, line, gather),
        }
    }

    /// Has everything written soon, without waiting for it.
    pub(super) fn hurry(&self) {
        self.0.waiting().is_urgent = true;
        self.0.work.notify_one();
    }

    /// Waits until everything is written, if need be until then, as long as it goes on. What is still there after that is lost.
    pub(super) fn finish(&self, until: Instant) {
        self.hurry();
        let shared = &*self.0;
        let busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let mut waiting = shared.waiting();
        loop {
            let taken = shared.outlet.taken();
            let waited = shared.idle.wait_timeout_while(waiting, shared.patience(), busy);
            let (still, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            waiting = still;
            if !timeout.timed_out() {
                return;
            }
            if shared.outlet.taken() == taken || Instant::now() >= until {
                break;
            }
        }
        let lines = waiting.unwritten + count(&std::mem::take(&mut waiting.lines));
        waiting.is_given_up = true;
        drop(waiting);
        shared.lost.add(lines, &NOT_READ);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.waiting().is_over = true;
        self.0.work.notify_one();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the end waits while nothing is taken: for a reader that stalls no longer than somebody who stops the gateway would.
    fn patience(&self) -> Duration {
        if self.gather.is_some() { Duration::from_secs(10) } else { Duration::from_secs(1) }
    }

    /// Writes a line at once where that takes no time; if not, the thread does.
    fn pass_on(&self, waiting: &mut Waiting, line: &[u8]) {
        let mut left = line;
        if waiting.lines.is_empty() && !waiting.is_writing {
            match self.outlet.try_write(line) {
                Ok(written) => left = &line[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return self.lost.add(1, &error),
            }
        }
        if left.is_empty() {
            return;
        }
        if waiting.lines.len() + left.len() > MOST_WAITING {
            return self.lost.add(1, &"its reader is too slow");
        }
        waiting.lines.extend_from_slice(left);
        self.work.notify_one();
    }

    fn gather(&self, waiting: &mut Waiting, line: &[u8], gather: Gather) {
        // While one part is written another one may fill, and a bit more.
        if waiting.lines.len() + line.len() > gather.bytes + MOST_WAITING {
            return self.lost.add(1, &"the file is too slow");
        }
        waiting.lines.extend_from_slice(line);
        let is_first = waiting.since.is_none();
        waiting.since.get_or_insert_with(Instant::now);
        if is_first || waiting.lines.len() >= gather.bytes {
            self.work.notify_one();
        }
    }

    /// What the thread does.
    fn write_all(&self) {
        let mut lines = Vec::new();
        while self.next(&mut lines) {
            let mut left = &lines[..];
            // As much at a time as is written in one piece: a line that is begun is finished, whoever gives the others up meanwhile.
            while let (part, rest) = left.split_at(self.outlet.next(left))
                && !part.is_empty()
                && self.is_wanted()
            {
                if let Err((lost, error)) = self.outlet.write(part) {
                    self.lost.add(count(&part[lost..]), &error);
                }
                let mut waiting = self.waiting();
                waiting.unwritten = waiting.unwritten.saturating_sub(count(part));
                left = rest;
            }
        }
    }

    /// Waits until there is room for the next part: whether it is still to be written.
    fn is_wanted(&self) -> bool {
        // If that fails, so does what is written.
        let _ = self.outlet.wait();
        !self.waiting().is_given_up
    }

    /// Waits for lines that are due, and takes them; `false` when no more will come.
    fn next(&self, lines: &mut Vec<u8>) -> bool {
        lines.clear();
        lines.shrink_to(MOST_WAITING);
        let mut waiting = self.waiting();
        waiting.is_writing = false;
        loop {
            if waiting.lines.is_empty() {
                waiting.is_urgent = false;
                self.idle.notify_all();
                if waiting.is_over {
                    return false;
                }
                waiting = self.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            } else if let Some(early) = self.early(&waiting) {
                waiting = self.work.wait_timeout(waiting, early).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                std::mem::swap(&mut waiting.lines, lines);
                waiting.since = None;
                waiting.is_writing = true;
                waiting.unwritten = count(lines);
                return true;
            }
        }
    }

    /// For how long the lines may still wait.
    fn early(&self, waiting: &Waiting) -> Option<Duration> {
        let gather = self.gather.filter(|gather| waiting.lines.len() < gather.bytes && !waiting.is_urgent && !waiting.is_over)?;
        let waited = waiting.since?.elapsed();
        gather.flush.checked_sub(waited).filter(|left| !left.is_zero())
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Why lines are lost at the end.
const NOT_READ: &str = "its reader is too slow";
/// How many bytes may wait for a reader that stalls.
const MOST_WAITING: usize = 1 << 20;
