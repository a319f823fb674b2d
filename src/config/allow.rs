//! What a file allows at single places: `# vestibule: allow(client-forward) the resolver checks them`, behind a line or
//! right above it, and what `[lints]` says of all the others. A comment is for the line that a message names, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Place, Severity};
use super::lint::LintLevel;
use super::lints;
use super::source::Source;
use super::words::suggest;

impl Diagnostics {
    /// Gives each warning the level that is wanted: by a comment at its line, else by `[lints]`. Called once, when everything was
    /// found; `sources` are the files in which nothing may have been found, and something may be allowed; where others write, in files of
    /// these names, a comment lifts no "deny".
    pub fn settle(
        &mut self,
        levels: &BTreeMap<String, LintLevel>,
        sources: impl IntoIterator<Item = Arc<Source>>,
        delegated: &BTreeSet<String>,
    ) {
        let mut files: BTreeMap<String, Arc<Source>> = sources.into_iter().map(|source| (source.name().to_owned(), source)).collect();
        for one in self.found() {
            if let Place::File { source, .. } = one.place() {
                files.entry(source.name().to_owned()).or_insert_with(|| Arc::clone(source));
            }
        }
        let mut comments: Vec<_> = files.values().flat_map(Comment::all).collect();
        for one in self.found().iter().filter(|one| !one.also.is_empty()) {
            comments.iter_mut().filter(|comment| comment.is_for_another_line_of(one)).for_each(|comment| {
                comment.names(one.severity(), |_| true);
            });
        }
        let is_denied = |lint: &str| levels.get(lint) == Some(&LintLevel::Deny);
        self.retain(|one| {
            let mut allows = |comment: &mut Comment<'_>| {
                let may_lift = |lint: &str| !(delegated.contains(comment.source.name()) && is_denied(lint));
                comment.allows(one, may_lift)
            };
            !comments.iter_mut().any(&mut allows)
        });
        for comment in &comments {
            comment.judge(self);
        }
        self.set_levels(|lint| levels.get(lint).copied().unwrap_or(LintLevel::Warn));
    }
}

/// A comment that allows something, or is meant to.
struct Comment<'s> {
    source: &'s Arc<Source>,
    /// The line that it is about; none if it stands above no line.
    line: Option<usize>,
    /// Its bytes, and those of each name with whether there was anything to allow.
    span: Range<usize>,
    names: Vec<(Range<usize>, bool)>,
    /// Those that it may not allow.
    overruled: BTreeSet<usize>,
}

impl<'s> Comment<'s> {
    /// All of a file.
    fn all(source: &'s Arc<Source>) -> Vec<Self> {
        if !source.text().contains(MARK) {
            return Vec::new();
        }
        comments(source.text()).into_iter().filter_map(|span| Self::read(source, span)).collect()
    }

    /// A comment as what it allows; nothing of one that only speaks of vestibule.
    fn read(source: &'s Arc<Source>, span: Range<usize>) -> Option<Self> {
        let text = &source.text()[span.clone()];
        let rest = text.trim_start_matches('#').trim_start().strip_prefix(MARK)?.trim_start();
        let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        let has_list = rest[word.len()..].trim_start().starts_with('(');
        if word != ALLOW && !has_list {
            return None;
        }
        let open = text.find('(').filter(|_| word == ALLOW && has_list);
        let names = open.and_then(|open| Some(parts(&text[open + 1..open + text[open..].find(')')?], span.start + open + 1)));
        Some(Self { source, line: line_of(source, span.start), span, names: names.unwrap_or_default(), overruled: BTreeSet::new() })
    }

    fn allows(&mut self, one: &Diagnostic, may_lift: impl Fn(&str) -> bool) -> bool {
        let is_there = self.is_at(one.place()) || one.named.as_ref().is_some_and(|place| self.is_at(place));
        is_there && self.names(one.severity(), may_lift)
    }

    fn is_at(&self, place: &Place) -> bool {
        let Place::File { source, span } = place else { return false };
        self.source.name() == source.name() && self.line == Some(source.position(span.start).0)
    }

    /// Whether this stands at a line of which the same would be said, were it not said of several at once.
    fn is_for_another_line_of(&self, one: &Diagnostic) -> bool {
        let Place::File { source, .. } = one.place() else { return false };
        self.source.name() == source.name() && self.line.is_some_and(|line| one.also.binary_search(&line).is_ok())
    }

    /// Whether it has the name of a warning, which is needed then, and may lift it.
    fn names(&mut self, severity: Severity, may_lift: impl Fn(&str) -> bool) -> bool {
        let Severity::Warning(lint) = severity else { return false };
        let text = self.source.text();
        let mut is_allowed = false;
        for (name, was_needed) in self.names.iter_mut().filter(|(name, _)| &text[name.clone()] == lint) {
            *was_needed = true;
            is_allowed = may_lift(lint);
            if !is_allowed {
                self.overruled.insert(name.start);
            }
        }
        is_allowed
    }

