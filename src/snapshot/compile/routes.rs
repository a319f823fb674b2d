//! `[routes.NAME]`: the map becomes a table.

use std::net::IpAddr;

use super::Compiler;
use super::patterns::whole_name;
use super::targets::{Above, Stands};
use crate::config::{self, Config, Key, ListenerAction, Targets, path_to};
use crate::host::{HostPattern, HostPatternError, HostnameError};
use crate::route::{Builder, Entry, RouteTable};
use crate::snapshot::Target;

impl Compiler {
    /// Complains about maps that no listener uses as about those that one does.
    pub(super) fn check_unused_maps(&mut self, config: &Config) {
        let is_used =
            |name: &str| config.listener.values().any(|listener| matches!(&listener.action, ListenerAction::Routes(map) if map == name));
        for (name, written) in config.routes.iter().filter(|(name, _)| !is_used(name)) {
            let _ = self.routes(name, written, &Above::of(config, None));
        }
    }

    /// The table of a map; `above` is what its targets inherit.
    pub(super) fn routes(&mut self, name: &str, written: &config::Routes, above: &Above<'_>) -> Option<RouteTable<Vec<Target>>> {
        let mut table = Builder::new();
        for (host, targets) in &written.hosts {
            self.host(&path_to!["routes", name, "hosts", host], host, targets, above, &mut table);
        }
        for (index, pattern) in written.patterns.iter().enumerate() {
            self.pattern(&path_to!["routes", name, "patterns", index], pattern, above, &mut table);
        }
        let mut special = |key: &str, targets: &Option<Targets>, stands| {
            let path = path_to!["routes", name, key];
            let targets = targets.as_ref()?;
            Some(Entry { written: key.into(), target: self.targets(&path, targets.iter(), stands, above) })
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
        table.build().map_err(|error| self.wrong_key(&path_to!["routes", name, "patterns"], error.to_string())).ok()
    }

    fn host(&mut self, path: &[Key], written: &str, targets: &Targets, above: &Above<'_>, table: &mut Builder<Vec<Target>>) {
        let targets = self.targets(path, targets.iter(), Stands::ForTls, above);
        let pattern = match HostPattern::parse(written) {
            Ok(pattern) => pattern,
            Err(error) => return self.no_host(path, written, error),
        };
        let entry = Entry { written: written.into(), target: targets };
        if let Err(taken) = table.host(pattern, entry) {
            self.same_key_twice(&path[..path.len() - 1], &taken.earlier, written, "the same name");
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
        let complaint = self.wrong_at(second, format!("\"{}\" and \"{}\" are {what}", names.1, names.0));
        complaint.label(format!("\"{}\" is there already ({first})", names.0));
        if let Some(name) = [names.0, names.1].into_iter().find_map(|name| name.strip_prefix('.')) {
            complaint.help(format!("\".{name}\" stands for both \"{name}\" and \"*.{name}\""));
        }
    }

    fn no_host(&mut self, path: &[Key], written: &str, error: HostPatternError) {
        let is_address = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| ip.parse::<IpAddr>().is_ok());
        let error = if is_address { HostnameError::IpAddress.into() } else { error };
        let is_regex = !is_address && (written.starts_with('~') || written.contains(['(', '[', '\\', '^', '+']));
        let problem = if is_regex { "a regular expression stands among `patterns`".into() } else { error.to_string() };
        let pattern = |regex: &str| format!("[[{}.patterns]] with host = '{regex}'", section(&path[..2]));
        let bare = written.split_once("://").map_or(written, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
        let help = if is_regex {
            Some(pattern(&whole_name(written)))
        } else if written == "*" {
            Some(format!("every other name: `default` of [{}]", section(&path[..2])))
        } else {
            match error {
                HostPatternError::WildcardInside => Some(pattern(&written.replace('.', r"\.").replace('*', "[^.]+"))),
                HostPatternError::Hostname(HostnameError::IpAddress) => {
                    Some(format!("a client that connects by address sends no name: `no_sni` of [{}]", section(&path[..2])))
                }
                HostPatternError::Hostname(HostnameError::Character(':' | '/')) => {
                    Some(format!("\"{bare}\": only the name, without scheme, port and path"))
                }
                HostPatternError::Hostname(_) => None,
            }
        };
        let complaint = self.wrong_key(path, problem);
        help.map(|help| complaint.help(help));
    }
}

/// `routes.dmz`, as a header has it.
fn section(path: &[Key]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}
