//! TLS that the gateway speaks itself: towards clients `[terminate.NAME]`, towards servers `[upstream.NAME.tls]`.

use std::time::Duration;

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::habits::{self, Asked, Spoken, Subject};
use super::or_off::OrOff;
use super::read::{Read, Reader, Table};
use super::tls_version::TlsVersion;
use super::values::{OneOrMany, positive, size, unknown_word, words};
use super::{print, words as kinds};

/// `[terminate.NAME]`: a profile of TLS towards clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Terminate {
    /// The certificates, in their order.
    pub certificates: Vec<Certificate>,
    /// How TLS is spoken.
    #[serde(flatten)]
    pub keys: TerminateKeys,
}

/// How TLS is spoken towards clients; what is not written comes from `[defaults.terminate]`, then from what is built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TerminateKeys {
    /// The versions that are spoken; none written is what is built in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<TlsVersion>,
    /// The cipher suites, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ciphers: Vec<String>,
    /// The groups of the key exchange, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The application protocols, the best first; an empty list negotiates none.
    pub alpn: Option<Vec<String>>,
    /// Memory for sessions that may be resumed.
    pub session_cache: Option<SessionCache>,
    /// For how long they may be.
    #[serde(serialize_with = "print::some_duration")]
    pub session_timeout: Option<Duration>,
    /// Whether clients keep sessions themselves, and under which keys.
    pub session_tickets: Option<SessionTickets>,
    /// How long a whole handshake may take.
    #[serde(serialize_with = "print::some_duration")]
    pub handshake_timeout: Option<Duration>,
    /// Whether clients show a certificate.
    pub client_auth: Option<OrOff<ClientAuth>>,
}

impl Read for Terminate {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::TERMINATE)?;
        let certificates: Option<OneOrMany<Certificate>> = reader.require(&mut table, "certificates", "[\"certs/site.pem\"]");
        if certificates.as_ref().is_some_and(|all| all.0.is_empty()) && !reader.was_cut("certificates") {
            let place = reader.entry("certificates", super::Places::written_value);
            reader.error(place, "without a certificate no handshake succeeds").label("[\"certs/site.pem\"]");
            reader.cut("certificates");
        }
        Some(Self { certificates: certificates.map(|all| all.0).unwrap_or_default(), keys: TerminateKeys::take(&mut table, reader) })
    }
}

/// `[defaults.terminate]`.
impl Read for TerminateKeys {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::TERMINATE_DEFAULTS)?;
        Some(Self::take(&mut table, reader))
    }
}

impl TerminateKeys {
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self {
            versions: chosen(table, "versions", reader, Vec::read).into_iter().map(|Spoken(version)| version).collect(),
            ciphers: chosen(table, "ciphers", reader, habits::ciphers),
            groups: chosen(table, "groups", reader, Vec::read),
            alpn: reader.take(table, "alpn"),
            session_cache: reader.take(table, "session_cache"),
            session_timeout: reader.take_with(table, "session_timeout", resumable),
            session_tickets: reader.take(table, "session_tickets"),
            handshake_timeout: reader.take_with(table, "handshake_timeout", positive),
            client_auth: reader.take(table, "client_auth"),
        }
    }
}

/// A certificate with its chain: a file, or a pattern of file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The certificate, then those that vouch for it; the key may be in the same file.
    pub chain: String,
    /// The key's file; without one it is looked for in the chain's file, then beside it.
    pub key: Option<String>,
    /// Passwords, one a line, that are tried on an encrypted key (nginx's `ssl_password_file`).
    pub password_file: Option<String>,
    /// An OCSP answer that is stapled (nginx's `ssl_stapling_file`).
    pub ocsp: Option<String>,
}

impl Read for Certificate {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            let chain = String::read(value, reader)?;
            return Some(Self { chain, key: None, password_file: None, ocsp: None });
        }
        let mut table = reader.table(value, &kinds::CERTIFICATE)?;
        let chain = reader.require(&mut table, "chain", "\"certs/site.pem\"");
        let key = reader.take(&mut table, "key");
        let password_file = reader.take(&mut table, "password_file");
        let ocsp = reader.take(&mut table, "ocsp");
        Some(Self { chain: chain?, key, password_file, ocsp })
    }
}

/// `session_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCache {
    /// None are kept.
    Off,
    /// So many bytes of them are.
    Bytes(u64),
}

impl Read for SessionCache {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Value::Bool(_, on) = value {
            let ours = if on { "leave it out for 10 MB; or a size, such as \"10m\"" } else { "\"off\"" };
            reader.unfit(&value, "a size").label(ours);
            return None;
        }
        match value.as_str() {
            Some("off") => Some(Self::Off),
            Some(text) if text.starts_with(char::is_alphabetic) => {
                let size = text.rsplit_once(':').map(|(_, size)| format!("\"{size}\""));
                match size {
                    Some(size) => drop(reader.wrong("a profile's cache has no name").label(size)),
                    None => unknown_word(text, "a size or \"off\"", ["off"].into_iter(), reader),
                }
                None
            }
            _ => match size(value, reader)? {
                0 => Some(Self::Off),
                bytes => Some(Self::Bytes(bytes)),
            },
        }
    }
}

impl Serialize for SessionCache {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::Bytes(bytes) => serializer.serialize_u64(*bytes),
        }
    }
}

/// `session_tickets`: a switch, or a table with key files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionTickets {
    /// None are given out.
    Off,
    /// Under keys that the gateway makes and changes by itself.
    OwnKeys,
    /// Under keys from these files; the first encrypts, all decrypt.
    KeyFiles(Vec<String>),
}

