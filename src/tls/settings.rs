//! What profiles say, with defaults filled in and paths resolved; nothing is read yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::SupportedKxGroup;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use tokio::time::Duration;

/// A profile of TLS towards clients: `[terminate.NAME]`.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Its name.
    pub name: Arc<str>,
    /// The certificates as they are listed; each may stand for several.
    pub certificates: Vec<CertificateFiles>,
    /// The versions that are spoken.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// The cipher suites, the best first.
    pub ciphers: Vec<SupportedCipherSuite>,
    /// Whether this order of theirs decides, and not the client's.
    pub own_order: bool,
    /// The groups of the key exchange, the best first.
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    /// The application protocols, the best first; none negotiates none.
    pub alpn: Vec<Vec<u8>>,
    /// How many bytes of sessions are kept to be resumed; 0 keeps none.
    pub session_cache: u64,
    /// For how long a session may be resumed.
    pub session_timeout: Duration,
    /// Whether clients keep sessions themselves.
    pub tickets: Tickets,
    /// How long a whole handshake may take, from the hello on.
    pub handshake_timeout: Duration,
    /// Who vouches for clients, if they show certificates.
    pub client_auth: Option<ClientAuthSettings>,
}

/// One entry of `certificates`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain's file, or a pattern of several (`*`, `?`, `[...]` in file names).
    pub chain: PathBuf,
    /// The key's file; without one it is looked for in the chain's file, then beside it (`.key`). A pattern with the
    /// chain's folders and one file name stands for the file of that name beside each chain.
    pub key: Option<PathBuf>,
    /// Passwords for an encrypted key, one a line.
    pub password_file: Option<PathBuf>,
    /// An OCSP answer in DER.
    pub ocsp: Option<PathBuf>,
}

impl CertificateFiles {
    /// The key's file for one of the chains, if it is written: of a pattern, the one in the chain's own folder.
    pub(super) fn key_for(&self, chain: &Path) -> Option<PathBuf> {
        let key = self.key.as_ref()?;
        let name = key.file_name().filter(|_| is_pattern(key));
        Some(name.map_or_else(|| key.clone(), |name| chain.with_file_name(name)))
    }

    /// Whether a key that is a pattern says which key each chain has: it only goes through the folders of the chains.
    pub(super) fn has_clear_key(&self) -> bool {
        let Some(key) = self.key.as_ref().filter(|key| is_pattern(key)) else { return true };
        key.parent() == self.chain.parent() && key.file_name().is_some_and(|name| !has_wildcard(Path::new(name)))
    }
}

/// Whether a path stands for several files.
pub(super) fn is_pattern(path: &Path) -> bool {
    has_wildcard(path) && !path.exists()
}

fn has_wildcard(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// Whether clients keep sessions themselves, sealed, and under which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tickets {
    /// They do not.
    Off,
    /// Under keys that the gateway makes and changes by itself.
    OwnKeys,
    /// Under keys from these files of 48 or 80 bytes; the first encrypts, all decrypt.
    KeyFiles(Vec<PathBuf>),
}

/// Who vouches for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthSettings {
    /// The file of the authorities.
    pub ca: PathBuf,
    /// Whether a client without a certificate is refused.
    pub is_required: bool,
    /// Files of revoked certificates.
    pub crls: Vec<PathBuf>,
    /// Patterns of which a certificate's subject must fit one; none lets all pass.
    pub subjects: Vec<Box<str>>,
}

/// Which part of a profile a finding is about, to be shown at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The profile as a whole.
    Whole,
    /// A certificate's chain, by its entry's number.
    Chain(usize),
    /// Its key.
    Key(usize),
    /// Its passwords.
    PasswordFile(usize),
    /// Its OCSP answer.
    Ocsp(usize),
    /// A file of ticket keys, by its number.
    TicketKey(usize),
    /// The authorities for clients.
    ClientCa,
    /// All files of revoked certificates.
    Crls,
    /// A file of revoked certificates, by its number.
    Crl(usize),
    /// The authorities for servers.
    ServerCa,
}

/// Something about the files of a profile that its user must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub part: Part,
    /// The lint it belongs to; an error has none, and the profile cannot be used.
    pub lint: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub help: Option<String>,
}

impl Finding {
    /// Something for which the profile cannot be used.
    pub fn error(part: Part, problem: impl Into<String>) -> Self {
        Self { part, lint: None, problem: problem.into(), help: None }
    }

    /// Something that the profile can be used with all the same.
    pub fn warning(lint: &'static str, part: Part, problem: impl Into<String>) -> Self {
        Self { part, lint: Some(lint), problem: problem.into(), help: None }
    }

    /// The same, with the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the profile cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.lint.is_none()
    }
}
