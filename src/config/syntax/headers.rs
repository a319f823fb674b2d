//! Headers of tables that are no headers, and what stands in a file twice.

use std::ops::Range;

use super::super::source::Source;
use super::Slip;
use super::line::Line;
use super::slips::{BARE_ONLY, is_bare, quoted};
use super::values::as_value;
use super::written::Written;

/// What was meant by a line that is nearly a header.
pub(super) fn slip(line: &Line<'_>) -> Option<Slip> {
    let (start, statement) = line.statement();
    let header = statement.trim_end_matches([':', ';', '{', '=', ' ']);
    if header.len() < statement.len() && Line::new(header).is_header() {
        return Some(Slip::new(start..start + statement.len(), "nothing but a comment stands behind a header", header));
    }
    let opened = statement.len() - statement.trim_start_matches('[').len();
    let name = statement[opened..].trim_start();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || "._]\"'".contains(c)) && !name.contains([',', '=']);
    if opened > 0 && !statement.ends_with(']') && line.find('=').is_some() {
        return more_than_a_header(line, start, statement, opened);
    }
    let closed = statement.len() - statement.trim_end_matches(']').len();
    if opened + closed == 0 || opened > 2 || !is_name || (opened == 0 && statement.contains(['[', ' '])) {
        return None;
    }
    let name = name.trim_end_matches(']').trim();
    // A list that goes on in the next line is no header.
    if name.is_empty() && opened == closed {
        return Some(Slip::new(start..start + statement.len(), "a header needs a name", "such as [listener.https]"));
    }
    let wanted = if opened == 0 { closed } else { opened };
    let mended = mend(name)?;
    let meant = format!("{}{mended}{}", "[".repeat(wanted), "]".repeat(wanted));
    let problem = match () {
        () if name.split('.').any(str::is_empty) && !mended.contains('"') => "a name is missing beside a dot",
        () if name.contains(char::is_whitespace) => "the names in a header have dots between them",
        () if opened != closed => "a header begins and ends with as many brackets",
        () => BARE_ONLY,
    };
    (meant != statement).then(|| Slip::new(start..start + statement.len(), problem, meant))
}

/// `[log] level = "info"`.
fn more_than_a_header(line: &Line<'_>, start: usize, statement: &str, opened: usize) -> Option<Slip> {
    let end = statement.find(&"]".repeat(opened))? + opened;
    let header = &statement[..end];
    let rest = statement[end..].trim_start();
    let is_key = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"') && Line::new(header).is_header();
    let at = line.text[..start + statement.len()].len() - rest.len();
    is_key.then(|| Slip::new(at..start + statement.len(), "a header has a line of its own", "in the next line"))
}

/// The path of a header as it has to be written. Whatever stands behind `hosts` is one name.
fn mend(name: &str) -> Option<String> {
    if name.contains(char::is_whitespace) {
        let words = name.split_whitespace().map(|word| word.trim_matches(['"', '\'', '.']));
        let parts: Vec<_> = words.map(|word| if is_bare(word) { word.to_owned() } else { quoted(word) }).collect();
        return Some(parts.join("."));
    }
    if name.contains(['"', '\'']) {
        return Some(name.to_owned());
    }
    let mut sections = name.splitn(4, '.');
    if let (Some("routes"), Some(map), Some("hosts"), Some(host)) = (sections.next(), sections.next(), sections.next(), sections.next()) {
        return Some(format!("routes.{map}.hosts.{}", quoted(host)));
    }
    let parts: Vec<_> = name.split('.').filter(|part| !part.is_empty()).collect();
    let bare = parts.iter().take_while(|part| is_bare(part)).count();
    if bare == parts.len() {
        return Some(parts.join("."));
    }
    let rest = parts[bare..].join(".");
    let before = parts[..bare].iter().map(|part| format!("{part}."));
    Some(before.chain([quoted(&rest)]).collect())
}

/// A key or a table that was written before.
pub(super) fn twice(written: &Written<'_>, number: usize, part: &Range<usize>) -> Slip {
    let source = written.source();
    let (_, text) = source.line(number + 1);
    let line = Line::new(text);
    let first = written.first(number, part);
    if line.is_header() {
        let (start, statement) = line.statement();
        if let Some(single) = single(source, number, statement) {
            let (_, text) = source.line(single + 1);
            let (start, written) = Line::new(text).statement();
            let problem = format!("{written} is one of several: line {} has another", number + 1);
            return Slip::new(start..start + written.len(), problem, format!("[{written}]")).in_line(single);
        }
        let label =
            first.map_or("put its lines below the first".into(), |line| format!("the first is in line {line}: its lines belong there"));
        return Slip::new(start..start + statement.len(), format!("{statement} is written twice"), label);
    }
    let key = &text[part.clone()];
    let mut label = first.map_or("this is the second".into(), |line| format!("the first is in line {line}"));
    if let Some(list) = first.and_then(|first| list(source, first, number, key)) {
        label = format!("{label}; several make a list: {list}");
    }
    Slip::new(part.clone(), format!("`{key}` is written twice"), label)
}

/// The line, counted from 0, in which a header has too few brackets: one below it shows by two that it is one of a list.
fn single(source: &Source, number: usize, statement: &str) -> Option<usize> {
    let single = statement.strip_prefix('[').filter(|single| single.starts_with('['))?.strip_suffix(']')?;
    (0..number).find(|&number| Line::new(source.line(number + 1).1).statement().1 == single)
}

/// The values of a key that nginx's users repeat, as the list that it is here.
fn list(source: &Source, first: usize, second: usize, key: &str) -> Option<String> {
    let (_, ours) = REPEATED.iter().find(|(theirs, _)| *theirs == key)?;
    let value = |number: usize| {
        let line = Line::new(source.line(number).1);
        let (_, statement) = line.statement();
        statement.split_once('=').map(|(_, value)| as_value(value.trim())).filter(|value| !value.starts_with('['))
    };
    Some(format!("{ours} = [{}, {}]", value(first)?, value(second + 1)?))
}

/// What others write once for each, and the list that it is here.
const REPEATED: [(&str, &str); 6] = [
    ("server", "servers"),
    ("servers", "servers"),
    ("listen", "listen"),
    ("bind", "listen"),
    ("nameservers", "nameservers"),
    ("certificates", "certificates"),
];
