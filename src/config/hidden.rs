//! What complaints must not show: values of the environment, which may be secrets. Their names are shown instead.

use std::borrow::Cow;
use std::sync::Arc;

/// Texts that are not shown, each with what is; the longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden(Arc<Vec<(String, String)>>);

impl Hidden {
    pub(super) fn add(&mut self, secret: &str, shown: &str) {
        if secret.len() < SHORT {
            return;
        }
        let quoted = format!("{secret:?}");
        let escaped = quoted[1..quoted.len() - 1].to_owned();
        let texts = Arc::make_mut(&mut self.0);
        for text in [escaped, secret.to_owned()] {
            if !texts.iter().any(|(known, _)| *known == text) {
                texts.push((text, shown.to_owned()));
            }
        }
        texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// The text without any of them, where they are words of their own.
    pub(super) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, (secret, shown)| {
            if !text.contains(&**secret) {
                return text;
            }
            let mut clean = String::with_capacity(text.len());
            let mut from = 0;
            for (at, _) in text.match_indices(&**secret).filter(|(at, _)| is_word(&text, *at, secret.len())) {
                clean.push_str(&text[from..at]);
                clean.push_str(shown);
                from = at + secret.len();
            }
            clean.push_str(&text[from..]);
            Cow::Owned(clean)
        })
    }
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let behind = text[at + length..].chars().next();
    let is_quoted = before.is_some_and(|c| "\"'`".contains(c)) || behind.is_some_and(|c| "\"'`".contains(c));
    // Our own sentences have words, too.
    let is_common = text[at..at + length].chars().all(char::is_alphabetic);
    !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric) && (is_quoted || !is_common)
}

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
}
