//! Lists, tables and long texts that nobody closed. TOML's parser goes on in them to the next thing that cannot stand there,
//! and blames that.

use std::ops::Range;

use super::foreign::lines;
use super::line::Line;

/// Something that is never closed.
pub(super) struct Unclosed {
    /// Where it begins.
    pub(super) span: Range<usize>,
    pub(super) what: &'static str,
    pub(super) closers: String,
    /// The line, counted from 0, at whose end it could be closed.
    pub(super) last_line: usize,
    /// The line that cannot be a part of it; none is the end of the file.
    pub(super) next: Option<usize>,
    /// Where a bracket of another sort stands, in that last line, which shows that this one should have been closed.
    pub(super) before: Option<usize>,
}

/// All of them in a text.
pub(super) fn unclosed(text: &str) -> Vec<Unclosed> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quotes: Option<(&'static str, usize, usize)> = None;
    let mut last_line = 0;
    for (number, (start, text)) in lines(text).enumerate() {
        let line = Line::within(text, quotes.map(|(quotes, ..)| quotes));
        match line.goes_on {
            Some((marks, at)) => quotes = quotes.or(Some((marks, start + at, number))),
            None => quotes = None,
        }
        if text.trim().is_empty() {
            continue;
        }
        let begins_anew = line.is_header() || (line.is_assignment() && open.last().is_some_and(|(_, c)| *c == '['));
        if begins_anew {
            found.extend(brackets(&open, last_line, Some(number)));
            open.clear();
        }
        // A quote that is missing explains a bracket that is.
        if line.unclosed.is_none() && !super::nginx::is_block(&line) && !(open.is_empty() && line.is_nearly_header()) {
            for &(at, c) in &line.bare {
                match c {
                    '[' | '{' => open.push((start + at, c)),
                    // What closes another one shows that this one is not closed.
                    ']' | '}' => {
                        let innermost = open.pop().filter(|(_, opener)| closer(*opener) != c);
                        let is_of_next = open.last().is_some_and(|(_, opener)| closer(*opener) == c);
                        open.truncate(open.len() - usize::from(innermost.is_some() && !open.is_empty()));
                        let Some(one) = innermost else { continue };
                        if one.0 < start {
                            found.extend(brackets(&[one], last_line, Some(number)));
                        } else if is_of_next {
                            let before = Some(start + at);
                            found.extend(brackets(&[one], number, None).map(|one| Unclosed { before, ..one }));
                        }
                    }
                    _ => {}
                }
            }
        }
        last_line = number;
    }
    if let Some((marks, at, number)) = quotes {
        let span = at..at + marks.len();
        found.push(Unclosed {
            span,
            what: "this text over several lines",
            closers: marks.into(),
            last_line: number,
            next: None,
            before: None,
        });
    } else {
        found.extend(brackets(&open, last_line, None));
    }
    found
}

/// The innermost of these, with what closes all.
fn brackets(open: &[(usize, char)], last_line: usize, next: Option<usize>) -> Option<Unclosed> {
    let &(at, innermost) = open.last()?;
    let what = if innermost == '[' { "this list" } else { "this table" };
    let closers = open.iter().rev().map(|(_, opener)| closer(*opener)).collect();
    Some(Unclosed { span: at..at + 1, what, closers, last_line, next, before: None })
}

fn closer(opener: char) -> char {
    if opener == '[' { ']' } else { '}' }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line where each begins, and that which it cannot go on with, counted from 1.
    fn found(text: &str) -> Vec<(usize, Option<usize>)> {
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        unclosed(text).into_iter().map(|one| (line(one.span.start), one.next.map(|next| next + 1))).collect()
    }

    #[test]
    fn a_list_is_blamed_where_it_begins() {
        assert_eq!(found("a = [\n\"b\",\n\n[log]\nc = [\n'd'\ne = 1\n"), [(1, Some(4)), (5, Some(7))]);
        assert_eq!(found("a = [\n\"b\"\n"), [(1, None)]);
    }

    #[test]
    fn a_table_in_a_list_is_blamed_where_it_begins() {
        assert_eq!(found("a = [\n  { b = 1,\n  { b = 2 },\n]\nc = 1\n"), [(2, Some(4))]);
        let all = unclosed("a = { b = [1\n[log]\n");
        assert_eq!(all.iter().map(|one| &one.closers[..]).collect::<Vec<_>>(), ["]}"]);
    }

    #[test]
    fn what_is_closed_is_not_blamed() {
        for text in
            ["a = [\n  { b = 1 }, # [\n  [2],\n]\n[log]\n", "a = {\n  b = 1,\n}\nc = 1\n", "a = \"\"\"\n[\n\"\"\"\n", "[[a]\n[b]]\n"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_quote_that_is_missing_takes_its_brackets_along() {
        assert_eq!(found("a = [\"b]\nc = 1\n"), []);
    }

    #[test]
    fn a_long_text_is_blamed_where_it_begins() {
        assert_eq!(found("a = 1\nb = '''x\n[c]\nd = 1\n"), [(2, None)]);
    }
}
