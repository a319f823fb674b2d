//! A profile's certificates, found by the name that a client asks for: exact over wildcard, then by what the client
//! can verify. What stands in a map here was made when the files were read; a handshake reads and allocates nothing.

mod checks;
mod load;
mod standing;

pub(super) use standing::{Reminders, date};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::x509::{CertificateName, Facts};
use crate::host::Hostname;

/// The certificates of a profile, in their order.
#[derive(Clone, Debug)]
pub struct Certificates {
    all: Vec<Certificate>,
    /// Those for a name, by their numbers.
    hosts: HashMap<Box<str>, Vec<usize>>,
    /// Those for every name one label below one.
    below: HashMap<Box<str>, Vec<usize>>,
    /// The first, and those that stand in for it: they are for all of its names.
    fallback: Vec<usize>,
}

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct Certificate {
    file: PathBuf,
    facts: Facts,
    schemes: Vec<SignatureScheme>,
    certified: Arc<CertifiedKey>,
}

impl Certificates {
    fn new(all: Vec<Certificate>) -> Self {
        let (mut hosts, mut below) = (HashMap::<Box<str>, Vec<usize>>::new(), HashMap::<Box<str>, Vec<usize>>::new());
        for (index, certificate) in all.iter().enumerate() {
            for name in certificate.names() {
                match name {
                    CertificateName::Host(host) => hosts.entry(host.as_str().into()).or_default().push(index),
                    CertificateName::Below(parent) => below.entry(parent.as_str().into()).or_default().push(index),
                    CertificateName::Ip(_) => {}
                }
            }
        }
        let first = all.first().map(Certificate::names).unwrap_or_default();
        // Whoever asks for no name hears of no other names for its algorithms.
        let stands_in = |certificate: &Certificate| !first.is_empty() && first.iter().all(|name| certificate.is_for(name));
        let fallback = (0..all.len()).filter(|index| *index == 0 || stands_in(&all[*index])).collect();
        Self { all, hosts, below, fallback }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Certificate] {
        &self.all
    }

    /// The first, which is for whoever asks for no name.
    pub(super) fn first(&self) -> Option<Arc<CertifiedKey>> {
        self.all.first().map(|certificate| certificate.certified.clone())
    }

    /// The names that they are for, each as often as it is there.
    pub fn names(&self) -> impl Iterator<Item = &CertificateName> {
        self.all.iter().flat_map(Certificate::names)
    }

    /// Whether one of them is for this host.
    #[must_use]
    pub fn covers(&self, host: &Hostname) -> bool {
        self.names().any(|name| name.covers(host))
    }

    /// Those that a client may get who asks for this name, the first of them unless its algorithms rule it out.
    pub fn for_host(&self, host: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let (exact, below) = self.named(host);
        let fallback = if exact.is_empty() && below.is_empty() { &self.fallback[..] } else { &[] };
        [exact, below, fallback].into_iter().flatten().map(|index| &self.all[*index])
    }

    /// What tells this set from another: a digest of all chains, in their order.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        for Certificate { certified, .. } in &self.all {
            context.update(&(certified.cert.len() as u64).to_be_bytes());
            for certificate in &certified.cert {
                context.update(&(certificate.len() as u64).to_be_bytes());
                context.update(certificate);
            }
        }
        context.finish().as_ref().to_vec()
    }

    /// The one for this name that the client can verify, by the order of the client's algorithms. If there is none, the
    /// one that it cannot: rustls then tells it so.
    fn choose(&self, host: Option<&str>, offered: &[SignatureScheme]) -> Option<&Certificate> {
        let (exact, below) = self.named(host);
        let named = [exact, below].into_iter().find_map(|certificates| self.usable(certificates, offered));
        let first = || exact.first().or(below.first()).map(|index| &self.all[*index]);
        named.or_else(first).or_else(|| self.usable(&self.fallback, offered)).or(self.all.first())
    }

    fn usable(&self, certificates: &[usize], offered: &[SignatureScheme]) -> Option<&Certificate> {
        let certificates = || certificates.iter().map(|index| &self.all[*index]);
        offered.iter().find_map(|scheme| certificates().find(|certificate| certificate.schemes.contains(scheme)))
    }

    /// Those that are for exactly this name, and those that are by a wildcard.
    fn named(&self, host: Option<&str>) -> (&[usize], &[usize]) {
        fn of<'m>(map: &'m HashMap<Box<str>, Vec<usize>>, name: &str) -> &'m [usize] {
            map.get(name).map(Vec::as_slice).unwrap_or_default()
        }
        let Some(host) = host.map(|host| host.strip_suffix('.').unwrap_or(host)) else { return (&[], &[]) };
        let below = host.split_once('.').map(|(_, parent)| of(&self.below, parent)).unwrap_or_default();
        (of(&self.hosts, host), below)
    }
}

/// rustls has brought the name into lower case.
impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes()).map(|certificate| certificate.certified.clone())
    }
}

impl Certificate {
    fn new(file: PathBuf, facts: Facts, certified: CertifiedKey) -> Self {
        let schemes = SCHEMES.into_iter().filter(|scheme| certified.key.choose_scheme(&[*scheme]).is_some()).collect();
        Self { file, facts, schemes, certified: Arc::new(certified) }
    }

    /// The file that it was read from.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What it says of itself.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The names that it is for.
    #[must_use]
    pub fn names(&self) -> &[CertificateName] {
        &self.facts.names
    }

    /// Whether it is for every host that this name stands for.
    fn is_for(&self, name: &CertificateName) -> bool {
        self.names().iter().any(|own| own == name || matches!(name, CertificateName::Host(host) if own.covers(host)))
    }

    /// `a.example, *.b.example`, the first few.
    #[must_use]
    pub fn names_text(&self) -> String {
        listed(self.names())
    }

    /// The kind of its key: `RSA`, `ECDSA`, `Ed25519`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        kind(&*self.certified.key)
    }
}

/// Names as a sentence has them, the first few.
pub(crate) fn listed(names: &[CertificateName]) -> String {
    let mut text = names.iter().take(FEW).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FEW) {
        _ if names.is_empty() => text.push_str("no name"),
        0 => {}
        more => text.push_str(&format!(" and {more} more")),
    }
    text
}

fn kind(key: &dyn SigningKey) -> &'static str {
    match key.algorithm() {
        SignatureAlgorithm::RSA => "RSA",
        SignatureAlgorithm::ECDSA => "ECDSA",
        SignatureAlgorithm::ED25519 => "Ed25519",
        _ => "another kind",
    }
}

/// How many names a sentence has.
const FEW: usize = 5;

/// What a key may sign with.
const SCHEMES: [SignatureScheme; 10] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

#[cfg(test)]
mod tests;
