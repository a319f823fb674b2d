//! Who a server is: the certificate that it shows, verified by webpki for the name that it must have.
//!
//! A certificate that stands in the file of authorities itself is good without anybody who vouches for it, as in nginx:
//! self-signed ones, also of X.509 version 1, which webpki cannot read. Only such a one may say its name in the
//! subject's common name, if it has no other (RFC 9525 has done away with that for all that authorities sign).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::X509Version;

use super::verify::{self, Trusted, parsed};
use crate::host::{HostPattern, Hostname};

/// Takes the certificates that authorities vouch for, and those that are listed themselves.
pub(super) struct KnownServers {
    webpki: Option<Arc<WebPkiServerVerifier>>,
    listed: Option<Trusted>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KnownServers {
    /// Without authorities, only what is listed is good.
    pub(super) fn new(webpki: Option<Arc<WebPkiServerVerifier>>, listed: Option<Trusted>, algorithms: WebPkiSupportedAlgorithms) -> Self {
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
        let is_listed = self.listed.as_ref().map(|listed| listed.lists(end_entity, now)).transpose()?;
        if is_listed == Some(true) {
            return verify_name(end_entity, server_name).map(|()| ServerCertVerified::assertion());
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
        verify::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for KnownServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownServers").field("listed", &self.listed).finish_non_exhaustive()
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

/// Whether a certificate that is listed itself is for this name.
fn verify_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let parsed = parsed(certificate)?;
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

fn is_old(certificate: &CertificateDer<'_>) -> bool {
    parsed(certificate).is_ok_and(|parsed| parsed.version() != X509Version::V3)
}
