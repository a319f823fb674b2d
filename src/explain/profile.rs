//! TLS that ends here: under which profile, with which certificate, and what will be agreed on.

use std::time::SystemTime;

use super::explanation::{Certificate, Profile};
use super::origins::{Origins, Table};
use super::profile_settings;
use crate::config::path_to;
use crate::host::Hostname;
use crate::tls::{self, Certificates, Terminator};

pub(super) fn told(terminator: &Terminator, name: Option<&Hostname>, origins: &Origins<'_>) -> Profile {
    let settings = terminator.settings();
    let certificates = terminator.certificates();
    Profile {
        profile: settings.name.to_string(),
        at: origins.places.key(&path_to!["terminate", &*settings.name]).to_string(),
        covered: name.is_none_or(|name| certificates.covers(name)),
        certificates: of_name(&certificates, name),
        settings: profile_settings::told(settings, &origins.of(&[Table::terminate(&settings.name), Table::terminate_defaults()])),
    }
}

/// The certificates that stand for a name, the first of them unless the client's algorithms rule it out.
fn of_name(certificates: &Certificates, name: Option<&Hostname>) -> Vec<Certificate> {
    let now = SystemTime::now();
    let mut served: Vec<Certificate> = Vec::new();
    for certificate in certificates.for_host(name.map(Hostname::as_str)) {
        // Behind one of the same kind it is never served.
        if served.iter().all(|earlier| earlier.kind != certificate.kind()) {
            served.push(one(certificate, now));
        }
    }
    served
}

fn one(certificate: &tls::Certificate, now: SystemTime) -> Certificate {
    Certificate {
        kind: certificate.kind(),
        file: certificate.file().display().to_string(),
        names: certificate.names_text(),
        lasts: certificate.lasts(now),
    }
}
