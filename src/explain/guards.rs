//! The targets of the entry that wins, guard by guard, up to the one that is taken.

use std::net::IpAddr;

use super::explanation::{Guard, Target};
use crate::config::{Key, Places, TlsVersion, path_to};
use crate::hello::ClientHello;
use crate::snapshot::{self, Guards};

/// Each target; `taken` is the index of the one that is.
pub(super) fn told(
    targets: &snapshot::Targets,
    taken: Option<usize>,
    entry: &[Key],
    client: Option<IpAddr>,
    hello: Option<&ClientHello>,
    places: &Places,
) -> Vec<Target> {
    let one = |(index, target): (usize, &snapshot::Target)| Target {
        number: index + 1,
        fits: taken.is_none_or(|taken| index <= taken).then_some(taken == Some(index)),
        guards: guards(&target.guards, client, hello),
        at: match targets.listed_at() {
            Some(listed) => listed.to_string(),
            None => places.value(&[entry, &path_to![index]].concat()).to_string(),
        },
    };
    targets.iter().enumerate().map(one).collect()
}

fn guards(guards: &Guards, client: Option<IpAddr>, hello: Option<&ClientHello>) -> Vec<Guard> {
    let from = (guards.from.is_some()).then(|| Guard {
        guard: "from",
        wants: guards.from_written.iter().map(|range| range.to_string()).collect(),
        fits: guards.fits_from(client),
        by: client.and_then(|client| guards.range_of(client)).map(|range| range.to_string()),
    });
    let alpn = (!guards.alpn.is_empty()).then(|| Guard {
        guard: "alpn",
        wants: guards.alpn.iter().map(|protocol| protocol.to_string()).collect(),
        fits: guards.fits_alpn(hello),
        by: guards.alpn.iter().find(|protocol| offers(hello, protocol)).map(|protocol| protocol.to_string()),
    });
    let versions = (!guards.versions.is_empty()).then(|| Guard {
        guard: "versions",
        wants: guards.versions.iter().map(|number| version(*number)).collect(),
        fits: guards.fits_versions(hello),
        by: guards.versions.iter().find(|number| hello.is_some_and(|hello| hello.offers(**number))).map(|number| version(*number)),
    });
    [from, alpn, versions].into_iter().flatten().collect()
}

fn offers(hello: Option<&ClientHello>, wanted: &str) -> bool {
    hello.is_some_and(|hello| hello.alpn.iter().any(|protocol| **protocol == *wanted.as_bytes()))
}

fn version(number: u16) -> String {
    TlsVersion::of_number(number).map_or_else(|| format!("{number:#06x}"), |version| version.name().into())
}
