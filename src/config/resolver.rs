//! Who is asked for names: `[resolver]`, and `resolver` of an upstream.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use figment::value::Value;
use serde::Serialize;

use super::habits;
use super::read::{Read, Reader};
use super::values::positive;
use super::{print, words as kinds};

/// A resolver; what is not written comes from `[resolver]`, then from what is built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resolver {
    /// The servers that are asked; absent is what the system's resolv.conf says.
    pub nameservers: Option<Vec<SocketAddr>>,
    /// How long an answer is good, whatever its TTL says.
    #[serde(serialize_with = "print::some_duration")]
    pub valid: Option<Duration>,
    /// How long one look-up may take, and the time to the next after one that failed.
    #[serde(serialize_with = "print::some_duration")]
    pub timeout: Option<Duration>,
    /// Whether IPv6 addresses are asked for.
    pub ipv6: Option<bool>,
}

impl Read for Resolver {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(servers) = habits::name_servers(&value) {
            let at_the_top = reader.path().len() == 1;
            let table = if at_the_top { format!("[resolver] with {servers}") } else { format!("{{ {servers} }}") };
            reader.unfit(&value, "a table").label(table);
            return None;
        }
        let mut table = reader.table(value, &kinds::RESOLVER)?;
        Some(Self {
            nameservers: reader.take_with(&mut table, "nameservers", name_servers),
            valid: reader.take_with(&mut table, "valid", positive),
            timeout: reader.take_with(&mut table, "timeout", positive),
            ipv6: reader.take(&mut table, "ipv6"),
        })
    }
}

fn name_servers(value: Value, reader: &mut Reader<'_>) -> Option<Vec<SocketAddr>> {
    let servers: Vec<NameServer> = Read::read(value, reader)?;
    if servers.is_empty() && !reader.was_cut_within() {
        reader.wrong("a resolver without name servers finds nothing").label("[\"127.0.0.1:53\"], or leave it out for the system's");
        return None;
    }
    Some(servers.into_iter().map(|server| server.0).collect())
}

/// An IP address, with the port 53 unless it says another.
struct NameServer(SocketAddr);

impl Read for NameServer {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, reader)?;
        let bare = || text.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
        match text.parse().or_else(|_| bare()) {
            Ok(address) => Some(Self(address)),
            Err(_) => {
                reader.wrong("a name server is an IP address, with a port if it is not 53").label("\"127.0.0.1:53\"");
                None
            }
        }
    }
}

const DNS_PORT: u16 = 53;
