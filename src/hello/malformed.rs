//! The ways in which TLS can be broken before it has begun; their texts end in the log, so they quote nothing raw.

use crate::host::HostnameError;

/// Why what begins as TLS is no hello that could be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A handshake record without a byte in it.
    #[error("a handshake record is empty")]
    EmptyRecord,
    /// A record beyond 2^14 bytes.
    #[error("a record announces {0} bytes, more than TLS allows")]
    LongRecord(u16),
    /// A record of another content type before the hello was whole.
    #[error("a record of type {0} stands inside the hello")]
    Interleaved(u8),
    /// A later record of another major version than the first.
    #[error("a record inside the hello has major version {0}")]
    RecordVersion(u8),
    /// More handshake bytes behind the hello in its last record: a hello has to end with its record (RFC 8446 §5.1).
    #[error("the hello's last record goes on behind it")]
    BehindHello,
    /// A handshake message of another type.
    #[error("the first handshake message is of type {0}, not a client hello")]
    NotAHello(u8),
    /// The fixed part of the hello, or the extensions as a whole, do not fill the message exactly.
    #[error("the hello's fields do not fit its length")]
    Fields,
    /// No cipher suite, or no compression method.
    #[error("the hello offers no {0}")]
    NothingOffered(&'static str),
    /// A legacy_version that is neither SSL 3 nor TLS.
    #[error("the hello has version {0:#06x}")]
    Version(u16),
    /// An extension ends behind the hello, or within its own header.
    #[error("an extension does not fit the hello's length")]
    Extension,
    /// Two extensions of one type.
    #[error("extension {0:#06x} stands twice")]
    DuplicateExtension(u16),
    /// The lengths inside the server_name extension disagree.
    #[error("the lengths inside the server_name extension disagree")]
    ServerNameList,
    /// A server_name extension without a name.
    #[error("the server_name extension holds no name")]
    NoServerName,
    /// More than one name: which one counts would be a guess.
    #[error("the server_name extension holds {0} names")]
    ManyServerNames(usize),
    /// A name of a type that nobody has defined.
    #[error("the server name is of type {0}, not a host name")]
    ServerNameType(u8),
    /// A server name that is no text.
    #[error("the server name is not ASCII")]
    ServerNameText,
    /// A server name that is no host name.
    #[error("the server name is no host name: {0}")]
    ServerName(#[source] HostnameError),
    /// The lengths inside the ALPN extension disagree, or a protocol is empty.
    #[error("the application_layer_protocol_negotiation extension is broken")]
    Alpn,
    /// The lengths inside the supported_versions extension disagree, or the list is empty.
    #[error("the supported_versions extension is broken")]
    SupportedVersions,
}

impl Malformed {
    /// The TLS alert (RFC 8446 §6.2) that tells the client: decode_error for what cannot be read, illegal_parameter for what
    /// reads well and must not be.
    #[must_use]
    pub const fn alert(self) -> u8 {
        match self {
            Self::Version(_)
            | Self::DuplicateExtension(_)
            | Self::ManyServerNames(_)
            | Self::ServerNameType(_)
            | Self::ServerNameText
            | Self::ServerName(_) => ILLEGAL_PARAMETER,
            Self::EmptyRecord
            | Self::LongRecord(_)
            | Self::Interleaved(_)
            | Self::RecordVersion(_)
            | Self::BehindHello
            | Self::NotAHello(_)
            | Self::Fields
            | Self::NothingOffered(_)
            | Self::Extension
            | Self::ServerNameList
            | Self::NoServerName
            | Self::Alpn
            | Self::SupportedVersions => DECODE_ERROR,
        }
    }
}

const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
