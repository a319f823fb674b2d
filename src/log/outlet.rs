//! What a queue's lines go out by: a pipe, a terminal, a socket, or a file, compressed or not.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, ftruncate};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::net::{SendFlags, send};

#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) file: File,
    kind: FileType,
    gzip: Option<Compression>,
    /// How many bytes it has taken: whoever waits for a reader sees whether it still reads.
    taken: AtomicU64,
}

impl Outlet {
    pub(super) fn new(file: File, gzip: Option<u8>) -> Self {
        // Of a descriptor that is open, fstat(2) tells all.
        let kind = fstat(&file).map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode));
        Self { file, kind, gzip: gzip.map(|level| Compression::new(level.into())), taken: AtomicU64::new(0) }
    }

    /// How many bytes it has taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How much of the lines is written next, in one piece: all where nobody has to read it, else whole lines for which there is
    /// room, or one that is longer.
    pub(super) fn next(&self, lines: &[u8]) -> usize {
        if !self.has_reader() {
            return lines.len();
        }
        let fitting = lines.iter().take(ATOMIC).rposition(|&byte| byte == b'\n');
        fitting.or_else(|| lines.iter().position(|&byte| byte == b'\n')).map_or(lines.len(), |end| end + 1)
    }

    /// Waits until what is written next has room.
    ///
    /// # Errors
    /// What befell the file.
    pub(super) fn wait(&self) -> io::Result<()> {
        if self.has_reader() { self.wait_for_room() } else { Ok(()) }
    }

    /// Writes as much as there is room for at once: how much that was.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room, and what else befalls the file.
    pub(super) fn try_write(&self, line: &[u8]) -> io::Result<usize> {
        if self.kind == FileType::Socket {
            return Ok(retry_on_intr(|| send(&self.file, line, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))?);
        }
        // The file may be somebody else's as well, so it cannot be told not to block. Where there is room there is
        // room for a page, and more is not tried.
        let mut watched = [PollFd::new(&self.file, PollFlags::OUT)];
        let has_room = retry_on_intr(|| poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))? == 1;
        if !has_room || line.len() > ATOMIC {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(retry_on_intr(|| write(&self.file, line))?)
    }

    /// Writes all of the lines, however long that takes.
    ///
    /// # Errors
    /// What befell the file, with how many bytes of the lines are there.
    pub(super) fn write(&self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        let Some(level) = self.gzip else { return self.write_out(lines).map_err(|(written, error)| self.undo(lines, written, error)) };
        let packed = member(lines, level).map_err(|error| (0, error))?;
        self.write_out(&packed).map_err(|(written, error)| {
            self.cut(written);
            (0, error)
        })
    }

    fn write_out(&self, mut left: &[u8]) -> Result<(), (usize, io::Error)> {
        let all = left.len();
        while !left.is_empty() {
            let most = if self.has_reader() { left.len().min(ATOMIC) } else { left.len() };
            self.wait().map_err(|error| (all - left.len(), error))?;
            match write(&self.file, &left[..most]) {
                Ok(0) => return Err((all - left.len(), io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.taken.fetch_add(written as u64, Ordering::Relaxed);
                    left = &left[written..];
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_for_room().map_err(|error| (all - left.len(), error))?,
                Err(error) => return Err((all - left.len(), error.into())),
            }
        }
        Ok(())
    }

    /// Whether somebody has to read what is written, who may stall.
    fn has_reader(&self) -> bool {
        self.kind != FileType::RegularFile && self.gzip.is_none()
    }

    fn wait_for_room(&self) -> io::Result<()> {
        retry_on_intr(|| poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None))?;
        Ok(())
    }

    /// Takes the beginning of a line that had no room back, and says which lines stay.
    fn undo(&self, lines: &[u8], written: usize, error: io::Error) -> (usize, io::Error) {
        let whole = lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.cut(written - whole);
        (whole, error)
    }

    /// Shortens a file by what was written last, which nobody else writes to; elsewhere there is nothing to take back.
    fn cut(&self, bytes: usize) {
        let is_ours = fcntl_getfl(&self.file).is_ok_and(|flags| flags.contains(OFlags::APPEND));
        if self.kind == FileType::RegularFile
            && is_ours
            && bytes > 0
            && let Ok(stat) = fstat(&self.file)
        {
            let _ = ftruncate(&self.file, u64::try_from(stat.st_size).unwrap_or_default().saturating_sub(bytes as u64));
        }
    }
}

/// A gzip member, complete in itself: a file is any number of them, one behind the other (RFC 1952 §2.2).
fn member(lines: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::with_capacity(lines.len() / 4), level);
    packed.write_all(lines)?;
    packed.finish()
}

/// As much as is written whole or not at all: PIPE_BUF of pipe(7).
const ATOMIC: usize = 4096;
