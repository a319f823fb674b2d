//! The report for people: what leads elsewhere first, and the same change of many entries in one line.

use std::fmt::Write;

use super::Report;
use super::maps::{End, Map, Row};
use super::parts::{Kind, Part};

impl Report {
    /// As lines.
    pub(in crate::cli) fn text(&self) -> String {
        let mut text = format!("against {}: {}\n", self.old, self.summary());
        for file in &self.read_by_both {
            // Writing to memory cannot fail.
            let _ = writeln!(text, "note: both read {file}: what changed in it is not seen");
        }
        part(&mut text, "listener", &self.listeners);
        for map in &self.routes {
            map.tell(&mut text);
        }
        part(&mut text, "upstream", &self.upstreams);
        part(&mut text, "terminate", &self.terminate);
        part(&mut text, "limit", &self.limits);
        part(&mut text, "network", &self.networks);
        part(&mut text, "map", &self.maps);
        text
    }

    fn summary(&self) -> String {
        let rows = |of: fn(&Map) -> usize| self.routes.iter().map(of).sum::<usize>();
        let (targets, settings) = (rows(|map| map.targets.len()), rows(|map| map.settings.len()));
        let mut all = Vec::new();
        if targets > 0 {
            all.push(format!("{} elsewhere", count_of(targets, "entry leads", "entries lead")));
        }
        if settings > 0 {
            all.push(format!("{} other settings", count_of(settings, "entry has", "entries have")));
        }
        if rows(|map| map.undecided.len()) > 0 {
            all.push("not all could be decided".into());
        }
        let changed = |parts: &[Part]| parts.iter().filter(|part| part.change == Kind::Changed).count();
        if changed(&self.networks) > 0 {
            all.push(format!("{} other addresses", count_of(changed(&self.networks), "network has", "networks have")));
        }
        if changed(&self.maps) > 0 {
            all.push(format!("{} something else", count_of(changed(&self.maps), "map says", "maps say")));
        }
        let of_listeners = |change: Kind| self.listeners.iter().filter(|part| part.change == change).count();
        for (number, change) in [(of_listeners(Kind::New), "new"), (of_listeners(Kind::Gone), "gone")] {
            if number > 0 {
                all.push(format!("{} {change}", count_of(number, "listener is", "listeners are")));
            }
        }
        if all.is_empty() { "every name leads where it did".into() } else { all.join(", ") }
    }
}

fn count_of(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Lines of the same change are told as one from here on.
const MANY: usize = 4;

/// How many names stand for many.
const EXAMPLES: usize = 3;

/// How wide the first column may become.
const WIDEST: usize = 48;

impl Map {
    fn tell(&self, text: &mut String) {
        let of_listener = self.of.starts_with("listener ");
        let listeners = if of_listener { String::new() } else { format!(" ({} {})", word(&self.listeners), self.listeners.join(", ")) };
        // Writing to memory cannot fail.
        let _ = writeln!(text, "{}{listeners}:", self.of);
        let lines: Vec<_> = grouped(&self.targets).iter().map(|rows| line(rows)).collect();
        let settings: Vec<_> = grouped(&self.settings).iter().map(|rows| line(rows)).collect();
        let width = lines.iter().chain(&settings).map(|(what, ..)| what.chars().count()).max().unwrap_or(0).min(WIDEST);
        for (what, change, more) in &lines {
            let _ = writeln!(text, "  {what:width$}  {change}{more}");
        }
        if !settings.is_empty() {
            let _ = writeln!(text, "  the same target, other settings:");
        }
        for (what, change, more) in &settings {
            let _ = writeln!(text, "  {what:width$}  {change}{more}");
        }
        if let Some(first) = self.undecided.first() {
            let others = if self.undecided.len() > 1 { format!(" and {} more", self.undecided.len() - 1) } else { String::new() };
            let _ = writeln!(
                text,
                "  what becomes of the names of {first}{others} would take too long to find out: the patterns are too intertwined"
            );
        }
    }
}

fn word(listeners: &[String]) -> &'static str {
    if listeners.len() == 1 { "listener" } else { "listeners" }
}

/// The rows of the same change, many together, few one by one.
fn grouped(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for row in rows {
        let at = *known.entry(kind(row)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.push(row);
        }
    }
    groups.into_iter().flat_map(split).collect()
}

fn split(group: Vec<&Row>) -> Vec<Vec<&Row>> {
    if group.len() < MANY { group.into_iter().map(|row| vec![row]).collect() } else { vec![group] }
}

/// What makes a change the same: what it is about, and what becomes of it.
fn kind(row: &Row) -> (&'static str, &str, &str) {
    (plural(&row.rule), &row.old.leads, &row.new.leads)
}

fn plural(rule: &str) -> &'static str {
    match rule {
        "exact" => "names",
        "leading wildcard" | "trailing wildcard" => "wildcards",
        rule if rule.starts_with("pattern") => "patterns",
        _ => "others",
    }
}

fn line(rows: &[&Row]) -> (String, String, String) {
    let Some((first, rest)) = rows.split_first() else { return Default::default() };
    if rest.is_empty() {
        let change = format!("{} -> {}", end(&first.old, first), end(&first.new, first));
        return (first.what.clone(), change, more(first));
    }
    let names: Vec<_> = rows.iter().take(EXAMPLES).map(|row| row.what.as_str()).collect();
    let change = format!("{} -> {}", first.old.leads, first.new.leads);
    (count_of(rows.len(), "", plural(&first.rule)), change, format!("   e.g. {}", names.join(", ")))
}

/// Where an end leads, and by which entry if that is another one.
fn end(end: &End, row: &Row) -> String {
    match &end.entry {
        // What is asked for without an entry says which one it is.
        Some(entry) if !WITHOUT_ENTRY.contains(&row.rule.as_str()) && !row.what.contains(entry.as_str()) => {
            format!("{} ({entry})", end.leads)
        }
        _ => end.leads.clone(),
    }
}

/// The rules of what is told in words.
const WITHOUT_ENTRY: [&str; 3] = ["default", "no_sni", "not_tls"];

fn more(row: &Row) -> String {
    let example = row.example.as_ref().map(|name| format!("e.g. {name}"));
    let places = [&row.old.place, &row.new.place].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" -> ");
    let all: Vec<_> = example.into_iter().chain(Some(places).filter(|places| !places.is_empty())).collect();
    format!("   {}", all.join(", "))
}

fn part(text: &mut String, word: &str, parts: &[Part]) {
    for Part { name, change, details } in parts {
        let head = match change {
            Kind::New => "new: ",
            Kind::Gone => "gone: ",
            Kind::Changed => "changed: ",
        };
        let many = details.len().saturating_sub(MOST_DETAILS);
        let mut shown: Vec<_> = details.iter().take(MOST_DETAILS).map(String::as_str).collect();
        let rest = format!("{} more", many);
        if many > 0 {
            shown.push(&rest);
        }
        let line = format!("{word} {name} {head}{}", shown.join("; "));
        let _ = writeln!(text, "{}", line.trim_end_matches([' ', ':']));
    }
}

/// How many details of one thing are told.
const MOST_DETAILS: usize = 8;
