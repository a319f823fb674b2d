//! Which of a profile's certificates a client gets, for `vestibule route`.

use std::time::SystemTime;

use crate::host::Hostname;
use crate::tls::{Certificate, Certificates};

/// The certificates that stand for a name, the first of them unless the client's algorithms rule it out, a line each.
pub(super) fn told(certificates: &Certificates, name: Option<&Hostname>) -> Vec<String> {
    let now = SystemTime::now();
    let mut kinds: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for certificate in certificates.for_host(name.map(Hostname::as_str)) {
        // Behind one of the same kind it is never served.
        if kinds.contains(&certificate.kind()) {
            continue;
        }
        let begin = if kinds.is_empty() { "with" } else { "or, as the client's algorithms have it, with" };
        lines.push(format!("{begin} {}", one(certificate, now)));
        kinds.push(certificate.kind());
    }
    if let Some(name) = name.filter(|name| !certificates.covers(name)) {
        lines.push(format!("no certificate is for {name}, so clients will not trust it"));
    }
    lines
}

fn one(certificate: &Certificate, now: SystemTime) -> String {
    let (kind, file, names) = (certificate.kind(), certificate.file().display(), certificate.names_text());
    format!("the {kind} certificate {file} for {names}, which {}", certificate.lasts(now))
}
