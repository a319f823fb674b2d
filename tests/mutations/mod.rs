//! Good configurations, broken in thousands of ways by one slip each: what becomes of them is counted, and printed with
//! `cargo test --test behaviour mutations -- --nocapture`. `VESTIBULE_MUTATIONS=all` tries every slip, and lists those that nobody sees.

mod line;
mod slips;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vestibule::config::Severity;

use crate::examples::stage::Stage;
use crate::examples::{NAMES, files};
use slips::Slip;
use verdict::{Original, Verdict};

#[test]
fn a_slip_is_told_where_it_is_or_seen_by_a_lint_or_a_test() {
    let tries_all = std::env::var_os("VESTIBULE_MUTATIONS").is_some_and(|value| value == "all");
    let mut counts = Counts::default();
    for stage in stages() {
        for file in stage.files_read() {
            let original = Original::of(&stage, file);
            for slip in chosen(original.slips(), tries_all) {
                let verdict = original.judge(&slip);
                counts.add(&slip, &original.name(), verdict);
            }
            original.restore();
        }
    }
    println!("{}", counts.table(tries_all));
    assert!(counts.total() >= 3000, "thousands of ways: {}", counts.total());
    assert_eq!(counts.share(Verdict::is_astray), 0, "told at another line");
    assert!(counts.share(Verdict::is_elsewhere) <= MOST_ELSEWHERE, "told at another line");
    assert!(counts.share(Verdict::is_through) <= MOST_THROUGH, "seen by nobody");
}

/// Of all slips of a kind in a file, a few, the same ones always, from all over the file.
fn chosen(slips: Vec<Slip>, all: bool) -> Vec<Slip> {
    if all {
        return slips;
    }
    let mut kinds: BTreeMap<&str, Vec<Slip>> = BTreeMap::new();
    for slip in slips {
        kinds.entry(slip.kind).or_default().push(slip);
    }
    let few = |slips: Vec<Slip>| {
        let step = slips.len().div_ceil(OF_A_KIND);
        slips.into_iter().step_by(step)
    };
    kinds.into_values().flat_map(few).collect()
}

/// The good configurations.
fn stages() -> Vec<Stage> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut singles: Vec<PathBuf> = files(&root.join("tests/data/configs"), &["toml"]);
    singles.push(root.join("routes.toml"));
    assert!(singles.len() >= 10, "{singles:?}");
    NAMES.iter().map(|name| Stage::of(name)).chain(singles.iter().map(|file| Stage::of_file(file))).collect()
}

/// What became of the slips, by their kinds.
#[derive(Default)]
struct Counts {
    kinds: BTreeMap<&'static str, Vec<(String, Verdict)>>,
}

impl Counts {
    fn add(&mut self, slip: &Slip, file: &str, verdict: Verdict) {
        self.kinds.entry(slip.kind).or_default().push((format!("{file}:{}", slip.what), verdict));
    }

    fn all(&self) -> impl Iterator<Item = &Verdict> {
        self.kinds.values().flatten().map(|(_, verdict)| verdict)
    }

    fn total(&self) -> usize {
        self.all().count()
    }

    /// Of a thousand.
    fn share(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        (self.all().filter(|verdict| is(verdict)).count() * 1000).div_ceil(self.total())
    }

    fn table(&self, lists_all: bool) -> String {
        let mut text = format!("{:32}{}\n", "slip", Verdict::NAMES.map(|name| format!("{name:>11}")).concat());
        for (kind, slips) in &self.kinds {
            text.push_str(&row(kind, slips.iter().map(|(_, verdict)| verdict)));
        }
        text.push_str(&row("all", self.all()));
        for (name, is) in [("told at another line", Verdict::is_elsewhere as fn(&Verdict) -> bool), ("seen by nobody", Verdict::is_through)]
        {
            text.push_str(&format!("\n{name}, for example:\n"));
            for (kind, slips) in &self.kinds {
                let shown = if lists_all || name.starts_with("told") { usize::MAX } else { 3 };
                for (what, verdict) in slips.iter().filter(|(_, verdict)| is(verdict)).take(shown) {
                    text.push_str(&format!("  {kind}: {what}{}\n", verdict.said()));
                }
            }
        }
        text
    }
}

fn row<'v>(kind: &str, verdicts: impl Iterator<Item = &'v Verdict>) -> String {
    let mut numbers = [0; Verdict::NAMES.len()];
    verdicts.for_each(|verdict| numbers[verdict.column()] += 1);
    format!("{kind:32}{}\n", numbers.map(|number| format!("{number:11}")).concat())
}

/// The names of the lints that a configuration is warned by, with their places.
fn warnings(diagnostics: &vestibule::config::Diagnostics) -> BTreeSet<(&'static str, Option<usize>)> {
    let lint = |one: &&vestibule::config::Diagnostic| match one.severity() {
        Severity::Warning(lint) | Severity::Denied(lint) => Some((lint, one.place().line())),
        Severity::Error => None,
    };
    diagnostics.sorted().iter().filter_map(lint).collect()
}

/// How many slips of a kind are tried in a file.
const OF_A_KIND: usize = 10;

/// Of a thousand slips, how many may be told at another line, though there is an excuse, and be seen by nobody: digits of addresses and
/// numbers, names of listeners and logs, lines that are missing. What a name must lead to, a map's own `tests` know.
const MOST_ELSEWHERE: usize = 3;
const MOST_THROUGH: usize = 160;
