//! Files of certificates, keys and revocations: PEM with whatever stands between its sections, as OpenSSL writes and
//! reads it (RFC 7468), or DER. The only user of rustls-pemfile, which is archived; the parser beneath it lives on in
//! rustls-pki-types. It passes over sections that it does not know, encrypted keys among them, so the sections are
//! found here, which also tells the line of a broken one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls_pemfile::Item;

use super::passwords::Passwords;

/// Why a file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It can't be read.
    #[error("{} can't be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A section is broken.
    #[error("{}, line {line}: the section {label:?} {problem}", .path.display())]
    Section {
        /// The file.
        path: PathBuf,
        /// Where the section begins.
        line: usize,
        /// What it says it is.
        label: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is none of what was looked for.
    #[error("there is no {what} in {}{}", .path.display(), .found.as_ref().map(|found| format!(", only {found}")).unwrap_or_default())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is there instead.
        found: Option<String>,
    },
    /// A key is encrypted, and there is no password that opens it.
    #[error("the key in {} is encrypted, and {}", .path.display(), match .tried {
        0 => "there is no password for it".to_owned(),
        1 => "the password does not open it".to_owned(),
        tried => format!("none of {tried} passwords opens it"),
    })]
    Locked {
        /// The file.
        path: PathBuf,
        /// How many passwords were tried.
        tried: usize,
    },
    /// A key is encrypted in a way that is not known here.
    #[error("the key in {} is encrypted in a way that is not supported{}", .path.display(), .way.as_ref().map(|way| format!(" ({way})")).unwrap_or_default())]
    Encryption {
        /// The file.
        path: PathBuf,
        /// Which way.
        way: Option<String>,
    },
}

impl PemError {
    /// The way out, where there is one that is not plain.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let modern = |path: &Path| format!("openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.key", path.display());
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("it must be readable for the user that vestibule runs as".into())
            }
            Self::Locked { tried: 0, .. } => Some("password_file = \"FILE\" with the password on a line".into()),
            Self::Encryption { path, .. } => Some(format!("{} encrypts it in one that is", modern(path))),
            Self::File { .. } | Self::Section { .. } | Self::Empty { .. } | Self::Locked { .. } => None,
        }
    }

    /// Whether the file is there and whole, but without what was looked for.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }
}

/// All certificates of a file, in their order.
///
/// # Errors
/// When the file can't be read, is broken, or has no certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let file = File::read(path)?;
    if let Some(der) = file.der() {
        return Ok(vec![der.to_vec().into()]);
    }
    let all = file.all(&["CERTIFICATE", "X509 CERTIFICATE"], CertificateDer::from)?;
    if all.is_empty() { Err(file.has_no("certificate")) } else { Ok(all) }
}

/// All lists of revoked certificates of a file, in their order.
///
/// # Errors
/// When the file can't be read, is broken, or has no list.
pub fn crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    let file = File::read(path)?;
    if let Some(der) = file.der() {
        return Ok(vec![der.to_vec().into()]);
    }
    let all = file.all(&["X509 CRL"], CertificateRevocationListDer::from)?;
    if all.is_empty() { Err(file.has_no("list of revoked certificates (\"X509 CRL\")")) } else { Ok(all) }
}

/// The first key of a file, which is not encrypted.
///
/// # Errors
/// When the file can't be read, is broken, or has no key, or one that is encrypted.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    key_with(path, &Passwords::none())
}

/// The first key of a file; if it is encrypted, opened by the first of the passwords that fits.
///
/// # Errors
/// When the file can't be read, is broken, or has no key, or one that no password opens.
pub fn key_with(path: &Path, passwords: &Passwords) -> Result<PrivateKeyDer<'static>, PemError> {
    let file = File::read(path)?;
    if let Some(der) = file.der() {
        return match PrivateKeyDer::try_from(der.to_vec()) {
            Ok(key) => Ok(key),
            Err(_) if EncryptedPrivateKeyInfoRef::try_from(der).is_err() => Err(file.has_no("key")),
            Err(_) => file.open(der, passwords),
        };
    }
    let section = file.sections()?.into_iter().find(|section| section.label.ends_with("PRIVATE KEY"));
    let section = section.ok_or_else(|| file.has_no("key"))?;
    if section.is_encrypted_as_of_old() {
        return Err(PemError::Encryption { path: path.into(), way: Some("\"Proc-Type: 4,ENCRYPTED\"".into()) });
    }
    match section.label {
        ENCRYPTED => file.open(&file.decode(&section)?, passwords),
        _ => file.plain_key(&section),
    }
}

/// A file's bytes, and where they are from.
struct File<'p> {
    path: &'p Path,
    bytes: Vec<u8>,
}

/// What stands between two lines of dashes.
struct Section<'f> {
    label: &'f str,
    line: usize,
    body: Vec<&'f str>,
}

impl<'p> File<'p> {
    fn read(path: &'p Path) -> Result<Self, PemError> {
        let bytes = fs::read(path).map_err(|source| PemError::File { path: path.into(), source })?;
        Ok(Self { path, bytes })
    }