    /// Tells of what it allows for nothing.
    fn judge(&self, diagnostics: &mut Diagnostics) {
        if self.names.is_empty() {
            let problem = "this allows nothing: the lints belong in parentheses behind `allow`";
            self.needless(diagnostics, &self.span, problem).help("# vestibule: allow(client-forward) why it is meant");
        }
        for (span, was_needed) in &self.names {
            let name = &self.source.text()[span.clone()];
            match lints::find(name) {
                Some(_) if self.overruled.contains(&span.start) => {
                    let problem = format!("[lints] denies {name}, and no comment in this file lifts that");
                    self.needless(diagnostics, span, &problem).help("the comment would have to stand in a file of those who wrote [lints]");
                }
                Some(lint) if *was_needed || lint.comes_and_goes => {}
                // What was left out for its own error may have needed it.
                Some(_) if diagnostics.has_errors() => {}
                Some(_) => {
                    let problem = match self.line {
                        Some(line) => format!("there is no {name} to allow in line {line}"),
                        None => format!("there is no {name} to allow, since this stands above no line"),
                    };
                    self.needless(diagnostics, span, &problem).help("leave it out, or put it at the line that a warning names");
                }
                None => {
                    let warning = self.needless(diagnostics, span, &format!("no lint is named {name:?}, so none is allowed"));
                    suggest(name, lints::names()).map(|near| warning.help(format!("did you mean {near:?}?")));
                }
            }
        }
    }

    fn needless<'d>(&self, diagnostics: &'d mut Diagnostics, span: &Range<usize>, problem: &str) -> &'d mut Diagnostic {
        let place = Place::File { source: Arc::clone(self.source), span: span.clone() };
        diagnostics.warning("needless-allow", place, problem)
    }
}

/// The line that a comment at this byte is about: its own if there is more on it, else the next that is no comment.
fn line_of(source: &Source, at: usize) -> Option<usize> {
    let (own, _) = source.position(at);
    let (start, _) = source.line(own);
    if !source.text()[start..at].trim().is_empty() {
        return Some(own);
    }
    let next = (own + 1..).find(|&line| !source.line(line).1.trim_start().starts_with('#'))?;
    (!source.line(next).1.trim().is_empty()).then_some(next)
}

/// The parts of a list with commas by their bytes, of which none is needed so far. The list begins at this byte.
fn parts(list: &str, start: usize) -> Vec<(Range<usize>, bool)> {
    let mut parts = Vec::new();
    let mut at = start;
    for part in list.split(',') {
        let from = at + part.len() - part.trim_start().len();
        parts.push((from..from + part.trim().len(), false));
        at += part.len() + 1;
    }
    parts.retain(|(span, _)| !span.is_empty());
    parts
}

/// The comments of a text by TOML's rules, so that none is seen inside a string. What is no TOML has no strings.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find(['#', '"', '\'']) {
        at += next;
        let rest = &text[at..];
        let line = rest.find('\n').unwrap_or(rest.len());
        let long = ["\"\"\"", "'''"].into_iter().find(|quotes| rest.starts_with(quotes));
        at += match long {
            _ if rest.starts_with('#') => {
                comments.push(at..at + rest[..line].trim_end().len());
                line
            }
            Some(quotes) => closed(rest, quotes),
            None => closed(&rest[..line], &rest[..1]),
        };
    }
    comments
}

