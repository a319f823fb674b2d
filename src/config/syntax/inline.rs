//! What stands within brackets: tables of one line as other languages write them, and elements of a list over several lines.

use std::ops::Range;

use super::Slip;
use super::foreign::lines;
use super::line::Line;
use super::slips::{as_key, is_bare, quoted};
use super::values::{HALF_QUOTED, as_value};

/// Which lines begin within a list or a table that another line opened.
pub(super) fn continued(text: &str) -> Vec<bool> {
    let mut open: Vec<char> = Vec::new();
    let mut quotes = None;
    let of_line = |(_, text)| {
        let line = Line::within(text, quotes);
        quotes = line.goes_on.map(|(quotes, _)| quotes);
        if line.is_header() || (line.is_assignment() && open.last() == Some(&'[')) {
            open.clear();
        }
        let is_continued = !open.is_empty();
        if line.unclosed.is_none() && !super::nginx::is_block(&line) && (is_continued || !line.is_nearly_header()) {
            for &(_, c) in &line.bare {
                match c {
                    '[' | '{' => open.push(c),
                    ']' | '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
        is_continued
    };
    lines(text).map(of_line).collect()
}

/// What was meant by an element of a list that has a line of its own.
pub(super) fn element(line: &Line<'_>) -> Option<Slip> {
    let open = line.unclosed?;
    let (start, statement) = line.statement();
    let whole = statement.trim_end_matches(',');
    let inside = whole.trim_matches(['"', '\'']);
    let is_one = !inside.is_empty() && !inside.contains(['"', '\'', ',', ' ', '[', '{', '}', ']', '#']);
    if is_one {
        let comma = &statement[whole.len()..];
        return Some(Slip::new(start..start + whole.len(), HALF_QUOTED, format!("{}{comma}", quoted(inside))));
    }
    Some(half_quoted(line.text, open))
}

/// A quote that has no other, somewhere in a line: the word behind it.
pub(super) fn half_quoted(text: &str, open: usize) -> Slip {
    let rest = &text[open + 1..];
    let word = &rest[..rest.find([',', ' ', ']', '}', '"', '\'', '#']).unwrap_or(rest.len())];
    if word.is_empty() || word.contains('\\') {
        return Slip::new(open..text.trim_end().len(), HALF_QUOTED, "this one is not closed, or not opened");
    }
    Slip::new(open..open + 1 + word.len(), HALF_QUOTED, quoted(word))
}

/// A table of which the keys are no keys, or the commas no commas.
pub(super) fn table(line: &Line<'_>) -> Option<Slip> {
    let mut open = Vec::new();
    for &(at, c) in &line.bare {
        match c {
            '{' | '[' => open.push((at, c)),
            ']' | '}' => {
                let (start, opener) = open.pop()?;
                if c == '}'
                    && opener == '{'
                    && !line.text[..start].ends_with('$')
                    && let Some(slip) = mended(line, start..at + 1)
                {
                    return Some(slip);
                }
            }
            _ => {}
        }
    }
    None
}

/// A table as it was meant, if that is not as it is written.
fn mended(line: &Line<'_>, span: Range<usize>) -> Option<Slip> {
    let inside = span.start + 1..span.end - 1;
    let mut entries = Vec::new();
    let mut problem = None;
    let mut depth = 0;
    let mut from = inside.start;
    for &(at, c) in line.bare.iter().filter(|(at, _)| inside.contains(at)) {
        match c {
            '{' | '[' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' | ';' if depth == 0 => {
                if c == ';' {
                    problem = problem.or(Some("the keys of a table have commas between them"));
                }
                entries.push(from..at);
                from = at + 1;
            }
            _ => {}
        }
    }
    entries.push(from..inside.end);
    let mut meant = Vec::new();
    for entry in entries {
        let written = line.text[entry.clone()].trim();
        let find = |wanted| line.bare.iter().find(|(at, c)| entry.contains(at) && *c == wanted).map(|(at, _)| *at);
        match (find('='), find(':')) {
            _ if written.is_empty() => {}
            (Some(_), _) => meant.push(written.to_owned()),
            (None, Some(colon)) => {
                let (key, value) = (line.text[entry.start..colon].trim(), line.text[colon + 1..entry.end].trim());
                let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '"' | '\'')) && !value.is_empty();
                let is_address = value.parse::<u16>().is_ok() && line.text[colon + 1..].starts_with(|c: char| c.is_ascii_digit());
                if !is_key || is_address {
                    return None;
                }
                problem = problem.or(Some("`=` stands between a key and its value"));
                meant.push(format!("{} = {}", as_key(key), as_value(value)));
            }
            (None, None) if is_bare(written) && written.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                problem = problem.or(Some("each key of a table has a value"));
                meant.push(format!("{written} = {}", if SWITCHES.contains(&written) { "true" } else { "..." }));
            }
            _ => return None,
        }
    }
    Some(Slip::new(span, problem?, format!("{{ {} }}", meant.join(", "))))
}

/// What nginx's users write alone to switch it on.
const SWITCHES: [&str; 3] = ["backup", "down", "dry_run"];
