//! What the parser says, where nothing better is known: its own words, or ours for them.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::Arc;

use toml::de::Error;

use super::super::diagnostic::{Diagnostics, Place};
use super::super::source::Source;
use super::line::Line;
use super::slips::{BARE_ONLY, quoted};
use super::written::Written;
use super::{Slip, foreign, values};

/// An error in a part of a line, counted from 0.
pub(super) fn slip(written: &Written<'_>, number: usize, part: &Range<usize>, message: &str) -> Slip {
    let (_, text) = written.source().line(number + 1);
    let is_any_of = |starts: &[&str]| starts.iter().any(|start| message.starts_with(start));
    let said = part.clone();
    if message.starts_with("unexpected leading zero")
        && let Some(word) = bare_word(text, part)
    {
        let is_mode = text[..word.start].trim_end().strip_suffix('=').is_some_and(|key| key.trim_end().ends_with("mode"));
        let instead = if is_mode { format!("permissions are a text: \"{}\"", &text[word.clone()]) } else { "leave the zero out".into() };
        return Slip::new(word, "a number does not begin with a zero", instead);
    }
    if is_any_of(&UNQUOTED_VALUE)
        && let Some(word) = bare_word(text, part)
    {
        let (problem, instead) = values::unquoted("", &text[word.clone()]);
        return Slip::new(word, problem, instead);
    }
    if is_any_of(&UNQUOTED_KEY) {
        let key = key_around(text, part);
        let instead = quoted(&text[key.clone()]);
        return Slip::new(key, BARE_ONLY, instead);
    }
    match message {
        "duplicate key" => super::headers::twice(written, number, part),
        _ if message.starts_with("cannot extend value") => {
            let problem = format!("`{}` is a value already and can't be a table as well", &text[part.clone()]);
            let first = written.first(number, part);
            Slip::new(said, problem, first.map_or("leave one of them out".into(), |line| format!("the value is in line {line}")))
        }
        _ if message.starts_with("key with no value") => {
            let (start, statement) = Line::new(text).statement();
            Slip::new(start..start + statement.len(), "this line is neither `key = value` nor a [table]", "a key needs a value")
        }
        _ if message.starts_with("missing comma between") => comma(written.source(), number, part),
        _ if message.starts_with("extra comma") => Slip::new(said, "a comma too much", "leave it out"),
        _ if message.contains("inline table") || message.contains("between key-value pairs") => {
            Slip::new(said, "this is no table", "{ key = value, key = value }; a list is [value, value]")
        }
        _ => {
            let (problem, expected) = message.split_once(", ").unwrap_or((message, ""));
            Slip::new(said, format!("this is not TOML: {problem}"), expected)
        }
    }
}

/// A comma that is missing: at the end of the line above, or within a line.
fn comma(source: &Source, number: usize, part: &Range<usize>) -> Slip {
    let (_, text) = source.line(number + 1);
    let above = (0..number).rev().map(|number| (number, Line::new(source.line(number + 1).1)));
    let above = above.map(|(number, line)| (number, line.statement())).find(|(_, (_, statement))| !statement.is_empty());
    match above {
        Some((number, (start, statement))) if text[..part.start].trim().is_empty() => {
            let end = start + statement.len();
            let is_element = !Line::new(statement).is_assignment();
            let (start, meant) = if is_element {
                (start, format!("{statement},"))
            } else {
                (end - statement.chars().next_back().map_or(0, char::len_utf8), "`,` belongs behind this".into())
            };
            Slip::new(start..end, MISSING_COMMA, meant).in_line(number)
        }
        _ => Slip::new(part.clone(), MISSING_COMMA, "`,` belongs before this"),
    }
}

/// The parser does not say where a key has too many parts.
pub(super) fn without_place(source: &Arc<Source>, error: &Error, diagnostics: &mut Diagnostics) {
    // A host name in quotes has dots too.
    let has_too_many = |line: &str| line.split(['"', '\'']).step_by(2).map(|bare| bare.matches('.').count()).sum::<usize>() >= MOST_PARTS;
    match foreign::lines(source.text()).find(|(_, line)| has_too_many(line)) {
        Some((start, line)) if error.message() == "recursion limit" => {
            let span = start + line.len() - line.trim_start().len()..start + line.trim_end().len();
            let place = Place::File { source: Arc::clone(source), span };
            diagnostics.error(place, format!("this key has more than {MOST_PARTS} parts")).label("a host name stands in quotes");
        }
        _ => drop(diagnostics.error(Place::Whole, format!("this is not TOML: {}", error.message()))),
    }
}

/// All of a value written without quotes: the parser points at the part that it could not read.
fn bare_word(text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    if let Some(address) = bracketed_address(text, part) {
        return Some(address);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '=' | '[' | ']' | '{' | '}' | '#' | ';');
    let start = part.start - text[..part.start].chars().rev().take_while(|&c| !ends(c)).map(char::len_utf8).sum::<usize>();
    let end = part.start + text[part.start..].find(ends).unwrap_or(text.len() - part.start);
    let word = &text[start..end];
    (!word.is_empty() && !word.contains(['"', '\''])).then_some(start..end)
}

/// `[::1]:443`, which is no list.
fn bracketed_address(text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let start = text[..part.start].rfind('[')?;
    let (address, rest) = text[start + 1..].split_once(']')?;
    let port = rest.strip_prefix(':')?;
    let length = port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let end = text.len() - port.len() + length;
    (part.start < end && address.parse::<Ipv6Addr>().is_ok()).then_some(start..end)
}

/// All of a key written without quotes.
fn key_around(text: &str, part: &Range<usize>) -> Range<usize> {
    let start = text[..part.start].rfind(['[', '{', ',']).map_or(0, |at| at + 1);
    let start = start + text[start..part.start].len() - text[start..part.start].trim_start().len();
    let rest = &text[part.start..];
    let length = rest.find(['=', ']', '}']).unwrap_or(rest.len());
    start..part.start + rest[..length].trim_end().len()
}

const MISSING_COMMA: &str = "a comma is missing";
const UNQUOTED_VALUE: [&str; 7] = [
    "string values must be quoted",
    "invalid float",
    "invalid boolean",
    "invalid integer",
    "invalid date",
    "invalid time",
    "integers with",
];
const UNQUOTED_KEY: [&str; 2] = ["invalid unquoted key", "unquoted keys cannot be empty"];

/// What the parser takes no more of.
const MOST_PARTS: usize = 80;
