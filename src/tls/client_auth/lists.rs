//! Lists of revoked certificates (RFC 5280 §5).

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateRevocationListDer;
use x509_parser::asn1_rs::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::tls::clock::Moment;
use crate::tls::pem;
use crate::tls::settings::{Finding, Part};
use crate::tls::x509::Facts;

/// The lists of a profile.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// All of them, in their order.
    pub(super) all: Vec<CertificateRevocationListDer<'static>>,
    /// When each is out of date, if it says so.
    pub(super) ends: Vec<Moment>,
}

impl Lists {
    /// Reads the files. What can't be used is among the findings; `usable` tells what whoever will use a list says against it.
    pub(super) fn read(
        files: &[PathBuf],
        usable: impl Fn(&CertificateRevocationListDer<'static>) -> Result<(), String>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut lists = Self::default();
        for (index, path) in files.iter().enumerate() {
            let part = Part::Crl(index);
            match pem::crls(path) {
                Ok(all) => all.into_iter().for_each(|list| findings.extend(lists.add(part, path, list, &usable))),
                Err(error) => findings.push(Finding { help: error.help(), ..Finding::error(part, error.to_string()) }),
            }
        }
        lists
    }

    fn add(
        &mut self,
        part: Part,
        path: &Path,
        list: CertificateRevocationListDer<'static>,
        usable: &impl Fn(&CertificateRevocationListDer<'static>) -> Result<(), String>,
    ) -> Option<Finding> {
        let end = match usable(&list).and_then(|()| end(&list)) {
            Ok(end) => end,
            Err(reason) => return Some(Finding::error(part, format!("the list in {} cannot be used: {reason}", path.display()))),
        };
        self.ends.extend(end);
        self.all.push(list);
        end.filter(|end| *end <= Moment::now()).map(|_| {
            let problem = format!("the list in {} is out of date, so no certificate of its issuer is good", path.display());
            Finding::warning("expired-crl", part, problem).help("a newer one from the authority")
        })
    }
}

/// Whether one of the lists is this authority's.
pub(super) fn tell_of(lists: &[CertificateRevocationListDer<'_>], authority: &Facts) -> bool {
    let parsed = lists.iter().filter_map(|list| CertificateRevocationList::from_der(list).ok());
    parsed.into_iter().any(|(_, list)| list.issuer().as_raw() == authority.subject_der)
}

/// Whether a certificate is on one of the lists, for those about which nobody else asks. The lists are the user's own, so
/// their signatures are not looked at.
pub(super) fn are_revoking(lists: &[CertificateRevocationListDer<'_>], whose: &Facts) -> bool {
    let parsed = lists.iter().filter_map(|list| CertificateRevocationList::from_der(list).ok());
    let mut of_issuer = parsed.filter(|(_, list)| list.issuer().as_raw() == whose.issuer_der);
    of_issuer.any(|(_, list)| list.iter_revoked_certificates().any(|revoked| revoked.raw_serial() == whose.serial_der))
}

/// When a list is out of date, if it says so.
fn end(list: &CertificateRevocationListDer<'_>) -> Result<Option<Moment>, String> {
    let Ok(([], parsed)) = CertificateRevocationList::from_der(list) else { return Err("it is broken".into()) };
    let seconds = parsed.next_update().map(|time| u64::try_from(time.timestamp()).unwrap_or(0));
    Ok(seconds.map(|seconds| Moment(seconds.saturating_mul(1000))))
}