    /// The bytes, if they are DER: a sequence, and no PEM.
    fn der(&self) -> Option<&[u8]> {
        let is_pem = self.bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes());
        (self.bytes.first() == Some(&SEQUENCE) && !is_pem).then_some(&self.bytes)
    }

    /// The sections in their order. What stands around them is no matter, and may be no text.
    fn sections(&self) -> Result<Vec<Section<'_>>, PemError> {
        let mut sections: Vec<Section<'_>> = Vec::new();
        let mut open: Option<Section<'_>> = None;
        let bytes = self.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.bytes);
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = std::str::from_utf8(line).unwrap_or("\u{fffd}").trim_end();
            let label = |begin| line.strip_prefix(begin).and_then(|rest: &str| rest.strip_suffix(DASHES));
            match (&mut open, label(BEGIN), label(END)) {
                (Some(section), Some(_), _) => return Err(self.broken(section, "has no end")),
                (Some(section), None, Some(end)) if end == section.label => sections.extend(open.take()),
                (Some(section), None, Some(_)) => return Err(self.broken(section, "ends as another one")),
                (Some(section), None, None) => section.body.push(line),
                (None, Some(label), _) => open = Some(Section { label, line: index + 1, body: Vec::new() }),
                (None, None, _) => {}
            }
        }
        open.map_or(Ok(sections), |section| Err(self.broken(&section, "has no end")))
    }

    /// What the sections of these labels hold.
    fn all<T>(&self, labels: &[&str], make: impl Fn(Vec<u8>) -> T) -> Result<Vec<T>, PemError> {
        let sections = self.sections()?;
        let wanted = sections.iter().filter(|section| labels.contains(&section.label));
        wanted.map(|section| self.decode(section).map(&make)).collect()
    }

    /// The bytes that a section holds, whatever its label says.
    fn decode(&self, section: &Section<'_>) -> Result<Vec<u8>, PemError> {
        match self.item(section, "CERTIFICATE")? {
            Item::X509Certificate(bytes) => Ok(bytes.to_vec()),
            _ => Err(self.broken(section, BROKEN)),
        }
    }

    fn plain_key(&self, section: &Section<'_>) -> Result<PrivateKeyDer<'static>, PemError> {
        match section.label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {}
            "OPENSSH PRIVATE KEY" => return Err(self.broken(section, "is a key for SSH; `ssh-keygen -p -m PKCS8 -f FILE` converts it")),
            _ => return Err(self.broken(section, "is of a kind that is not used in TLS")),
        }
        match self.item(section, section.label)? {
            Item::Pkcs8Key(key) => Ok(key.into()),
            Item::Pkcs1Key(key) => Ok(key.into()),
            Item::Sec1Key(key) => Ok(key.into()),
            _ => Err(self.broken(section, BROKEN)),
        }
    }

    fn item(&self, section: &Section<'_>, label: &str) -> Result<Item, PemError> {
        let body = section.body.join("\n");
        let text = format!("{BEGIN}{label}{DASHES}\n{body}\n{END}{label}{DASHES}\n");
        match rustls_pemfile::read_one_from_slice(text.as_bytes()) {
            Ok(Some((item, _))) => Ok(item),
            Ok(None) | Err(_) => Err(self.broken(section, BROKEN)),
        }
    }

    /// Decrypts PKCS #8 (RFC 5958 §3) with the first password that fits.
    fn open(&self, encrypted: &[u8], passwords: &Passwords) -> Result<PrivateKeyDer<'static>, PemError> {
        let path = || self.path.to_owned();
        let unsupported = |way: Option<String>| PemError::Encryption { path: path(), way };
        let info = EncryptedPrivateKeyInfoRef::try_from(encrypted).map_err(|_| unsupported(None))?;
        let mut tried = 0;
        for password in passwords.all() {
            match info.decrypt(password) {
                Ok(key) if PrivateKeyInfoRef::try_from(key.as_bytes()).is_ok() => {
                    return Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into());
                }
                Err(pkcs8::Error::EncryptedPrivateKey(
                    error @ (pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. } | pkcs8::pkcs5::Error::NoPbes1CryptSupport),
                )) => return Err(unsupported(Some(error.to_string()))),
                // A wrong one may give bytes as well.
                Ok(_) | Err(_) => tried += 1,
            }
        }
        Err(PemError::Locked { path: path(), tried })
    }

    fn has_no(&self, what: &'static str) -> PemError {
        let mut labels: Vec<_> = self.sections().unwrap_or_default().iter().map(|section| format!("{:?}", section.label)).collect();
        labels.dedup();
        let found = (!labels.is_empty()).then(|| labels.join(", "));
        PemError::Empty { path: self.path.into(), what, found }
    }

    fn broken(&self, section: &Section<'_>, problem: &'static str) -> PemError {
        PemError::Section { path: self.path.into(), line: section.line, label: section.label.into(), problem }
    }
}

impl Section<'_> {
    /// As OpenSSL encrypted keys before it had PKCS #8 (RFC 1421 §4.6): by a digest of the password made once.
    fn is_encrypted_as_of_old(&self) -> bool {
        self.body.first().is_some_and(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const BROKEN: &str = "is broken: it is no base64";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The first byte of certificates, keys and revocations alike.
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests;
