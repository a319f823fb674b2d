//! Connections that HTTP/2 clients use for several hosts (RFC 9113 §9.1.1): whoever has one to a host sends requests for
//! another host over it, too, if the certificate is for both and both have the same address.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Compiler;
use super::lists::place_in;
use crate::config::{Action, Config, Key, ListenerAction, Routes, Source, Target, host_lines, path_to};
use crate::host::HostPattern;
use crate::tls::x509::CertificateName;

/// A host of a map, and where it leads first.
struct Routed<'c> {
    host: &'c str,
    pattern: HostPattern,
    upstream: &'c str,
    profile: Option<&'c str>,
    /// Where it stands, if it does in a list.
    listed: Option<(&'c Arc<Source>, usize)>,
}

/// The hosts of a map, by what the names of certificates have in common with them: there may be many thousands of both.
struct Hosts<'h> {
    all: &'h [Routed<'h>],
    by_name: HashMap<&'h str, Vec<usize>>,
    /// By what stands behind the first label.
    by_parent: HashMap<&'h str, Vec<usize>>,
    /// Wildcards.
    wild: Vec<usize>,
}

impl Compiler {
    /// Warns of hosts that share a certificate and are routed apart. That of a host which is passed through is not known here.
    pub(super) fn check_coalescing(&mut self, config: &Config) {
        let profiles: Vec<&str> = config.terminate.keys().map(String::as_str).filter(|profile| self.speaks_h2(profile)).collect();
        if profiles.is_empty() {
            return;
        }
        for (map, routes) in &config.routes {
            let before = config.listener.values().filter(|one| matches!(&one.action, ListenerAction::Routes(name) if name == map));
            let before = before.filter_map(|listener| listener.terminate.as_deref()).next();
            let lists: Vec<_> = self.listed_hosts.get(map).into_iter().flat_map(|listed| &listed.sources).cloned().collect();
            let hosts: Vec<_> = routed(routes, before).chain(listed(&lists, before)).collect();
            let hosts = Hosts::of(&hosts);
            for profile in &profiles {
                self.check_shared(map, profile, &hosts);
            }
        }
    }

    fn speaks_h2(&self, profile: &str) -> bool {
        self.terminators.get(profile).is_some_and(|terminator| terminator.settings().alpn.iter().any(|protocol| protocol == b"h2"))
    }

    fn check_shared(&mut self, map: &str, profile: &str, hosts: &Hosts<'_>) {
        let Some(certificates) = self.terminators.get(profile).map(|terminator| terminator.certificates()) else { return };
        for certificate in certificates.all() {
            let covered = hosts.covered(certificate.names());
            let Some(first) = covered.iter().find(|routed| routed.profile == Some(profile)) else { continue };
            let Some(apart) = covered.iter().find(|routed| routed.upstream != first.upstream) else { continue };
            let place = match apart.listed {
                Some((source, at)) => place_in(source, at, apart.host.len()),
                None => self.places.key(&path_to!["routes", map, "hosts", apart.host]),
            };
            let problem = format!(
                "HTTP/2 clients of {:?} may send requests for {:?} over the same connection, to {:?}: a certificate of [terminate.{}] is for both",
                first.host,
                apart.host,
                first.upstream,
                Key::from(profile)
            );
            let help = "a certificate for each, `alpn` without \"h2\", or servers that answer 421 to requests for other hosts";
            self.diagnostics.warning("coalescing", place, problem).help(help);
        }
    }
}

impl<'h> Hosts<'h> {
    fn of(all: &'h [Routed<'h>]) -> Self {
        let mut hosts = Self { all, by_name: HashMap::new(), by_parent: HashMap::new(), wild: Vec::new() };
        for (index, routed) in all.iter().enumerate() {
            let HostPattern::Exact(name) = &routed.pattern else {
                hosts.wild.push(index);
                continue;
            };
            hosts.by_name.entry(name.as_str()).or_default().push(index);
            if let Some((_, parent)) = name.as_str().split_once('.') {
                hosts.by_parent.entry(parent).or_default().push(index);
            }
        }
        hosts
    }

    /// The hosts for which one of these names stands, in their order.
    fn covered(&self, names: &[CertificateName]) -> Vec<&'h Routed<'h>> {
        let exact = names.iter().filter_map(|name| match name {
            CertificateName::Host(name) => self.by_name.get(name.as_str()),
            CertificateName::Below(parent) => self.by_parent.get(parent.as_str()),
            CertificateName::Ip(_) => None,
        });
        let meets = |index: &usize| names.iter().any(|name| name.meets(&self.all[*index].pattern));
        let wild = self.wild.iter().copied().filter(meets);
        let covered: BTreeSet<usize> = exact.flatten().copied().chain(wild).collect();
        covered.into_iter().map(|index| &self.all[index]).collect()
    }
}

/// The hosts that lead to an upstream; `before` is the profile under which TLS has ended when the map is asked.
fn routed<'c>(routes: &'c Routes, before: Option<&'c str>) -> impl Iterator<Item = Routed<'c>> {
    let leads = move |target: &'c Target| match &target.action {
        Action::Upstream(text) => Some((text.as_str(), target.terminate.as_deref().or(before))),
        Action::Reject(_) | Action::Respond(_) => None,
    };
    routes.hosts.iter().filter_map(move |(host, targets)| {
        let (upstream, profile) = targets.iter().find_map(leads)?;
        Some(Routed { host, pattern: HostPattern::parse(host).ok()?, upstream, profile, listed: None })
    })
}

/// The same of the hosts that stand in lists.
fn listed<'c>(lists: &'c [Arc<Source>], before: Option<&'c str>) -> impl Iterator<Item = Routed<'c>> {
    let lines = lists.iter().flat_map(|source| host_lines(source.text()).filter_map(Result::ok).map(move |line| (source, line)));
    lines.filter_map(move |(source, line)| {
        let pattern = HostPattern::parse(line.host).ok()?;
        Some(Routed { host: line.host, pattern, upstream: line.upstream, profile: before, listed: Some((source, line.at)) })
    })
}
