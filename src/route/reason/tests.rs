//! What is reasoned of small tables, against all short names there are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::route::{Builder, Pattern};

type Table = RouteTable<usize>;

fn table(hosts: &[(String, usize)], patterns: &[(String, usize)], default: Option<usize>) -> Table {
    let entry = |written: &str, target| Entry { written: written.into(), target };
    let mut builder = Builder::new();
    for (written, target) in hosts {
        // Some are the same name in another form.
        let _ = builder.host(HostPattern::parse(written).unwrap(), entry(written, *target));
    }
    for (written, target) in patterns {
        builder.pattern(Pattern::parse(written).unwrap(), entry(written, *target));
    }
    if let Some(target) = default {
        builder.default(entry("default", target));
    }
    builder.build().unwrap()
}

fn plain(hosts: &[(&str, usize)], patterns: &[(&str, usize)], default: Option<usize>) -> Table {
    let owned = |all: &[(&str, usize)]| all.iter().map(|(written, target)| ((*written).to_owned(), *target)).collect::<Vec<_>>();
    table(&owned(hosts), &owned(patterns), default)
}

/// All names of up to three labels of up to two of these letters.
fn universe() -> Vec<Hostname> {
    let letters = ["a", "b", "c"];
    let two = letters.iter().flat_map(|one| letters.iter().map(move |other| format!("{one}{other}")));
    let labels: Vec<String> = letters.iter().map(|&one| one.to_owned()).chain(two).collect();
    let longer = |names: &[String]| -> Vec<String> {
        names.iter().flat_map(|name| labels.iter().map(move |label| format!("{name}.{label}"))).collect()
    };
    let second = longer(&labels);
    let third = longer(&second);
    [labels.clone(), second, third].concat().iter().map(|name| Hostname::parse(name).unwrap()).collect()
}

fn changes(old: &Table, new: &Table) -> Vec<String> {
    let differences = new.differences(old, |entry| entry.target, &mut Budget::default());
    assert!(differences.undecided.is_empty(), "{:?}", differences.undecided);
    let of = |winner: Winner<'_, usize>| winner.map_or("nothing".to_owned(), |(_, entry)| format!("{}={}", entry.written, entry.target));
    let asked = |asked: &Asked| match asked {
        Asked::Name(name) => name.to_string(),
        other => format!("{other:?}"),
    };
    differences.changes.iter().map(|change| format!("{}: {} -> {}", asked(&change.asked), of(change.old), of(change.new))).collect()
}

#[test]
fn a_wildcard_that_is_new_takes_from_all_that_it_beats() {
    let patterns = [(r"[a-z]+\.apps\.x", 3), (r"c.*", 4)];
    let old = plain(&[("b.apps.x", 2), ("a.b.*", 5)], &patterns, Some(1));
    let new = plain(&[("b.apps.x", 2), ("a.b.*", 5), ("*.apps.x", 9)], &patterns, Some(1));
    assert_eq!(
        changes(&old, &new),
        [
            "0.apps.x: default=1 -> *.apps.x=9",
            r"a.apps.x: [a-z]+\.apps\.x=3 -> *.apps.x=9",
            "a.b.apps.x: a.b.*=5 -> *.apps.x=9",
            "c0.apps.x: c.*=4 -> *.apps.x=9",
        ]
    );
}

#[test]
fn an_exact_name_that_is_gone_falls_to_what_is_next() {
    let others = [("*.x", 2), ("d.*", 5)];
    let gone = [("a.x", 1), ("b", 1), ("cc", 1), ("d.e", 1)];
    let old = plain(&[&gone[..], &others].concat(), &[("c+", 3)], None);
    let new = plain(&others, &[("c+", 3)], None);
    assert_eq!(changes(&old, &new), ["a.x: a.x=1 -> *.x=2", "b: b=1 -> nothing", "cc: cc=1 -> c+=3", "d.e: d.e=1 -> d.*=5"]);
    assert_eq!(changes(&old, &old), [""; 0]);
}

