//! What complaints must not show: values of the environment, which may be secrets, nor parts of them. Their names are shown
//! instead.

use std::borrow::Cow;
use std::sync::Arc;

/// Texts that are not shown, each with what is; the longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden(Arc<Vec<Secret>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    text: String,
    /// The same in lower case, as names of hosts are told.
    lower: String,
    shown: String,
}

impl Hidden {
    pub(super) fn add(&mut self, secret: &str, shown: &str) {
        if secret.len() < SHORT {
            return;
        }
        let quoted = format!("{secret:?}");
        let escaped = quoted[1..quoted.len() - 1].to_owned();
        let texts = Arc::make_mut(&mut self.0);
        for text in [escaped, secret.to_owned()] {
            if !texts.iter().any(|known| known.text == text) {
                texts.push(Secret { lower: text.to_lowercase(), text, shown: shown.to_owned() });
            }
        }
        texts.sort_by_key(|secret| std::cmp::Reverse(secret.text.len()));
    }

    /// The text without any of them, where they are words of their own.
    pub(super) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.without_parts(&self.without_wholes(text)))
    }

    fn without_wholes(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            let length = secret.text.len();
            let mut clean = String::with_capacity(text.len());
            let mut from = 0;
            for (at, _) in text.match_indices(&*secret.text).filter(|(at, _)| is_word(&text, *at, length)) {
                clean.push_str(&text[from..at]);
                clean.push_str(&secret.shown);
                from = at + length;
            }
            clean.push_str(&text[from..]);
            clean
        })
    }

    /// The text without words that are a part of one of them: whoever says what is wrong with a value takes it to pieces.
    fn without_parts(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let length = rest.find(is_between).unwrap_or(rest.len());
            let (run, behind) = rest.split_at(length);
            let word = run.trim_end_matches(['.', ':']);
            let is_quoted = clean.ends_with(QUOTES) || behind.starts_with(QUOTES);
            let secret = if is_quoted || !is_common(word) { self.with_part(word) } else { None };
            clean.push_str(secret.map_or(word, |secret| &secret.shown));
            clean.push_str(&run[word.len()..]);
            let separators = behind.find(|c| !is_between(c)).unwrap_or(behind.len());
            clean.push_str(&behind[..separators]);
            rest = &behind[separators..];
        }
        clean
    }

    fn with_part(&self, word: &str) -> Option<&Secret> {
        let lower = word.to_lowercase();
        self.0.iter().find(|secret| word.len() >= SHORT && secret.lower.contains(&lower))
    }
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let behind = text[at + length..].chars().next();
    let is_name = (before == Some('.') && behind == Some(']')) || text[at + length..].starts_with(" = ");
    let is_quoted = is_name || before.is_some_and(|c| QUOTES.contains(&c)) || behind.is_some_and(|c| QUOTES.contains(&c));
    !before.is_some_and(char::is_alphanumeric)
        && !behind.is_some_and(char::is_alphanumeric)
        && (is_quoted || !is_common(&text[at..at + length]))
}

/// Our own sentences have words, too.
fn is_common(word: &str) -> bool {
    word.chars().all(char::is_lowercase)
}

/// What stands between words.
fn is_between(c: char) -> bool {
    c.is_whitespace() || QUOTES.contains(&c) || "()[],;=".contains(c)
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// What is shorter is no secret, and would be found everywhere.
const SHORT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_by_its_name() {
        let mut hidden = Hidden::default();
        hidden.add("10.0.0.1", "${env:VIP}");
        hidden.add("10.0.0.1:443", "${env:ALL}");
        hidden.add("a\"bc", "${env:QUOTED}");
        hidden.add("443", "${env:PORT}");
        assert_eq!(hidden.hide("10.0.0.1:443 and 10.0.0.1 or 10.0.0.12"), "${env:ALL} and ${env:VIP} or 10.0.0.12");
        assert_eq!(hidden.hide(&format!("{:?}", "a\"bc")), "\"${env:QUOTED}\"");
        assert_eq!(hidden.hide("443"), "443");
        hidden.add("many", "${env:WORD}");
        assert_eq!(hidden.hide("many are not \"many\""), "many are not \"${env:WORD}\"");
    }

    #[test]
    fn a_part_of_a_secret_is_not_shown_either() {
        let mut hidden = Hidden::default();
        hidden.add("/srv/Hunter2:CorrectHorse/port", "${env:SECRET}");
        hidden.add("Swordfish", "${env:NAME}");
        for (text, shown) in [
            ("\"CorrectHorse\" is not a port (1 to 65535)", "\"${env:SECRET}\" is not a port (1 to 65535)"),
            ("the folder /srv/Hunter2: no such", "the folder ${env:SECRET}: no such"),
            ("correcthorse/ is no name", "${env:SECRET} is no name"),
            ("no \"port\" on a port", "no \"${env:SECRET}\" on a port"),
            ("Swordfish can't be read", "${env:NAME} can't be read"),
            ("[upstream.swordfish]", "[upstream.swordfish]"),
            ("did you mean \"srv\"? No.", "did you mean \"srv\"? No."),
        ] {
            assert_eq!(hidden.hide(text), shown);
        }
    }
}
