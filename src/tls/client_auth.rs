//! Who vouches for clients, and whether a client's certificate is good. It is, when an authority of the file vouches for it, or when it is
//! in the file itself; when no list of revoked certificates speaks against it; and when its subject is one that is let in.

mod lists;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, DistinguishedName, Error};

use super::clock::Moment;
use super::failure::day;
use super::pem;
use super::settings::{ClientAuthSettings, Finding, Part};
use super::subjects::SubjectPattern;
use super::verify::{Trusted, Unusable, validity};
use super::x509::Facts;
use lists::Lists;

/// Who may come, as the files were read last.
#[derive(Debug)]
pub(super) struct Clients {
    are_required: bool,
    trusted: Trusted,
    names: Vec<DistinguishedName>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    /// When lists of revoked certificates are out of date.
    ends_of_crls: Vec<Moment>,
    by_authorities: Option<Arc<dyn ClientCertVerifier>>,
    subjects: Vec<SubjectPattern>,
}

/// A client's certificate that was refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// What becomes the alert.
    pub(super) error: Error,
    whose: Option<Box<Facts>>,
}

impl Clients {
    /// Reads the files; nothing comes of it when one of the findings is an error.
    pub(super) fn load(settings: &ClientAuthSettings, provider: &Arc<CryptoProvider>, findings: &mut Vec<Finding>) -> Option<Self> {
        let trusted = trusted(settings, findings)?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted.roots().clone()), provider.clone());
        // Without an authority there is nobody whose lists could matter.
        let has_authorities = !trusted.roots().is_empty();
        let usable = |list: &CertificateRevocationListDer<'static>| match builder.clone().with_crls([list.clone()]).build() {
            Err(error) if has_authorities => Err(error.to_string()),
            _ => Ok(()),
        };
        let crls = Lists::read(&settings.crls, usable, findings);
        if !crls.all.is_empty() {
            findings.extend(trusted.authorities().filter_map(|authority| untold(authority, &crls.all)));
        }
        let built = builder.with_crls(crls.all.clone()).enforce_revocation_expiration().build();
        Some(Self {
            are_required: settings.is_required,
            names: names(&trusted),
            trusted,
            crls: crls.all,
            ends_of_crls: crls.ends,
            by_authorities: built.ok().filter(|_| has_authorities),
            subjects: settings.subjects.iter().map(|subject| SubjectPattern::new(subject)).collect(),
        })
    }

    /// Whether a client without a certificate is refused.
    pub(super) fn are_required(&self) -> bool {
        self.are_required
    }

    /// Who vouches for clients, told to them so that they can choose a certificate.
    pub(super) fn names(&self) -> &[DistinguishedName] {
        &self.names
    }

    /// The certificates of the file.
    pub(super) fn authorities(&self) -> &[CertificateDer<'static>] {
        self.trusted.listed()
    }

    /// The lists of revoked certificates.
    pub(super) fn crls(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.crls
    }

    /// Judges a client's certificate, and tells until when that holds.
    ///
    /// # Errors
    /// When it is not good.
    pub(super) fn verify(&self, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Moment, Refused> {
        let whose = Facts::of(certificate).ok();
        match self.judge(certificate, chain, whose.as_ref(), now) {
            Ok(()) => Ok(self.holds_until(certificate, chain, now)),
            Err(error) => Err(Refused { error, whose: whose.map(Box::new) }),
        }
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        whose: Option<&Facts>,
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.trusted.lists(certificate, now)? {
            if whose.is_some_and(|whose| lists::are_revoking(&self.crls, whose)) {
                return Err(CertificateError::Revoked.into());
            }
        } else {
            let by_authorities = self.by_authorities.as_ref().ok_or(CertificateError::UnknownIssuer)?;
            by_authorities.verify_client_cert(certificate, chain, now)?;
        }
        let fits = |whose: &Facts| self.subjects.iter().any(|pattern| pattern.fits(&whose.subject));
        if !self.subjects.is_empty() && !whose.is_some_and(fits) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(())
    }

    /// Until the first of what it rests on ends. What had ended before was not needed.
    fn holds_until(&self, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) -> Moment {
        let now = Moment(now.as_secs().saturating_mul(1000));
        let certificates = std::iter::once(certificate).chain(chain).filter_map(|one| validity(one).ok());
        let ends = certificates.map(|(_, until)| Moment(until.saturating_add(1).saturating_mul(1000)));
        ends.chain(self.ends_of_crls.iter().copied()).filter(|end| *end > now).min().unwrap_or(Moment::NEVER)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whose {
            Some(whose) => write!(f, "the certificate of \"{}\", issued by \"{}\", ", whose.subject, whose.issuer)?,
            None => f.write_str("the certificate ")?,
        }
        let Error::InvalidCertificate(error) = &self.error else { return write!(f, "is not good: {}", self.error) };
        match error {
            CertificateError::Expired => f.write_str("has expired"),
            CertificateError::ExpiredContext { not_after, .. } => write!(f, "has expired on {}", day(*not_after)),
            CertificateError::NotValidYet => f.write_str("is not valid yet"),
            CertificateError::NotValidYetContext { not_before, .. } => write!(f, "is not valid before {}", day(*not_before)),
            CertificateError::Revoked => f.write_str("is revoked"),
            CertificateError::UnknownIssuer => f.write_str("comes from nobody whom client_auth trusts"),
            CertificateError::UnknownRevocationStatus => f.write_str("comes from an issuer of whom no crl tells"),
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
                f.write_str("comes from an issuer whose crl is out of date")
            }
            CertificateError::ApplicationVerificationFailure => f.write_str("is for none of the subjects"),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => f.write_str("is not for clients"),
            _ if self.whose.as_ref().is_some_and(|whose| whose.is_version_1) => {
                f.write_str("is of version 1, for which nobody can vouch: it is good only in the file of client_auth itself")
            }
            error => write!(f, "is not good: {error}"),
        }
    }
}

