//! Lines that are no TOML, and what was meant: what other files' languages have in place of `=`, quotes and comments.

use std::ops::Range;

use super::line::Line;
use super::{Slip, headers, inline, nginx, values};

/// What was meant by a line of which the parser says this, if it is one of the known slips.
pub(super) fn slip(line: &Line<'_>, part: &Range<usize>, message: &str) -> Option<Slip> {
    if matches!(message, "duplicate key") || message.starts_with("cannot extend") {
        return None;
    }
    unseen(line)
        .or_else(|| curly_quotes(line))
        .or_else(|| nginx::slip(line))
        .or_else(|| inline::table(line))
        .or_else(|| comment(line, part))
        .or_else(|| values::escape(line, part, message))
        .or_else(|| headers::slip(line))
        .or_else(|| lost_quote_of_a_key(line))
        .or_else(|| separator(line))
        .or_else(|| unquoted_key(line))
        .or_else(|| values::slip(line, part, message))
}

/// What was meant by a line within a list or a table that another line began: it has neither a header nor a key.
pub(super) fn within_brackets(line: &Line<'_>, part: &Range<usize>, message: &str) -> Option<Slip> {
    unseen(line)
        .or_else(|| curly_quotes(line))
        .or_else(|| inline::table(line))
        .or_else(|| comment(line, part))
        .or_else(|| values::escape(line, part, message))
        .or_else(|| inline::element(line))
}

/// Characters that look like space, or like nothing.
fn unseen(line: &Line<'_>) -> Option<Slip> {
    let is_odd = |c: char| {
        (c.is_whitespace() && !matches!(c, ' ' | '\t' | '\r')) || c.is_control() && c != '\t' && c != '\r' || INVISIBLE.contains(&c)
    };
    let &(at, c) = line.bare.iter().find(|(_, c)| is_odd(*c))?;
    let instead = if c.is_whitespace() { "a plain space belongs here" } else { "leave it out" };
    Some(Slip::new(at..at + c.len_utf8(), format!("a character that cannot be seen stands here (U+{:04X})", u32::from(c)), instead))
}

/// What word processors make of quotes.
fn curly_quotes(line: &Line<'_>) -> Option<Slip> {
    let mut curly = line.bare.iter().filter(|(_, c)| CURLY.contains(c));
    let &(start, opening) = curly.next()?;
    let end = curly.next().map_or(start + opening.len_utf8(), |&(at, c)| at + c.len_utf8());
    let inside = line.text[start..end].trim_matches(&CURLY[..]);
    Some(Slip::new(start..end, "these are not the quotes of a keyboard", quoted(inside)))
}

/// Comments as other languages have them.
fn comment(line: &Line<'_>, part: &Range<usize>) -> Option<Slip> {
    let (start, statement) = line.statement();
    let whole = |mark: &&&str| statement.starts_with(**mark);
    let (at, mark) = match COMMENTS.iter().find(whole) {
        Some(mark) => (start, mark),
        None => {
            let rest = line.text.get(part.start..line.end)?;
            let at = part.start + rest.len() - rest.trim_start().len();
            let rest = rest.trim_start();
            // What ends with a semicolon is another slip.
            let mark = COMMENTS.iter().find(|mark| rest.strip_prefix(**mark).is_some_and(|text| !text.trim().is_empty()))?;
            line.bare.iter().any(|(bare, _)| *bare == at).then_some((at, mark))?
        }
    };
    let text = line.text[at..start + statement.len()].trim_start_matches(mark).trim_end_matches("*/").trim();
    Some(Slip::new(at..start + statement.len(), "a comment begins with #", format!("# {text}")))
}

