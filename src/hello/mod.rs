//! stub
use crate::host::Hostname;

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

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Stub.
    #[error("stub")]
    Stub,
}

impl Malformed {
    /// The TLS alert (RFC 8446 §6.2) that tells the client: decode_error or illegal_parameter.
    pub fn alert(self) -> u8 {
        50
    }
}

/// The server name of a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// No server_name extension, or it holds an IP address.
    None,
    /// A host name.
    Host {
        /// Normal form.
        name: Hostname,
        /// As the client sent it.
        sent: Box<str>,
    },
}

/// What a ClientHello says that routing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name.
    pub server_name: ServerName,
    /// The ALPN protocols in the client's order, raw bytes.
    pub alpn: Vec<Box<[u8]>>,
    /// legacy_version of the hello.
    pub legacy_version: u16,
    /// The contents of supported_versions (GREASE left out); None without the extension.
    pub supported_versions: Option<Vec<u16>>,
    /// Whether encrypted_client_hello (0xfe0d) is there: then the name is the outer one.
    pub ech: bool,
}

/// Stub.
pub struct Assembler;

impl Assembler {
    /// `cap`: the most raw bytes a hello may take.
    pub fn new(_cap: usize) -> Self {
        Self
    }
    /// Looks at newly arrived bytes. After an answer other than Incomplete, that answer is final.
    pub fn push(&mut self, _bytes: &[u8]) -> Parse<ClientHello> {
        Parse::Incomplete
    }
    /// How many raw bytes were pushed.
    pub fn len(&self) -> usize {
        0
    }
    /// All bytes pushed so far, exactly as they came, to be forwarded.
    pub fn into_raw(self) -> Vec<u8> {
        Vec::new()
    }
}
