//! `tests` of `[routes.NAME]`: clients that are put to the map as traffic would be, wherever a configuration is compiled.

mod client;
mod failed;

use std::sync::Arc;

use super::Compiler;
use crate::address::ListenAddress;
use crate::admit::Access;
use crate::config::{self, Config, Key, ListenerAction, Routes, Test, path_to, suggest};
use crate::route::{Rank, RouteTable};
use crate::session::Peer;
use crate::snapshot::{Door, Listener, Targets, Verdict};
use failed::Failed;

/// A map that is tested.
#[derive(Clone, Copy)]
struct Map<'c> {
    name: &'c str,
    written: &'c Routes,
    /// The listeners that have it.
    entrances: &'c [Entrance<'c>],
    /// Whether all of it could be compiled.
    is_whole: bool,
}

/// A listener that has the map; of a map that nobody uses, what stands for one.
struct Entrance<'t> {
    name: Option<&'t Arc<str>>,
    local: Peer,
    door: Door<'t>,
}

impl Compiler {
    /// Runs the tests of all maps that listeners have.
    pub(super) fn run_tests(&mut self, config: &Config, listeners: &[Arc<Listener>]) {
        for (name, written) in config.routes.iter().filter(|(_, written)| !written.tests.is_empty()) {
            let has_it = |listener: &config::Listener| matches!(&listener.action, ListenerAction::Routes(map) if map == name);
            let wanted = config.listener.values().filter(|listener| has_it(listener)).count();
            let compiled = listeners.iter().filter(|listener| listener.map.as_deref() == Some(name));
            let entrances: Vec<_> = compiled.map(|listener| Entrance::of(listener)).collect();
            // One that could not be compiled may be the one that a test is about.
            if wanted > 0 && entrances.len() == wanted {
                self.run_tests_of(name, written, &entrances, config);
            }
        }
    }

    /// Runs the tests of a map that no listener has: as if one had it that lets everybody in.
    pub(super) fn run_tests_of_unused(&mut self, name: &str, written: &Routes, routes: &RouteTable<Targets>, config: &Config) {
        let entrance = Entrance { name: None, local: Peer::Unix, door: Door { access: &Access::default(), routes } };
        self.run_tests_of(name, written, &[entrance], config);
    }

    fn run_tests_of(&mut self, name: &str, written: &Routes, entrances: &[Entrance<'_>], config: &Config) {
        let parts = ["default", "no_sni", "not_tls", "hosts", "hosts_files", "patterns"];
        let has_lost = self.lost_networks || parts.into_iter().any(|part| self.places.was_cut(&path_to!["routes", name, part]));
        let map = Map { name, written, entrances, is_whole: !has_lost && !self.incomplete_maps.contains(name) };
        for (index, test) in written.tests.iter().enumerate() {
            let path = path_to!["routes", name, "tests", index];
            // What is left of a test without what is wrong with it may be another test.
            if !self.places.was_cut(&path) {
                self.run_test(&path, test, map, config);
            }
        }
    }

    fn run_test(&mut self, path: &[Key], test: &Test, map: Map<'_>, config: &Config) {
        let client = self.client(path, test);
        let is_known = self.check_test_listener(path, test, map, config);
        let expected = self.expected(path, test);
        let (Some(client), Some(expected), true) = (client, expected, is_known && map.is_whole) else { return };
        let is_meant = |entrance: &&Entrance<'_>| test.listener.as_deref().is_none_or(|name| entrance.is(name));
        for entrance in map.entrances.iter().filter(is_meant) {
            let verdict = entrance.door.judge(client.hello.as_ref(), &self.pools, &mut client.session(entrance));
            if expected.came(&verdict, own_destination(&verdict, map.written)) {
                continue;
            }
            if self.can_be(path, &expected, map.name, map.written, entrance.door.routes) {
                let failed = Failed { test, map, client: &client, entrance, verdict: &verdict, expected: &expected };
                self.failed(path, &failed);
            }
            return;
        }
        self.tests_held += 1;
    }

    /// Whether the listener that a test names has the map.
    fn check_test_listener(&mut self, path: &[Key], test: &Test, map: Map<'_>, config: &Config) -> bool {
        let Some(name) = &test.listener else { return true };
        if map.entrances.iter().any(|entrance| entrance.is(name)) {
            return true;
        }
        if self.places.was_cut(&path_to!["listener", name]) {
            return false;
        }
        let all: Vec<&str> = map.entrances.iter().filter_map(|entrance| entrance.name.map(|name| &**name)).collect();
        let routes = Key::from(map.name);
        let problem = match config.listener.contains_key(name) {
            true => format!("[listener.{}] does not have [routes.{routes}]", Key::from(name)),
            false => format!("no listener is named {name:?}"),
        };
        let label = match (suggest(name, all.iter().copied()), all.as_slice()) {
            (Some(similar), _) => format!("did you mean \"{similar}\"?"),
            (None, []) => format!("no listener has [routes.{routes}]"),
            (None, all) => format!("it belongs to {}", all.join(", ")),
        };
        self.wrong(&[path, &path_to!["listener"]].concat(), problem).label(label);
        false
    }
}

impl<'t> Entrance<'t> {
    fn of(listener: &'t Listener) -> Self {
        let local = match listener.addresses.first() {
            Some(ListenAddress::Ip(ip)) => Peer::Ip(*ip),
            Some(ListenAddress::Unix(_)) | None => Peer::Unix,
        };
        Self { name: Some(&listener.name), local, door: listener.into() }
    }

    fn is(&self, name: &str) -> bool {
        self.name.is_some_and(|own| **own == *name)
    }
}

/// Where the target that is taken would lead by itself, if it is in maintenance: that is for the time being, and no test is to
/// be changed for it.
fn own_destination<'c>(verdict: &Verdict<'_>, written: &'c Routes) -> Option<&'c str> {
    let choice = verdict.choice.as_ref()?;
    let (index, _) = choice.target.filter(|(_, target)| target.in_maintenance)?;
    let target = match choice.found.rank {
        Rank::Pattern(index) => &written.patterns.get(index)?.target,
        Rank::Default => written.default.as_ref()?.iter().nth(index)?,
        Rank::NoSni => written.no_sni.as_ref()?.iter().nth(index)?,
        Rank::NotTls => written.not_tls.as_ref()?.iter().nth(index)?,
        Rank::Exact | Rank::Leading | Rank::Trailing => written.hosts.get(&*choice.found.entry.written)?.iter().nth(index)?,
    };
    match &target.action {
        config::Action::Upstream(own) => Some(own),
        config::Action::Reject(_) | config::Action::Respond(_) => None,
    }
}
