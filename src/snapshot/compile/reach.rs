//! Entries that nobody comes to, and patterns that share names with an entry that leads elsewhere.

use std::collections::BTreeMap;

use super::Compiler;
use crate::config::Config;
use crate::route::{Budget, Entry, Finding, Rank, RouteTable};
use crate::snapshot::{Listener, Target, Targets, entry_place};

impl Compiler {
    /// Warns of what is found in the maps of the listeners, each map once.
    pub(super) fn check_reach<'l>(&mut self, listeners: impl Iterator<Item = &'l Listener>, config: &Config) {
        let maps: BTreeMap<_, _> = listeners.filter_map(|listener| Some((listener.map.clone()?, &listener.routes))).collect();
        let mut budget = Budget::default();
        for (name, table) in maps {
            // Without one that is wrong the others could not be judged, nor their places be told.
            let is_whole = config.routes.get(&*name).is_some_and(|written| written.patterns.len() == table.patterns().count());
            if is_whole {
                self.check_table(&name, table, &mut budget);
            }
        }
    }

    fn check_table(&mut self, map: &str, table: &RouteTable<Targets>, budget: &mut Budget) {
        let leads = |targets: &[Target]| targets.iter().map(Target::leads).collect::<Vec<_>>();
        let findings = table.reach(|one, other| leads(one) != leads(other), budget);
        for finding in findings.found {
            match finding {
                Finding::Nothing { pattern } => {
                    let problem = "this pattern never wins: no host name is like that";
                    let place = entry_place(map, Rank::Pattern(pattern), "", &self.places);
                    if self.diagnostics.sorted().iter().any(|one| one.severity().is_error() && *one.place() == place) {
                        continue;
                    }
                    self.diagnostics
                        .warning("shadowed", place, problem)
                        .help("names have letters in lower case, digits, '-' and '_', in labels of 1 to 63, and 253 characters at most");
                }
                Finding::Shadowed { rank, by } => self.shadowed(map, rank, &by),
                Finding::Overlap { pattern, winner: (rank, entry), name } => {
                    let (winner, place) = (self.named(map, rank, entry), entry_place(map, Rank::Pattern(pattern), "", &self.places));
                    let problem = format!("this pattern matches \"{name}\", too, which {winner} wins and leads elsewhere");
                    let help = match rank {
                        Rank::Pattern(_) => {
                            "the pattern that is to win stands first; one that is for part of the other's names is not told of"
                        }
                        _ => "wildcards win over patterns, wherever they stand",
                    };
                    self.diagnostics.warning("overlapping-patterns", place, problem).help(help);
                }
            }
        }
        if let Some(first) = findings.undecided.first() {
            let place = entry_place(map, Rank::Pattern(*first), "", &self.places);
            let count = findings.undecided.len();
            let them = if count == 1 { "this pattern wins".into() } else { format!("this and {} more patterns win", count - 1) };
            self.diagnostics
                .warning(
                    "undecided-patterns",
                    place,
                    format!("whether {them} anywhere, and what it overlaps with, would take too long to find out"),
                )
                .help("simpler patterns, or fewer that begin alike, can be told apart");
        }
    }

    fn shadowed(&mut self, map: &str, rank: Rank, by: &[(Rank, &Entry<Targets>)]) {
        let mut takers: Vec<_> = by.iter().take(MOST_NAMED).map(|(rank, entry)| self.named(map, *rank, entry)).collect();
        if by.len() > MOST_NAMED {
            takers.push(format!("{} more", by.len() - MOST_NAMED));
        }
        let place = entry_place(map, rank, "default", &self.places);
        let this = if rank == Rank::Default { "`default` is never taken" } else { "this pattern never wins" };
        let problem = match takers.split_last() {
            None => format!("{this}: exact names take all it can match"),
            Some((only, [])) => format!("{this}: {only} takes all it can match"),
            Some((last, rest)) => format!("{this}: {} and {last} take all it can match", rest.join(", ")),
        };
        self.diagnostics.warning("shadowed", place, problem);
    }

    /// `"*.apps.example.com" (routes.toml:18)`.
    fn named(&self, map: &str, rank: Rank, entry: &Entry<Targets>) -> String {
        let place = entry.stands_at(map, rank, &self.places);
        match rank {
            Rank::Pattern(index) => format!("pattern {} ({place})", index + 1),
            _ => format!("{:?} ({place})", entry.written),
        }
    }
}

/// How many entries that shadow another are named.
const MOST_NAMED: usize = 3;
