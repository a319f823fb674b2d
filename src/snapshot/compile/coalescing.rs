//! Connections that HTTP/2 clients use for several hosts (RFC 9113 §9.1.1): whoever has one to a host sends requests for
//! another host over it, too, if the certificate is for both and both have the same address.

use super::Compiler;
use crate::config::{Action, Config, Key, ListenerAction, Routes, Target, path_to};
use crate::host::HostPattern;

/// A host of a map, and where it leads first.
struct Routed<'c> {
    host: &'c str,
    pattern: HostPattern,
    upstream: &'c str,
    profile: Option<&'c str>,
}

impl Compiler {
    /// Warns of hosts that share a certificate and are routed apart. That of a host which is passed through is not known here.
    pub(super) fn check_coalescing(&mut self, config: &Config) {
        for (map, routes) in &config.routes {
            let before = config.listener.values().filter(|one| matches!(&one.action, ListenerAction::Routes(name) if name == map));
            let before = before.filter_map(|listener| listener.terminate.as_deref()).next();
            let profiles: Vec<&str> = config.terminate.keys().map(String::as_str).filter(|profile| self.speaks_h2(profile)).collect();
            if profiles.is_empty() {
                continue;
            }
            let hosts = routed(routes, before);
            for profile in profiles {
                self.check_shared(map, profile, &hosts);
            }
        }
    }

    fn speaks_h2(&self, profile: &str) -> bool {
        self.terminators.get(profile).is_some_and(|terminator| terminator.settings().alpn.iter().any(|protocol| protocol == b"h2"))
    }

    fn check_shared(&mut self, map: &str, profile: &str, hosts: &[Routed<'_>]) {
        let Some(certificates) = self.terminators.get(profile).map(|terminator| terminator.certificates()) else { return };
        for certificate in certificates.all() {
            let mut covered = hosts.iter().filter(|routed| certificate.names().iter().any(|name| name.meets(&routed.pattern)));
            let Some(first) = covered.clone().find(|routed| routed.profile == Some(profile)) else { continue };
            let Some(apart) = covered.find(|routed| routed.upstream != first.upstream) else { continue };
            let place = self.places.key(&path_to!["routes", map, "hosts", apart.host]);
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

/// The hosts that lead to an upstream; `before` is the profile under which TLS has ended when the map is asked.
fn routed<'c>(routes: &'c Routes, before: Option<&'c str>) -> Vec<Routed<'c>> {
    let leads = |target: &'c Target| match &target.action {
        Action::Upstream(text) => Some((text.as_str(), target.terminate.as_deref().or(before))),
        Action::Reject(_) | Action::Respond(_) => None,
    };
    let hosts = routes.hosts.iter().filter_map(|(host, targets)| {
        let (upstream, profile) = targets.iter().find_map(leads)?;
        Some(Routed { host, pattern: HostPattern::parse(host).ok()?, upstream, profile })
    });
    hosts.collect()
}
