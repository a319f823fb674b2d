//! What `tls` of an upstream says, with defaults filled in and paths resolved; nothing is read yet.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;

use super::settings::CertificateFiles;

/// TLS towards the servers of an upstream: `[upstream.NAME.tls]`.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The upstream's name.
    pub name: Arc<str>,
    /// Whose certificates are taken.
    pub trust: Trust,
    /// What is shown to servers that ask for a certificate.
    pub identity: Option<CertificateFiles>,
    /// The application protocols, the best first; none offers none.
    pub alpn: Vec<Vec<u8>>,
    /// The versions that are spoken.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Whether sessions are resumed.
    pub session_reuse: bool,
}

/// Whose certificates are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that one of the system's authorities vouches for.
    System,
    /// Those that one in this file vouches for, and those that stand in it themselves.
    File(PathBuf),
    /// Anybody's.
    Anybody,
}