#[test]
fn patterns_in_another_order_change_what_both_match() {
    let old = plain(&[], &[("a.*", 1), (".*b", 2)], None);
    let new = plain(&[], &[(".*b", 2), ("a.*", 1)], None);
    assert_eq!(changes(&old, &new), ["ab: a.*=1 -> .*b=2"]);
}

#[test]
fn the_default_is_told_with_a_name_that_nothing_else_takes() {
    let patterns = [("[a-z0-9]+", 1), (r".*\..*", 2)];
    assert_eq!(changes(&plain(&[], &patterns, Some(3)), &plain(&[], &patterns, Some(4))), ["-: default=3 -> default=4"]);
    let every = [("[a-z0-9_-]+", 1), (r".*\..*", 2)];
    let told = changes(&plain(&[], &every, Some(3)), &plain(&[], &every, None));
    assert_eq!(told, ["NoName: default=3 -> nothing"], "no name comes there, and what has no name still does");
}

#[test]
fn a_name_that_is_taken_is_no_example() {
    let taken: Vec<_> = ["a.x", "b.x", "c.x"].map(|name| (name, 7)).into();
    let old = plain(&taken, &[(r"[a-d]\.x", 1)], None);
    let new = plain(&taken, &[(r"[a-d]\.x", 2)], None);
    assert_eq!(changes(&old, &new), [r"d.x: [a-d]\.x=1 -> [a-d]\.x=2"]);
    let (old, new) = (plain(&taken, &[(r"[a-c]\.x", 1)], None), plain(&taken, &[(r"[a-c]\.x", 2)], None));
    assert_eq!(changes(&old, &new), [""; 0], "all its names are taken");
}

#[test]
fn what_cannot_be_reasoned_with_is_told() {
    let hard = "(?:a|b)*a(?:a|b){16}";
    let (old, new) = (plain(&[], &[(hard, 1), ("c", 1)], None), plain(&[], &[(hard, 2), ("c", 2)], None));
    let differences = new.differences(&old, |entry| entry.target, &mut Budget::default());
    assert_eq!(differences.undecided, [hard, "c"]);
}

#[test]
fn a_hundred_thousand_names_are_compared_one_by_one() {
    let names: Vec<_> = (0..100_000).map(|n| (format!("host{n}.tenant{}.example", n % 977), 1)).collect();
    let mut changed = names.clone();
    for (_, target) in changed.iter_mut().step_by(100) {
        *target = 2;
    }
    let patterns = [(r"(?<tenant>[a-z0-9-]+)\.apps\.example".to_owned(), 3)];
    let differences = table(&changed, &patterns, Some(4));
    let differences =
        differences.differences(&table(&names, &patterns, Some(4)), |entry| entry.target, &mut Budget::default()).changes.len();
    assert_eq!(differences, 1000);
}

fn intertwined() -> Vec<(String, usize)> {
    (10..30).map(|letters| (format!("(?:a|b)*a(?:a|b){{{letters}}}"), letters)).collect()
}

#[test]
fn what_is_intertwined_takes_a_part_of_the_budget_and_leaves_the_rest() {
    let hard = table(&[], &intertwined(), None);
    let other = table(&[], &[("b".to_owned(), 1)], None);
    let mut budget = Budget::default();
    assert!(hard.reach(|one, other| one != other, &mut budget).undecided.len() > 10);
    assert!(!hard.differences(&other, |entry| entry.target, &mut budget).undecided.is_empty());
    let easy = plain(&[], &[(r"[a-z]+\.x", 1), (r"a\.x", 2)], None);
    let findings = easy.reach(|one, other| one != other, &mut budget);
    assert_eq!((findings.found.len(), findings.undecided.len()), (1, 0), "{budget:?}");
}

