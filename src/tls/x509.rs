//! What a certificate says of itself, version 1 included, which webpki does not read (RFC 5280). Names are told as
//! nginx's variables tell them, in OpenSSL's spelling of RFC 2253. Nothing is verified here.

mod names;
mod text;

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

pub use names::CertificateName;

/// Why a certificate says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// It is no X.509 certificate, or a broken one.
    #[error("it is no X.509 certificate")]
    Broken,
    /// Something follows it.
    #[error("{0} bytes follow the certificate")]
    Trailing(usize),
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is for: the DNS names and IP addresses of its alternative names; without a DNS name there, its common name.
    pub names: Vec<CertificateName>,
    /// The subject, as `$ssl_client_s_dn` has it.
    pub subject: String,
    /// The issuer, as `$ssl_client_i_dn` has it.
    pub issuer: String,
    /// The serial number, as `$ssl_client_serial` has it.
    pub serial: String,
    /// The SHA-1 of the certificate, as `$ssl_client_fingerprint` has it.
    pub fingerprint: String,
    /// When it begins to hold.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
    /// Whether it is of version 1.
    pub is_version_1: bool,
    /// The subject in DER.
    pub subject_der: Vec<u8>,
    /// The issuer in DER.
    pub issuer_der: Vec<u8>,
    /// The serial number's bytes.
    pub serial_der: Vec<u8>,
    /// The public key with its algorithm, in DER.
    pub spki_der: Vec<u8>,
}

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When it is broken, or more than a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, X509Error> {
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| X509Error::Broken)?;
        if !rest.is_empty() {
            return Err(X509Error::Trailing(rest.len()));
        }
        let validity = parsed.validity();
        Ok(Self {
            names: names::of(&parsed),
            subject: text::name(parsed.subject()),
            issuer: text::name(parsed.issuer()),
            serial: text::serial(parsed.raw_serial()),
            fingerprint: text::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref(), text::Case::Lower),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
            is_version_1: parsed.version() == X509Version::V1,
            subject_der: parsed.subject().as_raw().to_vec(),
            issuer_der: parsed.issuer().as_raw().to_vec(),
            serial_der: parsed.raw_serial().to_vec(),
            spki_der: parsed.public_key().raw.to_vec(),
        })
    }

    /// How many whole days are left at this time; none once it has ended.
    #[must_use]
    pub fn days_left(&self, now: SystemTime) -> Option<u64> {
        self.not_after.duration_since(now).ok().map(|left| left.as_secs() / DAY.as_secs())
    }

    /// Whether this is its public key, in DER. How the algorithm's parameters are written is no matter.
    #[must_use]
    pub fn is_key(&self, spki_der: &[u8]) -> bool {
        let bits = |der| SubjectPublicKeyInfo::from_der(der).ok().map(|(_, spki)| spki.subject_public_key.data.to_vec());
        bits(spki_der).is_some_and(|key| bits(&self.spki_der) == Some(key))
    }
}

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let reached =
        if time.timestamp() < 0 { SystemTime::UNIX_EPOCH.checked_sub(seconds) } else { SystemTime::UNIX_EPOCH.checked_add(seconds) };
    reached.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
