//! OCSP answers from a file (RFC 6960 §4.2.1): whether one is worth sending. Its signature is left to the client,
//! who must check it in any case.

use std::time::SystemTime;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use x509_parser::asn1_rs::{Any, Class, FromDer, Oid, oid};
use x509_parser::time::ASN1Time;

use super::x509::{Facts, time};

/// Why an answer is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsent {
    #[error("it is no OCSP answer in DER")]
    Broken,
    #[error("it says that the responder could not answer (status {0})")]
    Unsuccessful(u8),
    #[error("it is about another certificate")]
    Foreign,
    #[error("it says that the certificate is revoked")]
    Revoked,
    #[error("its responder does not know the certificate")]
    Unknown,
    #[error("it has ended")]
    Ended,
}

/// Whether an answer says of this certificate that it is good, and still holds.
pub(super) fn check(der: &[u8], certificate: &Facts, now: SystemTime) -> Result<(), Unsent> {
    let answers = answers(der)?;
    let about = answers.iter().find(|answer| answer.is_about(certificate)).ok_or(Unsent::Foreign)?;
    match about.status {
        GOOD if about.next_update.is_some_and(|end| end <= now) => Err(Unsent::Ended),
        GOOD => Ok(()),
        REVOKED => Err(Unsent::Revoked),
        _ => Err(Unsent::Unknown),
    }
}

/// When an answer about this certificate ends, if it says so.
pub(super) fn end(der: &[u8], certificate: &Facts) -> Option<SystemTime> {
    answers(der).ok()?.into_iter().find(|answer| answer.is_about(certificate))?.next_update
}

/// What an answer says of one certificate.
struct Answer<'d> {
    hash: Option<&'static Algorithm>,
    issuer: &'d [u8],
    serial: &'d [u8],
    status: u32,
    next_update: Option<SystemTime>,
}

impl Answer<'_> {
    /// The issuer's key, whose digest is there too, is not at hand.
    fn is_about(&self, certificate: &Facts) -> bool {
        let is_issuer = self.hash.is_none_or(|hash| digest(hash, &certificate.issuer_der).as_ref() == self.issuer);
        is_issuer && self.serial == certificate.serial_der
    }
}

fn answers(der: &[u8]) -> Result<Vec<Answer<'_>>, Unsent> {
    let mut response = Elements(der).inside().ok_or(Unsent::Broken)?;
    match response.next().map(|status| status.data) {
        Some([0]) => {}
        Some([status]) => return Err(Unsent::Unsuccessful(*status)),
        _ => return Err(Unsent::Broken),
    }
    basic(&mut response).ok_or(Unsent::Broken)
}

/// ResponseBytes, and the BasicOCSPResponse in it.
fn basic<'d>(response: &mut Elements<'d>) -> Option<Vec<Answer<'d>>> {
    let mut bytes = response.inside()?.inside()?;
    let kind = bytes.next()?;
    (kind.data == BASIC.as_bytes()).then_some(())?;
    let mut data = bytes.inside()?.inside()?.inside()?;
    // The version, who answers, and when: the answers are the only plain sequence.
    let all = data.find(|element| element.class() == Class::Universal && element.header.tag().0 == SEQUENCE)?;
    Elements(all.data).map(|single| answer(Elements(single.data))).collect()
}

fn answer(mut single: Elements<'_>) -> Option<Answer<'_>> {
    let mut id = single.inside()?;
    let algorithm = id.inside()?.next()?;
    let (issuer, _key, serial) = (id.next()?.data, id.next()?, id.next()?.data);
    let status = single.next()?.header.tag().0;
    let _this_update = single.next()?;
    let next_update = single.find(|element| element.class() == Class::ContextSpecific && element.header.tag().0 == 0);
    let next_update = match next_update {
        Some(end) => Some(time(ASN1Time::from_der(end.data).ok()?.1)),
        None => None,
    };
    let hash = match algorithm.data {
        data if data == SHA1_OID.as_bytes() => Some(&SHA1_FOR_LEGACY_USE_ONLY),
        data if data == SHA256_OID.as_bytes() => Some(&SHA256),
        _ => None,
    };
    Some(Answer { hash, issuer, serial, status, next_update })
}

/// DER elements, one behind the other; broken ones end them.
struct Elements<'d>(&'d [u8]);

impl<'d> Elements<'d> {
    /// What is in the next element.
    fn inside(&mut self) -> Option<Self> {
        self.next().map(|element| Self(element.data))
    }
}

impl<'d> Iterator for Elements<'d> {
    type Item = Any<'d>;

    fn next(&mut self) -> Option<Any<'d>> {
        let (rest, element) = Any::from_der(self.0).ok()?;
        self.0 = rest;
        Some(element)
    }
}

/// `id-pkix-ocsp-basic`.
const BASIC: Oid<'static> = oid!(1.3.6.1.5.5.7.48.1.1);
const SHA1_OID: Oid<'static> = oid!(1.3.14.3.2.26);
const SHA256_OID: Oid<'static> = oid!(2.16.840.1.101.3.4.2.1);
const SEQUENCE: u32 = 16;
const GOOD: u32 = 0;
const REVOKED: u32 = 1;
