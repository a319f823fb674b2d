//! Finds out from a connection's first bytes what it is: a TLS hello with what routing needs of it, broken TLS, or no TLS at all
//! (RFC 8446 §4.1.2 and §5.1, RFC 6066 §3). Pure: no sockets, no clock.
//!
//! The bytes come from strangers. However they are cut into segments and records, the answer is the same, each byte is passed over
//! once, and memory follows what arrived, never what was announced. Doubt is an error here: two names are not a choice of one.

#![deny(clippy::indexing_slicing)]

mod client_hello;
mod described;
mod malformed;
mod record;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;

pub use client_hello::{ClientHello, ServerName};
pub use malformed::Malformed;
use record::Records;

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse<T> {
    /// More bytes are needed to tell.
    Incomplete,
    /// Whole.
    Complete(T),
    /// Does not begin as a TLS handshake record.
    NotTls,
    /// Begins as TLS and is broken.
    Malformed(Malformed),
    /// More raw bytes than the cap allows.
    TooLarge,
}

/// Collects a connection's first bytes until they say what it is.
#[derive(Debug)]
pub struct Assembler {
    cap: usize,
    raw: Vec<u8>,
    records: Records,
    message: Message,
}

impl Assembler {
    /// `cap`: the most raw bytes a hello may take, record headers included. What follows the hello does not count.
    #[must_use]
    pub const fn new(cap: usize) -> Self {
        Self { cap, raw: Vec::new(), records: Records::new(), message: Message::new() }
    }

    /// Looks at newly arrived bytes. An answer other than [`Parse::Incomplete`] is final: later bytes are kept and change nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Parse<ClientHello> {
        self.raw.extend_from_slice(bytes);
        match self.advance() {
            Ok(false) => Parse::Incomplete,
            Ok(true) => self.read(),
            Err(Refusal::NotTls) => Parse::NotTls,
            Err(Refusal::TooLarge) => Parse::TooLarge,
            Err(Refusal::Malformed(reason)) => Parse::Malformed(reason),
        }
    }

    /// How many raw bytes were pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// All bytes pushed so far, exactly as they came, to be forwarded.
    #[must_use]
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }

    /// Passes over what is new; true once the message is whole. Nothing is done twice: a refusal or a whole message stays what it is.
    fn advance(&mut self) -> Result<bool, Refusal> {
        let within_cap = self.raw.get(..self.cap).unwrap_or(&self.raw);
        loop {
            let missing = self.message.missing()?;
            if self.message.is_announced() && self.records.passed() + missing > self.cap {
                return Err(Refusal::TooLarge);
            }
            if self.message.is_announced() && self.records.left() > missing {
                return Err(Malformed::BehindHello.into());
            }
            if missing == 0 {
                return Ok(true);
            }
            match self.records.next(within_cap, missing)? {
                Some(piece) => self.message.pass(piece),
                None if within_cap.len() == self.cap => return Err(Refusal::TooLarge),
                None => return Ok(false),
            }
        }
    }

    fn read(&self) -> Parse<ClientHello> {
        let message = self.whole_message();
        let body = message.get(Message::HEADER..).unwrap_or_default();
        ClientHello::parse(body).map_or_else(Parse::Malformed, Parse::Complete)
    }

    /// The whole message with its header: where it lies, if that is a single record, else joined from its pieces.
    fn whole_message(&self) -> Cow<'_, [u8]> {
        let length = self.message.passed;
        if self.records.count() == 1 {
            let single = self.raw.get(record::HEADER..).and_then(|payload| payload.get(..length));
            return Cow::Borrowed(single.unwrap_or_default());
        }
        let mut joined = Vec::with_capacity(length);
        let mut records = Records::new();
        while let Ok(Some(piece)) = records.next(&self.raw, length - joined.len()) {
            joined.extend_from_slice(piece);
        }
        Cow::Owned(joined)
    }
}

/// Why bytes are refused before there is a message to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NotTls,
    Malformed(Malformed),
    TooLarge,
}

impl From<Malformed> for Refusal {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

/// How much of the handshake message has passed by, and what its header says (RFC 8446 §4).
#[derive(Debug)]
struct Message {
    header: [u8; Self::HEADER],
    passed: usize,
}

impl Message {
    /// One byte of type, three of length.
    const HEADER: usize = 4;
    const CLIENT_HELLO: u8 = 1;

    const fn new() -> Self {
        Self { header: [0; Self::HEADER], passed: 0 }
    }

    /// How many bytes are missing: of the header first, then of the whole message.
    fn missing(&self) -> Result<usize, Malformed> {
        let [kind, high, middle, low] = self.header;
        if self.passed > 0 && kind != Self::CLIENT_HELLO {
            return Err(Malformed::NotAHello(kind));
        }
        let body = if self.is_announced() { u32::from_be_bytes([0, high, middle, low]) as usize } else { 0 };
        Ok(Self::HEADER + body - self.passed)
    }

    /// Whether the header, and with it the length, is known.
    const fn is_announced(&self) -> bool {
        self.passed >= Self::HEADER
    }

    fn pass(&mut self, piece: &[u8]) {
        for (slot, byte) in self.header.iter_mut().skip(self.passed).zip(piece) {
            *slot = *byte;
        }
        self.passed += piece.len();
    }
}
