//! What is wrong with a configuration: everything at once, each with its place, the line, a caret and the way out.
//! Errors make the file unusable; warnings are named lints. Both are collected here and printed together, by place.

use std::collections::HashSet;

use super::hidden::Hidden;
use super::lint::LintLevel;
pub(super) use super::place::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// Neither, since `[lints]` says so of a warning. The text is the lint's name.
    Denied(&'static str),
    /// It can, but probably does not do what was meant. The text is the lint's name.
    Warning(&'static str),
}

impl Severity {
    /// Whether the configuration can't be used.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(self, Self::Warning(_))
    }

    /// The lint's name, if it is one's.
    #[must_use]
    pub fn lint(self) -> Option<&'static str> {
        match self {
            Self::Error => None,
            Self::Denied(lint) | Self::Warning(lint) => Some(lint),
        }
    }
}

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) place: Place,
    pub(super) problem: String,
    pub(super) label: Option<String>,
    pub(super) help: Option<String>,
    /// Other lines of its file of which the same is to be said.
    pub(super) also: Vec<usize>,
    /// Where the file is named, if what is allowed there is allowed in it.
    pub(super) named: Option<Place>,
    hidden: Hidden,
}

impl Diagnostic {
    /// Says more right beside the caret; a warning without a label shows its place but not the line.
    pub fn label(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.label = Some(printable(&brief(&self.hidden.hide(text.as_ref()), LONG)));
        self
    }

    /// Speaks for other lines of its file, too, given in their order; a comment where the file is named allows all.
    pub fn for_lines(&mut self, also: Vec<usize>, named: Place) -> &mut Self {
        (self.also, self.named) = (also, Some(named));
        self
    }

    /// Says what to write instead, on a line of its own.
    pub fn help(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.help = Some(printable(&brief(&self.hidden.hide(text.as_ref()), TOO_LONG)));
        self
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is said right beside the caret.
    #[must_use]
    pub fn beside(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Whether it is an error, or else which lint warns.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// All complaints about one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    name: String,
    found: Vec<Diagnostic>,
    hidden: Hidden,
    allowed: usize,
    more_files: usize,
}

impl Diagnostics {
    /// None yet, about the file of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), found: Vec::new(), hidden: Hidden::default(), allowed: 0, more_files: 0 }
    }

    /// Shows, from now on, something else for a text that may be secret.
    pub fn hide(&mut self, secret: &str, shown: &str) {
        self.hidden.add(secret, shown);
    }

    /// Notes an error; `label` and `help` may be added to what comes back.
    pub fn error(&mut self, place: Place, problem: impl AsRef<str>) -> &mut Diagnostic {
        self.note(Severity::Error, place, problem.as_ref())
    }

    /// Notes a warning of the lint of this name.
    pub fn warning(&mut self, lint: &'static str, place: Place, problem: impl AsRef<str>) -> &mut Diagnostic {
        self.note(Severity::Warning(lint), place, problem.as_ref())
    }

    fn note(&mut self, severity: Severity, place: Place, problem: &str) -> &mut Diagnostic {
        let problem = printable(&brief(&self.hidden.hide(problem), LONG));
        let note =
            Diagnostic { severity, place, problem, label: None, help: None, also: Vec::new(), named: None, hidden: self.hidden.clone() };
        self.found.push(note);
        self.found.last_mut().expect("it was pushed the line before")
    }

    /// Takes over what was noted elsewhere.
    pub fn extend(&mut self, others: Self) {
        self.found.extend(others.found);
    }

    /// Takes out all that were noted since there were so many.
    pub fn take_since(&mut self, noted: usize) -> Vec<Diagnostic> {
        self.found.split_off(noted.min(self.found.len()))
    }

    /// Notes of another place what was noted of one.
    pub fn repeat(&mut self, noted: &Diagnostic, place: Place) {
        self.found.push(Diagnostic { place, ..noted.clone() });
    }

    /// Forgets of those noted since there were so many what had been noted before.
    pub fn drop_repeated(&mut self, since: usize) {
        let fresh = self.found.split_off(since.min(self.found.len()));
        for one in fresh {
            if !self.found.contains(&one) {
                self.found.push(one);
            }
        }
    }

    /// The same of many that stand in the same file: forgets what was said of a line before, whatever helps against it.
    pub fn drop_said(&mut self, since: usize) {
        let fresh = self.found.split_off(since.min(self.found.len()));
        if fresh.is_empty() {
            return;
        }
        let said = |one: &Diagnostic| (one.place.to_string(), one.problem.clone(), one.label.clone());
        let known: HashSet<_> = self.found.iter().map(said).collect();
        self.found.extend(fresh.into_iter().filter(|one| !known.contains(&said(one))));
    }

    pub(super) fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    /// Counts as allowed what is not to be kept.
    pub(super) fn retain(&mut self, is_kept: impl FnMut(&Diagnostic) -> bool) {
        let before = self.found.len();
        self.found.retain(is_kept);
        self.allowed += before - self.found.len();
    }

    /// Gives each warning the level of its lint.
    pub(super) fn set_levels(&mut self, level: impl Fn(&'static str) -> LintLevel) {
        let level_of = |one: &Diagnostic| if let Severity::Warning(lint) = one.severity { level(lint) } else { LintLevel::Warn };
        self.retain(|one| level_of(one) != LintLevel::Allow);
        for one in &mut self.found {
            if let (Severity::Warning(lint), LintLevel::Deny) = (one.severity, level_of(one)) {
                one.severity = Severity::Denied(lint);
            }
        }
    }

    /// Tells of so many files besides the main one.
    pub fn with_more_files(&mut self, number: usize) {
        self.more_files = number;
    }

    /// What all is about: `routes.toml`, or `routes.toml and 3 more files`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.more_files {
            0 => self.name.clone(),
            1 => format!("{} and 1 more file", self.name),
            more => format!("{} and {more} more files", self.name),
        }
    }

