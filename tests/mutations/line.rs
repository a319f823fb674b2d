//! A line of a `routes.toml` in its parts, so that a slip can be made in any of them.

use std::ops::Range;

/// What a part of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With its quotes.
    Quoted,
    /// A key, a number, a boolean.
    Bare,
    /// `[ ] { } , = .`
    Mark(char),
}

/// A line, and where its parts stand; a comment is none of them.
pub struct Line<'a> {
    pub text: &'a str,
    pub parts: Vec<(Kind, Range<usize>)>,
}

impl<'a> Line<'a> {
    pub fn of(text: &'a str) -> Self {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let length = match first {
                '#' => break,
                '"' | '\'' => {
                    let closed = text[at + 1..].find(first).map_or(text.len(), |end| at + 1 + end + 1);
                    parts.push((Kind::Quoted, at..closed));
                    closed - at
                }
                '[' | ']' | '{' | '}' | ',' | '=' | '.' => {
                    parts.push((Kind::Mark(first), at..at + 1));
                    1
                }
                _ if first.is_whitespace() => first.len_utf8(),
                _ => {
                    let end = text[at..].find(|c: char| c.is_whitespace() || "[]{},=.\"'#".contains(c)).unwrap_or(text.len() - at);
                    parts.push((Kind::Bare, at..at + end));
                    end
                }
            };
            at += length;
        }
        Self { text, parts }
    }

    /// Whether there is nothing but blanks and a comment.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it begins a table.
    pub fn is_header(&self) -> bool {
        self.text.starts_with('[')
    }

    /// The line with something else in place of a part of it.
    pub fn with(&self, range: &Range<usize>, other: &str) -> String {
        format!("{}{other}{}", &self.text[..range.start], &self.text[range.end..])
    }

    /// The parts of a kind.
    pub fn all(&self, kind: impl Fn(Kind) -> bool) -> impl Iterator<Item = &Range<usize>> {
        self.parts.iter().filter(move |(one, _)| kind(*one)).map(|(_, range)| range)
    }

    /// The bare words and the quoted texts before an `=`.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &Range<usize>> {
        let followed = self.parts.windows(2).filter(|pair| pair[1].0 == Kind::Mark('='));
        followed.filter(move |pair| pair[0].0 == kind).map(|pair| &pair[0].1)
    }

    /// The same that are not before one.
    pub fn values(&self, kind: Kind) -> Vec<&Range<usize>> {
        let keys: Vec<_> = self.keys(kind).collect();
        if self.is_header() { Vec::new() } else { self.all(|one| one == kind).filter(|range| !keys.contains(range)).collect() }
    }

    /// What other lines may be about as well, word by word: `allow office` has `office`, `$ring` has `ring`. A key may be a name, too.
    pub fn all_names(&self) -> impl Iterator<Item = String> + use<> {
        let keys = self.keys(Kind::Bare).map(|range| &self.text[range.clone()]);
        let words = self.names().chain(keys).flat_map(words);
        words.map(str::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// What is in quotes, and the words of a header.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let quoted = self.all(|kind| kind == Kind::Quoted).map(|range| inside(&self.text[range.clone()]));
        let words = self.all(|kind| kind == Kind::Bare && self.is_header()).map(|range| &self.text[range.clone()]).skip(1);
        quoted.chain(words)
    }
}

/// A name, and what it is made of.
pub fn words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|c: char| !c.is_alphanumeric() && !"_-.*:/".contains(c));
    parts.filter(|part| part.len() > 1)
}

/// A text without its quotes.
pub fn inside(quoted: &str) -> &str {
    quoted.trim_matches(['"', '\''])
}

#[test]
fn a_line_is_known_by_its_parts() {
    let line = Line::of("\"a.b\" = { port = 1, to = 'x' } # \"no\"");
    let texts: Vec<_> = line.parts.iter().map(|(_, range)| &line.text[range.clone()]).collect();
    assert_eq!(texts, ["\"a.b\"", "=", "{", "port", "=", "1", ",", "to", "=", "'x'", "}"]);
    assert_eq!(line.names().collect::<Vec<_>>(), ["a.b", "x"]);
    assert_eq!(Line::of("[upstream.web]").names().collect::<Vec<_>>(), ["web"]);
}
