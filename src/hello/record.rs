//! The record layer under a hello (RFC 8446 §5.1): finds the handshake's own bytes among the raw ones.
//! Remembers places only, never bytes, so a length that was announced costs nothing until it arrives.

use tls_parser::{TlsRecordType, parse_tls_record_header};

use super::{Malformed, Refusal};

/// One byte of type, two of version, two of length.
pub(super) const HEADER: usize = 5;

const MAJOR_VERSION: u8 = 3;
const MAX_LENGTH: u16 = 1 << 14;

/// A place in a stream of records.
#[derive(Debug)]
pub(super) struct Records {
    passed: usize,
    left: usize,
    count: usize,
}

impl Records {
    pub(super) const fn new() -> Self {
        Self { passed: 0, left: 0, count: 0 }
    }

    /// Passes over a record's header, which is an empty piece, or over the next piece of handshake bytes in `raw`, of `wanted`
    /// bytes at most. `None`: more has to arrive first.
    pub(super) fn next<'raw>(&mut self, raw: &'raw [u8], wanted: usize) -> Result<Option<&'raw [u8]>, Refusal> {
        if self.left == 0 {
            let Some(length) = self.read_header(self.unread(raw))? else { return Ok(None) };
            self.passed += HEADER;
            self.left = length;
            self.count += 1;
            return Ok(Some(&[]));
        }
        let unread = self.unread(raw);
        let piece = unread.get(..wanted.min(self.left)).unwrap_or(unread);
        #[cfg(test)]
        super::tests::work::add(piece.len());
        self.passed += piece.len();
        self.left -= piece.len();
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// How many raw bytes lie behind.
    pub(super) const fn passed(&self) -> usize {
        self.passed
    }

    /// How many bytes of the current record are still to come.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// How many records have begun.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    fn unread<'raw>(&self, raw: &'raw [u8]) -> &'raw [u8] {
        raw.get(self.passed..).unwrap_or_default()
    }

    /// The payload's length. What can be refused by the first bytes of a header does not wait for the last.
    fn read_header(&self, unread: &[u8]) -> Result<Option<usize>, Refusal> {
        let is_first = self.count == 0;
        match *unread {
            [kind, ..] if kind != TlsRecordType::Handshake.0 => {
                return Err(if is_first { Refusal::NotTls } else { Malformed::Interleaved(kind).into() });
            }
            [_, major, ..] if major != MAJOR_VERSION => {
                return Err(if is_first { Refusal::NotTls } else { Malformed::RecordVersion(major).into() });
            }
            _ => {}
        }
        let Ok((_, header)) = parse_tls_record_header(unread) else { return Ok(None) };
        match header.len {
            0 => Err(Malformed::EmptyRecord.into()),
            1..=MAX_LENGTH => Ok(Some(usize::from(header.len))),
            length => Err(Malformed::LongRecord(length).into()),
        }
    }
}
