//! Where TLS ends: but once on a connection's way, and with a certificate for the host that it asks for.

use std::collections::BTreeSet;

use super::Compiler;
use crate::config::{Action, Config, Key, ListenerAction, Place, Routes, Target, path_to};
use crate::host::HostPattern;
use crate::tls::listed;

impl Compiler {
    pub(super) fn check_terminated(&mut self, config: &Config) {
        for (name, routes) in &config.routes {
            let path = path_to!["routes", name];
            // The listeners that end TLS before the map is asked.
            let before =
                config.listener.iter().filter(|(_, listener)| matches!(&listener.action, ListenerAction::Routes(map) if map == name));
            let before = before.filter_map(|(listener, written)| Some((listener.as_str(), written.terminate.as_deref()?)));
            let before: Vec<(&str, &str)> = before.collect();
            match before.first() {
                Some((listener, _)) => self.terminated_twice(&path, routes, listener),
                None => self.check_twice_encrypted(&path, routes, config),
            }
            for (host, targets) in &routes.hosts {
                let profiles = targets.iter().filter(|target| !matches!(target.action, Action::Reject(_)));
                let profiles =
                    profiles.flat_map(|target| target.terminate.as_deref().into_iter().chain(before.iter().map(|(_, profile)| *profile)));
                for profile in profiles.collect::<BTreeSet<_>>() {
                    self.check_covered(&[&path[..], &path_to!["hosts", host]].concat(), host, profile);
                }
            }
        }
    }

    /// A target's `terminate` behind a listener's.
    fn terminated_twice(&mut self, path: &[Key], routes: &Routes, listener: &str) {
        let twice = for_tls(routes).filter(|(_, target)| target.terminate.is_some());
        let before = self.places.key(&path_to!["listener", listener, "terminate"]);
        for (entry, _) in twice {
            let at = [path, &entry, &path_to!["terminate"]].concat();
            self.wrong_key(
                &at,
                format!("[listener.{}] ends TLS before the name is looked up ({before}), so it cannot end here", Key::from(listener)),
            )
            .label("leave one of them out");
        }
    }

    /// Warns of TLS that passes through into the TLS towards servers, which would have to speak both.
    fn check_twice_encrypted(&mut self, path: &[Key], routes: &Routes, config: &Config) {
        let by_default = config.defaults.upstream.keys.tls.is_some();
        if !by_default && config.upstream.values().all(|upstream| upstream.keys.tls.is_none()) {
            return;
        }
        for (entry, target) in for_tls(routes).filter(|(_, target)| target.terminate.is_none()) {
            let own = if let Action::Upstream(name) = &target.action { Some(("upstream", name)) } else { None };
            // The one that stands in now, and the one that will be back.
            for (key, name) in own.into_iter().chain(target.maintenance.as_ref().map(|name| ("maintenance", name))) {
                if !config.upstream.get(name).is_some_and(|upstream| by_default || upstream.keys.tls.is_some()) {
                    continue;
                }
                let place = self.places.value(&[path, &entry, &path_to![key]].concat());
                self.warn_of_twice_encrypted(place, name);
            }
        }
    }

    /// Says that TLS passes through into an upstream's own.
    pub(super) fn warn_of_twice_encrypted(&mut self, place: Place, upstream: &str) {
        let problem = format!("TLS passes through here, into the TLS that [upstream.{}] is asked over", Key::from(upstream));
        let warning = self.diagnostics.warning("tls-in-tls", place, problem);
        warning.help("terminate = \"NAME\" here, with [terminate.NAME]; or an upstream without `tls`");
    }

    /// Warns of a host for which no certificate of a profile is. What is wrong with the profile or the name was said where they stand.
    fn check_covered(&mut self, path: &[Key], host: &str, profile: &str) {
        let Some(certificates) = self.terminators.get(profile).map(|terminator| terminator.certificates()) else { return };
        let Ok(pattern) = HostPattern::parse(host) else { return };
        if certificates.all().is_empty() {
            return;
        }
        let names: Vec<_> = certificates.names().cloned().collect();
        let halves = match &pattern {
            HostPattern::AndBelow(parent) => {
                vec![(parent.to_string(), HostPattern::Exact(parent.clone())), (format!("*.{parent}"), HostPattern::Below(parent.clone()))]
            }
            _ => vec![(host.to_owned(), pattern)],
        };
        let is_uncovered = |(_, half): &&(String, HostPattern)| !names.iter().any(|name| name.meets(half));
        let uncovered: Vec<_> = halves.iter().filter(is_uncovered).collect();
        let what = match uncovered[..] {
            [] => return,
            [(half, _)] if halves.len() > 1 => format!("{half:?}, for which {host:?} stands too"),
            _ => format!("{host:?}"),
        };
        let problem = format!("no certificate of [terminate.{}] is for {what}, so clients will not trust it", Key::from(profile));
        let place = self.places.key(path);
        self.diagnostics.warning("uncovered-host", place, problem).help(format!("there are certificates for {}", listed(&names)));
    }
}

/// The targets of clients that speak TLS, with their paths in the map.
fn for_tls(routes: &Routes) -> impl Iterator<Item = (Vec<Key>, &Target)> {
    let special = [("default", &routes.default), ("no_sni", &routes.no_sni)];
    let special = special.into_iter().filter_map(|(key, targets)| Some((path_to![key].to_vec(), targets.as_ref()?)));
    let hosts = routes.hosts.iter().map(|(host, targets)| (path_to!["hosts", host].to_vec(), targets));
    let lists = special.chain(hosts).flat_map(|(entry, targets)| {
        targets.iter().enumerate().map(move |(index, target)| ([&entry[..], &path_to![index]].concat(), target))
    });
    let patterns = routes.patterns.iter().enumerate();
    lists.chain(patterns.map(|(index, pattern)| (path_to!["patterns", index].to_vec(), &pattern.target)))
}
