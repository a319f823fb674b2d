//! The PROXY protocol, versions 1 and 2, both ways (haproxy's proxy-protocol.txt). Pure: no sockets, no clock.
//!
//! A header comes from whoever connects, so it is read as a stranger's: what can no longer become a header is refused on the
//! byte that shows it, nothing waits for bytes that are not announced, and what stands behind a header is none of ours.

#![deny(clippy::indexing_slicing)]

mod malformed;
#[cfg(test)]
mod tests;
mod tlv;
mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

pub use malformed::Malformed;
pub use tlv::{Field, Kind, SslFacts, tlv};
pub use v1::write as write_v1;
pub use v2::Outgoing;

/// The most bytes that a header may take. nginx has the same limit.
pub const MOST: usize = 4096;

/// What a connection's first bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse {
    /// They may become a header.
    Incomplete,
    /// A header, and how many bytes it took.
    Complete(Header, usize),
    /// They do not begin as one.
    Absent,
    /// They do, and it is broken.
    Malformed(Malformed),
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the connection was to whoever sent the header.
    pub transport: Transport,
    /// Its ends. None where the sender does not know, speaks for itself (`LOCAL`), or names unix sockets.
    pub ends: Option<Ends>,
    /// What else is said, as it came: [`tlv`] and [`Field`] find their way in it. Version 1 says nothing.
    pub tlvs: Box<[u8]>,
}

/// Both ends of the connection that a header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// What a header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nobody says.
    Unknown,
    /// A connection.
    Stream,
    /// Datagrams.
    Datagram,
}

impl Header {
    /// The ends, where it is about what is spoken here; otherwise it names nobody.
    #[must_use]
    pub fn ends_of(&self, spoken: Transport) -> Option<Ends> {
        self.ends.filter(|_| self.transport == spoken)
    }

    /// One that says nothing of anybody.
    fn unknown() -> Self {
        Self { transport: Transport::Unknown, ends: None, tlvs: Box::default() }
    }
}

impl Ends {
    /// The same in one family: as IPv4 where both are, mapped ones too, else as IPv6.
    fn alike(self) -> Self {
        let plain = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let (source, destination) = (plain(self.source), plain(self.destination));
        if source.is_ipv4() == destination.is_ipv4() {
            return Self { source, destination };
        }
        Self { source: as_v6(source), destination: as_v6(destination) }
    }
}

fn as_v6(end: SocketAddr) -> SocketAddr {
    match end.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    }
}

/// Reads a header from the first bytes of a connection. Given more bytes, an answer other than [`Parse::Incomplete`] stays.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parse {
    match read(bytes) {
        Ok(Some((header, length))) => Parse::Complete(header, length),
        Ok(None) => Parse::Incomplete,
        Err(None) => Parse::Absent,
        Err(Some(malformed)) => Parse::Malformed(malformed),
    }
}

/// A header and its length, if it is whole; no reason for what is none.
fn read(bytes: &[u8]) -> Result<Option<(Header, usize)>, Option<Malformed>> {
    if let Some(rest) = bytes.strip_prefix(v1::SIGNATURE) {
        return Ok(v1::read(rest)?);
    }
    if let Some(rest) = bytes.strip_prefix(v2::SIGNATURE) {
        return Ok(v2::read(bytes, rest)?);
    }
    let may_begin = [v1::SIGNATURE, v2::SIGNATURE].iter().any(|signature| signature.starts_with(bytes));
    if may_begin { Ok(None) } else { Err(None) }
}
