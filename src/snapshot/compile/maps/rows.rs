//! The rows of a map: `values`, `hosts`, `ranges`, `patterns`.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::super::Compiler;
use super::Values;
use crate::config::{self, Key, path_to};
use crate::host::{HostPattern, HostPatternError, HostnameError};
use crate::variables::{MapPattern, Rows, RowsBuilder};

impl Compiler {
    pub(super) fn map_rows<'m>(&mut self, name: &str, written: &'m config::Map, values: &mut Values<'m>) -> Option<Rows> {
        let path = path_to!["map", name];
        if !written.has_rows() && !self.places.was_cut(&path) {
            self.wrong_key(&path, format!("this map has no rows, so ${name} would always be its default"))
                .help("values = { \"a\" = \"1\" }, or one of `hosts`, `ranges`, `patterns`, `shares`");
        }
        let mut rows = RowsBuilder::default();
        self.map_texts(name, written, values, &mut rows);
        self.map_hosts(name, written, values, &mut rows);
        self.map_ranges(name, written, values, &mut rows);
        self.map_patterns(name, written, &mut rows);
        rows.build().map_err(|error| self.wrong_key(&path_to!["map", name, "patterns"], error.to_string())).ok()
    }

    fn map_texts<'m>(&mut self, name: &str, written: &'m config::Map, values: &mut Values<'m>, rows: &mut RowsBuilder) {
        for (text, value) in &written.values {
            let path = || path_to!["map", name, "values", text].to_vec();
            if text == DEFAULT && written.default.is_none() {
                self.misplaced_map_default(&path());
            } else if let Some(regex) = text.strip_prefix('~') {
                self.wrong_key(&path(), "a regular expression stands among `patterns`").help(as_pattern(name, &of_nginx(regex)));
            } else if text.starts_with("*.") || text.ends_with(".*") {
                let place = self.places.key(&path());
                self.diagnostics
                    .warning("literal-wildcard", place, format!("{text:?} stands among the `values`, where it is that very text"))
                    .help("wildcards stand among `hosts`");
            }
            let Some(value) = self.value(values, value, path) else { continue };
            if !rows.text(text, value) {
                let earlier = written.values.keys().find(|earlier| earlier.eq_ignore_ascii_case(text)).unwrap_or(text);
                self.same_key_twice(&path_to!["map", name, "values"], earlier, text, "the same text: case does not count");
            }
        }
    }

    fn map_hosts<'m>(&mut self, name: &str, written: &'m config::Map, values: &mut Values<'m>, rows: &mut RowsBuilder) {
        for (host, value) in &written.hosts {
            let path = || path_to!["map", name, "hosts", host].to_vec();
            if host == DEFAULT && written.default.is_none() {
                self.misplaced_map_default(&path());
            }
            let value = self.value(values, value, path);
            match HostPattern::parse(host) {
                Err(error) => self.no_map_host(name, &path(), host, error),
                Ok(pattern) => {
                    let Some(value) = value else { continue };
                    if let Err(earlier) = rows.host(pattern, host, value) {
                        self.same_key_twice(&path_to!["map", name, "hosts"], &earlier.written, host, "the same name");
                    }
                }
            }
        }
    }

    fn no_map_host(&mut self, name: &str, path: &[Key], written: &str, error: HostPatternError) {
        let (regex, is_nginx) = written.strip_prefix('~').map_or((written, false), |regex| (regex, true));
        let (problem, help) = if is_nginx || written.contains(['(', '[', '\\', '^', '+']) {
            let regex = if is_nginx { of_nginx(regex) } else { regex.to_owned() };
            ("a regular expression stands among `patterns`".into(), as_pattern(name, &regex))
        } else if written == "*" {
            (error.to_string(), "every other text: default = \"…\"".into())
        } else {
            let help = match error {
                HostPatternError::WildcardInside => as_pattern(name, &format!("^{}$", written.replace('.', r"\.").replace('*', "[^.]+"))),
                HostPatternError::Hostname(HostnameError::IpAddress) => "addresses stand among `ranges`".into(),
                HostPatternError::Hostname(_) => "texts that are no host names stand among `values`".into(),
            };
            (error.to_string(), help)
        };
        self.wrong_key(path, problem).help(help);
    }

    fn map_ranges<'m>(&mut self, name: &str, written: &'m config::Map, values: &mut Values<'m>, rows: &mut RowsBuilder) {
        let mut known: HashMap<IpNet, &str> = HashMap::new();
        for (range, value) in &written.ranges {
            let path = || path_to!["map", name, "ranges", range].to_vec();
            let ranges = self.ranges_of_row(path, range);
            let Some(value) = self.value(values, value, path) else { continue };
            for one in ranges.into_iter().map(as_ipv4) {
                match known.insert(one, range) {
                    Some(earlier) if earlier != range => {
                        let path = path_to!["map", name, "ranges"];
                        self.same_key_twice(&path, earlier, range, &format!("the same range: {one}"));
                    }
                    _ => rows.range(one, Arc::clone(&value)),
                }
            }
        }
    }

    /// The ranges that a row is for.
    fn ranges_of_row(&mut self, path: impl Fn() -> Vec<Key>, written: &str) -> Vec<IpNet> {
        if let Some(range) = self.range_at(&path(), written) {
            return vec![range];
        }
        match self.networks.get(written) {
            Some(named) => {
                self.used.networks.insert(written.to_owned());
                named.ranges.clone()
            }
            None if written == DEFAULT => {
                self.misplaced_map_default(&path());
                Vec::new()
            }
            None => {
                if !self.places.was_cut(&path_to!["networks", written]) {
                    self.no_range_of_row(&path(), written);
                }
                Vec::new()
            }
        }
    }

    fn no_range_of_row(&mut self, path: &[Key], written: &str) {
        let similar = self.similar(written, self.networks.keys().map(String::as_str));
        let place = similar.as_ref().map(|similar| self.places.key(&path_to!["networks", similar]));
        let error = self.wrong_key(path, format!("{written:?} is neither an address range nor one of [networks]"));
        match similar.zip(place) {
            Some((similar, place)) => error.label(format!("did you mean \"{similar}\" ({place})?")),
            None => error.label("\"10.0.0.0/8\", \"fd00::/8\" or one address"),
        };
    }

    fn map_patterns(&mut self, name: &str, written: &config::Map, rows: &mut RowsBuilder) {
        for (index, pattern) in written.patterns.iter().enumerate() {
            let path = |key: &str| path_to!["map", name, "patterns", index, key];
            let regex = match MapPattern::parse(&pattern.regex) {
                Ok(regex) => regex,
                Err(error) => {
                    self.no_pattern(&path("match"), &pattern.regex, error);
                    continue;
                }
            };
            if pattern.regex.is_empty() {
                self.wrong(&path("match"), "an empty pattern matches every text").label("`default` is for the rest");
            } else if let Some(regex) = pattern.regex.strip_prefix('~') {
                self.wrong(&path("match"), "nginx's `~` is not needed here: every pattern is a regular expression")
                    .help(format!("match = '{}'", of_nginx(regex)));
            }
            let value = self.map_value(&path("value"), &pattern.value, Some(&regex));
            value.into_iter().for_each(|value| rows.pattern(regex.clone(), Arc::new(value)));
        }
    }

    fn misplaced_map_default(&mut self, path: &[Key]) {
        self.wrong_key(path, "`default` stands among the rows: it would be the text \"default\", and anything else would be empty")
            .label("it is a key of the map itself");
    }
}

/// A regex of nginx's, less its first `~`, as it is written here.
fn of_nginx(regex: &str) -> String {
    regex.strip_prefix('*').map_or_else(|| regex.to_owned(), |regex| format!("(?i){regex}"))
}

fn as_pattern(name: &str, regex: &str) -> String {
    format!("[[map.{}.patterns]] with match = '{regex}'", Key::from(name))
}

/// A range of IPv4 addresses in IPv6's clothes as what it is: so are the addresses that are looked up.
fn as_ipv4(range: IpNet) -> IpNet {
    let IpNet::V6(v6) = range else { return range };
    let v4 = v6.network().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(v4, length)| Ipv4Net::new(v4, length).ok()).map_or(range, IpNet::V4)
}

/// nginx's word among the rows for all others.
const DEFAULT: &str = "default";
