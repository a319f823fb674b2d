//! Values that are no TOML: quotes left out or left open, escapes that are none, several where one may stand.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::line::{Line, closing};
use super::slips::{is_bare, quoted};
use super::{Slip, inline};

/// What was meant by the value of a line.
pub(super) fn slip(line: &Line<'_>, part: &Range<usize>, message: &str) -> Option<Slip> {
    let (start, statement) = line.statement();
    let end = start + statement.len();
    let equals = line.find('=').filter(|_| line.is_assignment())?;
    let key = statement[..equals.checked_sub(start)?].trim();
    let value = line.text[equals + 1..end].trim();
    let at = end - value.len();
    if value.is_empty() {
        return Some(Slip::new(start..end, format!("`{key}` has no value"), format!("{key} = \"...\"")));
    }
    if let Some(open) = line.unclosed.filter(|open| *open < end) {
        return Some(unclosed(line.text, at, open, end));
    }
    if value.starts_with(['~', '^']) && !value.contains('\'') {
        let regex = value.trim_end_matches([';', ',']);
        return Some(Slip::new(at..at + regex.len(), UNQUOTED, format!("put quotes around it: '{regex}'")));
    }
    if value.starts_with(['"', '\'']) {
        let closing = closing(&value[1..], value.chars().next()?)? + 2;
        return behind(at + closing, value, &value[closing..]);
    }
    if let Some(list) = value.strip_prefix('[') {
        // `[::1]:443` is an address, `[10.0.0.1:443]` a list of one.
        let is_address = list.split_once("]:").is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
        if is_address {
            return Some(several(at, value).unwrap_or_else(|| Slip::new(at..end, UNQUOTED, put_quotes(value))));
        }
        let closing = list.rfind(']')? + 2;
        return behind(at + closing, value, &value[closing..]);
    }
    if let Some(variable) = of_the_environment(value) {
        return Some(Slip::new(
            at..at + variable.len(),
            "what the environment says stands in quotes, be it a number",
            put_quotes(variable),
        ));
    }
    if let Some(list) = in_other_brackets(value) {
        return Some(Slip::new(at..end, "a list stands in [square brackets]", list));
    }
    if value.starts_with('{') || message.starts_with("unexpected leading zero") || part.end > end {
        return None;
    }
    bare(at, key, value)
}

/// A value without quotes.
fn bare(at: usize, key: &str, value: &str) -> Option<Slip> {
    let without_end = value.trim_end_matches([';', ',']);
    let span = at..at + without_end.len();
    let digits = value.replace([',', '_'], "");
    if value.contains([',', '_']) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Slip::new(span, "a number is written without commas", digits));
    }
    if let Some(several) = several(at, without_end) {
        return Some(several);
    }
    if without_end.contains(['=', '"', '\'', '[', '{', '(']) {
        return None;
    }
    if without_end.parse::<f64>().is_ok() && without_end.len() < value.len() {
        return Some(Slip::new(span.end..at + value.len(), NOTHING_BEHIND, "leave it out"));
    }
    let (problem, instead) = unquoted(key, without_end);
    Some(Slip::new(span, problem, instead))
}

/// `${env:NAME}` without quotes.
fn of_the_environment(value: &str) -> Option<&str> {
    let variable = value.trim_end_matches([';', ',']);
    let is_one = variable.starts_with("${env:") && variable.find('}') == Some(variable.len() - 1) && !variable.contains(['"', '\'']);
    is_one.then_some(variable)
}

/// What to say of a word without quotes.
pub(super) fn unquoted(key: &str, word: &str) -> (&'static str, String) {
    let lower = word.to_ascii_lowercase();
    let is_text = TEXTS_OF_OFF.contains(&key) && lower == "off";
    match &lower[..] {
        _ if is_text => (UNQUOTED, put_quotes(&lower)),
        "true" | "yes" | "on" => ("a switch is true or false", "true".into()),
        "false" | "no" | "off" => ("a switch is true or false", "false".into()),
        _ => (UNQUOTED, put_quotes(word)),
    }
}