/// `"a.example = "web"`, and `a.example" = "web"`.
fn lost_quote_of_a_key(line: &Line<'_>) -> Option<Slip> {
    let (start, statement) = line.statement();
    let (key, _) = statement.split_once('=')?;
    let key = key.trim_end();
    let name = key.trim_matches(['"', '\'']);
    let (opens, closes) = (key.starts_with(['"', '\'']), key.ends_with(['"', '\'']));
    let is_half = opens != closes && !name.contains(['"', '\'', '[', '{', ' ']) && !name.is_empty();
    is_half.then(|| Slip::new(start..start + key.len(), "a name has quotes on both sides", quoted(name)))
}

/// Something else than `=` between a key and its value, or nothing.
fn separator(line: &Line<'_>) -> Option<Slip> {
    let (start, statement) = line.statement();
    let key = key_length(statement)?;
    let rest = statement[key..].trim_start();
    let separator = SEPARATORS.iter().find(|separator| rest.starts_with(**separator) && !is_port(rest));
    let value = rest[separator.map_or(0, |separator| separator.len())..].trim();
    let is_missing = separator.is_none() && !rest.starts_with(['=', '.']) && line.find('=').is_none();
    if value.is_empty() && separator == Some(&":") && key < statement.len() {
        let key = as_key(&statement[..key]);
        return Some(Slip::new(start..start + statement.len(), format!("`{key}` has no value"), format!("{key} = \"...\"")));
    }
    if value.is_empty() || !(separator.is_some() || is_missing) {
        return None;
    }
    let at = start + statement.len() - rest.len();
    let span = separator.map_or(start..start + statement.len(), |separator| at..at + separator.len());
    let meant = format!("{} = {}", as_key(&statement[..key]), values::as_value(value));
    Some(Slip::new(span, "`=` stands between a key and its value", meant))
}

/// A key of other characters than those that need no quotes.
fn unquoted_key(line: &Line<'_>) -> Option<Slip> {
    let (start, statement) = line.statement();
    if let Some((regex, target)) = statement.rsplit_once('=').filter(|_| statement.starts_with('~')) {
        let meant = format!("host = '{}', upstream = {}", regex.trim_end(), values::as_value(target.trim()));
        return Some(Slip::new(start..start + regex.trim_end().len(), "a regex stands in [[routes.NAME.patterns]]", meant));
    }
    let key = statement[..line.find('=')?.checked_sub(start)?].trim_end();
    let parts_are_bare = key.split('.').all(|part| is_bare(part.trim()));
    if key.is_empty() || key.contains(['"', '\'', '{', '[', ',', '}', ']']) || parts_are_bare {
        return None;
    }
    Some(Slip::new(start..start + key.len(), BARE_ONLY, quoted(key)))
}

/// Whether a value is `:443`, of which the colon separates nothing.
fn is_port(value: &str) -> bool {
    value.strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()))
}

/// How much of a statement is its key, quotes included.
fn key_length(statement: &str) -> Option<usize> {
    let quote = statement.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        return statement[1..].find(quote).map(|length| length + 2);
    }
    let ends = |(at, c): &(usize, char)| {
        c.is_whitespace()
            || *c == '='
            || (*c == ':' && (statement.len() == at + 1 || statement[at + 1..].starts_with([' ', '"', '\'', '=', '\t'])))
    };
    let length = statement.char_indices().find(ends)?.0;
    let is_word =
        !statement[..length].contains(['[', ']', '{', '}', ',', '"', '\'', '<', '>', '|', '(', ')', '-']) || is_bare(&statement[..length]);
    (length > 0 && is_word).then_some(length)
}

/// A key as it has to be written.
pub(super) fn as_key(written: &str) -> String {
    let name = written.trim_matches(['"', '\'']);
    if is_bare(name) { name.into() } else { quoted(name) }
}

pub(super) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) const BARE_ONLY: &str = "a key of other characters than letters, digits, - and _ stands in quotes";

const SEPARATORS: [&str; 5] = ["=>", "==", ":=", "->", ":"];
const COMMENTS: [&str; 4] = ["//", "/*", "; ", "-- "];
const CURLY: [char; 10] = ['“', '”', '„', '‟', '‘', '’', '‚', '«', '»', '`'];
const INVISIBLE: [char; 5] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];
