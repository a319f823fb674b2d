//! Paths with variables: a file for each value. What a stranger says may choose among files, and nothing else: no value leads
//! out of its place in the path.

use std::path::PathBuf;

use crate::session::Session;
use crate::template::Piece;
use crate::variables::{Text, Variable};

/// A path with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// What a relative path is relative to.
    pub folder: PathBuf,
    /// The path.
    pub text: Text,
}

impl PathTemplate {
    /// The folder that is there whatever the variables say.
    pub(super) fn certain_folder(&self) -> PathBuf {
        let certain = match self.text.pieces().first() {
            Some(Piece::Text(text)) => text.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder }),
            _ => "",
        };
        self.folder.join(certain)
    }

    /// The path for a session.
    pub(super) fn write(&self, session: &Session, out: &mut Vec<u8>) {
        self.fill(out, |variable, out| {
            let value = variable.value(session);
            part(value.as_deref().unwrap_or_default(), variable.is_sent_by_client(), out);
        });
    }

    /// The path for those that have no file of their own.
    pub(super) fn write_common(&self, out: &mut Vec<u8>) {
        self.fill(out, |_, out| out.extend_from_slice(COMMON));
    }

    fn fill(&self, out: &mut Vec<u8>, value: impl Fn(&Variable, &mut Vec<u8>)) {
        out.clear();
        for piece in self.text.pieces() {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => value(variable, out),
            }
        }
    }
}

/// A value as a part of a file's name: never empty, never with a slash or a dot in front, so that wherever it stands it
/// is neither a folder's end nor `..`. Clients spell names as they like, and there is one file for all spellings.
fn part(value: &[u8], is_sent_by_client: bool, out: &mut Vec<u8>) {
    if value.is_empty() {
        return out.push(b'-');
    }
    for (at, &byte) in value.iter().take(LONGEST_PART).enumerate() {
        out.push(match byte {
            b'.' if at == 0 => b'_',
            _ if is_sent_by_client && byte.is_ascii_uppercase() => byte.to_ascii_lowercase(),
            _ if byte.is_ascii_alphanumeric() || b"._-:+@".contains(&byte) => byte,
            _ => b'_',
        });
    }
}

/// How many bytes of a value are used.
const LONGEST_PART: usize = 100;
/// Stands for each value in the path of those that get no file of their own.
const COMMON: &[u8] = b"_others";

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str) -> String {
        let mut out = Vec::new();
        part(value.as_bytes(), true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_value_leads_anywhere() {
        let cases = [
            ("a.example", "a.example"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("..", "_."),
            (".", "_"),
            ("", "-"),
            ("a\0b\nc d", "a_b_c_d"),
            ("A.Example", "a.example"),
            ("~root", "_root"),
        ];
        for (value, wanted) in cases {
            assert_eq!(named(value), wanted);
        }
        assert_eq!(named(&"x".repeat(300)).len(), LONGEST_PART);
    }
}
