//! Entries that nobody comes to, and patterns that share names with an entry that leads elsewhere.

use std::collections::BTreeMap;

use super::Compiler;
use crate::config::{Config, Key, Place, path_to};
use crate::route::{Entry, Finding, Rank, RouteTable};
use crate::snapshot::{Listener, Target, Targets};

impl Compiler {
    /// Warns of what is found in the maps of the listeners, each map once.
    pub(super) fn check_reach<'l>(&mut self, listeners: impl Iterator<Item = &'l Listener>, config: &Config) {
        let maps: BTreeMap<_, _> = listeners.filter_map(|listener| Some((listener.map.clone()?, &listener.routes))).collect();
        for (name, table) in maps {
            // Without one that is wrong the others could not be judged, nor their places be told.
            let is_whole = config.routes.get(&*name).is_some_and(|written| written.patterns.len() == table.patterns().count());
            if is_whole {
                self.check_table(&path_to!["routes", &*name], table);
            }
        }
    }

    fn check_table(&mut self, map: &[Key], table: &RouteTable<Targets>) {
        let leads = |targets: &[Target]| targets.iter().map(Target::leads).collect::<Vec<_>>();
        let findings = table.reach(|one, other| leads(one) != leads(other));
        for finding in findings.found {
            match finding {
                Finding::Nothing { pattern } => {
                    let problem = "this pattern never wins: no host name is like that";
                    let place = self.place_of(map, Rank::Pattern(pattern), "");
                    if self.diagnostics.sorted().iter().any(|one| one.severity().is_error() && *one.place() == place) {
                        continue;
                    }
                    self.diagnostics
                        .warning("shadowed", place, problem)
                        .help("names have letters in lower case, digits, '-' and '_', in labels of 1 to 63, and 253 characters at most");
                }
                Finding::Shadowed { rank, by } => self.shadowed(map, rank, &by),
                Finding::Overlap { pattern, winner: (rank, entry), name } => {
                    let (winner, place) = (self.named(map, rank, entry), self.place_of(map, Rank::Pattern(pattern), ""));
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
            let place = self.place_of(map, Rank::Pattern(*first), "");
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

    fn shadowed(&mut self, map: &[Key], rank: Rank, by: &[(Rank, &Entry<Targets>)]) {
        let mut takers: Vec<_> = by.iter().take(MOST_NAMED).map(|(rank, entry)| self.named(map, *rank, entry)).collect();
        if by.len() > MOST_NAMED {
            takers.push(format!("{} more", by.len() - MOST_NAMED));
        }
        let place = self.place_of(map, rank, "default");
        let this = if rank == Rank::Default { "`default` is never taken" } else { "this pattern never wins" };
        let problem = match takers.split_last() {
            None => format!("{this}: exact names take all it can match"),
            Some((only, [])) => format!("{this}: {only} takes all it can match"),
            Some((last, rest)) => format!("{this}: {} and {last} take all it can match", rest.join(", ")),
        };
        self.diagnostics.warning("shadowed", place, problem);
    }

    /// `"*.apps.example.com" (routes.toml:18)`.
    fn named(&self, map: &[Key], rank: Rank, entry: &Entry<Targets>) -> String {
        let place = match entry.target.listed_at() {
            Some(listed) => listed.to_string(),
            None => self.place_of(map, rank, &entry.written).to_string(),
        };
        match rank {
            Rank::Pattern(index) => format!("pattern {} ({place})", index + 1),
            _ => format!("{:?} ({place})", entry.written),
        }
    }

    fn place_of(&self, map: &[Key], rank: Rank, written: &str) -> Place {
        let at = |rest: &[Key]| [map, rest].concat();
        match rank {
            Rank::Pattern(index) => self.places.value(&at(&path_to!["patterns", index, "host"])),
            Rank::Default | Rank::NoSni | Rank::NotTls => self.places.key(&at(&path_to![written])),
            Rank::Exact | Rank::Leading | Rank::Trailing => self.places.key(&at(&path_to!["hosts", written])),
        }
    }
}

/// How many entries that shadow another are named.
const MOST_NAMED: usize = 3;
