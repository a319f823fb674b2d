//! One direction of a relay: what is read from one side and written to the other.

use std::io;
use std::task::{Context, Poll};

use super::pace::Pace;
use crate::net::{SCRATCH_SIZE, Stream, with_scratch};

/// The state of one direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// Bytes read so far.
    pub(super) read: u64,
    /// Bytes written so far.
    pub(super) written: u64,
    /// What the receiver did not take yet, and how much of it is gone.
    spill: Option<(Vec<u8>, usize)>,
    ended: bool,
    /// What it keeps to, if it may not go as fast as it can.
    pace: Option<Box<Pace>>,
    /// Whether the receiver was told that no more will come.
    pub(super) end_passed: bool,
}

/// Where a direction stands after it went as far as it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Waits for bytes.
    Reading,
    /// Waits for the receiver to take bytes; nothing is read meanwhile.
    Blocked,
    /// Waits for its rate to allow more; nothing is read meanwhile.
    Held,
    /// The sender has ended, and all it sent is on its way.
    Over,
}

/// Which side broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The one that is read.
    From(How),
    /// The one that is written.
    To,
}

/// How a side that is read broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Its connection was reset, or it can no longer be reached.
    Reset,
    /// It ended without saying so.
    Truncated,
    /// It no longer keeps to its protocol.
    Garbled,
}

impl From<io::Error> for How {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::InvalidData => Self::Garbled,
            _ => Self::Reset,
        }
    }
}

impl Direction {
    /// A direction in which nothing has moved yet.
    pub(super) fn at(pace: Option<Box<Pace>>) -> Self {
        Self { pace, ..Self::default() }
    }

    /// A direction in which these bytes were read already, and so many of them written.
    pub(super) fn starting_with(bytes: Vec<u8>, written: usize, pace: Option<Box<Pace>>) -> Self {
        let read = bytes.len();
        let spill = (written < read).then_some((bytes, written));
        Self { read: read as u64, written: written as u64, spill, ..Self::at(pace) }
    }

    /// Whether its rate keeps it from being read.
    pub(super) fn is_held(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.holds())
    }

    /// Moves what can be moved now, for one turn at most: a sender that never pauses would leave the other direction, and
    /// all other sessions of this worker, none.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &impl Stream,
        to: &impl Stream,
        moved: &mut bool,
    ) -> Result<Progress, Broken> {
        for _ in 0..READS_IN_A_TURN {
            if self.spill.is_some() && !self.poll_spill(cx, to, moved)? {
                return Ok(Progress::Blocked);
            }
            match to.poll_flush(cx, moved) {
                Poll::Pending => return Ok(Progress::Blocked),
                Poll::Ready(flushed) => flushed.map_err(|_| Broken::To)?,
            }
            if self.ended {
                return Ok(Progress::Over);
            }
            let Poll::Ready(most) = self.poll_pace(cx, moved) else { return Ok(Progress::Held) };
            if with_scratch(|scratch| self.poll_move(cx, from, to, &mut scratch[..most], moved))?.is_pending() {
                return Ok(Progress::Reading);
            }
        }
        cx.waker().wake_by_ref();
        Ok(if self.spill.is_some() { Progress::Blocked } else { Progress::Reading })
    }

    /// Passes on what a sender had said when a write to it found it broken, which may be before there is word of its bytes.
    pub(super) fn pass_last_words(&mut self, cx: &mut Context<'_>, from: &impl Stream, to: &impl Stream, moved: &mut bool) {
        from.expect_bytes();
        // How it ends is known already.
        let _ = self.poll(cx, from, to, moved);
    }

    /// Tells the receiver once that no more will come. One that is gone is noticed elsewhere.
    pub(super) fn pass_end(&mut self, cx: &mut Context<'_>, to: &impl Stream) {
        self.end_passed = self.end_passed || to.poll_end(cx).is_ready();
    }

    /// How much may be read at once.
    fn poll_pace(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<usize> {
        match &mut self.pace {
            None => Poll::Ready(SCRATCH_SIZE),
            Some(pace) => pace.poll_allowance(cx, moved).map(|allowed| allowed.min(SCRATCH_SIZE)),
        }
    }

    /// Reads once and writes what was read; what is not taken spills.
    fn poll_move(
        &mut self,
        cx: &mut Context<'_>,
        from: &impl Stream,
        to: &impl Stream,
        scratch: &mut [u8],
        moved: &mut bool,
    ) -> Result<Poll<()>, Broken> {
        let length = match from.poll_read(cx, scratch) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(read) => read.map_err(|error| Broken::From(error.into()))?,
        };
        if length == 0 {
            self.ended = true;
            return Ok(Poll::Ready(()));
        }
        *moved = true;
        self.read += length as u64;
        if let Some(pace) = &mut self.pace {
            pace.take(length);
        }
        let written = match to.poll_write(cx, &scratch[..length]) {
            Poll::Pending => 0,
            Poll::Ready(written) => written.map_err(|_| Broken::To)?,
        };
        self.written += written as u64;
        if written < length {
            self.spill = Some((scratch[written..length].to_vec(), 0));
        }
        Ok(Poll::Ready(()))
    }

    /// Writes what had spilled; whether all of it is gone.
    fn poll_spill(&mut self, cx: &mut Context<'_>, to: &impl Stream, moved: &mut bool) -> Result<bool, Broken> {
        while let Some((bytes, gone)) = &mut self.spill {
            let Poll::Ready(written) = to.poll_write(cx, &bytes[*gone..]) else { return Ok(false) };
            let written = written.map_err(|_| Broken::To)?;
            *moved = true;
            self.written += written as u64;
            *gone += written;
            if *gone == bytes.len() {
                self.spill = None;
            }
        }
        Ok(true)
    }
}

/// A megabyte: bulk seldom has to queue up again, and others have their turn within a fraction of a millisecond.
const READS_IN_A_TURN: usize = 16;

/// So many bytes at the most.
#[cfg(test)]
pub(super) const MOST_IN_A_TURN: u64 = (READS_IN_A_TURN * SCRATCH_SIZE) as u64;
