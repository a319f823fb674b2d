//! Random clients, whose names lie near the entries of a map.

use std::net::{IpAddr, SocketAddr};

use fastrand::Rng;
use vestibule::config::TlsVersion;
use vestibule::explain::{First, Question};
use vestibule::session::Peer;

use super::table::{ALPN, Table, name};
use crate::harness::hellos::{self, Spec, client_hello};

/// Who comes, and what it says first.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) from: IpAddr,
    pub(super) says: Says,
}

#[derive(Clone, Debug)]
pub(super) enum Says {
    NotTls,
    Hello { sni: Option<String>, alpn: Vec<&'static str>, versions: Versions },
}

/// The versions of a hello.
#[derive(Clone, Debug)]
pub(super) enum Versions {
    /// As supported_versions lists them.
    Listed(Vec<u16>),
    /// Up to this one, without the extension.
    UpTo(u16),
}

const ADDRESSES: [&str; 12] = [
    "10.1.2.3",
    "10.1.2.4",
    "10.1.9.9",
    "10.200.0.1",
    "192.0.2.7",
    "200.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:200.0.0.1",
    "2001:db8:1::1",
    "2001:db8:2::1",
    "fd00::1",
    "2a00::1",
];
/// Lists and highest versions; 0x2a2a is GREASE (RFC 8701).
const LISTED: [&[u16]; 4] = [&[0x0304, 0x0303], &[0x0304], &[0x2a2a, 0x0304, 0x0303], &[0x0304, 0x0302]];
const HIGHEST: [u16; 3] = [0x0301, 0x0302, 0x0303];

impl Client {
    pub(super) fn random(table: &Table, rng: &mut Rng) -> Self {
        let from = ADDRESSES[rng.usize(..ADDRESSES.len())].parse().unwrap();
        if rng.u8(..10) == 0 {
            return Self { from, says: Says::NotTls };
        }
        let sni = (rng.u8(..20) > 0).then(|| sent(table, rng));
        let alpn = ALPN.into_iter().filter(|_| rng.u8(..3) == 0).collect();
        let versions = match rng.u8(..10) {
            0..6 => Versions::Listed(LISTED[0].into()),
            6..8 => Versions::Listed(LISTED[rng.usize(..LISTED.len())].into()),
            _ => Versions::UpTo(HIGHEST[rng.usize(..HIGHEST.len())]),
        };
        Self { from, says: Says::Hello { sni, alpn, versions } }
    }

    /// What it sends first, without a PROXY header.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        let Says::Hello { sni, alpn, versions } = &self.says else { return b"GET / HTTP/1.0\r\n\r\n".to_vec() };
        let mut spec = Spec { extensions: Some(vec![hellos::key_share(0x001d, 32)]), ..Spec::default() };
        spec = match versions {
            Versions::Listed(all) => spec.with(hellos::supported_versions(all)),
            Versions::UpTo(highest) => Spec { legacy_version: *highest, ..spec },
        };
        if let Some(sni) = sni {
            spec = spec.with(hellos::server_name(sni));
        }
        if !alpn.is_empty() {
            spec = spec.with(hellos::alpn(alpn));
        }
        client_hello(&spec)
    }

    /// The same as it is put to `vestibule route`.
    pub(super) fn question(&self) -> Question {
        let first = match &self.says {
            Says::NotTls => First::NotTls,
            Says::Hello { sni, alpn, versions } => {
                let numbers = match versions {
                    Versions::Listed(all) => all.clone(),
                    Versions::UpTo(highest) => vec![*highest],
                };
                let versions = numbers.into_iter().filter_map(TlsVersion::of_number).collect();
                First::Tls { name: sni.clone(), alpn: alpn.iter().map(|protocol| (*protocol).into()).collect(), versions }
            }
        };
        Question { from: Peer::Ip(SocketAddr::new(self.from, 40_000)), first }
    }

    /// The PROXY header that says where it is from.
    pub(super) fn header(&self) -> Vec<u8> {
        let to = if self.from.is_ipv4() { "192.0.2.1:443" } else { "[2001:db8::443]:443" };
        crate::harness::proxy::line(&SocketAddr::new(self.from, 40_000).to_string(), to)
    }
}

/// A server name: an entry's, or one beside it.
fn sent(table: &Table, rng: &mut Rng) -> String {
    let near = match table.hosts.is_empty() || rng.u8(..4) == 0 {
        true => name(rng),
        false => table.hosts[rng.usize(..table.hosts.len())].0.clone(),
    };
    let bare = near.trim_start_matches("*.").trim_start_matches('.').trim_end_matches(".*").trim_end_matches('.').to_owned();
    match rng.u8(..24) {
        0..7 => bare,
        7..10 => format!("{}.{bare}", name(rng)),
        10..12 => format!("b.{bare}"),
        12..15 => format!("{bare}.{}", name(rng)),
        15 => format!("x{bare}"),
        16 => bare.split_once('.').map_or(bare.clone(), |(_, rest)| rest.into()),
        17 => bare.to_ascii_uppercase(),
        18 => format!("{bare}."),
        19 => format!("{}.{bare}", rng.u8(..10)),
        20 => format!("t{}.{}test", rng.u8(..7), if rng.bool() { "shop." } else { "" }),
        21 => ["192.0.2.1", "::1", "10.0.0.1.", "2001:db8::1"][rng.usize(..4)].into(),
        22 => [format!("{bare}.."), format!("..{bare}"), format!("a b.{bare}"), format!("*.{bare}"), format!("{}.{bare}", "l".repeat(64))]
            [rng.usize(..5)]
        .clone(),
        _ => ["a", "b.test", "localhost", "b\u{fc}cher.test", ""][rng.usize(..5)].into(),
    }
}
