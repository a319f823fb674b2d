//! The table against a linear search, over small alphabets, where names meet often.

use proptest::collection::vec;
use proptest::prelude::*;
use regex::Regex;

use super::{Builder, Entry, FirstName, Pattern, RouteTable, Verdict, linear};
use crate::host::{HostPattern, Hostname};

fn name() -> impl Strategy<Value = String> {
    vec("[ab]{1,2}", 1..5).prop_map(|labels| labels.join("."))
}

fn host() -> impl Strategy<Value = String> {
    let form = prop_oneof![Just(("", "")), Just(("*.", "")), Just((".", "")), Just(("", ".*"))];
    (form, vec("[ab]{1,2}", 1..4)).prop_map(|((before, behind), labels)| format!("{before}{}{behind}", labels.join(".")))
}

fn pattern() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just("a"), Just("b+"), Just("."), Just(r"\."), Just("(a|ab)"), Just("(?:ba)*"), Just(".*")], 1..5)
        .prop_map(|parts| parts.concat())
}

/// The table, and the same entries for the linear search: those that the table took.
fn both(hosts: Vec<String>, patterns: &[String]) -> (RouteTable<()>, Vec<String>, Vec<Regex>) {
    let entry = |written: &str| Entry { written: written.into(), target: () };
    let mut builder = Builder::new();
    let hosts = hosts.into_iter().filter(|host| builder.host(HostPattern::parse(host).unwrap(), entry(host)).is_ok()).collect();
    let regexes: Vec<_> = patterns.iter().map(|pattern| Regex::new(&format!("^(?:{pattern})$")).unwrap()).collect();
    for (pattern, regex) in patterns.iter().zip(&regexes) {
        builder.pattern(Pattern::parse(pattern).unwrap(), entry(regex.as_str()));
    }
    (builder.build().unwrap(), hosts, regexes)
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_linear_search(hosts in vec(host(), 0..20), patterns in vec(pattern(), 0..4), names in vec(name(), 1..20)) {
        let (table, hosts, regexes) = both(hosts, &patterns);
        for name in names {
            let hostname = Hostname::parse(&name).unwrap();
            let found = table.lookup(FirstName::Name(&hostname));
            prop_assert_eq!(found.map(|found| &*found.entry.written), linear::winner(&name, &hosts, &regexes), "{}", name);
        }
    }

    #[test]
    fn what_is_explained_is_what_is_found(hosts in vec(host(), 0..20), patterns in vec(pattern(), 0..4), name in name()) {
        let (table, ..) = both(hosts, &patterns);
        let hostname = Hostname::parse(&name).unwrap();
        let explained = table.explain(FirstName::Name(&hostname));
        prop_assert!(explained.is_sorted_by_key(|considered| considered.rank));
        let winners: Vec<_> = explained.into_iter().filter(|considered| considered.verdict == Verdict::Wins).collect();
        let found = table.lookup(FirstName::Name(&hostname));
        prop_assert_eq!(winners.len(), usize::from(found.is_some()));
        if let (Some(winner), Some(found)) = (winners.first(), found) {
            prop_assert_eq!((winner.entry, winner.rank, &winner.captures), (Some(found.entry), found.rank, &found.captures));
        }
    }
}
