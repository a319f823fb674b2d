//! The route table answers as a linear search over the same entries does.
//! A line of the input is a name to look up (`?www.example`), a regex (`~a+\.b`), or a name or wildcard of the map.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regex::Regex;
use vestibule::host::{HostPattern, Hostname};
use vestibule::route::{Builder, Entry, FirstName, Pattern, RouteTable};

#[path = "../../src/route/linear.rs"]
mod linear;

/// More would only make each run slower.
const MOST_PATTERNS: usize = 8;
const LONGEST_PATTERN: usize = 64;

fuzz_target!(|text: &str| {
    let lines = || text.lines();
    let Some((table, hosts, patterns)) = both(lines().filter(|line| !line.starts_with('?'))) else { return };
    for name in lines().filter_map(|line| Hostname::parse(line.strip_prefix('?')?).ok()) {
        let found = table.lookup(FirstName::Name(&name)).map(|found| &*found.entry.written);
        assert_eq!(found, linear::winner(name.as_str(), &hosts, &patterns), "{name}");
    }
});

/// The table, and the same entries for the linear search: those that the table took.
fn both<'a>(lines: impl Iterator<Item = &'a str>) -> Option<(RouteTable<()>, Vec<String>, Vec<Regex>)> {
    let (mut builder, mut hosts, mut patterns) = (Builder::new(), Vec::new(), Vec::new());
    for line in lines {
        if let Some(text) = line.strip_prefix('~') {
            if let Some((pattern, regex)) = pattern(text).filter(|_| patterns.len() < MOST_PATTERNS) {
                builder.pattern(pattern, entry(regex.as_str()));
                patterns.push(regex);
            }
        } else if let Ok(host) = HostPattern::parse(line) {
            let written = normal_form(&host);
            if builder.host(host, entry(&written)).is_ok() {
                hosts.push(written);
            }
        }
    }
    Some((builder.build().ok()?, hosts, patterns))
}

/// The regex as the table takes it, and with its anchors written as text. What they mean there must be what was meant:
/// a text that ends in a comment is left out.
fn pattern(text: &str) -> Option<(Pattern, Regex)> {
    let pattern = Pattern::parse(Some(text).filter(|text| text.len() <= LONGEST_PATTERN)?).ok()?;
    Some((pattern, Regex::new(&format!(r"\A(?:{text})\z")).ok()?))
}

fn normal_form(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Below(name) => format!("*.{name}"),
        HostPattern::AndBelow(name) => format!(".{name}"),
        HostPattern::Trailing(name) => format!("{name}.*"),
    }
}

fn entry(written: &str) -> Entry<()> {
    Entry { written: written.into(), target: () }
}
