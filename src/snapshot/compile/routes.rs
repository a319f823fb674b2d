//! `[routes.NAME]`: the map becomes a table.

use super::Compiler;
use super::targets::{Stands, above};
use crate::config::{self, Config, Key, SessionKeys, Targets, path_to};
use crate::host::{HostPattern, HostPatternError};
use crate::route::{Builder, Entry, Pattern, PatternError, RouteTable};
use crate::snapshot::Target;

impl Compiler {
    /// Complains about maps that no listener uses as about those that one does.
    pub(super) fn check_unused_maps(&mut self, config: &Config) {
        for (name, written) in &config.routes {
            let _ = self.routes(name, written, &above(config, None));
        }
    }

    /// The table of a map; `above` is what its targets inherit.
    pub(super) fn routes(&mut self, name: &str, written: &config::Routes, above: &[&SessionKeys]) -> Option<RouteTable<Vec<Target>>> {
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

    fn host(&mut self, path: &[Key], written: &str, targets: &Targets, above: &[&SessionKeys], table: &mut Builder<Vec<Target>>) {
        let targets = self.targets(path, targets.iter(), Stands::ForTls, above);
        let pattern = match HostPattern::parse(written) {
            Ok(pattern) => pattern,
            Err(error) => return self.no_host(path, written, error),
        };
        let entry = Entry { written: written.into(), target: targets };
        if let Err(taken) = table.host(pattern, entry) {
            let earlier = [&path[..path.len() - 1], &path_to![&*taken.earlier]].concat();
            // The table is filled in the order of the names; for a reader, the later line is the one too many.
            let (mut first, mut second) = (self.places.key(&earlier), self.places.key(path));
            let mut names = (taken.earlier.to_string(), written.to_owned());
            if first.line() > second.line() {
                std::mem::swap(&mut first, &mut second);
                names = (names.1, names.0);
            }
            self.wrong_at(second, format!("\"{}\" and \"{}\" are the same name", names.1, names.0))
                .label(format!("\"{}\" is there already ({first})", names.0));
        }
    }

    fn no_host(&mut self, path: &[Key], written: &str, error: HostPatternError) {
        let is_regex = written.starts_with('~') || written.contains(['(', '[', '\\', '^', '+']);
        let complaint = self.wrong_key(path, error.to_string());
        if is_regex {
            let regex = written.trim_start_matches(['~', '*']);
            complaint.help(format!("[[routes.NAME.patterns]] with host = '{regex}'"));
        }
    }

    fn pattern(&mut self, path: &[Key], written: &config::Pattern, above: &[&SessionKeys], table: &mut Builder<Vec<Target>>) {
        let host = [path, &path_to!["host"]].concat();
        let pattern = match Pattern::parse(&written.host) {
            Ok(pattern) => pattern,
            Err(PatternError::Syntax { problem, at }) => {
                let at = at.start..at.end.max(at.start + 1).min(written.host.len().max(at.start + 1));
                self.wrong_inside(&host, at, format!("bad regular expression: {problem}"));
                return;
            }
            Err(error) => {
                self.wrong(&host, error.to_string());
                return;
            }
        };
        let target = self.target(path, &written.target, Stands::AfterPattern(&pattern), above);
        table.pattern(pattern, Entry { written: written.host.as_str().into(), target: target.into_iter().collect() });
    }
}
