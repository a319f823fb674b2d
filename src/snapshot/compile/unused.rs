//! Warns of what is defined, and what no connection ever meets.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Compiler;
use super::networks::FORWARD;
use crate::config::{Config, Key, ListenerAction, path_to};

/// What something leads to, collected while that is compiled.
#[derive(Default)]
pub(super) struct Used {
    pub(super) upstreams: BTreeSet<Arc<str>>,
    pub(super) profiles: BTreeSet<Arc<str>>,
    pub(super) networks: BTreeSet<String>,
    pub(super) maps: BTreeSet<Box<str>>,
}

impl Compiler {
    /// Nothing is said beside errors: what is left out for them may have used it.
    pub(super) fn check_unused(&mut self, config: &Config) {
        if self.diagnostics.has_errors() {
            return;
        }
        let Used { upstreams, profiles, networks, maps } = std::mem::take(&mut self.used);
        for name in config.upstream.keys().filter(|name| !upstreams.contains(name.as_str())) {
            let place = self.places.key(&path_to!["upstream", name]);
            let problem = format!("nothing leads to upstream {name:?}, so its servers get no connections");
            let warning = self.diagnostics.warning("unused-upstream", place, problem);
            warning.help(format!("upstream = {name:?} in a listener or a target, or fallback = {name:?} in another upstream"));
        }
        for name in config.terminate.keys().filter(|name| !profiles.contains(name.as_str())) {
            let place = self.places.key(&path_to!["terminate", name]);
            let problem = format!("no TLS ends under the profile {name:?}");
            self.diagnostics.warning("unused-profile", place, problem).help(format!("terminate = {name:?} in a listener or a target"));
        }
        let is_used =
            |name: &str| config.listener.values().any(|listener| matches!(&listener.action, ListenerAction::Routes(map) if map == name));
        for name in config.routes.keys().filter(|name| !is_used(name)) {
            let place = self.places.key(&path_to!["routes", name]);
            let problem = format!("no listener looks names up in [routes.{}]", Key::from(name));
            self.diagnostics.warning("unused-routes", place, problem).help(format!("routes = {name:?} in a listener"));
        }
        for name in config.networks.keys().filter(|name| *name != FORWARD && !networks.contains(*name)) {
            let place = self.places.key(&path_to!["networks", name]);
            let problem = format!("nothing names the network {name:?}, so it keeps nobody out and lets nobody in");
            self.diagnostics.warning("unused-network", place, problem).help(format!("access = [\"deny {name}\"], for example"));
        }
        for name in config.map.keys().filter(|name| !maps.contains(name.as_str())) {
            let place = self.places.key(&path_to!["map", name]);
            let problem = format!("no text has the variable ${name}, so this map is never asked");
            self.diagnostics.warning("unused-map", place, problem).help(format!("upstream = \"${name}\", for example"));
        }
    }
}
