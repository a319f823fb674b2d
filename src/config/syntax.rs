//! What TOML's parser says, in words for somebody who came to route connections: most slips are forgotten quotes.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, Error};

use super::diagnostic::{Diagnostics, Place};
use super::source::Source;

/// All syntax errors of a file; at least one.
pub(super) fn errors(source: &Arc<Source>, found: Vec<Error>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(source.name());
    if let Some(first) = found.iter().find(|error| is_no_line(error)).and_then(|error| line_of(source.text(), error))
        && source.text()[first.clone()].trim_end().ends_with(['{', ';'])
    {
        let place = Place::File { source: Arc::clone(source), span: first };
        diagnostics.error(place, "this looks like nginx's configuration").label("here it would be [upstream.web], key = \"value\"");
        return diagnostics;
    }
    if let Some(error) = found.iter().find(|error| start(error).is_none()) {
        without_place(source, error, &mut diagnostics);
    }
    let mut text = source.text().to_owned();
    let mut found = found;
    let mut read_up_to = None;
    for _ in 0..MOST_ROUNDS {
        found.sort_by_key(start);
        found.dedup();
        without_echoes(&mut found);
        for error in found.iter().filter(|error| start(error) > read_up_to) {
            note(source, error, &mut diagnostics);
        }
        // Behind some lines the parser reads no more: such a line is blanked and the rest read again.
        let last = found.last();
        read_up_to = read_up_to.max(last.and_then(start));
        let Some(line) = last.filter(|error| is_no_line(error)).and_then(|error| line_of(&text, error)) else {
            break;
        };
        text.replace_range(line.clone(), &" ".repeat(line.len()));
        found = DeTable::parse_recoverable(&text).1;
    }
    if diagnostics.is_empty() {
        // Whatever the parser holds back, a file that it refuses is never refused without a word.
        diagnostics.error(Place::Whole, "this is not TOML, for a reason that its parser does not tell");
    }
    diagnostics
}

/// The parser does not say where a key has too many parts.
fn without_place(source: &Arc<Source>, error: &Error, diagnostics: &mut Diagnostics) {
    // A host name in quotes has dots too.
    let has_too_many = |line: &str| line.split(['"', '\'']).step_by(2).map(|bare| bare.matches('.').count()).sum::<usize>() >= MOST_PARTS;
    let mut lines = source.text().split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((*end - line.len(), line))
    });
    match lines.find(|(_, line)| has_too_many(line)) {
        Some((start, line)) if error.message() == "recursion limit" => {
            let span = start + indent(line)..start + line.trim_end().len();
            let place = Place::File { source: Arc::clone(source), span };
            diagnostics.error(place, format!("this key has more than {MOST_PARTS} parts")).label("a host name stands in quotes");
        }
        _ => drop(diagnostics.error(Place::Whole, format!("this is not TOML: {}", error.message()))),
    }
}

fn start(error: &Error) -> Option<usize> {
    error.span().map(|span| span.start)
}

fn is_no_line(error: &Error) -> bool {
    error.message().starts_with("key with no value")
}

/// A list that is never closed swallows all that follows; only where it first shows is worth a line.
fn without_echoes(found: &mut Vec<Error>) {
    let swallows = |error: &Error| error.message().starts_with("unclosed array");
    if found.iter().any(swallows)
        && let Some(first) = found.iter().position(|error| error.message().contains("array"))
    {
        found.truncate(first + 1);
    }
}

fn line_of(text: &str, error: &Error) -> Option<Range<usize>> {
    let at = error.span()?.start;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    (!text[start..end].trim().is_empty()).then_some(start..end)
}

