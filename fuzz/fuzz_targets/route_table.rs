//! The table of routes finds what a linear search finds, and explains what it finds. A line of the input is a host or
//! wildcard of the map, with a `~` in front a regex, with a `?` in front a name that a client asks for.
#![no_main]

#[path = "../../src/route/linear.rs"]
mod linear;

use libfuzzer_sys::fuzz_target;
use regex::Regex;
use vestibule::host::{HostPattern, Hostname};
use vestibule::route::{Builder, Entry, FirstName, Pattern, RouteTable, Verdict};

fuzz_target!(|text: &str| {
    let (table, hosts, regexes) = both(text);
    for name in text.lines().filter_map(|line| Hostname::parse(line.strip_prefix('?')?).ok()).take(MOST_NAMES) {
        let found = table.lookup(FirstName::Name(&name));
        let written = found.as_ref().map(|found| &*found.entry.written);
        assert_eq!(written, linear::winner(name.as_str(), &hosts, &regexes), "{name}");
        let explained = table.explain(FirstName::Name(&name));
        assert!(explained.is_sorted_by_key(|considered| considered.rank), "{name}");
        let winner = explained.into_iter().find(|considered| considered.verdict == Verdict::Wins);
        assert_eq!(winner.and_then(|winner| Some((winner.entry?, winner.captures))), found.map(|found| (found.entry, found.captures)), "{name}");
    }
});

/// The table, and what the table took for the linear search.
fn both(text: &str) -> (RouteTable<()>, Vec<String>, Vec<Regex>) {
    let entry = |written: &str| Entry { written: written.into(), target: () };
    let mut builder = Builder::new();
    let (mut hosts, mut regexes) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('?')) {
        if let Some(written) = line.strip_prefix('~') {
            if let (true, Some(regex), Ok(pattern)) = (regexes.len() < MOST_PATTERNS, whole(written), Pattern::parse(written)) {
                builder.pattern(pattern, entry(regex.as_str()));
                regexes.push(regex);
            }
        } else if let Ok(pattern) = HostPattern::parse(line) {
            let written = normal(&pattern);
            if builder.host(pattern, entry(&written)).is_ok() {
                hosts.push(written);
            }
        }
    }
    (builder.build().expect("a few small patterns are not too big together"), hosts, regexes)
}

/// The regex over a whole name, made from its text; behind a `(?x)` and a `#` that would not be the same.
fn whole(written: &str) -> Option<Regex> {
    let is_small = written.len() <= LONGEST_PATTERN && !written.contains('#');
    is_small.then(|| Regex::new(&format!("^(?:{written})$")).ok()).flatten()
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

const MOST_NAMES: usize = 30;
const MOST_PATTERNS: usize = 4;
const LONGEST_PATTERN: usize = 40;
