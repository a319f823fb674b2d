//! Files that are no TOML at all, but the configuration of something else, or of two minds.

use std::ops::Range;

use super::line::Line;
use super::slips::is_bare;
use super::values::as_value;

/// What a file is instead, as its first line shows.
pub(super) struct Foreign {
    pub(super) span: Range<usize>,
    pub(super) problem: &'static str,
    pub(super) instead: &'static str,
}

/// The language of a file that is no TOML, if it is a known one.
pub(super) fn language(text: &str) -> Option<Foreign> {
    let mut lines = lines(text).filter(|(_, line)| !line.trim_start().starts_with('#') && !line.trim().is_empty());
    let first = lines.next()?;
    let found = |(start, line): (usize, &str), problem, instead| {
        let (indent, statement) = Line::new(line).statement();
        Some(Foreign { span: start + indent..start + indent + statement.len(), problem, instead })
    };
    let statement = first.1.trim();
    if statement.starts_with('{') {
        return found(first, "this looks like JSON", "routes.toml is TOML: [listener.https], and below it key = \"value\"");
    }
    let is_section = |line: &str| line.ends_with(':') && !line.contains(['=', '"', ' ', '[']);
    if statement == "---" || is_section(statement) {
        return found(first, "this looks like YAML", "routes.toml is TOML: [listener.https], and below it key = \"value\"");
    }
    let word = statement.split_whitespace().next().unwrap_or_default();
    if HAPROXY.contains(&word) && !statement.contains('=') && statement.split_whitespace().count() <= 2 {
        return found(
            first,
            "this looks like HAProxy's configuration",
            "here it would be [listener.NAME] and [upstream.NAME], key = \"value\"",
        );
    }
    let is_nginx = |line: &str| {
        let line = Line::new(line);
        let (_, statement) = line.statement();
        statement.ends_with(['{', ';', '}']) && statement.starts_with(|c: char| c.is_ascii_alphabetic()) && line.find('=').is_none()
    };
    // One line may end so by habit; of nginx's, all do.
    let all_are = is_nginx(first.1) && lines.take(2).all(|(_, line)| is_nginx(line) || line.trim() == "}");
    all_are.then(|| found(first, "this looks like nginx's configuration", "here it would be [upstream.web], key = \"value\"")).flatten()
}

/// The lines of a merge that nobody finished: the first of each, and all that are to be passed over.
pub(super) fn conflicts(text: &str) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    let mut began = None;
    let mut second_side = None;
    for (number, (_, line)) in lines(text).enumerate() {
        if line.starts_with("<<<<<<<") {
            began = Some(number);
        } else if began.is_some() && (line.starts_with("|||||||") || line.starts_with("=======")) {
            second_side.get_or_insert(number);
        } else if line.starts_with(">>>>>>>")
            && let Some(first) = began.take()
        {
            found.push((first, second_side.take().unwrap_or(number)..number + 1));
        }
    }
    found
}

/// Marks of a merge, counted from 0, whether or not its others are there.
pub(super) fn lone_marks(text: &str) -> Vec<usize> {
    let is_mark = |line: &str| {
        let line = line.trim_end();
        line == "=======" || ["<<<<<<<", "|||||||", ">>>>>>>"].iter().any(|mark| line == *mark || line.starts_with(&format!("{mark} ")))
    };
    let marks = lines(text).enumerate().filter(|(_, (_, line))| is_mark(line));
    marks.map(|(number, _)| number).collect()
}

/// Lists as YAML has them: the line that begins each, counted from 0, what is written here, and the lines of its elements.
pub(super) fn lists_with_dashes(text: &str) -> Vec<(usize, String, Range<usize>)> {
    let all: Vec<_> = lines(text).map(|(_, line)| Line::new(line).statement().1).collect();
    let mut found = Vec::new();
    for (number, statement) in all.iter().enumerate() {
        let Some(key) = statement.strip_suffix(':').filter(|key| is_bare(key)) else { continue };
        let elements: Vec<_> = all[number + 1..].iter().map_while(|line| line.strip_prefix("- ")).map(str::trim).collect();
        if elements.is_empty() {
            continue;
        }
        let is_table = |element: &&str| element.contains(": ") || element.ends_with(':');
        let list = if elements.iter().any(is_table) {
            format!("{key} = [{{ key = value }}]")
        } else {
            format!("{key} = [{}]", elements.iter().map(|element| as_value(element)).collect::<Vec<_>>().join(", "))
        };
        found.push((number, list, number + 1..number + 1 + elements.len()));
    }
    found
}

/// Each line with its place.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((*end - line.len(), line.trim_end_matches(['\n', '\r'])))
    })
}

const HAPROXY: [&str; 6] = ["global", "defaults", "frontend", "backend", "listen", "resolvers"];
