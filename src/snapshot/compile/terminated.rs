//! Where TLS ends: but once on a connection's way, and with a certificate for the host that it asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::Compiler;
use crate::config::{self, Action, Config, Diagnostic, Key, ListenerAction, Place, Routes, Target, path_to};
use crate::host::HostPattern;
use crate::tls::listed;
use crate::tls::x509::CertificateName;

impl Compiler {
    pub(super) fn check_terminated(&mut self, config: &Config) {
        let mut known: BTreeMap<&str, Option<Covered>> = BTreeMap::new();
        for (name, routes) in &config.routes {
            let path = path_to!["routes", name];
            let before: Vec<_> = ended_before(config, name).collect();
            match before.first() {
                Some((listener, _)) => self.terminated_twice(&path, routes, listener),
                None => self.check_twice_encrypted(&path, routes, config),
            }
            for (host, targets) in &routes.hosts {
                let profiles = targets.iter().filter(|target| !matches!(target.action, Action::Reject(_)));
                let profiles =
                    profiles.flat_map(|target| target.terminate.as_deref().into_iter().chain(before.iter().map(|(_, profile)| *profile)));
                for profile in profiles.collect::<BTreeSet<_>>() {
                    let covered = known.entry(profile).or_insert_with(|| self.covered(profile)).as_ref();
                    let lacking = covered.zip(HostPattern::parse(host).ok()).and_then(|(covered, pattern)| covered.lacks(host, &pattern));
                    if let (Some(covered), Some(lacking)) = (covered, lacking) {
                        let place = self.places.key(&[&path[..], &path_to!["hosts", host]].concat());
                        self.warn_of_uncovered(place, covered, &lacking, 0);
                    }
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
        let defaults = &config.defaults.upstream.keys;
        if !config.upstream.values().any(|upstream| upstream.keys.speaks_tls(defaults)) {
            return;
        }
        for (entry, target) in for_tls(routes).filter(|(_, target)| target.terminate.is_none()) {
            let own = if let Action::Upstream(name) = &target.action { Some(("upstream", name)) } else { None };
            // The one that stands in now, and the one that will be back.
            for (key, name) in own.into_iter().chain(target.maintenance.as_ref().map(|name| ("maintenance", name))) {
                if !config.upstream.get(name).is_some_and(|upstream| upstream.keys.speaks_tls(defaults)) {
                    continue;
                }
                let place = self.places.value(&[path, &entry, &path_to![key]].concat());
                self.warn_of_twice_encrypted(place, name, 0);
            }
        }
    }

    /// Says that TLS passes through into an upstream's own, and does so in so many more lines of a list.
    pub(super) fn warn_of_twice_encrypted(&mut self, place: Place, upstream: &str, more: usize) -> &mut Diagnostic {
        let others = match more {
            0 => String::new(),
            1 => ", and so it does in another line of this list".into(),
            more => format!(", and so it does in {more} more lines of this list"),
        };
        let problem = format!("TLS passes through here, into the TLS that [upstream.{}] is asked over{others}", Key::from(upstream));
        let warning = self.diagnostics.warning("tls-in-tls", place, problem);
        warning.help("terminate = \"NAME\" here, with [terminate.NAME]; or an upstream without `tls`")
    }

    /// What hosts a profile has certificates for. What is wrong with it was said where it stands.
    pub(super) fn covered(&self, profile: &str) -> Option<Covered> {
        let certificates = self.terminators.get(profile)?.certificates();
        let names = certificates.names().cloned().collect();
        (!certificates.all().is_empty()).then(|| Covered { profile: profile.to_owned(), names })
    }

    /// Warns of a host without a certificate, and of so many more of its list.
    pub(super) fn warn_of_uncovered(&mut self, place: Place, covered: &Covered, lacking: &str, more: usize) {
        let (others, them) = match more {
            0 => (String::new(), "it"),
            1 => (", nor for another host of this list".into(), "them"),
            more => (format!(", nor for {more} more hosts of this list"), "them"),
        };
        let profile = Key::from(covered.profile.as_str());
        let problem = format!("no certificate of [terminate.{profile}] is for {lacking}{others}, so clients will not trust {them}");
        self.diagnostics.warning("uncovered-host", place, problem).help(format!("there are certificates for {}", listed(&covered.names)));
    }
}

/// What a profile's certificates are for.
pub(super) struct Covered {
    profile: String,
    names: Vec<CertificateName>,
}

impl Covered {
    /// What of a host has no certificate, if anything: `.example` stands for two things.
    pub(super) fn lacks(&self, host: &str, pattern: &HostPattern) -> Option<String> {
        let meets = |half: &HostPattern| self.names.iter().any(|name| name.meets(half));
        // A certificate for one host below is none for the others.
        let is_covered = |half: &HostPattern| match half {
            HostPattern::Below(parent) => self.names.iter().any(|name| matches!(name, CertificateName::Below(of) if of == parent)),
            _ => meets(half),
        };
        let HostPattern::AndBelow(parent) = pattern else {
            let all_of = if meets(pattern) { "all of " } else { "" };
            return (!is_covered(pattern)).then(|| format!("{all_of}{host:?}"));
        };
        let halves =
            [(parent.to_string(), HostPattern::Exact(parent.clone())), (format!("*.{parent}"), HostPattern::Below(parent.clone()))];
        match halves.map(|(half, pattern)| (!is_covered(&pattern)).then_some(half)) {
            [None, None] => None,
            [Some(half), None] | [None, Some(half)] => Some(format!("{half:?}, for which {host:?} stands too")),
            [Some(_), Some(_)] => Some(format!("{host:?}")),
        }
    }
}

/// The listeners that end TLS before a map is asked, and under which profiles.
pub(super) fn ended_before<'c>(config: &'c Config, map: &str) -> impl Iterator<Item = (&'c str, &'c str)> {
    let uses = move |listener: &config::Listener| matches!(&listener.action, ListenerAction::Routes(used) if used == map);
    config
        .listener
        .iter()
        .filter_map(move |(name, listener)| Some((name.as_str(), listener.terminate.as_deref().filter(|_| uses(listener))?)))
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
