//! What becomes of a slip.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use vestibule::config::{Config, Diagnostic, Diagnostics, Paint, Place, Severity};
use vestibule::snapshot::Snapshot;

use super::line::{Line, words};
use super::slips::{self, Slip};
use super::warnings;
use crate::examples::stage::Stage;

/// What becomes of a file with a slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is refused, with the line at which the slip is, or with one that has the name in question.
    Told,
    /// It is refused, and every complaint is about something else.
    Elsewhere(String),
    /// A lint warns.
    Warned,
    /// One of the file's own tests refuses it.
    Tested,
    /// It says the same as before.
    Same,
    /// It says something else, and nobody notices.
    Through,
}

impl Verdict {
    /// The columns of the table.
    pub const NAMES: [&str; 6] = ["told", "elsewhere", "a lint", "a test", "the same", "nobody"];

    pub fn column(&self) -> usize {
        match self {
            Self::Told => 0,
            Self::Elsewhere(_) => 1,
            Self::Warned => 2,
            Self::Tested => 3,
            Self::Same => 4,
            Self::Through => 5,
        }
    }

    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere(_))
    }

    /// Whether it is told at a line that is not to be found fault with.
    pub fn is_astray(&self) -> bool {
        matches!(self, Self::Elsewhere(said) if !EXCUSED.iter().any(|(words, _)| said.contains(words)))
    }

    pub fn is_through(&self) -> bool {
        *self == Self::Through
    }

    /// What was said instead of what should have been.
    pub fn said(&self) -> String {
        match self {
            Self::Elsewhere(said) => format!("\n{said}"),
            _ => String::new(),
        }
    }
}

/// A good file, among those that are read with it.
pub struct Original<'s> {
    stage: &'s Stage,
    file: PathBuf,
    text: String,
    config: Config,
    warnings: BTreeSet<(&'static str, Option<usize>)>,
}

impl<'s> Original<'s> {
    pub fn of(stage: &'s Stage, file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap();
        let loaded = stage.load(&[]);
        let config = loaded.config.clone();
        let compiled = Snapshot::check(loaded);
        assert!(compiled.snapshot.is_some(), "{}", compiled.diagnostics.render(Paint::Plain));
        Self { stage, file, text, config, warnings: warnings(&compiled.diagnostics) }
    }

    /// All that can be made in it.
    pub fn slips(&self) -> Vec<Slip> {
        if self.is_list() { slips::all_of_list(&self.text) } else { slips::all(&self.text) }
    }

    /// Whether it is a list, of which the configuration only knows where it is.
    fn is_list(&self) -> bool {
        self.file.extension().is_none_or(|ending| ending != "toml")
    }

    pub fn name(&self) -> String {
        format!("{}/{}", self.stage.name, self.file.file_name().unwrap().to_string_lossy())
    }

    /// Puts the good file back.
    pub fn restore(&self) {
        fs::write(&self.file, &self.text).unwrap();
    }

    pub fn judge(&self, slip: &Slip) -> Verdict {
        fs::write(&self.file, &slip.text).unwrap();
        let judged = catch_unwind(AssertUnwindSafe(|| self.verdict(slip)));
        judged.unwrap_or_else(|_| panic!("this brings it down:\n{}", slip.text))
    }

    fn verdict(&self, slip: &Slip) -> Verdict {
        let (diagnostics, config) = match self.stage.try_load(&[]) {
            Err(diagnostics) => (diagnostics, None),
            Ok(loaded) => {
                let config = loaded.config.clone();
                (Snapshot::check(loaded).diagnostics, Some(config))
            }
        };
        let errors: Vec<_> = diagnostics.sorted().into_iter().filter(|one| one.severity() == Severity::Error).collect();
        if !errors.is_empty() {
            return self.refused(slip, &diagnostics, &errors);
        }
        if !self.is_list() && config.as_ref() == Some(&self.config) {
            return Verdict::Same;
        }
        if warnings(&diagnostics).len() > self.warnings.len() { Verdict::Warned } else { Verdict::Through }
    }

    fn refused(&self, slip: &Slip, diagnostics: &Diagnostics, errors: &[&Diagnostic]) -> Verdict {
        if errors.iter().all(|error| self.is_of_a_test(slip, error)) {
            return Verdict::Tested;
        }
        if errors.iter().any(|error| self.is_about(slip, error)) || mentions(slip, diagnostics) {
            return Verdict::Told;
        }
        Verdict::Elsewhere(diagnostics.render(Paint::Plain).lines().take(8).map(|line| format!("    {line}\n")).collect())
    }

    /// Whether an error stands where the slip is, or at a line that has one of its names, or is about the whole file.
    fn is_about(&self, slip: &Slip, error: &Diagnostic) -> bool {
        let Some(number) = error.place().line() else { return true };
        let is_there = slip.lines.contains(&number) && self.is_in_file(error.place());
        is_there || line_of(error.place(), number).is_some_and(|line| has_a_name_of(&line, slip))
    }

    /// Whether a test fails that is not the slip's own line.
    fn is_of_a_test(&self, slip: &Slip, error: &Diagnostic) -> bool {
        let Some(number) = error.place().line() else { return false };
        let is_test = line_of(error.place(), number).is_some_and(|line| line.contains("expect ="));
        is_test && !(slip.lines.contains(&number) && self.is_in_file(error.place()))
    }

    fn is_in_file(&self, place: &Place) -> bool {
        matches!(place, Place::File { source, .. } if source.name().ends_with(&*self.file.file_name().unwrap().to_string_lossy()))
    }
}

/// Whether a complaint names the line of the slip beside its own, or says how to write the key that was there.
fn mentions(slip: &Slip, diagnostics: &Diagnostics) -> bool {
    let said = diagnostics.render(Paint::Plain);
    let helps = || said.lines().filter(|line| line.contains("= help: "));
    if slip.names.iter().any(|name| helps().any(|help| help.contains(&format!(" {name} = ")))) {
        return true;
    }
    let is_named = |line: &usize| {
        [
            format!("toml:{line})"),
            format!("toml:{line},"),
            format!("line {line}\n"),
            format!("line {line})"),
            format!("line {line},"),
            format!("line {line};"),
        ]
        .iter()
        .any(|name| said.contains(name))
    };
    slip.lines.iter().any(is_named)
}

/// A list has its names without quotes.
fn has_a_name_of(line: &str, slip: &Slip) -> bool {
    let listed = line.split_whitespace().last().filter(|_| !line.contains('='));
    Line::of(line).names().flat_map(words).chain(listed).any(|name| slip.names.contains(name))
}

/// The text of a line of the file in which something is.
fn line_of(place: &Place, number: usize) -> Option<String> {
    match place {
        Place::File { source, .. } => Some(source.line(number).1.to_owned()),
        Place::Environment(_) | Place::Set(_) | Place::Whole => None,
    }
}

/// What may be told at another line, and why.
const EXCUSED: [(&str, &str); 2] = [
    ("no routes are named", "without its `include` a file misses at once all that the others have"),
    ("a value already and can't be a table", "without the header above them, keys of a listener are keys of the file"),
];
