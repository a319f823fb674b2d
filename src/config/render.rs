//! Prints diagnostics the way compilers do: problem, place, line, caret, way out.

use std::collections::BTreeSet;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics, Place, Severity};
use super::source::Source;

/// Whether a terminal reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// For files, pipes and logs.
    Plain,
    /// With ANSI colours.
    Colours,
}

impl Diagnostics {
    /// Everything as text, with a last line that says whether the file is usable; empty if there is nothing to say.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut text = String::new();
        let mut told = BTreeSet::new();
        for one in self.sorted().into_iter().take(MOST_SHOWN) {
            // The keys of a table, listed below the first that is none of them, need not be listed below the second.
            let is_news = one.label.is_none() || told.insert((&one.label, &one.help));
            text.push_str(&render(one, if is_news { one.help.as_deref() } else { None }, paint));
        }
        if self.len() > MOST_SHOWN {
            text.push_str(&format!("... and {} more\n", self.len() - MOST_SHOWN));
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// `routes.toml: 4 errors, 2 warnings: not usable`, or `routes.toml: no errors`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |number: usize, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let counts = [count(self.errors(), "error"), count(self.warnings(), "warning")];
        let counts = counts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let counts = if counts.is_empty() { "no errors" } else { &counts };
        let verdict = if self.has_errors() { ": not usable" } else { "" };
        format!("{}: {counts}{verdict}", self.subject())
    }
}

/// As plain text, without the last line's end.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(Paint::Plain).trim_end_matches('\n'))
    }
}

fn render(one: &Diagnostic, help: Option<&str>, paint: Paint) -> String {
    let problem = match &one.place {
        Place::File { .. } | Place::Whole => one.problem.clone(),
        Place::Environment(variable) => format!("{} (from the environment: {})", one.problem, shortened(variable)),
        Place::Set(item) => format!("{} (from the command line: --set {})", one.problem, shortened(item)),
    };
    let title = match one.severity {
        Severity::Error => Level::ERROR.primary_title(problem),
        Severity::Denied(lint) => Level::ERROR.primary_title(problem).id(lint),
        Severity::Warning(lint) => Level::WARNING.primary_title(problem).id(lint),
    };
    let shows_line = one.severity == Severity::Error || one.label.is_some();
    let (group, margin, below) = match &one.place {
        Place::File { source, span } => {
            let (line, column) = source.position(span.start);
            let margin = line.to_string().len();
            if shows_line {
                (title.element(snippet(source, span.clone(), one.label.as_deref())), margin, None)
            } else {
                (Group::with_title(title), margin, Some(format!("{:margin$}--> {}:{line}:{column}", "", source.name())))
            }
        }
        Place::Environment(_) | Place::Set(_) | Place::Whole => {
            (Group::with_title(title), 1, one.label.as_ref().map(|label| format!("  = help: {label}")))
        }
    };
    let renderer = if paint == Paint::Colours { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.term_width(WIDTH).render(&[group]);
    // The renderer would put an empty line before the help, and none of the margin before a place without its line.
    let help = help.into_iter().flat_map(str::lines).enumerate().map(|(index, line)| match index {
        0 => format!("{:margin$} = help: {line}", ""),
        _ => format!("{:margin$}         {line}", "").trim_end().to_owned(),
    });
    for line in below.into_iter().chain(help) {
        text.push('\n');
        text.push_str(&line);
    }
    text.push('\n');
    text
}

/// The line of `span` with a caret under it; what goes on over several lines is shown by its first.
fn snippet<'a>(source: &'a Source, span: std::ops::Range<usize>, label: Option<&'a str>) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let (number, _) = source.position(span.start);
    let (start, line) = source.line(number);
    let from = (span.start - start).min(line.len());
    let to = (span.end.max(span.start) - start).clamp(from, line.len());
    let caret = AnnotationKind::Primary.span(from..to).label(label);
    Snippet::source(line).line_start(number).path(source.name()).annotation(caret)
}

