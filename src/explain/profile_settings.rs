//! What is written of a TLS profile.

use super::explanation::Setting;
use super::origins::Tables;
use super::values::{bytes, list, protocols, versions};
use crate::tls::{ClientAuthSettings, ServerSettings, Tickets, cipher_name};
use crate::units::written;

/// All that is written but the certificates.
pub(super) fn told(settings: &ServerSettings, tables: &Tables<'_>) -> Vec<Setting> {
    let all = [
        tables.if_written("versions", || versions(&settings.versions)),
        tables.if_written("ciphers", || list(settings.ciphers.iter().map(|suite| cipher_name(suite.suite())))),
        tables.if_written("groups", || {
            let names: Vec<_> = settings.groups.iter().map(|group| format!("{:?}", group.name())).collect();
            names.join(", ")
        }),
        tables.if_written("alpn", || protocols(&settings.alpn)),
        tables.if_written("session_cache", || if settings.session_cache == 0 { "off".into() } else { bytes(settings.session_cache) }),
        tables.if_written("session_timeout", || written(settings.session_timeout)),
        tables.if_written("session_tickets", || tickets(&settings.tickets)),
        tables.if_written("handshake_timeout", || written(settings.handshake_timeout)),
        tables.if_written("client_auth", || settings.client_auth.as_ref().map_or_else(|| "off".into(), client_auth)),
    ];
    all.into_iter().flatten().collect()
}

fn tickets(tickets: &Tickets) -> String {
    match tickets {
        Tickets::Off => "off".into(),
        Tickets::OwnKeys => "on".into(),
        Tickets::KeyFiles(files) => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            format!("under the keys {}", files.join(", "))
        }
    }
}

fn client_auth(auth: &ClientAuthSettings) -> String {
    let mode = if auth.is_required { "required" } else { "requested" };
    let subjects = list(auth.subjects.iter().map(|subject| &**subject));
    let whom = if subjects.is_empty() { String::new() } else { format!(", for {subjects}") };
    format!("a certificate by {} is {mode}{whom}", auth.ca.display())
}
