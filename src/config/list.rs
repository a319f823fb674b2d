//! Files with one thing a line, which programs write and TOML would only slow down: those of `hosts_files`, and those of
//! `[networks]`. Lines end in LF or CRLF, `#` before a word begins a comment, and a line without words says nothing.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::diagnostic::Place;
use super::source::Source;

/// Why a list can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It isn't there, or may not be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// A folder, a pipe or a device.
    #[error("it is no file")]
    NoFile,
    /// It has more bytes than any list should.
    #[error("it has more than {} MiB", MOST_BYTES >> 20)]
    TooBig,
    /// It has more lines than any list should.
    #[error("it has more than {MOST_LINES} lines")]
    TooLong,
    /// It is no text.
    #[error("this is not UTF-8 text")]
    NoText(Box<Place>),
}

/// A line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'s> {
    /// Counted from 1.
    pub number: u32,
    /// The byte at which its words begin.
    pub at: usize,
    /// Its words, without what is around them; never empty.
    pub words: &'s str,
}

/// Reads a file that has a list.
///
/// # Errors
/// When there is no such file, or it is larger than a list should be, or no text.
pub fn read_list(file: &Path) -> Result<Source, ListError> {
    // What is no file might never come to an end, or never begin.
    let told = fs::metadata(file)?;
    if !told.is_file() {
        return Err(ListError::NoFile);
    }
    if told.len() > MOST_BYTES {
        return Err(ListError::TooBig);
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    // It may have grown meanwhile.
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ListError::TooBig);
    }
    let text =
        String::from_utf8(bytes).map_err(|error| ListError::NoText(Box::new(Place::no_text(&file.display().to_string(), &error))))?;
    let source = Source::of_file(file, text);
    if source.lines() > MOST_LINES {
        return Err(ListError::TooLong);
    }
    Ok(source)
}

/// The lines of a list that say something, in their order.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    text[at..].split('\n').zip(1..).filter_map(move |(line, number)| {
        let begin = at;
        at += line.len() + 1;
        let words = without_comment(line.trim_end_matches('\r')).trim_matches(BLANK);
        let before = line.find(|c| !BLANK.contains(&c)).unwrap_or_default();
        (!words.is_empty()).then_some(Line { number, at: begin + before, words })
    })
}

/// What stands before a `#` that begins a word.
fn without_comment(line: &str) -> &str {
    let begins_a_word = |&(at, _): &(usize, &str)| line[..at].ends_with(BLANK) || at == 0;
    line.match_indices('#').find(begins_a_word).map_or(line, |(at, _)| &line[..at])
}

/// What stands between words.
pub(super) const BLANK: [char; 2] = [' ', '\t'];
const BYTE_ORDER_MARK: char = '\u{feff}';
const MOST_BYTES: u64 = 64 << 20;
const MOST_LINES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Source, ListError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.list");
        fs::write(&file, bytes).unwrap();
        read_list(&file)
    }

    #[test]
    fn only_the_first_byte_order_mark_is_one() {
        let words = |text| lines(text).map(|line| (line.number, line.at, line.words)).collect::<Vec<_>>();
        assert_eq!(words("\u{feff}a b\n"), [(1, 3, "a b")]);
        assert_eq!(words("\u{feff}\u{feff}\n"), [(1, 3, "\u{feff}")], "it is no blank line");
    }

    #[test]
    fn a_line_is_its_words_without_comments_and_blanks() {
        let text = "\u{feff}a b\r\n\r\n  # all of it\n\t c \td\t# the rest\n#\ne#f\n g";
        let found: Vec<_> = lines(text).map(|line| (line.number, line.words)).collect();
        assert_eq!(found, [(1, "a b"), (4, "c \td"), (6, "e#f"), (7, "g")]);
        assert!(lines(text).all(|line| text[line.at..].starts_with(line.words)));
    }

    #[test]
    fn what_is_no_list_says_why() {
        assert_eq!(read(b"a\nb\n").unwrap().text(), "a\nb\n");
        let Err(ListError::NoText(place)) = read(b"a\nb\xe4\n") else { panic!("this is Latin-1") };
        assert_eq!(place.line(), Some(2));
        assert!(matches!(read(&b"\n".repeat(MOST_LINES)), Err(ListError::TooLong)));
        assert!(read(&b"\n".repeat(MOST_LINES - 1)).is_ok());
        assert!(matches!(read_list(Path::new("/dev/zero")), Err(ListError::NoFile)));
        assert!(matches!(read_list(&std::env::temp_dir()), Err(ListError::NoFile)));
        assert!(matches!(read_list(Path::new("/nowhere/a.list")), Err(ListError::Unreadable(_))));
    }

    #[test]
    fn a_file_that_is_too_big_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.list");
        // Takes no room on the disk.
        File::create(&file).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(matches!(read_list(&file), Err(ListError::TooBig)));
    }
}
