//! Dots in the regexes of `patterns` that stand for any character and were meant as dots.

use std::ops::Range;

use super::Compiler;
use crate::config::Key;

impl Compiler {
    /// Warns of the first of them, with all of them mended. One such pattern lets names in that nobody thought of: 'a.example' is `axexample`, too.
    pub(super) fn warn_of_loose_dots(&mut self, path: &[Key], written: &str) {
        let dots = loose_dots(written);
        let Some(first) = dots.first() else { return };
        let place = self.places.inside(path, first.clone());
        let mut mended = written.to_owned();
        dots.iter().rev().for_each(|dot| mended.replace_range(dot.clone(), "\\."));
        self.diagnostics
            .warning("loose-dot", place, "this `.` stands for any character, not only for a dot")
            .label("`\\.` is a dot")
            .help(format!("host = '{mended}'"));
    }
}

/// Dots between what looks like labels: neither escaped, nor in a class, nor repeated.
fn loose_dots(regex: &str) -> Vec<Range<usize>> {
    let bytes = regex.as_bytes();
    let (mut dots, mut is_in_class, mut at) = (Vec::new(), false, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => is_in_class = true,
            b']' => is_in_class = false,
            b'.' if !is_in_class && ends_label(&bytes[..at]) && begins_label(&bytes[at + 1..]) => dots.push(at..at + 1),
            _ => {}
        }
        at += 1;
    }
    dots
}

fn ends_label(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b")]}+*".contains(byte))
}

/// A letter, or a group of some, comes next.
fn begins_label(behind: &[u8]) -> bool {
    let letters = behind.strip_prefix(b"(").unwrap_or(behind);
    letters.first().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_between_labels_is_loose_unless_it_is_escaped() {
        let at = |regex| loose_dots(regex).iter().map(|dot| dot.start).collect::<Vec<_>>();
        assert_eq!(at("a.example"), [1]);
        assert_eq!(at(r"(?<t>[a-z0-9-]+).apps\.example"), [16]);
        assert_eq!(at("[a-z]+.apps.(de|fr)"), [6, 11]);
        assert_eq!(at(r"a\.example"), [0; 0]);
        assert_eq!(at(r"a\\.example"), [0; 0], "a backslash, then any character: no host name has either");
    }

    #[test]
    fn a_dot_that_is_meant_to_be_anything_is_left_alone() {
        for regex in [".*", r".+\.example", r"shop.?\.example", "a.{2}b", r"[.a-z]x\.example", r"..\.example", r"b.\.example"] {
            assert!(loose_dots(regex).is_empty(), "{regex}");
        }
    }
}