/// `("a", "b")`, and `{ "a", "b" }`.
fn in_other_brackets(value: &str) -> Option<String> {
    let inside = value.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inside = inside.or_else(|| value.strip_prefix('{')?.strip_suffix('}').filter(|inside| !inside.contains('=')))?;
    let values: Vec<_> = inside.split(',').map(str::trim).filter(|one| !one.is_empty()).map(as_value).collect();
    (!values.is_empty()).then(|| format!("[{}]", values.join(", ")))
}

/// Several values with commas between them, where one may stand.
fn several(at: usize, value: &str) -> Option<Slip> {
    let values: Vec<_> = value.split(',').map(str::trim).collect();
    let are_values = values.len() > 1 && values.iter().all(|one| !one.is_empty() && !one.contains(['=', '{', '(']));
    are_values.then(|| {
        let list: Vec<_> = values.into_iter().map(as_value).collect();
        Slip::new(at..at + value.len(), "several values stand in a list", format!("[{}]", list.join(", ")))
    })
}

/// Something behind a value that is whole.
fn behind(at: usize, value: &str, rest: &str) -> Option<Slip> {
    let more = rest.trim_start();
    let span = at + rest.len() - more.len()..at + rest.len();
    if more.is_empty() {
        return None;
    }
    if let Some(list) = more.starts_with(',').then(|| several(at - (value.len() - rest.len()), value)).flatten() {
        return Some(list);
    }
    let is_key = Line::new(more).is_assignment() && more.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"');
    if is_key {
        return Some(Slip::new(span, "each key has a line of its own", "in the next line"));
    }
    Some(Slip::new(
        span,
        NOTHING_BEHIND,
        if more.trim_matches([';', ',']).is_empty() { "leave it out" } else { "leave it out, or put # before it" },
    ))
}

/// A quote that has no other.
fn unclosed(text: &str, value: usize, open: usize, end: usize) -> Slip {
    let written = &text[value..end];
    let inside = written.trim_matches(['"', '\'', ';', ',']);
    let is_one_text = !inside.contains(['"', '\'', ',']) && !written.starts_with(['[', '{']);
    if is_one_text {
        let instead = if inside.contains('\\') { format!("'{inside}'") } else { quoted(inside) };
        return Slip::new(value..end, HALF_QUOTED, instead);
    }
    inline::half_quoted(&text[..end], open)
}

/// A backslash in double quotes.
pub(super) fn escape(line: &Line<'_>, part: &Range<usize>, message: &str) -> Option<Slip> {
    let is_escape = ["missing escaped value", "too few unicode", "invalid value"].iter().any(|start| message.starts_with(start));
    let text = line.text;
    let start = text[..part.start.min(text.len())].char_indices().rfind(|(at, c)| *c == '"' && !text[..*at].ends_with('\\'))?.0;
    if !is_escape || line.bare.iter().any(|(at, _)| *at == start) {
        return None;
    }
    let length = text[start + 1..].find('"')?;
    let inside = &text[start + 1..start + 1 + length];
    let at = start + 1 + inside.find('\\')?;
    let instead = if inside.contains('\'') { format!("\"{}\"", inside.replace('\\', "\\\\")) } else { format!("'{inside}'") };
    Some(Slip::new(at..start + 1 + length, "in \"double quotes\" a backslash begins an escape; 'single quotes' take it as it is", instead))
}

/// A value as it has to be written.
pub(super) fn as_value(written: &str) -> String {
    let written = written.trim_end_matches([';', ',']).trim_end();
    let is_value = written.starts_with(['"', '\'', '{'])
        || (written.starts_with('[') && written.ends_with(']'))
        || matches!(written, "true" | "false")
        || (is_bare(written) && written.parse::<i64>().is_ok());
    if is_value { written.into() } else { quoted(written) }
}

fn put_quotes(text: &str) -> String {
    format!("put quotes around it: {}", quoted(text))
}

pub(super) const HALF_QUOTED: &str = "a text begins and ends with the same quote";
const UNQUOTED: &str = "a text stands in quotes";
const NOTHING_BEHIND: &str = "nothing but a comment stands behind a value";

/// Keys that take `"off"` as a text.
const TEXTS_OF_OFF: [&str; 4] = ["watch", "session_cache", "accept_proxy_protocol", "send_proxy_protocol"];
