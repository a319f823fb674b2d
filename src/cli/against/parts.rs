//! What changes beside the maps: listeners, upstreams, profiles of TLS, limits. Each by its name, with what a reader of
//! the change should look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Serialize;

use super::listeners::pairs;
use crate::admit::Ranges;
use crate::snapshot::{Listener, Snapshot};
use crate::tls::Terminator;
use crate::upstream::{Pool, ServerLine};

/// Something that has a name, and what has become of it.
#[derive(Serialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) change: Kind,
    pub(super) details: Vec<String>,
}

/// What has become of it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    New,
    Gone,
    Changed,
}

pub(super) fn listeners(old: &Snapshot, new: &Snapshot) -> Vec<Part> {
    // A listener that got another name is known by its new one.
    let renamed: BTreeMap<_, _> = pairs(old, new).into_iter().map(|(old, new)| (&*old.name, &*new.name)).collect();
    let name = |listener: &Listener| (*renamed.get(&*listener.name).unwrap_or(&&*listener.name)).to_owned();
    let before = old.listeners.iter().map(|listener| (name(listener), listener.clone())).collect();
    let after = new.listeners.iter().map(|listener| (listener.name.to_string(), listener.clone())).collect();
    parts(&before, &after, |listener| vec![format!("on {}", addresses(listener).join(", "))], |old, new| listener(old, new))
}

pub(super) fn upstreams(old: &Snapshot, new: &Snapshot) -> Vec<Part> {
    let named = |snapshot: &Snapshot| snapshot.pools.iter().map(|(name, pool)| (name.to_string(), pool.clone())).collect();
    let servers = |pool: &std::sync::Arc<Pool>| pool.upstream.lines().iter().map(|line| line.written.to_string()).collect();
    parts(&named(old), &named(new), servers, |old, new| upstream(old, new))
}

pub(super) fn terminators(old: &Snapshot, new: &Snapshot) -> Vec<Part> {
    let named = |snapshot: &Snapshot| snapshot.terminators.iter().map(|(name, one)| (name.to_string(), one.clone())).collect();
    parts(&named(old), &named(new), |_| Vec::new(), |old, new| terminator(old, new))
}

pub(super) fn limits(old: &Snapshot, new: &Snapshot) -> Vec<Part> {
    let named = |snapshot: &Snapshot| -> BTreeMap<String, _> {
        snapshot.limits.iter().map(|(name, keyed)| (name.to_string(), keyed.limit.settings().clone())).collect()
    };
    parts(&named(old), &named(new), |_| Vec::new(), |old, new| changed(&[("what it counts, or how many", old != new)]))
}

pub(super) fn networks(old: &Snapshot, new: &Snapshot) -> Vec<Part> {
    let named = |snapshot: &Snapshot| snapshot.networks.iter().map(|(name, set)| (name.to_string(), set.clone())).collect();
    parts(
        &named(old),
        &named(new),
        |set| few("", set).into_iter().collect(),
        |old, new| [few("new ", &new.without(old)), few("no longer ", &old.without(new))].into_iter().flatten().collect(),
    )
}

/// Some of the addresses, if there are any.
fn few(what: &str, set: &Ranges) -> Option<String> {
    let mut told: Vec<_> = set.nets().take(MOST_NETS).map(|net| net.to_string()).collect();
    let more = set.nets().skip(MOST_NETS).count();
    if more > 0 {
        told.push(format!("{more} more"));
    }
    (!told.is_empty()).then(|| format!("{what}{}", told.join(", ")))
}

/// How many ranges of a network are told.
const MOST_NETS: usize = 8;

pub(super) fn parts<T>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    whole: impl Fn(&T) -> Vec<String>,
    difference: impl Fn(&T, &T) -> Vec<String>,
) -> Vec<Part> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let part = |name: &String| {
        let (change, details) = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => (Kind::Changed, Some(difference(old, new)).filter(|details| !details.is_empty())?),
            (Some(old), None) => (Kind::Gone, whole(old)),
            (None, new) => (Kind::New, new.map(&whole).unwrap_or_default()),
        };
        Some(Part { name: name.clone(), change, details })
    };
    names.into_iter().filter_map(part).collect()
}

fn listener(old: &Listener, new: &Listener) -> Vec<String> {
    let mut details: Vec<_> = (old.name != new.name).then(|| format!("was named {}", old.name)).into_iter().collect();
    details.extend(added_and_gone(&addresses(old), &addresses(new), "now also on", "no longer on"));
    let (one, other) = (old.admission.told(), new.admission.told());
    let told = |text: &str| if text.is_empty() { "everybody".to_owned() } else { text.trim_start_matches(", ").to_owned() };
    if one != other {
        details.push(format!("who may come: {} -> {}", told(&one), told(&other)));
    } else if old.admission.access != new.admission.access {
        details.push("who may come: other addresses in its access".into());
    }
    details.extend(changed(&[
        ("PROXY headers", old.proxy != new.proxy),
        ("how first bytes are read", differ(&old.peek, &new.peek)),
        ("its number of sessions", old.max_connections != new.max_connections),
        ("its sockets", old.binding != new.binding),
    ]));
    details
}

