//! TLS that ends here: under which profile, with which certificate, and what will be agreed on.

use std::time::SystemTime;

use super::explanation::{Certificate, Profile};
use super::origins::{Origins, Table};
use super::profile_settings;
use crate::config::path_to;
use crate::hello::ClientHello;
use crate::host::Hostname;
use crate::session::TlsFacts;
use crate::tls::{self, Certificates, ServerSettings, Terminator, version_name};

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

/// What is agreed on with a client, as far as it is known before: nothing of what chance or the client's choice makes of it.
pub(super) fn facts(hello: &ClientHello, settings: &ServerSettings) -> TlsFacts {
    let common = settings.versions.iter().map(|spoken| spoken.version).filter(|version| hello.offers((*version).into()));
    TlsFacts {
        protocol: common.max_by_key(|version| u16::from(*version)).map_or("unknown", version_name),
        cipher: "",
        is_resumed: false,
        session_id: None,
        alpn: agreed(hello, settings).map(|protocol| String::from_utf8_lossy(protocol).into()),
        client: None,
    }
}

/// Whether both speak of protocols, and have none in common (RFC 7301 §3.2).
pub(super) fn has_no_protocol_in_common(hello: &ClientHello, settings: &ServerSettings) -> bool {
    !settings.alpn.is_empty() && !hello.alpn.is_empty() && agreed(hello, settings).is_none()
}

fn agreed<'s>(hello: &ClientHello, settings: &'s ServerSettings) -> Option<&'s [u8]> {
    settings.alpn.iter().map(Vec::as_slice).find(|ours| hello.alpn.iter().any(|offered| **offered == **ours))
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
