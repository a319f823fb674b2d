//! What TOML's parser says, in words for somebody who came to route connections: most slips are forgotten quotes.

mod foreign;
mod headers;
mod inline;
mod line;
mod nginx;
mod parser;
mod slips;
mod unclosed;
mod values;
mod written;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, Error};

use super::diagnostic::{Diagnostics, Place};
use super::source::Source;
use line::Line;
use written::Written;

/// What is wrong with a line, in which part of it, and what to write.
struct Slip {
    span: Range<usize>,
    problem: String,
    instead: String,
    /// The line, counted from 0, that is to be mended, if that is another one.
    elsewhere: Option<usize>,
}

impl Slip {
    fn new(span: Range<usize>, problem: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { span, problem: problem.into(), instead: instead.into(), elsewhere: None }
    }

    /// The same, of a part of another line.
    fn in_line(self, number: usize) -> Self {
        Self { elsewhere: Some(number), ..self }
    }
}

/// All syntax errors of a file; at least one.
pub(super) fn errors(source: &Arc<Source>, found: Vec<Error>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(source.name());
    if let Some(foreign) = foreign::language(source.text()) {
        let place = Place::File { source: Arc::clone(source), span: foreign.span };
        diagnostics.error(place, foreign.problem).label(foreign.instead);
        return diagnostics;
    }
    if let Some(error) = found.iter().find(|error| error.span().is_none()) {
        parser::without_place(source, error, &mut diagnostics);
    }
    let mut reading = Reading::new(source, diagnostics);
    reading.conflicts();
    reading.lists_with_dashes();
    reading.unclosed();
    for _ in 0..MOST_ROUNDS {
        if !reading.round() {
            break;
        }
    }
    let mut diagnostics = reading.diagnostics;
    if diagnostics.is_empty() {
        // Whatever the parser holds back, a file that it refuses is never refused without a word.
        diagnostics.error(Place::Whole, "this is not TOML, for a reason that its parser does not tell");
    }
    diagnostics
}

/// A file that is read again and again, what is wrong left out, until nothing more is found: behind some slips the parser
/// reads no more, and behind others everything is wrong.
struct Reading<'s> {
    source: &'s Arc<Source>,
    written: Written<'s>,
    /// Lines, counted from 0, that are read as something else than what is written.
    instead: BTreeMap<usize, String>,
    /// Which lines begin within brackets.
    continued: Vec<bool>,
    diagnostics: Diagnostics,
}

impl<'s> Reading<'s> {
    fn new(source: &'s Arc<Source>, diagnostics: Diagnostics) -> Self {
        let continued = inline::continued(source.text());
        Self { source, written: Written::new(source), instead: BTreeMap::new(), continued, diagnostics }
    }

    fn wrong(&mut self, span: Range<usize>, problem: impl AsRef<str>, label: impl AsRef<str>) {
        self.diagnostics.error(Place::File { source: Arc::clone(self.source), span }, problem).label(label);
    }

    /// The line of this number, counted from 0, and its place.
    fn line(&self, number: usize) -> (usize, &'s str) {
        self.source.line(number + 1)
    }

    fn conflicts(&mut self) {
        for (first, passed_over) in foreign::conflicts(self.source.text()) {
            let (start, line) = self.line(first);
            self.wrong(
                start..start + line.trim_end().len(),
                "a merge has left both sides here",
                format!("keep what is meant, of the lines up to {}, and none of these marks", passed_over.end),
            );
            self.instead.extend(std::iter::once(first).chain(passed_over).map(|number| (number, String::new())));
        }
        for number in foreign::lone_marks(self.source.text()) {
            if self.instead.contains_key(&number) {
                continue;
            }
            let (start, line) = self.line(number);
            self.wrong(start..start + line.trim_end().len(), "a mark of a merge was left here", "leave it out, once what is meant is kept");
            self.instead.insert(number, String::new());
        }
    }

    fn lists_with_dashes(&mut self) {
        for (number, list, passed_over) in foreign::lists_with_dashes(self.source.text()) {
            let (start, line) = self.line(number);
            let (indent, statement) = Line::new(line).statement();
            self.wrong(start + indent..start + indent + statement.len(), "a list stands in [square brackets]", list);
            self.instead.extend(std::iter::once(number).chain(passed_over).map(|number| (number, String::new())));
        }
    }

