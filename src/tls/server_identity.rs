//! Who a server is: the certificate that it shows, verified by webpki for the name that it must have.
//!
//! A certificate that stands in the file of authorities itself is good without anybody who vouches for it, as in nginx:
//! self-signed ones, also of X.509 version 1, which webpki cannot read. Only such a one may say its name in the
//! subject's common name, if it has no other (RFC 9525 has done away with that for all that authorities sign).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Version};

use crate::host::{HostPattern, Hostname};

/// Takes the certificates that authorities vouch for, and those that are listed themselves.
pub(super) struct KnownServers {
    webpki: Option<Arc<WebPkiServerVerifier>>,
    listed: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KnownServers {
    /// Without authorities, only what is listed is good.
    pub(super) fn new(
        webpki: Option<Arc<WebPkiServerVerifier>>,
        listed: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { webpki, listed, algorithms }
    }
}

impl ServerCertVerifier for KnownServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.listed.iter().any(|listed| **listed == **end_entity) {
            return verify_listed(end_entity, server_name, now).map(|()| ServerCertVerified::assertion());
        }
        if is_old(end_entity) {
            return Err(CertificateError::Other(OtherError(Arc::new(OldAndUnlisted))).into());
        }
        match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_old(certificate) {
            return verify_by_old(message, certificate, signed, &self.algorithms);
        }
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_old(certificate) {
            let parsed = parsed(certificate)?;
            let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
            return verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms);
        }
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for KnownServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownServers").field("listed", &self.listed.len()).finish_non_exhaustive()
    }
}

/// Why a certificate of version 1 is refused, whoever has signed it.
#[derive(Debug, thiserror::Error)]
#[error("it is of X.509 version 1 and must stand in the file of authorities itself")]
struct OldAndUnlisted;

/// Takes any certificate of anybody. Whoever stands between may be the one that answers, so a signature proves nothing
/// either, and a certificate that webpki cannot read is as good as any.
#[derive(Debug)]
pub(super) struct AnyServer(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Whether a certificate may vouch for others. A self-signed one of version 1 cannot say so, and may.
pub(super) fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    parsed(certificate).is_ok_and(|parsed| parsed.is_ca() || is_old_version(&parsed) && parsed.subject() == parsed.issuer())
}

fn verify_listed(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = parsed(certificate)?;
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
    let (begins, ends) = (seconds(parsed.validity().not_before), seconds(parsed.validity().not_after));
    if now.as_secs() < begins {
        let not_before = UnixTime::since_unix_epoch(std::time::Duration::from_secs(begins));
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now.as_secs() > ends {
        let not_after = UnixTime::since_unix_epoch(std::time::Duration::from_secs(ends));
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    if has_alternative_names(&parsed) {
        return verify_server_name(&ParsedCertificate::try_from(certificate)?, name);
    }
    let names: Vec<_> = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect();
    if names.iter().any(|common| stands_for(common, name)) {
        return Ok(());
    }
    let presented = names.iter().map(|common| format!("CN={common:?}")).collect();
    Err(CertificateError::NotValidForNameContext { expected: name.to_owned(), presented }.into())
}

fn has_alternative_names(certificate: &X509Certificate<'_>) -> bool {
    let is_name = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => names.general_names.iter().any(is_name),
        _ => false,
    })
}

/// Whether a common name stands for this name: itself, or with one label in the place of its wildcard.
fn stands_for(common: &str, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return false };
    let Ok(name) = Hostname::parse(name.as_ref()) else { return false };
    match HostPattern::parse(common) {
        Ok(HostPattern::Exact(exact)) => exact == name,
        Ok(HostPattern::Below(parent)) => name.as_str().split_once('.').is_some_and(|(_, rest)| rest == parent.as_str()),
        _ => false,
    }
}

/// Verifies what was signed with the key of a certificate that webpki cannot read, in TLS 1.2.
fn verify_by_old(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let parsed = parsed(certificate)?;
    let key = &parsed.public_key().subject_public_key.data;
    let fitting = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let (_, fitting) = fitting.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    match fitting.iter().any(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(CertificateError::BadSignature.into()),
    }
}

fn is_old(certificate: &CertificateDer<'_>) -> bool {
    parsed(certificate).is_ok_and(|parsed| is_old_version(&parsed))
}

fn is_old_version(parsed: &X509Certificate<'_>) -> bool {
    parsed.version() != X509Version::V3
}

fn parsed<'c>(certificate: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, Error> {
    X509Certificate::from_der(certificate).map(|(_, parsed)| parsed).map_err(|_| CertificateError::BadEncoding.into())
}
