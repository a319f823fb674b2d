//! `[routes.NAME]`: the map becomes a table.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::Compiler;
use super::patterns::whole_name;
use super::targets::{Above, Stands};
use crate::config::{self, Config, Key, ListenerAction, Place, path_to};
use crate::host::{HostPattern, HostPatternError, HostnameError};
use crate::route::{Builder, Entry, RouteTable};
use crate::snapshot::{Target, Targets};

impl Compiler {
    /// Complains about maps that no listener uses as about those that one does.
    pub(super) fn check_unused_maps(&mut self, config: &Config) {
        let is_used =
            |name: &str| config.listener.values().any(|listener| matches!(&listener.action, ListenerAction::Routes(map) if map == name));
        for (name, written) in config.routes.iter().filter(|(name, _)| !is_used(name)) {
            if let Some(routes) = self.routes(name, written, &Above::of(config, None)) {
                self.run_tests_of_unused(name, written, &routes, config);
            }
        }
    }

    /// The table of a map; `above` is what its targets inherit.
    pub(super) fn routes(&mut self, name: &str, written: &config::Routes, above: &Above<'_>) -> Option<RouteTable<Targets>> {
        let errors = self.diagnostics.errors();
        let mut table = Builder::new();
        self.hosts(name, &written.hosts, above, &mut table);
        self.hosts_files(name, written, above, &mut table);
        for (index, pattern) in written.patterns.iter().enumerate() {
            self.pattern(&path_to!["routes", name, "patterns", index], pattern, above, &mut table);
        }
        let mut special = |key: &str, targets: &Option<config::Targets>, stands| {
            let path = path_to!["routes", name, key];
            let targets = targets.as_ref()?;
            Some(Entry { written: key.into(), target: self.targets(&path, targets.iter(), stands, above).into() })
        };
        if let Some(entry) = special("default", &written.default, Stands::ForTls) {
            table.default(entry);
        }
        if let Some(entry) = special("no_sni", &written.no_sni, Stands::ForTls) {
            table.no_sni(entry);
        }
        if let Some(entry) = special("not_tls", &written.not_tls, Stands::ForNotTls) {
            table.not_tls(entry);
        }
        if self.diagnostics.errors() > errors {
            self.incomplete_maps.insert(name.into());
        }
        table.build().map_err(|error| self.wrong_key(&path_to!["routes", name, "patterns"], error.to_string())).ok()
    }

    /// The entries of `hosts`. What hosts share as it is written they share as it is compiled.
    fn hosts(&mut self, name: &str, written: &BTreeMap<String, config::Targets>, above: &Above<'_>, table: &mut Builder<Targets>) {
        let mut shared: HashMap<*const config::Target, Arc<[Target]>> = HashMap::new();
        for (host, targets) in written {
            let path = || path_to!["routes", name, "hosts", host];
            let target = match shared.get(&targets.identity()) {
                Some(known) => Arc::clone(known),
                None => {
                    let complaints = self.diagnostics.len();
                    let compiled: Arc<[Target]> = self.targets(&path(), targets.iter(), Stands::ForTls, above).into();
                    // What there is to say of a target is said of each host that leads there.
                    if self.diagnostics.len() == complaints {
                        shared.insert(targets.identity(), Arc::clone(&compiled));
                    }
                    compiled
                }
            };
            let pattern = match HostPattern::parse(host) {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.no_host(&path(), host, error);
                    continue;
                }
            };
            let entry = Entry { written: pattern.written(host), target: target.into() };
            if let Err(earlier) = table.host(pattern, entry) {
                self.same_key_twice(&path_to!["routes", name, "hosts"], &earlier.written, host, "the same name");
            }
        }
    }

    /// Complains of two keys of a table that mean the same, at the one that stands behind the other.
    pub(super) fn same_key_twice(&mut self, table: &[Key], earlier: &str, written: &str, what: &str) {
        let place = |name: &str| self.places.key(&[table, &path_to![name]].concat());
        // The table is filled in the order of the names; for a reader, what is read later is the one too many.
        let (mut first, mut second) = (place(earlier), place(written));
        let mut names = (earlier, written);
        if first.order() > second.order() {
            std::mem::swap(&mut first, &mut second);
            names = (names.1, names.0);
        }
        self.same_name_twice(second, names.1, names.0, &first.to_string(), what);
    }

    /// The same of a name whose place is known, and that of the earlier one.
    pub(super) fn same_name_twice(&mut self, place: Place, written: &str, earlier: &str, first: &str, what: &str) {
        let problem = match written == earlier {
            true => format!("\"{written}\" is there twice"),
            false => format!("\"{written}\" and \"{earlier}\" are {what}"),
        };
        let complaint = self.wrong_at(place, problem);
        complaint.label(format!("\"{earlier}\" is there already ({first})"));
        if let Some(name) = [earlier, written].into_iter().find_map(|name| name.strip_prefix('.')) {
            complaint.help(format!("\".{name}\" stands for both \"{name}\" and \"*.{name}\""));
        }
    }

    fn no_host(&mut self, path: &[Key], written: &str, error: HostPatternError) {
        let place = self.places.key(path);
        self.no_host_at(place, &path[..2], written, error);
    }

    /// Complains of what cannot stand among the hosts of a map.
    pub(super) fn no_host_at(&mut self, place: Place, map: &[Key], written: &str, error: HostPatternError) {
        let is_address = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| ip.parse::<IpAddr>().is_ok());
        let error = if is_address { HostnameError::IpAddress.into() } else { error };
        let is_regex = !is_address && (written.starts_with('~') || written.contains(['(', '[', '\\', '^', '+']));
        let problem = if is_regex { "a regular expression stands among `patterns`".into() } else { error.to_string() };
        let pattern = |regex: &str| format!("[[{}.patterns]] with host = '{regex}'", section(map));
        let bare = written.split_once("://").map_or(written, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
        let help = if is_regex {
            Some(pattern(&whole_name(written)))
        } else if written == "*" {
            Some(format!("every other name: `default` of [{}]", section(map)))
        } else {
            match error {
                HostPatternError::WildcardInside => Some(pattern(&written.replace('.', r"\.").replace('*', "[^.]+"))),
                HostPatternError::Hostname(HostnameError::IpAddress) => {
                    Some(format!("a client that connects by address sends no name: `no_sni` of [{}]", section(map)))
                }
                HostPatternError::Hostname(HostnameError::Character(':' | '/')) => {
                    Some(format!("\"{bare}\": only the name, without scheme, port and path"))
                }
                HostPatternError::Hostname(_) => None,
            }
        };
        let complaint = self.wrong_at(place, problem);
        help.map(|help| complaint.help(help));
    }
}

/// `routes.dmz`, as a header has it.
fn section(path: &[Key]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}