fn trusted(settings: &ClientAuthSettings, findings: &mut Vec<Finding>) -> Option<Trusted> {
    let listed = pem::certificates(&settings.ca)
        .map_err(|error| Finding { help: error.help(), ..Finding::error(Part::ClientCa, error.to_string()) });
    let trusted = listed.and_then(|listed| {
        Trusted::new(listed).map_err(|Unusable { number, reason }| {
            let problem = format!("certificate {number} in {} cannot be used: {reason}", settings.ca.display());
            Finding::error(Part::ClientCa, problem).help("without it, the file can be")
        })
    });
    trusted.map_err(|finding| findings.push(finding)).ok()
}

/// Without its list, nothing that an authority has signed is known not to be revoked.
fn untold(authority: &CertificateDer<'_>, crls: &[CertificateRevocationListDer<'_>]) -> Option<Finding> {
    let facts = Facts::of(authority).ok().filter(|facts| !lists::tell_of(crls, facts))?;
    let problem = format!("no crl tells of \"{}\", so nobody whom it vouches for gets in", facts.subject);
    Some(Finding::warning("missing-crl", Part::Crls, problem).help("the list of this authority as well, even an empty one"))
}

/// What TLS has room for is told; more than that would break the handshake.
fn names(trusted: &Trusted) -> Vec<DistinguishedName> {
    let subjects = trusted.listed().iter().filter_map(|certificate| Facts::of(certificate).ok()).map(|facts| facts.subject_der);
    let subjects: Vec<Vec<u8>> = subjects.collect();
    let length: usize = subjects.iter().map(|subject| subject.len() + 2).sum();
    if length > MOST_NAMES { Vec::new() } else { subjects.into_iter().map(DistinguishedName::from).collect() }
}

/// In bytes. The list is one of several extensions, which have 65,535 together.
const MOST_NAMES: usize = 48 << 10;