    /// The main file's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether anything makes the configuration unusable.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.found.iter().filter(|one| one.severity.is_error()).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.len() - self.errors()
    }

    /// How many warnings were found and are allowed.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// How many complaints there are, warnings included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is nothing to complain about.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of printing: errors before warnings, each by place.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<_> = self.found.iter().collect();
        sorted.sort_by_key(|one| (!one.severity.is_error(), one.place.order()));
        sorted
    }
}

/// A text that moves no cursor and hides nothing: what strangers wrote may end up on a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if reorders || (c.is_control() && c != '\n') { clean.extend(c.escape_unicode()) } else { clean.push(c) }
    }
    clean
}

/// A text whose long words, which only users write, are cut short; quotes and the like behind them stay.
fn brief(text: &str, long: usize) -> String {
    let shortened = |word: &str| {
        let inner = word.trim_end_matches(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
        let inner = if word.len() - inner.len() > SHORT { word } else { inner };
        let Some((end, _)) = inner.char_indices().nth(SHORT).filter(|_| inner.chars().count() > long) else {
            return word.to_owned();
        };
        format!("{}…{}", &inner[..end], &word[inner.len()..])
    };
    text.split_inclusive(char::is_whitespace).map(shortened).collect()
}

/// What is left of a word that is cut short, how long words are that are, and how long where they are to be copied.
const SHORT: usize = 60;
const LONG: usize = 80;
const TOO_LONG: usize = 300;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Source;

    #[test]
    fn errors_come_before_warnings_and_each_by_place() {
        let source = Arc::new(Source::new("a.toml", "one\ntwo\n"));
        let at = |start| Place::File { source: Arc::clone(&source), span: start..start + 1 };
        let mut all = Diagnostics::new("a.toml");
        all.warning("lint", at(0), "w1");
        all.error(Place::Set("x=1".into()), "e4");
        all.error(Place::Environment("VESTIBULE_X__Y=1".into()), "e3");
        all.error(at(4), "e2");
        all.error(at(0), "e1");
        let problems: Vec<_> = all.sorted().iter().map(|one| one.problem().to_owned()).collect();
        assert_eq!(problems, ["e1", "e2", "e3", "e4", "w1"]);
        assert_eq!((all.errors(), all.len(), all.has_errors()), (4, 5, true));
    }

    #[test]
    fn a_text_can_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\n");
    }

    #[test]
    fn a_name_of_any_length_takes_one_line() {
        let name = "ü".repeat(5000);
        let mut all = Diagnostics::new("a.toml");
        all.error(Place::Whole, format!("no upstream is named \"{name}\"")).help(format!("[upstream.{name}] with servers = []"));
        let found = all.sorted()[0];
        assert_eq!(found.problem(), format!("no upstream is named \"{}…\"", "ü".repeat(59)));
        assert_eq!(found.help, Some(format!("[upstream.{}…] with servers = []", "ü".repeat(50))));
        assert_eq!(brief(&"é".repeat(80), LONG), "é".repeat(80));
        assert_eq!(brief(&"!".repeat(5000), LONG), "!".repeat(60) + "…");
    }

    #[test]
    fn a_place_is_mentioned_as_the_user_would_look_for_it() {
        let source = Arc::new(Source::new("a.toml", "one\ntwo\n"));
        assert_eq!(Place::File { source, span: 5..6 }.to_string(), "a.toml:2");
        assert_eq!(Place::Environment("VESTIBULE_X__Y=1".into()).to_string(), "the environment: VESTIBULE_X__Y=1");
        assert_eq!(Place::Set("x.y=1".into()).to_string(), "--set x.y=1");
    }
}