    fn unclosed(&mut self) {
        for one in unclosed::unclosed(self.source.text()) {
            if self.instead.get(&one.last_line).is_some_and(String::is_empty) {
                continue;
            }
            if let Some(before) = one.before {
                let (start, line) = self.line(one.last_line);
                let (head, tail) = line.split_at(before - start);
                let closed = format!("{} {}{tail}", head.trim_end(), one.closers);
                let meant = format!("{} {}", head[one.span.start - start..].trim_end(), one.closers);
                self.wrong(one.span.start..start + head.trim_end().len(), format!("{} is not closed", one.what), meant);
                self.instead.insert(one.last_line, closed);
                continue;
            }
            let until = one.next.map_or("the end of the file".into(), |next| format!("line {}", next + 1));
            self.wrong(one.span, format!("{} is not closed", one.what), format!("`{}` is missing before {until}", one.closers));
            let (_, last) = self.line(one.last_line);
            let closed = format!("{}{}", &last[..Line::new(last).end], one.closers);
            self.instead.insert(one.last_line, closed);
        }
    }

    /// Reads all once more; whether it is worth to do so again.
    fn round(&mut self) -> bool {
        let mut found = self.found();
        found.retain(|number, _| !self.instead.contains_key(number));
        let mut is_new = false;
        // Behind a header that is written twice, all but another such may follow from it.
        let mut is_behind = false;
        for (number, errors) in found {
            let repeats_header = self.written.repeats_header(number);
            if is_behind && !repeats_header {
                continue;
            }
            is_new = true;
            self.note(number, &errors);
            let (_, text) = self.line(number);
            let line = Line::new(text);
            self.instead.insert(number, in_place_of(number, &line));
            is_behind = repeats_header || is_behind;
            if !repeats_header && (line.is_nearly_header() || !line.stands_alone()) {
                break;
            }
        }
        is_new
    }

    /// What the parser says of each line, with the part of the line that it means.
    fn found(&self) -> BTreeMap<usize, Vec<(Range<usize>, String)>> {
        let mut text = String::with_capacity(self.source.text().len());
        let mut starts = Vec::new();
        for (number, (_, line)) in foreign::lines(self.source.text()).enumerate() {
            starts.push(text.len());
            text.push_str(self.instead.get(&number).map_or(line, |instead| instead));
            text.push('\n');
        }
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for error in DeTable::parse_recoverable(&text).1 {
            let Some(span) = error.span() else { continue };
            let number = starts.partition_point(|&start| start <= span.start).saturating_sub(1);
            let start = starts.get(number).copied().unwrap_or_default();
            let length = self.line(number).1.trim_end_matches('\r').len();
            let part = (span.start - start).min(length)..(span.end - start).min(length);
            found.entry(number).or_default().push((part, error.message().to_owned()));
        }
        for errors in found.values_mut() {
            errors.sort_by_key(|(part, _)| part.start);
            errors.dedup();
        }
        found
    }

    fn note(&mut self, number: usize, errors: &[(Range<usize>, String)]) {
        let (start, text) = self.line(number);
        let line = Line::new(text);
        let known = errors.first().and_then(|(part, message)| match self.continued.get(number) {
            Some(true) => slips::within_brackets(&line, part, message),
            _ => slips::slip(&line, part, message),
        });
        let slips = match known {
            Some(slip) => vec![slip],
            None => {
                let errors = errors.iter().take(MOST_OF_A_LINE);
                errors.map(|(part, message)| parser::slip(&self.written, number, part, message)).collect()
            }
        };
        let is_host = self.written.is_among_hosts(number);
        let mut spans: Vec<Range<usize>> = Vec::new();
        for Slip { span, problem, instead, elsewhere } in slips {
            let start = elsewhere.map_or(start, |number| self.line(number).0);
            // What was told of a whole is not told of its parts.
            if !spans.iter().any(|told| *told == span || (told.start <= span.start && span.start < told.end)) {
                let problem = if is_host && problem == slips::BARE_ONLY { "a host name stands in quotes" } else { &problem };
                self.wrong(start + span.start..start + span.end, problem, instead);
                spans.push(span);
            }
        }
    }
}

/// What is read in place of a line that is wrong: as little as keeps the lines around it whole.
fn in_place_of(number: usize, line: &Line<'_>) -> String {
    if nginx::is_end_of_block(line) {
        return String::new();
    }
    if line.is_nearly_header() || nginx::is_block(line) {
        return format!("[\"line {number}\"]");
    }
    let (closed, open) = if line.unclosed.is_some() { (0, Vec::new()) } else { line.brackets() };
    let opened: String = open.into_iter().map(|(_, c)| c).collect();
    match (closed, opened.is_empty()) {
        (0, true) => String::new(),
        (0, false) => format!("\"line {number}\" = {opened}"),
        // Of what is closed here, only a bracket of the same sort would do.
        _ => line.bare.iter().filter(|(_, c)| "[]{}".contains(*c)).map(|(_, c)| *c).collect(),
    }
}

/// Each round reads the file once more.
const MOST_ROUNDS: usize = 50;

/// Beyond these nobody reads on in one line.
const MOST_OF_A_LINE: usize = 20;