#[test]
fn hundreds_of_patterns_with_domains_of_their_own_are_decided() {
    let patterns = |target: usize| (0..400).map(|n| (format!(r"(?<t>[a-z0-9-]+)\.t{n}\.example"), target + n % 7)).collect::<Vec<_>>();
    let (old, new) = (table(&[], &patterns(1), None), table(&[], &patterns(2), None));
    let findings = new.reach(|one, other| one != other, &mut Budget::default());
    assert_eq!((findings.found.len(), findings.undecided.len()), (0, 0));
    let differences = new.differences(&old, |entry| entry.target, &mut Budget::default());
    assert_eq!((differences.changes.len(), differences.undecided.len()), (400, 0));
}

fn findings(table: &Table) -> Vec<String> {
    let findings = table.reach(|one, other| one != other, &mut Budget::default());
    assert!(findings.undecided.is_empty(), "{:?}", findings.undecided);
    let told = |finding: &Finding<'_, usize>| match finding {
        Finding::Nothing { pattern } => format!("{pattern} matches nothing"),
        Finding::Shadowed { rank, by } => {
            format!("{rank} is taken by {}", by.iter().map(|(_, entry)| &*entry.written).collect::<Vec<_>>().join(", "))
        }
        Finding::Overlap { pattern, winner, name } => format!("{pattern} meets {} at {name}", winner.1.written),
    };
    findings.found.iter().map(told).collect()
}

#[test]
fn a_pattern_that_never_wins_is_told_with_all_that_take_its_names() {
    let hosts = [("*.apps.x", 1), ("a.*", 2), ("c.d", 3)];
    let found =
        findings(&plain(&hosts, &[(r"[a-z]+\.apps\.x", 4), (r"a\.b|.*\.y\.apps\.x", 5), (r"c\.d", 6), (r"[ab]\.apps\.x", 7)], None));
    assert_eq!(
        found,
        [
            "pattern 1 is taken by *.apps.x",
            "pattern 2 is taken by *.apps.x, a.*",
            "pattern 3 is taken by ",
            "pattern 4 is taken by *.apps.x"
        ]
    );
    let found = findings(&plain(&[], &[(".+x", 1), (".+y", 2), ("a[xy]", 3), (r"a\b_", 4)], None));
    assert_eq!(found, ["pattern 3 is taken by .+x, .+y", "3 matches nothing"]);
}

#[test]
fn a_pattern_that_wins_somewhere_is_not_told() {
    assert_eq!(findings(&plain(&[("*.apps.x", 1)], &[(r"[a-z]+\.apps\.y", 4), ("apps.x", 1)], None)), [""; 0]);
    let all_but_one: Vec<_> = ["a", "b", "c"].map(|name| (name, 1)).into();
    assert_eq!(findings(&plain(&all_but_one, &[("[a-d]", 2)], None)), [""; 0]);
}

#[test]
fn only_what_overlaps_in_part_and_leads_elsewhere_is_told() {
    let found = |patterns: &[(&str, usize)]| findings(&plain(&[("*.w", 9)], patterns, None));
    assert_eq!(found(&[("a.*", 1), (".*b", 2)]), ["0 meets *.w at a.w", "1 meets a.* at ab"]);
    assert_eq!(found(&[("a[a-z]*", 1), ("[a-z]*b", 1)]), [""; 0], "both lead to the same");
    assert_eq!(found(&[("a[a-z]", 1), ("[a-z]+", 2)]), [""; 0], "the special case first");
    assert_eq!(found(&[(r".+\.w|x", 1)]), [""; 0], "the wildcard is the special case");
}

#[test]
fn a_default_that_nobody_comes_to_is_told_where_it_has_no_other_use() {
    let table = |no_sni| {
        let mut table = plain(&[], &[("[^.]+", 1), (".+", 2)], Some(3));
        table.no_sni = no_sni;
        findings(&table)
    };
    assert_eq!(table(None), [""; 0], "it takes what has no name");
    assert_eq!(table(Some(Entry { written: "no_sni".into(), target: 1 })), ["default is taken by [^.]+, .+"]);
}

