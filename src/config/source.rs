//! The text of a file, and where its lines are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::printable;

/// A text with its name; lines and columns are found by a search over the starts of lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    folder: PathBuf,
    number: usize,
    text: String,
    line_starts: Vec<usize>,
}

/// What messages call a file: its path on one line, whatever it has in it.
pub(super) fn shown(file: &Path) -> String {
    printable(&file.display().to_string()).replace('\n', "\\n")
}

impl Source {
    /// A text of this name that stands in no file: its paths are relative to the working folder.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), folder: PathBuf::new(), number: 0, text, line_starts }
    }

    /// The text of a file.
    #[must_use]
    pub fn of_file(file: &Path, text: impl Into<String>) -> Self {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Self { folder, ..Self::new(shown(file), text) }
    }

    /// The same as one of several that were read, counted from 0.
    #[must_use]
    pub fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// How many were read before it.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// What paths in it are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where some bytes of a TOML text stand that is written here, quotes and all; the whole of it if it is written with escapes.
    #[must_use]
    pub fn inside(&self, written: Range<usize>, bytes: Range<usize>) -> Range<usize> {
        let text = &self.text[written.clone()];
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| text.starts_with(quotes)).map_or(0, str::len);
        let start = written.start + quotes;
        let part = start + bytes.start..start + bytes.end;
        let has_escapes = text.starts_with('"') && text.contains('\\');
        let as_it_stands = !has_escapes && !text[quotes..].starts_with(['\n', '\r']);
        let fits = part.end + quotes <= written.end && self.text.get(part.clone()).is_some();
        if as_it_stands && fits { part } else { written }
    }

    /// How many lines it has.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.line_starts.len()
    }

    /// Line and column of a byte, both counted from 1, columns in characters.
    #[must_use]
    pub fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= at);
        let (start, text) = self.line(line);
        let column = text.char_indices().take_while(|(offset, _)| start + offset < at).count() + 1;
        (line, column)
    }

    /// Where a line starts, and its text without its end; a line beyond the last is empty.
    #[must_use]
    pub fn line(&self, number: usize) -> (usize, &str) {
        let Some(&start) = self.line_starts.get(number.saturating_sub(1)) else {
            return (self.text.len(), "");
        };
        let end = self.line_starts.get(number).map_or(self.text.len(), |next| next - 1);
        (start, self.text[start..end].trim_end_matches('\r'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_cursor() {
        assert_eq!(Source::of_file(Path::new("a\u{1b}[2J\nb.toml"), "").name(), "a\\u{1b}[2J\\nb.toml");
        assert_eq!(Source::of_file(Path::new("ü b.toml"), "").name(), "ü b.toml");
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let source = Source::new("a", "ü = 1\r\n\nb");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(5), (1, 5));
        assert_eq!(source.position(8), (2, 1));
        assert_eq!(source.position(9), (3, 1));
        assert_eq!(source.position(10), (3, 2));
        assert_eq!(source.line(1), (0, "ü = 1"));
        assert_eq!(source.line(3), (9, "b"));
        assert_eq!(source.line(9), (10, ""));
    }
}
