//! What rustls leaves to its users in judging a peer's certificate. One that is listed itself is good as it stands, whatever its
//! version or whoever signed it, as it is for OpenSSL; and only what may vouch for others does so.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore};
use tokio::time::Duration;
use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

/// Certificates that are trusted as they stand, and those that they vouch for.
#[derive(Debug)]
pub(super) struct Trusted {
    listed: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// A certificate that cannot be trusted in: the how manieth it is, and why.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) number: usize,
    pub(super) reason: String,
}

impl Trusted {
    /// Trusts these certificates.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(super) fn new(listed: Vec<CertificateDer<'static>>) -> Result<Self, Unusable> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in listed.iter().enumerate() {
            let unusable = |reason| Unusable { number: index + 1, reason };
            if is_authority(&parsed(certificate).map_err(|error| unusable(error.to_string()))?) {
                roots.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
            }
        }
        Ok(Self { listed, roots })
    }

    /// All of them, in their order.
    pub(super) fn listed(&self) -> &[CertificateDer<'static>] {
        &self.listed
    }

    /// Those that vouch for others.
    pub(super) fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// The certificates of those that vouch for others.
    pub(super) fn authorities(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.listed.iter().filter(|certificate| parsed(certificate).is_ok_and(|parsed| is_authority(&parsed)))
    }

    /// Whether this very certificate is one of them.
    ///
    /// # Errors
    /// When it is, but not at this time.
    pub(super) fn lists(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.listed.contains(certificate) {
            return Ok(false);
        }
        let (from, until) = validity(certificate)?;
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match now.as_secs() {
            seconds if seconds < from => Err(CertificateError::NotValidYetContext { time: now, not_before: at(from) }.into()),
            seconds if seconds > until => Err(CertificateError::ExpiredContext { time: now, not_after: at(until) }.into()),
            _ => Ok(true),
        }
    }
}

/// The seconds of Unix time from which and until which a certificate is good.
///
/// # Errors
/// When it cannot be read.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Result<(u64, u64), Error> {
    let parsed = parsed(certificate)?;
    let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
    Ok((seconds(parsed.validity.not_before.timestamp()), seconds(parsed.validity.not_after.timestamp())))
}

/// Whether the certificate's key made this signature in a handshake of TLS 1.2. Unlike rustls' own, it does not mind the
/// certificate's version.
///
/// # Errors
/// When it did not.
pub(super) fn verify_tls12_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let candidates = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme).map(|(_, candidates)| *candidates);
    let candidates = candidates.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let parsed = parsed(certificate)?;
    let key = parsed.public_key();
    // The scheme alone does not tell the curve of ECDSA: the one that fits the key does.
    let kind = algorithm_of(key.raw).ok_or(CertificateError::BadEncoding)?;
    let fitting = candidates.iter().find(|candidate| candidate.public_key_alg_id().as_ref() == kind);
    let fitting = fitting.ok_or(CertificateError::BadSignature)?;
    match fitting.verify_signature(&key.subject_public_key.data, message, signed.signature()) {
        Ok(()) => Ok(HandshakeSignatureValid::assertion()),
        Err(_) => Err(CertificateError::BadSignature.into()),
    }
}

/// Whether the certificate's key made this signature in a handshake of TLS 1.3. Unlike rustls' own, it does not mind the
/// certificate's version.
///
/// # Errors
/// When it did not.
pub(super) fn verify_tls13_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(parsed(certificate)?.public_key().raw.to_vec());
    verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
}

/// Whether a trusted certificate may vouch for others. webpki takes each of its anchors for an authority, and so would let the owner
/// of a client's certificate that is listed make more of them.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let may_sign = certificate.key_usage().ok().flatten().is_none_or(|usage| usage.value.key_cert_sign());
    match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca && may_sign,
        // Version 1 has nothing to say it with: what signed itself is an authority for OpenSSL, too.
        Ok(None) => certificate.version() == X509Version::V1 && certificate.subject() == certificate.issuer(),
        Err(_) => false,
    }
}

/// What a certificate says.
///
/// # Errors
/// When it cannot be read, or is more than a certificate.
pub(super) fn parsed<'c>(certificate: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(CertificateError::BadEncoding.into()),
    }
}

/// The contents of a key's AlgorithmIdentifier (RFC 5280, 4.1.2.7).
fn algorithm_of(key: &[u8]) -> Option<&[u8]> {
    let (_, key) = Any::from_der(key).ok()?;
    let (_, algorithm) = Any::from_der(key.data).ok()?;
    Some(algorithm.data)
}