fn host() -> impl Strategy<Value = String> {
    let form = prop_oneof![Just(("", "")), Just(("*.", "")), Just((".", "")), Just(("", ".*"))];
    (form, vec("[ab]{1,2}", 1..3)).prop_map(|((before, behind), labels)| format!("{before}{}{behind}", labels.join(".")))
}

fn pattern() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just("a"), Just("b+"), Just("."), Just(r"\."), Just("(a|ab)"), Just("[^.]+"), Just("(?:ba)*"), Just(".*")], 1..5)
        .prop_map(|parts| parts.concat())
}

/// What is written on the left, with a target each.
type Written = Vec<(String, usize)>;

fn entries() -> impl Strategy<Value = (Written, Written, Option<usize>)> {
    (vec((host(), 0..3usize), 0..8), vec((pattern(), 0..3usize), 0..3), proptest::option::of(0..3usize))
}

/// A table, and one that a few changes made of it.
fn both() -> impl Strategy<Value = (Table, Table)> {
    (entries(), entries(), 0..4usize).prop_map(|(one, two, kept)| {
        let (mut hosts, mut patterns) = (one.0.clone(), one.1.clone());
        hosts.truncate(kept * 2);
        hosts.extend(two.0);
        patterns.truncate(kept);
        patterns.extend(two.1);
        (table(&one.0, &one.1, one.2), table(&hosts, &patterns, two.2))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_name_that_goes_elsewhere_is_told_and_nothing_else((old, new) in both()) {
        let differences = new.differences(&old, |entry| entry.target, &mut Budget::default());
        prop_assert!(differences.undecided.is_empty());
        let target = |winner: Winner<'_, usize>| winner.map(|(_, entry)| entry.target);
        let mut told = HashSet::new();
        for change in &differences.changes {
            let first = match &change.asked {
                Asked::Name(name) => FirstName::Name(name),
                Asked::NoName => FirstName::NoName,
                Asked::NotTls => FirstName::NotTls,
            };
            prop_assert_eq!((identity(change.old), identity(change.new)), (identity(old.winner(first)), identity(new.winner(first))), "{:?}", change);
            prop_assert_ne!(target(change.old), target(change.new), "{:?}", change);
            prop_assert!(told.insert((identity(change.old), identity(change.new))), "twice: {:?}", change);
        }
        for name in universe() {
            let (old, new) = (old.winner(FirstName::Name(&name)), new.winner(FirstName::Name(&name)));
            if target(old) != target(new) {
                prop_assert!(told.contains(&(identity(old), identity(new))), "{}: {:?} -> {:?}, of {:?}", name, old, new, differences.changes);
            }
        }
    }

    #[test]
    fn what_wins_somewhere_is_never_said_to_be_shadowed((table, _) in both()) {
        let findings = table.reach(|one, other| one != other, &mut Budget::default());
        prop_assert!(findings.undecided.is_empty());
        let mut names: BTreeMap<Identity, BTreeSet<Hostname>> = BTreeMap::new();
        for name in universe() {
            names.entry(identity(table.winner(FirstName::Name(&name)))).or_default().insert(name);
        }
        for finding in &findings.found {
            match finding {
                Finding::Nothing { pattern } | Finding::Shadowed { rank: Rank::Pattern(pattern), .. } => {
                    let entry = table.patterns.entry(*pattern).map(|entry| (Rank::Pattern(*pattern), entry));
                    prop_assert_eq!(names.get(&identity(entry)), None, "{:?}", finding);
                }
                Finding::Shadowed { .. } => prop_assert!(false, "there is no no_sni: {:?}", finding),
                Finding::Overlap { pattern, winner, name } => {
                    prop_assert_eq!(identity(table.winner(FirstName::Name(name))), identity(Some(*winner)));
                    prop_assert!(table.patterns.matching(name).any(|(index, _)| index == *pattern));
                    let own = table.patterns.entry(*pattern).map(|entry| entry.target);
                    prop_assert_ne!(own, Some(winner.1.target));
                }
            }
        }
    }
}
