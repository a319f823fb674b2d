//! What can be wrong with a header.

use super::MOST;

/// Why what begins as a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Version 1: the word behind `PROXY`.
    #[error("neither TCP4, TCP6 nor UNKNOWN stands behind PROXY")]
    Protocol,
    /// Version 1: the client's address, or what it connected to.
    #[error("an address is none of its family")]
    Address,
    /// Version 1: a port.
    #[error("a port is no decimal number up to 65535")]
    Port,
    /// Version 1: something stands where the line must end.
    #[error("the line does not end where it must")]
    LineEnd,
    /// Version 1: the line is longer than any can be.
    #[error("the line is longer than 107 bytes")]
    LongLine,
    /// Version 2: another version.
    #[error("version {0} is unknown")]
    Version(u8),
    /// Version 2: a command.
    #[error("command {0} is unknown")]
    Command(u8),
    /// Version 2: a family of addresses, or a protocol.
    #[error("address family and protocol 0x{0:02x} are unknown")]
    Family(u8),
    /// Version 2: more is announced than may come.
    #[error("{0} bytes are announced, and a header has {MOST} at the most")]
    TooLong(usize),
    /// Version 2: less is announced than the addresses take.
    #[error("{announced} bytes are announced, and the addresses take {needed}")]
    NoRoom {
        /// What is announced.
        announced: usize,
        /// What the family's addresses take.
        needed: usize,
    },
    /// Version 2: a field is cut off by the end of what it stands in.
    #[error("a TLV reaches beyond its end")]
    Tlv,
    /// Version 2: a checksum that is none, or not the only one.
    #[error("a checksum takes four bytes and stands once")]
    NoChecksum,
    /// Version 2: the checksum of something else.
    #[error("the checksum is another one")]
    Checksum,
}
