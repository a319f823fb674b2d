//! A map answers what a linear search over its rows finds. A line of the input is a row: a text behind `=`, an address range behind
//! `/`, a regex behind `~`, else a host name or a wildcard; or, behind `?`, a text that is looked up.
#![no_main]

#[path = "../../src/route/linear.rs"]
mod linear;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use regex::bytes::Regex;
use vestibule::address::range;
use vestibule::host::{HostPattern, Hostname};
use vestibule::session::{Peer, Session};
use vestibule::template::Template;
use vestibule::variables::{Map, MapPattern, MapTable, RowsBuilder, Variable};

fuzz_target!(|text: &str| {
    let of = Template::parse("$ssl_preread_server_name").expect("it is a variable's name");
    let of = of.link(|name| Variable::named(&name.name).ok_or(())).expect("there is such a variable");
    let (rows, linear) = both(text);
    let rows = rows.build().expect("a few small patterns are not too big together");
    let map = Map::new("m", of, MapTable::Rows(rows.into()), Some(Arc::new("none".into())));
    for key in text.lines().filter_map(|line| line.strip_prefix('?')).take(MOST_KEYS) {
        let now = std::time::SystemTime::now();
        let mut session = Session::new(1, "a".into(), Peer::Unix, Peer::Unix, std::time::Instant::now().into(), now);
        session.server_name = Some(key.into());
        let found = map.value(&session);
        assert_eq!(String::from_utf8_lossy(&found), linear.find(key).unwrap_or("none"), "{key:?}");
    }
});

/// The rows as they are written, but for hosts, which are in their normal form. What a row answers is the row.
#[derive(Default)]
struct Linear {
    texts: Vec<String>,
    hosts: Vec<String>,
    ranges: Vec<String>,
    patterns: Vec<(Regex, String)>,
}

impl Linear {
    fn find(&self, key: &str) -> Option<&str> {
        let text = self.texts.iter().rev().find(|text| text[1..].eq_ignore_ascii_case(key)).map(String::as_str);
        let host = || linear::winner(Hostname::parse(key).ok()?.as_str(), &self.hosts, &[]);
        text.or_else(host).or_else(|| self.range(key)).or_else(|| {
            let first = self.patterns.iter().find(|(regex, _)| regex.is_match(key.as_bytes()));
            first.map(|(_, written)| written.as_str())
        })
    }

    fn range(&self, key: &str) -> Option<&str> {
        let address = key.parse::<IpAddr>().unwrap_or(Ipv4Addr::BROADCAST.into()).to_canonical();
        let around = self.ranges.iter().enumerate().filter_map(|(index, written)| {
            let range = range(&written[1..])?;
            range.contains(&address).then_some((range.prefix_len(), index, written))
        });
        around.max().map(|(_, _, written)| written.as_str())
    }
}

/// The same rows twice.
fn both(text: &str) -> (RowsBuilder, Linear) {
    let (mut rows, mut linear) = (RowsBuilder::default(), Linear::default());
    for line in text.lines().filter(|line| !line.starts_with('?')) {
        let answer = || Arc::new(line.into());
        if let Some(text) = line.strip_prefix('=') {
            rows.text(text, answer());
            linear.texts.push(line.into());
        } else if let Some(written) = line.strip_prefix('/') {
            if let Some(range) = range(written) {
                rows.range(range, answer());
                linear.ranges.push(line.into());
            }
        } else if let Some(written) = line.strip_prefix('~') {
            let is_small = written.len() <= LONGEST_PATTERN && linear.patterns.len() < MOST_PATTERNS;
            if let (true, Ok(regex), Ok(pattern)) = (is_small, Regex::new(written), MapPattern::parse(written)) {
                rows.pattern(pattern, answer());
                linear.patterns.push((regex, line.into()));
            }
        } else if let Ok(pattern) = HostPattern::parse(line) {
            let written = normal(&pattern);
            if rows.host(pattern, line, Arc::new(written.as_str().into())).is_ok() {
                linear.hosts.push(written);
            }
        }
    }
    (rows, linear)
}

/// A host as the linear search knows it.
fn normal(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Below(name) => format!("*.{name}"),
        HostPattern::AndBelow(name) => format!(".{name}"),
        HostPattern::Trailing(name) => format!("{name}.*"),
    }
}

const MOST_KEYS: usize = 30;
const MOST_PATTERNS: usize = 4;
const LONGEST_PATTERN: usize = 40;
