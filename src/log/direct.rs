//! A file that lines are written to as they come: a line is one write(2), which appends it whole, so that lines of several
//! workers never mix and nobody waits for a lock.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{retry_on_intr, write, writev};

use super::lost::Lost;

/// An open file.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) file: File,
    lost: Arc<Lost>,
    /// Whether the file ends in the beginning of a line: a full disk takes as much as fits.
    is_torn: AtomicBool,
}

impl Direct {
    pub(super) fn new(file: File, lost: Arc<Lost>) -> Self {
        Self { file, lost, is_torn: AtomicBool::new(false) }
    }

    pub(super) fn write(&self, line: &[u8]) {
        match self.append(line) {
            Ok(true) => {}
            Ok(false) => self.lost.add(1, &"only its beginning had room"),
            Err(error) => self.lost.add(1, &error),
        }
    }

    /// Whether the whole line was taken. What is left of one that was not becomes a line of its own, and spoils none.
    fn append(&self, line: &[u8]) -> io::Result<bool> {
        let is_torn = self.is_torn.load(Ordering::Relaxed);
        let mend = usize::from(is_torn);
        let written = match is_torn {
            false => retry_on_intr(|| write(&self.file, line))?,
            true => retry_on_intr(|| writev(&self.file, &[IoSlice::new(b"\n"), IoSlice::new(line)]))?,
        };
        let is_whole = written == mend + line.len();
        let torn_now = !is_whole && if written == 0 { is_torn } else { written > mend };
        if torn_now != is_torn {
            self.is_torn.store(torn_now, Ordering::Relaxed);
        }
        Ok(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_line_that_had_no_room_spoils_no_other() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let lost = Lost::of(&"a".into());
        let log = Direct::new(File::from(std::os::fd::OwnedFd::from(writer)), lost.clone());
        let [first, long, last] = [b'a', b'b', b'c'].map(|letter| [vec![letter; 60_000], vec![b'\n']].concat());
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).unwrap();
            bytes
        };
        log.write(&first);
        log.write(&long);
        assert_eq!(lost.all(), 1, "a pipe has no room for both");
        assert_eq!(read(first.len()), first);
        let rest = read(1);
        assert_eq!(rest, b"b", "the beginning of the second is there");
        log.write(b"short\n");
        let mut text = String::new();
        while !text.ends_with("short\n") {
            text.push(char::from(read(1)[0]));
        }
        assert!(text.trim_start_matches('b').starts_with("\nshort\n"), "{text}");
        log.write(&last);
        assert_eq!(read(last.len()), last, "and nothing is put before the next");
        assert_eq!(lost.all(), 1);
    }
}