/// How long a string is that begins with these quotes, which end it, too.
fn closed(text: &str, quotes: &str) -> usize {
    let mut at = quotes.len();
    while at < text.len() {
        let rest = &text[at..];
        if let Some(more) = rest.strip_prefix(quotes) {
            // Of a long string, up to two quotes before the last three are its own.
            let own = more.chars().take(quotes.len() - 1).take_while(|&more| quotes.starts_with(more)).count();
            return at + quotes.len() + own;
        }
        let escaped = rest.starts_with('\\') && quotes.starts_with('"');
        at += rest.chars().take(if escaped { 2 } else { 1 }).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

const MARK: &str = "vestibule:";
const ALLOW: &str = "allow";

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: &str = "open-access";
    const NOTHING: [&str; 0] = [];

    /// What is left of warnings at the words `HERE` of a text.
    fn settled(text: &str, levels: &[(&str, LintLevel)]) -> Diagnostics {
        let source = Arc::new(Source::new("a.toml", text));
        let mut all = Diagnostics::new("a.toml");
        for (start, part) in text.match_indices("HERE") {
            all.warning(LOOK, Place::File { source: Arc::clone(&source), span: start..start + part.len() }, "found");
        }
        let levels = levels.iter().map(|&(name, level)| (name.to_owned(), level)).collect();
        all.settle(&levels, [source], &BTreeSet::new());
        all
    }

    fn left(text: &str) -> Vec<String> {
        settled(text, &[]).sorted().iter().map(|one| format!("{} {}", one.place(), one.problem())).collect()
    }

    #[test]
    fn a_comment_behind_a_line_or_right_above_it_allows() {
        assert_eq!(left("x = HERE # vestibule: allow(open-access)"), NOTHING);
        assert_eq!(left("# vestibule: allow(open-access) since we say so\nx = HERE"), NOTHING);
        assert_eq!(left("  ## vestibule:allow( open-access , )\n# more words\nx = HERE"), NOTHING);
        assert_eq!(left("# vestibule: allow (open-access)\r\nx = HERE\r\n"), NOTHING);
        assert_eq!(left("# vestibule: allow(expired-crl, open-access)\nx = HERE"), NOTHING, "the one beside it comes and goes");
        assert_eq!(settled("x = HERE # vestibule: allow(open-access)\ny = [HERE]", &[]).allowed(), 1);
    }

    #[test]
    fn a_comment_is_about_one_line_only() {
        let told = ["a.toml:1 there is no open-access to allow in line 2", "a.toml:3 found"];
        assert_eq!(left("# vestibule: allow(open-access)\nx = 1\ny = HERE"), told);
        let told = ["a.toml:1 there is no open-access to allow, since this stands above no line", "a.toml:3 found"];
        assert_eq!(left("# vestibule: allow(open-access)\n\ny = HERE"), told);
        assert_eq!(left("x = HERE\n# vestibule: allow(open-access)"), [told[1].replace('3', "1"), told[0].replace(":1", ":2")]);
    }

    #[test]
    fn what_a_string_holds_is_no_comment() {
        for text in [
            "x = \"# vestibule: allow(open-access)\" # HERE",
            "x = \"\\\"# vestibule: allow(open-access)\" # HERE",
            "x = '\\' \ny = '# vestibule: allow(open-access)' # HERE",
            "x = \"\"\"\n# vestibule: allow(open-access)\nHERE\"\"\"",
            "x = '''\n# vestibule: allow(open-access)\nHERE'''",
            "x = \"\"\"a\"\"\"\"\"\ny = \"# vestibule: allow(open-access)\" # HERE",
        ] {
            assert_eq!(left(text).len(), 1, "{text}");
        }
        assert_eq!(left("x = [\"\", HERE] # vestibule: allow(open-access)"), NOTHING);
        assert_eq!(left("x = [\"\"\"\"a\"\"\"\", HERE] # vestibule: allow(open-access)"), NOTHING);
        assert_eq!(left("x = \"never closed\n# vestibule: allow(open-access)\nHERE"), NOTHING, "a string ends with its line");
    }

    #[test]
    fn a_name_that_no_lint_has_is_told_with_what_was_meant() {
        let all = settled("x = HERE # vestibule: allow(open-acess)", &[]);
        let told = all.to_string();
        let expected = "no lint is named \"open-acess\", so none is allowed\n --> a.toml:1:29\n  = help: did you mean \"open-access\"?";
        assert!(told.contains(expected), "{told}");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_is_meant_to_allow_and_does_not_is_told() {
        for text in ["# vestibule: allow open-access", "# vestibule: allow(", "# vestibule: allow()", "# vestibule: ignore(open-access)"] {
            assert_eq!(left(text), ["a.toml:1 this allows nothing: the lints belong in parentheses behind `allow`"], "{text}");
        }
        assert_eq!(left("# vestibule: the hosts of the bank (all of them)\n# the vestibule: allow(x)"), NOTHING, "prose");
    }

    #[test]
    fn beside_errors_nobody_knows_what_is_needless() {
        let source = Arc::new(Source::new("a.toml", "x = 1 # vestibule: allow(open-access)"));
        let mut all = Diagnostics::new("a.toml");
        all.error(Place::Whole, "wrong");
        all.settle(&BTreeMap::new(), [source], &BTreeSet::new());
        assert_eq!(all.len(), 1, "{all}");
    }

    #[test]
    fn where_others_write_no_comment_lifts_what_is_denied() {
        let settled = |level| {
            let source = Arc::new(Source::new("a.toml", "x = HERE # vestibule: allow(open-access)"));
            let mut all = Diagnostics::new("a.toml");
            all.warning(LOOK, Place::File { source: Arc::clone(&source), span: 4..8 }, "found");
            all.settle(&BTreeMap::from([(LOOK.to_owned(), level)]), [source], &BTreeSet::from(["a.toml".to_owned()]));
            all
        };
        let denied = settled(LintLevel::Deny);
        assert_eq!((denied.errors(), denied.allowed()), (1, 0), "{denied}");
        assert!(denied.to_string().contains("[lints] denies open-access, and no comment in this file lifts that"), "{denied}");
        let warned = settled(LintLevel::Warn);
        assert_eq!((warned.len(), warned.allowed()), (0, 1), "{warned}");
    }

    #[test]
    fn the_file_decides_for_all_places_that_say_nothing() {
        let allowed = settled("x = HERE\ny = HERE", &[(LOOK, LintLevel::Allow)]);
        assert_eq!((allowed.len(), allowed.allowed()), (0, 2));
        let denied = settled("x = HERE\n# vestibule: allow(open-access)\ny = HERE", &[(LOOK, LintLevel::Deny)]);
        assert_eq!((denied.errors(), denied.len(), denied.allowed()), (1, 1, 1));
        assert!(denied.to_string().starts_with("error[open-access]: found\n"), "{denied}");
        let needless = settled("x = 1 # vestibule: allow(open-access)", &[("needless-allow", LintLevel::Allow)]);
        assert_eq!((needless.len(), needless.allowed()), (0, 1));
    }
}
