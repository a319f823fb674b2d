//! What is known of a session whose TLS ended here.

/// What was agreed on with the client in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `$ssl_protocol`.
    pub protocol: &'static str,
    /// `$ssl_cipher`, in OpenSSL's spelling.
    pub cipher: &'static str,
    /// `$ssl_session_reused`: whether an earlier session was resumed.
    pub is_resumed: bool,
    /// `$ssl_session_id`, in hex digits. TLS 1.3 has none that would tell sessions apart.
    pub session_id: Option<Box<str>>,
    /// `$ssl_alpn_protocol`.
    pub alpn: Option<Box<str>>,
}
