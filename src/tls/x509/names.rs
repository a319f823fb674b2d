//! The names that a certificate is for (RFC 6125 §6.4).

use std::fmt;
use std::net::IpAddr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;

use crate::host::{HostPattern, Hostname};

/// A name that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// This host.
    Host(Hostname),
    /// `*.example`: every host exactly one label below.
    Below(Hostname),
    /// This address.
    Ip(IpAddr),
}

impl CertificateName {
    /// Reads a name as certificates have it; nothing if no client could ask for it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        match text.strip_prefix("*.") {
            Some(rest) => Hostname::parse(rest).ok().map(Self::Below),
            None => Hostname::parse(text).ok().map(Self::Host),
        }
    }

    /// Whether it stands for this host.
    #[must_use]
    pub fn covers(&self, host: &Hostname) -> bool {
        match self {
            Self::Host(name) => name == host,
            Self::Below(parent) => host.as_str().split_once('.').is_some_and(|(_, rest)| rest == parent.as_str()),
            Self::Ip(_) => false,
        }
    }

    /// Whether it stands for one at least of the hosts that a pattern of a map stands for.
    #[must_use]
    pub fn meets(&self, pattern: &HostPattern) -> bool {
        match (pattern, self) {
            (_, Self::Ip(_)) => false,
            (HostPattern::Exact(host), _) => self.covers(host),
            (HostPattern::Below(parent), Self::Host(name)) => is_below(name, parent),
            (HostPattern::Below(parent) | HostPattern::AndBelow(parent), Self::Below(name)) => name == parent || is_below(name, parent),
            (HostPattern::AndBelow(parent), Self::Host(name)) => name == parent || is_below(name, parent),
            (HostPattern::Trailing(begin), Self::Host(name)) => begins(name.as_str(), begin.as_str()),
            // The label that the wildcard stands for can be the first one of the pattern.
            (HostPattern::Trailing(begin), Self::Below(name)) => match begin.as_str().split_once('.') {
                Some((_, begin)) => begins(name.as_str(), begin),
                None => true,
            },
        }
    }
}

/// Whether labels stand before a parent's name.
fn is_below(name: &Hostname, parent: &Hostname) -> bool {
    name.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether a name goes on behind these labels.
fn begins(name: &str, begin: &str) -> bool {
    name.strip_prefix(begin).is_some_and(|rest| rest.starts_with('.'))
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => name.fmt(f),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// All names of a certificate, each once.
pub(super) fn of(certificate: &X509Certificate<'_>) -> Vec<CertificateName> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let is_there = certificate.extensions().iter().any(|extension| extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
    let alternatives = extension.iter().flat_map(|extension| &extension.value.general_names);
    // One that can't be read may have them.
    let mut has_dns = is_there && extension.is_none();
    let mut names = Vec::new();
    for alternative in alternatives {
        let name = match alternative {
            GeneralName::DNSName(text) => {
                has_dns = true;
                CertificateName::parse(text)
            }
            GeneralName::IPAddress(bytes) => ip(bytes).map(CertificateName::Ip),
            _ => None,
        };
        add(&mut names, name);
    }
    if !has_dns {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        common.for_each(|text| add(&mut names, CertificateName::parse(text)));
    }
    names
}

fn add(names: &mut Vec<CertificateName>, name: Option<CertificateName>) {
    names.extend(name.filter(|name| !names.contains(name)));
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}