fn note(source: &Arc<Source>, error: &Error, diagnostics: &mut Diagnostics) {
    let text = source.text();
    let part = error.span().unwrap_or(0..0);
    let message = error.message();
    let is_any_of = |starts: &[&str]| starts.iter().any(|start| message.starts_with(start));
    let mut wrong = |span: Range<usize>, problem: String, label: &str| {
        diagnostics.error(Place::File { source: Arc::clone(source), span }, problem).label(label);
    };
    if message.starts_with("unexpected leading zero")
        && let Some(number) = bare_word(text, &part)
    {
        let before = line_of(text, error).map_or("", |line| &text[line.start..number.start]);
        let is_mode = before.trim_end().strip_suffix('=').is_some_and(|key| key.trim_end().ends_with("mode"));
        let instead = if is_mode { format!("permissions are a text: \"{}\"", &text[number.clone()]) } else { "leave the zero out".into() };
        wrong(number, "a number does not begin with a zero".into(), &instead);
    } else if is_any_of(&UNQUOTED_VALUE)
        && let Some(word) = bare_word(text, &part)
    {
        let quoted = format!("put quotes around it: \"{}\"", &text[word.clone()]);
        wrong(word, "a text stands in quotes".into(), &quoted);
    } else if is_any_of(&UNQUOTED_KEY) {
        let key = key_around(text, &part);
        let quoted = toml::Value::String(text[key.clone()].to_owned()).to_string();
        wrong(key, "a key of other characters than letters, digits, - and _ stands in quotes".into(), &quoted);
    } else if message == "duplicate key" {
        let problem = format!("`{}` is written twice", &text[part.clone()]);
        let label = first(source, &part).map_or("this is the second".into(), |line| format!("the first is in line {line}"));
        wrong(part, problem, &label);
    } else if message.starts_with("cannot extend value") {
        let problem = format!("`{}` is a value already and can't be a table as well", &text[part.clone()]);
        let label = first(source, &part).map_or("leave one of them out".into(), |line| format!("the value is in line {line}"));
        wrong(part, problem, &label);
    } else if is_no_line(error) {
        let line = line_of(text, error).unwrap_or(part);
        let line = line.start + indent(&text[line.clone()])..line.end;
        wrong(line, "this line is neither `key = value` nor a [table]".into(), "a key needs a value");
    } else if message.starts_with("missing comma between array") {
        wrong(part, "a list is not closed, or a comma is missing".into(), "`]` or `,` belongs before this");
    } else {
        let (problem, expected) = message.split_once(", ").unwrap_or((message, ""));
        wrong(part, format!("this is not TOML: {problem}"), expected);
    }
}

/// The line in which a key stood before, as far as a look at the starts of lines tells.
fn first(source: &Source, part: &Range<usize>) -> Option<usize> {
    let (number, _) = source.position(part.start);
    let (start, line) = source.line(number);
    let key = &source.text()[part.clone()];
    let begins = |number: usize, with: &str| source.line(number).1.trim_start().starts_with(with);
    let has_key = |number: &usize| {
        let rest = source.line(*number).1.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    if !line.trim_start().starts_with('[') {
        return (1..number).rev().take_while(|&number| !begins(number, "[")).find(has_key);
    }
    let header = line.split_inclusive(']').next()?.trim_start();
    let table = format!("{}]", line[..part.start - start].trim_start().trim_end_matches('.'));
    let table = (1..number).find(|&number| begins(number, &table));
    let in_table = table.and_then(|table| (table + 1..number).take_while(|&number| !begins(number, "[")).find(has_key));
    (1..number).find(|&number| begins(number, header)).or(in_table)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// All of a value written without quotes: the parser points at the part that it could not read.
fn bare_word(text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '=' | '[' | ']' | '{' | '}' | '#' | ';');
    let start = part.start - text[..part.start].chars().rev().take_while(|&c| !ends(c)).map(char::len_utf8).sum::<usize>();
    let end = part.start + text[part.start..].find(ends).unwrap_or(text.len() - part.start);
    let word = &text[start..end];
    (!word.is_empty() && !word.contains(['"', '\''])).then_some(start..end)
}

/// All of a key written without quotes.
fn key_around(text: &str, part: &Range<usize>) -> Range<usize> {
    let line = text[..part.start].rfind('\n').map_or(0, |end| end + 1);
    let start = text[line..part.start].rfind(['[', '{', ',']).map_or(line, |at| line + at + 1);
    let start = start + indent(&text[start..part.start]);
    let rest = &text[part.start..];
    let length = rest.find(['=', ']', '}', '\n']).unwrap_or(rest.len());
    start..part.start + rest[..length].trim_end().len()
}

const UNQUOTED_VALUE: [&str; 6] =
    ["string values must be quoted", "invalid float", "invalid boolean", "invalid integer", "invalid date", "integers with"];
const UNQUOTED_KEY: [&str; 2] = ["invalid unquoted key", "unquoted keys cannot be empty"];

/// What the parser takes no more of.
const MOST_PARTS: usize = 80;

/// Each round reads the file once more.
const MOST_ROUNDS: usize = 20;