fn addresses(listener: &Listener) -> Vec<String> {
    super::listeners::addresses(listener).into_iter().collect()
}

fn upstream(old: &Pool, new: &Pool) -> Vec<String> {
    let written = |pool: &Pool| pool.upstream.lines().iter().map(|line| line.written.to_string()).collect::<Vec<_>>();
    let mut details = added_and_gone(&written(old), &written(new), "new server", "no longer server");
    for one in new.upstream.lines() {
        let before = old.upstream.lines().iter().find(|line| line.written == one.written);
        details.extend(before.and_then(|before| server(before, one)));
    }
    let (one, other) = (old.upstream.balance(), new.upstream.balance());
    if one != other {
        details.push(format!("balance {one} -> {other}"));
    }
    let fallback = |pool: &Pool| pool.fallback().map_or("none".to_owned(), |fallback| fallback.upstream.name().to_string());
    if fallback(old) != fallback(new) {
        details.push(format!("fallback {} -> {}", fallback(old), fallback(new)));
    }
    let tls = |pool: &Pool| pool.encryption.as_ref().map(|tls| format!("{:?}{:?}", tls.originator.settings(), tls.server_name));
    let what_of_tls = match (tls(old), tls(new)) {
        (None, Some(_)) => "asked over TLS now",
        (Some(_), None) => "asked in the clear now",
        _ => "how its servers are asked over TLS",
    };
    details.extend(changed(&[
        ("hash_key", old.hash_key != new.hash_key),
        (what_of_tls, tls(old) != tls(new)),
        ("whom servers are told a connection is from", old.announcement != new.announcement),
        ("who is asked for names", old.resolver != new.resolver),
        ("how long silence lasts", differ(&old.silence, &new.silence)),
    ]));
    details
}

/// The settings in which a server differs.
fn server(old: &ServerLine, new: &ServerLine) -> Option<String> {
    let pairs = [
        ("weight", old.weight.to_string(), new.weight.to_string()),
        ("max_fails", old.max_fails.to_string(), new.max_fails.to_string()),
        ("fail_timeout", crate::units::written(old.fail_timeout), crate::units::written(new.fail_timeout)),
        ("max_conns", old.max_conns.to_string(), new.max_conns.to_string()),
        ("slow_start", crate::units::written(old.slow_start), crate::units::written(new.slow_start)),
        ("backup", old.backup.to_string(), new.backup.to_string()),
        ("down", old.down.to_string(), new.down.to_string()),
    ];
    let differing: Vec<_> =
        pairs.into_iter().filter(|(_, old, new)| old != new).map(|(key, old, new)| format!("{key} {old} -> {new}")).collect();
    (!differing.is_empty()).then(|| format!("{}: {}", new.written, differing.join(", ")))
}

fn terminator(old: &Terminator, new: &Terminator) -> Vec<String> {
    let (before, after) = (old.settings(), new.settings());
    changed(&[
        ("its certificates", old.certificates().identity() != new.certificates().identity()),
        ("versions", before.versions != after.versions),
        ("alpn", before.alpn != after.alpn),
        ("who must show a certificate", differ(&before.client_auth, &after.client_auth)),
        ("its ciphers and groups", differ(&before.ciphers, &after.ciphers) || differ(&before.groups, &after.groups)),
        (
            "how sessions are resumed",
            differ(&before.tickets, &after.tickets)
                || (before.session_cache, before.session_timeout) != (after.session_cache, after.session_timeout),
        ),
        ("handshake_timeout", before.handshake_timeout != after.handshake_timeout),
    ])
}

fn added_and_gone(old: &[String], new: &[String], added: &str, gone: &str) -> Vec<String> {
    let added = new.iter().filter(|one| !old.contains(one)).map(|one| format!("{added} {one}"));
    added.chain(old.iter().filter(|one| !new.contains(one)).map(|one| format!("{gone} {one}"))).collect()
}

/// What has changed, of what there is.
fn changed(all: &[(&str, bool)]) -> Vec<String> {
    all.iter().filter(|(_, differs)| *differs).map(|(what, _)| (*what).to_owned()).collect()
}

fn differ<T: Debug>(old: &T, new: &T) -> bool {
    format!("{old:?}") != format!("{new:?}")
}
