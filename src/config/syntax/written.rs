//! Which headers and keys a file has in which lines, looked up once: it may have thousands of slips.

use std::collections::HashMap;
use std::ops::Range;

use super::super::source::Source;
use super::foreign::lines;
use super::line::Line;

/// The headers and keys of a file, as far as a look at the starts of lines tells. Lines are counted from 0.
pub(super) struct Written<'s> {
    source: &'s Source,
    /// The lines that begin with a bracket: what stands between two of them is one section.
    sections: Vec<usize>,
    /// Whether a map's hosts stand below each line that is nearly a header.
    hosts: Vec<(usize, bool)>,
    /// The first line that begins with each header.
    headers: HashMap<&'s str, usize>,
    /// The lines with each key, by how many sections began above.
    keys: HashMap<(usize, &'s str), Vec<usize>>,
}

impl<'s> Written<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        let mut written = Self { source, sections: Vec::new(), hosts: Vec::new(), headers: HashMap::new(), keys: HashMap::new() };
        for (number, (_, text)) in lines(source.text()).enumerate() {
            let line = Line::new(text);
            let text = text.trim_start();
            if text.starts_with('[') {
                written.sections.push(number);
                written.headers.entry(header(text)).or_insert(number);
            }
            if line.is_nearly_header() {
                written.hosts.push((number, text.contains(".hosts.") || text.contains(".hosts]")));
            }
            for key in keys(&line) {
                written.keys.entry((written.sections.len(), key)).or_default().push(number);
            }
        }
        written
    }

    pub(super) fn source(&self) -> &'s Source {
        self.source
    }

    /// Whether a line is one of a map's hosts, as far as the last header tells.
    pub(super) fn is_among_hosts(&self, number: usize) -> bool {
        let above = self.hosts.partition_point(|(at, _)| *at <= number);
        above.checked_sub(1).is_some_and(|last| self.hosts[last].1)
    }

    /// Whether a line is a header that another line above has, letter by letter.
    pub(super) fn repeats_header(&self, number: usize) -> bool {
        let (_, text) = self.source.line(number + 1);
        Line::new(text).is_header() && self.headers.get(header(text.trim_start())).is_some_and(|&first| first < number)
    }

    /// The line in which a key or a header stood before, counted from 1.
    pub(super) fn first(&self, number: usize, part: &Range<usize>) -> Option<usize> {
        let (_, text) = self.source.line(number + 1);
        let key = &text[part.clone()];
        let above = |section: usize| {
            let lines = self.keys.get(&(section, key))?;
            Some(&lines[..lines.partition_point(|&line| line < number)])
        };
        let first = if text.trim_start().starts_with('[') {
            let before = |header: &str| self.headers.get(header).copied().filter(|&first| first < number);
            before(header(text.trim_start())).or_else(|| {
                let table = text[..part.start].trim_start().trim_end_matches('.');
                // What the file itself has stands above the first header.
                let is_of_the_file = table.bytes().all(|byte| byte == b'[');
                let section = if is_of_the_file { 0 } else { self.section(before(&format!("{table}]"))?) };
                above(section)?.first().copied()
            })
        } else {
            above(self.section(number)).and_then(|lines| lines.last().copied())
        };
        first.map(|line| line + 1)
    }

    /// How many sections began up to a line.
    fn section(&self, number: usize) -> usize {
        self.sections.partition_point(|&at| at <= number)
    }
}

/// A line's header, up to its first closing bracket.
fn header(text: &str) -> &str {
    text.split_inclusive(']').next().unwrap_or_default()
}

/// The keys that a line begins with: of `a.b = 1`, `a` and `a.b`.
fn keys<'t>(line: &Line<'t>) -> Vec<&'t str> {
    let text = line.text;
    let Some(equals) = line.find('=') else { return Vec::new() };
    let ends = line.bare.iter().filter(|(at, c)| *at == equals || (*at < equals && *c == '.')).take(MOST_PARTS);
    ends.map(|(at, _)| text[..*at].trim()).collect()
}

/// Keys have no more parts that matter.
const MOST_PARTS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[a]\nx.y = 1\n\"t.ex\" = 2\n[routes.b.hosts]\n\"t.ex\" = 3\n'k' = 4\n\"t.ex\" = 5\n [a] # more\n[a.x]\n";

    #[test]
    fn a_key_stood_before_in_its_own_section_only() {
        let source = Source::new("a.toml", TEXT);
        let written = Written::new(&source);
        assert_eq!(written.first(6, &(0..6)), Some(5));
        assert_eq!(written.first(4, &(0..6)), None);
    }

    #[test]
    fn a_header_stood_before_as_a_header_or_as_a_key() {
        let source = Source::new("a.toml", TEXT);
        let written = Written::new(&source);
        assert_eq!(written.first(7, &(2..3)), Some(1));
        assert_eq!(written.first(8, &(3..4)), Some(2));
        assert!(written.repeats_header(7) && !written.repeats_header(8) && !written.repeats_header(0));
    }

    #[test]
    fn hosts_stand_below_the_header_of_hosts() {
        let source = Source::new("a.toml", TEXT);
        let written = Written::new(&source);
        let among: Vec<_> = (0..9).filter(|&number| written.is_among_hosts(number)).collect();
        assert_eq!(among, [3, 4, 5, 6]);
    }
}