/// An environment variable may be huge.
fn shortened(text: &str) -> String {
    let clean: String = text.chars().take(100).flat_map(|c| if c.is_control() { c.escape_unicode().collect() } else { vec![c] }).collect();
    if text.chars().nth(100).is_some() { clean + "..." } else { clean }
}

/// Beyond these nobody reads on, and one mistake has probably been made many times.
const MOST_SHOWN: usize = 200;
const WIDTH: usize = 140;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn place(source: &Arc<Source>, part: &str) -> Place {
        let start = source.text().find(part).expect("the part stands in the text");
        Place::File { source: Arc::clone(source), span: start..start + part.len() }
    }

    #[test]
    fn it_looks_as_the_contract_says() {
        let text = format!("{}idle_timeout = 10\n\"shop.example.com\" = \"shpo\"\n", "\n".repeat(13));
        let source = Arc::new(Source::new("routes.toml", text));
        let mut all = Diagnostics::new("routes.toml");
        all.warning("not-tls-refused", place(&source, "idle_timeout"), "plain HTTP will be closed").help("not_tls = \"web\"");
        all.error(place(&source, "\"shpo\""), "no upstream is named \"shpo\"").label("did you mean \"shop\" (routes.toml:30)?");
        all.error(place(&source, "10"), "a duration needs a unit").label("\"10s\"").help("two\nlines");
        let expected = r#"error: a duration needs a unit
  --> routes.toml:14:16
   |
14 | idle_timeout = 10
   |                ^^ "10s"
   = help: two
           lines
error: no upstream is named "shpo"
  --> routes.toml:15:22
   |
15 | "shop.example.com" = "shpo"
   |                      ^^^^^^ did you mean "shop" (routes.toml:30)?
warning[not-tls-refused]: plain HTTP will be closed
  --> routes.toml:14:1
   = help: not_tls = "web"
routes.toml: 2 errors, 1 warning: not usable
"#;
        assert_eq!(all.render(Paint::Plain), expected);
    }

    #[test]
    fn what_came_from_elsewhere_says_so() {
        let mut all = Diagnostics::new("routes.toml");
        all.error(Place::Environment("VESTIBULE_LOG__FORMAT=jsno".into()), "no log format is named \"jsno\"")
            .label("did you mean \"json\"?");
        let expected = "error: no log format is named \"jsno\" (from the environment: VESTIBULE_LOG__FORMAT=jsno)\n  \
                        = help: did you mean \"json\"?\nroutes.toml: 1 error: not usable";
        assert_eq!(all.to_string(), expected);
    }

    #[test]
    fn warnings_alone_leave_the_file_usable() {
        let mut all = Diagnostics::new("routes.toml");
        assert_eq!(all.render(Paint::Plain), "");
        all.warning("lint", Place::Whole, "one");
        all.warning("lint", Place::Whole, "two");
        assert!(all.to_string().ends_with("routes.toml: 2 warnings"));
    }

    #[test]
    fn a_caret_stays_on_its_line_whatever_the_span() {
        let source = Arc::new(Source::new("a.toml", "servers = [\n  1,\n]"));
        for (start, end) in [(10, 17), (11, 11), (17, 18), (18, 18), (0, 18)] {
            let mut all = Diagnostics::new("a.toml");
            all.error(Place::File { source: Arc::clone(&source), span: start..end }, "wrong");
            assert_eq!(all.to_string().lines().filter(|line| line.contains('^')).count(), 1, "{start}..{end}");
        }
    }

    #[test]
    fn a_flood_is_cut_short_and_says_so() {
        let mut all = Diagnostics::new("a.toml");
        for number in 0..300 {
            all.error(Place::Whole, format!("error {number}"));
        }
        let text = all.to_string();
        assert!(text.contains("... and 100 more\na.toml: 300 errors: not usable"), "{text}");
    }
}
