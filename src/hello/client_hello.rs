//! What a ClientHello says that routing needs (RFC 8446 §4.1.2), read from a message that is already whole.
//! The walk over the extensions is our own, so that one that is odd can never hide another behind it.

use std::collections::BTreeSet;

use tls_parser::{
    SNIType, TlsClientHelloContents, TlsExtension, TlsExtensionType, parse_tls_extension_alpn_content, parse_tls_extension_sni_content,
    parse_tls_handshake_client_hello,
};

use super::Malformed;
use crate::host::{Hostname, HostnameError};

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

impl ClientHello {
    /// The highest TLS version on offer, in the words of nginx's `$ssl_preread_protocol`: a supported_versions extension stands
    /// for TLSv1.3, whatever it lists. Empty for a version without a name.
    #[must_use]
    pub const fn protocol(&self) -> &'static str {
        match (&self.supported_versions, self.legacy_version) {
            (Some(_), _) | (None, TLS_1_3) => "TLSv1.3",
            (None, TLS_1_2) => "TLSv1.2",
            (None, 0x0302) => "TLSv1.1",
            (None, 0x0301) => "TLSv1",
            (None, SSL_3) => "SSLv3",
            (None, _) => "",
        }
    }

    /// Whether the client would speak this version (0x0304 is TLS 1.3): one that supported_versions lists or, without the
    /// extension, any up to legacy_version, which then ends at TLS 1.2 (RFC 8446 §4.2.1).
    #[must_use]
    pub fn offers(&self, version: u16) -> bool {
        match &self.supported_versions {
            Some(listed) => listed.contains(&version),
            None => (SSL_3..=self.legacy_version.min(TLS_1_2)).contains(&version),
        }
    }

    /// The ALPN protocols joined by commas, as nginx's `$ssl_preread_alpn_protocols`; bytes that are no UTF-8 appear as `\xNN`.
    #[must_use]
    pub fn alpn_text(&self) -> String {
        let protocols: Vec<String> = self.alpn.iter().map(|protocol| readable(protocol)).collect();
        protocols.join(",")
    }

    /// Reads the body of a whole ClientHello message, without its header.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[cfg(test)]
        super::tests::work::add(body.len());
        let fields = read_fields(body)?;
        let mut hello = Self {
            server_name: ServerName::None,
            alpn: Vec::new(),
            legacy_version: fields.version.0,
            supported_versions: None,
            ech: false,
        };
        let mut seen = BTreeSet::new();
        let mut rest = fields.ext.unwrap_or_default();
        while !rest.is_empty() {
            let (kind, content, behind) = split_extension(rest).ok_or(Malformed::Extension)?;
            if !seen.insert(kind) {
                return Err(Malformed::DuplicateExtension(kind));
            }
            hello.note_extension(kind, content)?;
            rest = behind;
        }
        Ok(hello)
    }

    fn note_extension(&mut self, kind: u16, content: &[u8]) -> Result<(), Malformed> {
        match TlsExtensionType(kind) {
            TlsExtensionType::ServerName => self.server_name = read_server_name(content)?,
            TlsExtensionType::ApplicationLayerProtocolNegotiation => self.alpn = read_alpn(content)?,
            TlsExtensionType::SupportedVersions => self.supported_versions = Some(read_versions(content)?),
            ENCRYPTED_CLIENT_HELLO => self.ech = true,
            _ => {}
        }
        Ok(())
    }
}

/// The hello without a look into its extensions. tls-parser takes extensions whose length is wrong for none at all and leaves
/// them over, so nothing may be left over.
fn read_fields(body: &[u8]) -> Result<TlsClientHelloContents<'_>, Malformed> {
    let Ok(([], fields)) = parse_tls_handshake_client_hello(body) else { return Err(Malformed::Fields) };
    if fields.ciphers.is_empty() {
        return Err(Malformed::NothingOffered("cipher suite"));
    }
    if fields.comp.is_empty() {
        return Err(Malformed::NothingOffered("compression method"));
    }
    match fields.version.0 {
        0x0300..=0x03ff => Ok(fields),
        version => Err(Malformed::Version(version)),
    }
}

/// The first extension's type and content, and what stands behind it.
fn split_extension(extensions: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = extensions.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((u16::from_be_bytes(*kind), content, behind))
}

/// RFC 6066 §3. tls-parser stops at junk without a word: what it read has to account for every byte.
fn read_server_name(content: &[u8]) -> Result<ServerName, Malformed> {
    let Ok((_, TlsExtension::SNI(names))) = parse_tls_extension_sni_content(content) else { return Err(Malformed::ServerNameList) };
    if content.len() != 2 + names.iter().map(|(_, name)| 3 + name.len()).sum::<usize>() {
        return Err(if content.is_empty() { Malformed::NoServerName } else { Malformed::ServerNameList });
    }
    match *names {
        [] => Err(Malformed::NoServerName),
        [(SNIType::HostName, name)] => read_host_name(name),
        [(kind, _)] => Err(Malformed::ServerNameType(kind.0)),
        [..] => Err(Malformed::ManyServerNames(names.len())),
    }
}

fn read_host_name(name: &[u8]) -> Result<ServerName, Malformed> {
    let sent = std::str::from_utf8(name).map_err(|_| Malformed::ServerNameText)?;
    match Hostname::parse(sent) {
        Ok(name) => Ok(ServerName::Host { name, sent: sent.into() }),
        Err(HostnameError::IpAddress) => Ok(ServerName::None),
        Err(reason) => Err(Malformed::ServerName(reason)),
    }
}

/// RFC 7301 §3.1; again, what tls-parser read has to account for every byte.
fn read_alpn(content: &[u8]) -> Result<Vec<Box<[u8]>>, Malformed> {
    let Ok((_, TlsExtension::ALPN(protocols))) = parse_tls_extension_alpn_content(content) else { return Err(Malformed::Alpn) };
    let accounted = 2 + protocols.iter().map(|protocol| 1 + protocol.len()).sum::<usize>();
    if accounted != content.len() || protocols.is_empty() || protocols.iter().any(|protocol| protocol.is_empty()) {
        return Err(Malformed::Alpn);
    }
    Ok(protocols.into_iter().map(Box::from).collect())
}

/// RFC 8446 §4.2.1. By hand: tls-parser does not compare the list's length with the extension's.
fn read_versions(content: &[u8]) -> Result<Vec<u16>, Malformed> {
    let (&length, list) = content.split_first().ok_or(Malformed::SupportedVersions)?;
    let (versions, odd) = list.as_chunks();
    if versions.is_empty() || !odd.is_empty() || usize::from(length) != list.len() {
        return Err(Malformed::SupportedVersions);
    }
    Ok(versions.iter().map(|version| u16::from_be_bytes(*version)).filter(|version| !is_grease(*version)).collect())
}

/// Values that clients mix in so that servers learn to ignore the unknown (RFC 8701 §2).
const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn readable(bytes: &[u8]) -> String {
    bytes.utf8_chunks().map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect()
}

const SSL_3: u16 = 0x0300;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;
/// RFC 9849 §5; tls-parser does not know it yet.
const ENCRYPTED_CLIENT_HELLO: TlsExtensionType = TlsExtensionType(0xfe0d);