impl Read for SessionTickets {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(keys) = habits::key_files(&value) {
            reader.unfit(&value, "true, false or a table").label(format!("{{ {keys} }}"));
            return None;
        }
        if !matches!(value, Value::Dict(..)) {
            return bool::read(value, reader).map(|on| if on { Self::OwnKeys } else { Self::Off });
        }
        let mut table = reader.table(value, &kinds::SESSION_TICKETS)?;
        let keys: OneOrMany<String> = reader.require(&mut table, "keys", "[\"certs/ticket.key\"]")?;
        if keys.0.is_empty() && !reader.was_cut("keys") {
            let place = reader.entry("keys", super::Places::written_value);
            reader.error(place, "without a key no ticket can be made").label("[\"certs/ticket.key\"]");
            reader.cut("keys");
        }
        (!reader.was_cut("keys")).then_some(Self::KeyFiles(keys.0))
    }
}

impl Serialize for SessionTickets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<'k> {
            keys: &'k [String],
        }
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::OwnKeys => serializer.serialize_bool(true),
            Self::KeyFiles(keys) => Table { keys }.serialize(serializer),
        }
    }
}

/// `client_auth`: who vouches for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientAuth {
    /// The file of the authorities.
    pub ca: String,
    /// Whether a client may do without.
    pub mode: ClientAuthMode,
    /// The files of revoked certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crl: Vec<String>,
    /// Whom the certificate may be for; nothing written is anybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

words! {
    /// Whether clients must show a certificate.
    ClientAuthMode, "a mode of client_auth", {
        /// They must (nginx's `ssl_verify_client on`).
        Require = "require",
        /// They are asked to; a bad one is refused (nginx's `optional`).
        Request = "request",
    }
}

impl Read for ClientAuth {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::CLIENT_AUTH)?;
        let ca = reader.require(&mut table, "ca", "\"certs/clients.pem\"");
        let mode = reader.require(&mut table, "mode", "\"require\"").map(|Asked(mode)| mode);
        let crl: Option<OneOrMany<String>> = reader.take(&mut table, "crl");
        let crl = filled(crl, "crl", reader, "an empty `crl` tells of nobody", "leave it out if nobody tells who is revoked");
        let subjects: Option<OneOrMany<Subject>> = reader.take(&mut table, "subjects");
        let subjects = filled(
            subjects,
            "subjects",
            reader,
            "an empty `subjects` would let nobody in",
            "leave it out to let in whoever has a good certificate",
        );
        let subjects = subjects.into_iter().map(|Subject(pattern)| pattern).collect();
        // What narrows down who may come, and can't be read, must not let others in.
        let lost = reader.was_cut("crl") || reader.was_cut("subjects");
        (!lost).then_some(Self { ca: ca?, mode: mode?, crl, subjects })
    }
}

/// For how long TLS may be resumed.
fn resumable(value: Value, reader: &mut Reader<'_>) -> Option<Duration> {
    let duration = positive(value, reader)?;
    if duration > LONGEST {
        reader.wrong("TLS is resumed for 7 days at most (RFC 8446, 4.6.1)").label("\"7d\"");
        return None;
    }
    Some(duration)
}

/// What RFC 8446 §4.6.1 allows.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A list of what may be negotiated, which is not empty if it is written.
fn chosen<T>(
    table: &mut Table,
    key: &'static str,
    reader: &mut Reader<'_>,
    read: impl FnOnce(Value, &mut Reader<'_>) -> Option<Vec<T>>,
) -> Vec<T> {
    let read = reader.take_with(table, key, read).map(OneOrMany);
    filled(read, key, reader, &format!("with an empty `{key}` no handshake succeeds"), "leave it out for what is built in")
}

/// A list that is not empty if it is written: an empty one is not taken for one that is left out, which allows more.
fn filled<T>(read: Option<OneOrMany<T>>, key: &str, reader: &mut Reader<'_>, problem: &str, instead: &str) -> Vec<T> {
    let all = read.map(|all| all.0);
    if all.as_ref().is_some_and(Vec::is_empty) && !reader.was_cut(key) {
        let place = reader.entry(key, super::Places::written_value);
        reader.error(place, problem).label(instead);
        reader.cut(key);
    }
    all.unwrap_or_default()
}

/// `tls` of an upstream: TLS towards its servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UpstreamTls {
    /// The name that servers are asked for and must have, as a template.
    pub server_name: Option<String>,
    /// Whether their certificates are verified.
    pub verify: Option<bool>,
    /// The file of the authorities; absent is the system's.
    pub ca: Option<String>,
    /// The gateway's own certificate, for servers that ask for one.
    pub certificate: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// Passwords that are tried on an encrypted key.
    pub password_file: Option<String>,
    /// The application protocols that are offered; an empty list offers none.
    pub alpn: Option<Vec<String>>,
    /// The versions that are spoken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<TlsVersion>,
    /// Whether sessions are resumed.
    pub session_reuse: Option<bool>,
}

impl Read for UpstreamTls {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Value::Bool(..) = value {
            reader.unfit(&value, "a table").label("tls = {}");
            return None;
        }
        let mut table = reader.table(value, &kinds::UPSTREAM_TLS)?;
        Some(Self {
            server_name: reader.take(&mut table, "server_name"),
            verify: reader.take(&mut table, "verify"),
            ca: reader.take(&mut table, "ca"),
            certificate: reader.take(&mut table, "certificate"),
            key: reader.take(&mut table, "key"),
            password_file: reader.take(&mut table, "password_file"),
            alpn: reader.take(&mut table, "alpn"),
            versions: chosen(&mut table, "versions", reader, Vec::read).into_iter().map(|Spoken(version)| version).collect(),
            session_reuse: reader.take(&mut table, "session_reuse"),
        })
    }
}
