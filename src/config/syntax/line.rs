//! One line of TOML that may be no TOML: what of it stands outside of quotes and comments, and what is left open.

/// A line, looked at.
pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    /// The characters outside of quotes and comments, with their places.
    pub(super) bare: Vec<(usize, char)>,
    /// Where a text begins that does not end in this line, though it should.
    pub(super) unclosed: Option<usize>,
    /// The quotes of a text that may go on in the next line, and where it begins.
    pub(super) goes_on: Option<(&'static str, usize)>,
    /// Where its comment begins, or it ends.
    pub(super) end: usize,
}

impl<'t> Line<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self::within(text, None)
    }

    /// A line that begins within a text of these quotes.
    pub(super) fn within(text: &'t str, quotes: Option<&'static str>) -> Self {
        let mut line = Self { text, bare: Vec::new(), unclosed: None, goes_on: None, end: text.len() };
        let mut at = 0;
        if let Some(quotes) = quotes {
            let Some(end) = text.find(quotes) else {
                line.goes_on = Some((quotes, 0));
                return line;
            };
            at = end + quotes.len();
        }
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            if c == '#' {
                line.end = at;
                break;
            } else if let Some(quotes) = LONG_QUOTES.into_iter().find(|quotes| rest.starts_with(quotes)) {
                let Some(length) = rest[3..].find(quotes) else {
                    line.goes_on = Some((quotes, at));
                    break;
                };
                at += length + 6;
            } else if c == '"' || c == '\'' {
                let Some(length) = closing(&rest[1..], c) else {
                    line.unclosed = Some(at);
                    break;
                };
                at += length + 2;
            } else {
                line.bare.push((at, c));
                at += c.len_utf8();
            }
        }
        line
    }

    /// The line without its comment and the space around it, and where that begins.
    pub(super) fn statement(&self) -> (usize, &'t str) {
        let text = self.text[..self.end].trim_end();
        let start = text.len() - text.trim_start().len();
        (start, &text[start..])
    }

    /// Where a character stands outside of quotes.
    pub(super) fn find(&self, wanted: char) -> Option<usize> {
        self.bare.iter().find(|(_, c)| *c == wanted).map(|(at, _)| *at)
    }

    /// Whether it begins as the header of a table does, and not as an address or a list.
    pub(super) fn is_header(&self) -> bool {
        let (_, statement) = self.statement();
        let name = statement.trim_start_matches('[');
        let has_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !statement.contains([',', '=', ':']);
        statement.len() > name.len() && has_name && statement.ends_with(']')
    }

    /// Whether it begins as a header does, whatever its end.
    pub(super) fn is_nearly_header(&self) -> bool {
        let (_, statement) = self.statement();
        let name = statement.trim_start_matches('[');
        statement.len() > name.len() && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !statement.contains(',')
    }

    /// Whether it begins with a key and `=`.
    pub(super) fn is_assignment(&self) -> bool {
        let Some(at) = self.find('=') else { return false };
        !self.bare.iter().any(|&(before, c)| before < at && matches!(c, '[' | '{' | ',' | '}' | ']'))
    }

    /// The brackets that it closes without having opened them, and those that it opens and leaves open, with their places.
    pub(super) fn brackets(&self) -> (usize, Vec<(usize, char)>) {
        let mut open: Vec<(usize, char)> = Vec::new();
        let mut closed = 0;
        for &(at, c) in &self.bare {
            match c {
                '[' | '{' => open.push((at, c)),
                ']' | '}' if open.pop().is_none() => closed += 1,
                _ => {}
            }
        }
        (closed, open)
    }

    /// Whether nothing of what is wrong in it can reach into the next line.
    pub(super) fn stands_alone(&self) -> bool {
        let (closed, open) = self.brackets();
        self.unclosed.is_none() && self.goes_on.is_none() && closed == 0 && open.is_empty()
    }
}

/// The length of a text up to its closing quote.
pub(super) fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

const LONG_QUOTES: [&str; 2] = ["\"\"\"", "'''"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_and_comments_is_not_looked_at() {
        let line = Line::new(r#"a = "[=\"" + '#' # = ["#);
        let bare: String = line.bare.iter().map(|(_, c)| c).collect();
        assert_eq!(bare, "a =  +  ");
        assert_eq!(line.statement(), (0, r#"a = "[=\"" + '#'"#));
    }

    #[test]
    fn a_text_that_is_left_open_is_found_where_it_begins() {
        assert_eq!(Line::new("a = \"b").unclosed, Some(4));
        assert_eq!(Line::new("a = 'b\"").unclosed, Some(4));
        assert_eq!(Line::new("a = \"\"\"b").goes_on, Some(("\"\"\"", 4)));
        assert!(Line::within("b\"\"\" ]", Some("\"\"\"")).goes_on.is_none());
    }

    #[test]
    fn brackets_are_paired_within_their_line() {
        assert_eq!(Line::new("a = [[1], {").brackets(), (0, vec![(4, '['), (10, '{')]));
        assert_eq!(Line::new("}, '[' ]").brackets(), (2, vec![]));
    }

    #[test]
    fn a_header_is_told_from_what_else_begins_with_a_bracket() {
        assert!(Line::new(" [[routes.dmz.patterns]] # x").is_header());
        for other in ["[::1]:443", "[\"a\", \"b\"]", "[web, api]", "[1]", "[a] = 1"] {
            assert!(!Line::new(other).is_header(), "{other}");
        }
    }
}
