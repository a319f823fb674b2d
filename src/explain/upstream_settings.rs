//! What is written of an upstream, but what its servers and their order show.

use super::explanation::Setting;
use super::origins::{Table, Tables};
use super::upstreams::Meeting;
use super::values::{keepalive, protocols, versions};
use crate::tls::Trust;
use crate::units::written;
use crate::upstream::{Announcement, Encryption, Pool, ResolverSettings, Said, Version};
use crate::variables::rendered;

/// All that is written of a pool's upstream. A key of `tls` and of `resolver` is inherited by itself, other tables as a whole.
pub(super) fn told(pool: &Pool, tables: &[Table], meeting: &Meeting<'_>) -> Vec<Setting> {
    let below = |key: &str| -> Vec<Table> { tables.iter().map(|table| table.below(key)).collect() };
    let (tls, resolving) = (below("tls"), [below("resolver"), vec![Table::resolver()]].concat());
    let (own, tls, resolving) = (meeting.origins.of(tables), meeting.origins.of(&tls), meeting.origins.of(&resolving));
    let mut settings = of_group(pool, &own);
    if let Some(encryption) = &pool.encryption {
        settings.extend(of_tls(encryption, &tls, meeting));
    }
    if pool.upstream.lines().iter().any(|line| line.address.is_name()) {
        settings.extend(of_resolver(&pool.resolver, &resolving));
    }
    settings
}

fn of_group(pool: &Pool, tables: &Tables<'_>) -> Vec<Setting> {
    let all = [
        tables.if_written("keepalive", || keepalive(pool.silence.keepalive)),
        tables.if_written("user_timeout", || pool.silence.user_timeout.map(written).unwrap_or_default()),
        tables.if_written("send_proxy_protocol", || pool.announcement.as_ref().map_or_else(|| "off".into(), announcement)),
    ];
    all.into_iter().flatten().collect()
}

fn of_tls(encryption: &Encryption, tables: &Tables<'_>, meeting: &Meeting<'_>) -> Vec<Setting> {
    let settings = encryption.originator.settings();
    let server_name = || encryption.server_name.as_ref().map(|template| rendered(template, meeting.session)).unwrap_or_default();
    let ca = match &settings.trust {
        Trust::System => "the system's".into(),
        Trust::File(file) => file.display().to_string(),
        Trust::Anybody => "nobody's, as servers are not verified".into(),
    };
    let all = [
        tables.if_written("server_name", server_name),
        tables.if_written("verify", || (settings.trust != Trust::Anybody).to_string()),
        tables.if_written("ca", || ca),
        tables.if_written("certificate", || settings.identity.as_ref().map(|files| files.chain.display().to_string()).unwrap_or_default()),
        tables.if_written("alpn", || protocols(&settings.alpn)),
        tables.if_written("versions", || versions(&settings.versions)),
        tables.if_written("session_reuse", || settings.session_reuse.to_string()),
    ];
    within("tls", all)
}

fn of_resolver(settings: &ResolverSettings, tables: &Tables<'_>) -> Vec<Setting> {
    let servers = || settings.nameservers.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let all = [
        tables.if_written("nameservers", servers),
        tables.if_written("valid", || settings.valid.map_or_else(|| "as the records say".into(), written)),
        tables.if_written("timeout", || written(settings.timeout)),
        tables.if_written("ipv6", || settings.ipv6.to_string()),
    ];
    within("resolver", all)
}

fn announcement(announcement: &Announcement) -> String {
    let version = match announcement.version {
        Version::V1 => "v1",
        Version::V2 => "v2",
    };
    let says = announcement.says.iter().map(|said| match said {
        Said::Authority => "authority",
        Said::Alpn => "alpn",
        Said::Ssl => "ssl",
        Said::UniqueId => "unique_id",
    });
    let says: Vec<_> = says.chain(announcement.has_checksum.then_some("crc32c")).collect();
    if says.is_empty() { version.into() } else { format!("{version} with {}", says.join(", ")) }
}

/// The keys of a table in an upstream's, as they are told beside its own.
fn within(table: &str, settings: impl IntoIterator<Item = Option<Setting>>) -> Vec<Setting> {
    let all = settings.into_iter().flatten();
    all.map(|setting| Setting { key: format!("{table}.{}", setting.key), ..setting }).collect()
}
