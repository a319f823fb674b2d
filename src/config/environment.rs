//! `${env:NAME}` in a text of a file: what the environment says, put in when the file is read. What was put in is not looked at
//! again, and has no `$`, or it could become a variable that nobody wrote. Where a text stood as it was written is kept, so
//! that a complaint points at the file and not at what came from elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use figment::value::{Dict, Value};

use super::diagnostic::{Diagnostics, Place};
use super::document::{self, Document};
use super::places::Key;
use super::source::Source;
use super::spot::{Below, Files, Spot, Spots};

/// The variables there are.
pub(super) struct Environment(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Environment {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    fn value<'a>(&'a self, name: &'a str, default: Option<&'a str>) -> Result<&'a str, EnvironmentError> {
        if !is_name(name) {
            return Err(EnvironmentError::NoName { name: name.into() });
        }
        let name = || name.to_owned();
        match (self.0.get(&name()).map(String::as_str), default) {
            (Some(value), _) if value.contains(char::REPLACEMENT_CHARACTER) => Err(EnvironmentError::NoText { name: name() }),
            (Some(value), _) if value.contains('$') => Err(EnvironmentError::Dollar { name: name() }),
            (None | Some(""), Some(default)) => Ok(default),
            (Some(value), _) => Ok(value),
            (None, None) => Err(EnvironmentError::Undefined { name: name() }),
        }
    }
}

/// Why a text cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum EnvironmentError {
    #[error("{name:?} is no name of an environment variable")]
    NoName { name: String },
    #[error("the environment has no variable {name}")]
    Undefined { name: String },
    #[error("the value of {name} has a `$`, which begins a variable in many texts")]
    Dollar { name: String },
    #[error("the value of {name} is not UTF-8 text")]
    NoText { name: String },
    #[error("this brace is never closed")]
    Unclosed,
    #[error("files that are included with `hosts` get nothing from the environment")]
    Delegated,
}

impl EnvironmentError {
    fn instead(&self) -> String {
        match self {
            Self::NoName { .. } => "letters, digits and _, a digit not in front".into(),
            Self::Undefined { name } => format!("{name}=... before the command, or ${{env:{name}:-default}}"),
            Self::Dollar { .. } => "write the text into the file".into(),
            Self::NoText { .. } => "what is no text can't be put into one".into(),
            Self::Unclosed => "${env:NAME}".into(),
            Self::Delegated => "it may hold what is not theirs".into(),
        }
    }
}

/// A text that was filled in.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    /// As it is now.
    pub(super) text: String,
    /// What was put in, from front to back.
    parts: Vec<Part>,
}

/// Some bytes, as they stand in the file and as they are now.
#[derive(Clone, Debug)]
struct Part {
    written: Range<usize>,
    read: Range<usize>,
}

impl Filled {
    /// Which bytes of the text in the file became these; of what was put in, all of `${env:NAME}`.
    pub(super) fn written(&self, bytes: Range<usize>) -> Range<usize> {
        let start = match self.parts.iter().rev().find(|part| part.read.start <= bytes.start) {
            None => bytes.start,
            Some(part) if bytes.start < part.read.end => part.written.start,
            Some(part) => part.written.end + (bytes.start - part.read.end),
        };
        let end = match self.parts.iter().rev().find(|part| part.read.start < bytes.end) {
            None => bytes.end,
            Some(part) if bytes.end <= part.read.end => part.written.end,
            Some(part) => part.written.end + (bytes.end - part.read.end),
        };
        start..end.max(start)
    }
}

/// Fills in the texts of a document; what can't be is left out, and the paths of it come back. A document that may have
/// nothing from the environment is given none.
pub(super) fn fill(
    document: &mut Document,
    source: &Arc<Source>,
    environment: Option<&Environment>,
    files: &mut Files,
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<Key>> {
    if !source.text().contains(OPENING) {
        return Vec::new();
    }
    let mut filler = Filler { source, environment, files, diagnostics, path: Vec::new(), cuts: Vec::new() };
    filler.table(&mut document.values, &mut document.spots);
    filler.cuts
}

struct Filler<'a> {
    source: &'a Arc<Source>,
    environment: Option<&'a Environment>,
    files: &'a mut Files,
    diagnostics: &'a mut Diagnostics,
    path: Vec<Key>,
    cuts: Vec<Vec<Key>>,
}

impl Filler<'_> {
    fn table(&mut self, values: &mut Dict, spots: &mut Spots) {
        let mut lost = Vec::new();
        for ((key, value), spot) in values.iter_mut().zip(spots.iter_mut()) {
            self.path.push(key.into());
            if self.value(value, spot).is_none() {
                lost.push(key.clone());
                self.cut();
            }
            self.path.pop();
        }
        values.retain(|key, _| !lost.contains(key));
        spots.retain(|key| !lost.iter().any(|lost| lost == key));
    }

    fn list(&mut self, values: &mut Vec<Value>, spots: &mut Vec<Spot>) {
        let both = std::mem::take(values).into_iter().zip(std::mem::take(spots));
        for (index, (mut value, mut spot)) in both.enumerate() {
            self.path.push(index.into());
            match self.value(&mut value, &mut spot) {
                Some(()) => {
                    values.push(value);
                    spots.push(spot);
                }
                None => self.cut(),
            }
            self.path.pop();
        }
    }

    fn value(&mut self, value: &mut Value, spot: &mut Spot) -> Option<()> {
        match (&mut *value, &mut spot.below) {
            (Value::Dict(_, values), Below::Named(spots)) => self.table(values, spots),
            (Value::Array(_, values), Below::Listed(spots)) => self.list(values, spots),
            (Value::String(_, text), _) if self.source.text()[spot.value.clone()].contains(OPENING) => *value = self.text(text, spot)?,
            _ => {}
        }
        Some(())
    }

    fn text(&mut self, text: &str, spot: &Spot) -> Option<Value> {
        let mut filled = Filled { text: String::with_capacity(text.len()), parts: Vec::new() };
        let mut from = 0;
        while let Some(start) = text[from..].find(OPENING).map(|at| from + at) {
            filled.text.push_str(&text[from..start]);
            let Some(length) = text[start..].find('}') else {
                return self.wrong(spot, start..start + 2, &EnvironmentError::Unclosed);
            };
            let written = start..start + length + 1;
            let begin = filled.text.len();
            match self.part(&text[start + OPENING.len()..start + length]) {
                Ok(value) => filled.text.push_str(&value),
                Err(error) => return self.wrong(spot, written, &error),
            }
            from = written.end;
            filled.parts.push(Part { written, read: begin..filled.text.len() });
        }
        filled.text.push_str(&text[from..]);
        let value = self.typed(text, &filled);
        self.files.fill(spot, filled);
        Some(value)
    }

    /// What stands for `NAME` or `NAME:-default`.
    fn part(&mut self, inside: &str) -> Result<String, EnvironmentError> {
        let environment = self.environment.ok_or(EnvironmentError::Delegated)?;
        let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
        let value = environment.value(name, default)?;
        if Some(value) != default {
            self.diagnostics.hide(value, &format!("${{env:{name}}}"));
        }
        Ok(value.to_owned())
    }

    /// A number or a switch stands in quotes only because all of it is put in. Paths are texts, whatever they look like.
    fn typed(&self, text: &str, filled: &Filled) -> Value {
        let is_all = matches!(&filled.parts[..], [only] if only.written == (0..text.len()));
        let is_path = self.path.first() == Some(&Key::from("include"));
        let typed = if is_all && !is_path { document::plain(&filled.text) } else { None };
        typed.unwrap_or_else(|| Value::from(filled.text.as_str()))
    }

    fn wrong<T>(&mut self, spot: &Spot, bytes: Range<usize>, error: &EnvironmentError) -> Option<T> {
        let span = self.source.inside(spot.value.clone(), bytes);
        let place = Place::File { source: Arc::clone(self.source), span };
        self.diagnostics.error(place, error.to_string()).label(error.instead());
        None
    }

    /// What is missing of a list, or of something in it, is missing from the whole: files may fill it together.
    fn cut(&mut self) {
        let path: Vec<_> = self.path.iter().take_while(|key| matches!(key, Key::Name(_))).cloned().collect();
        self.cuts.push(path);
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(is_part)
}

const OPENING: &str = "${env:";

#[cfg(test)]
mod tests {
    use crate::config::{Config, Count, Loaded, LogFile, Network, Place, parse};

    fn load(text: &str, variables: &[(&str, &str)]) -> Loaded {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        parse("a.toml", text, &[], variables).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
    }

    fn config(text: &str, variables: &[(&str, &str)]) -> Config {
        let loaded = load(text, variables);
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
        loaded.config
    }

    #[test]
    fn a_text_has_what_the_environment_says() {
        let text = "[upstream.web]\nservers = ['${env:FIRST}:${env:PORT}', \"\"\"\n${env:FIRST}:1\"\"\"]";
        let servers = &config(text, &[("FIRST", "10.0.0.1"), ("PORT", "443")]).upstream["web"].servers;
        assert_eq!(servers.iter().map(|server| &*server.address).collect::<Vec<_>>(), ["10.0.0.1:443", "10.0.0.1:1"]);
    }

    #[test]
    fn a_default_stands_for_what_is_not_set_or_empty() {
        let of = |variables: &[_]| config("[log]\nfile = '${env:LOG:-a:-b}'", variables).log.file;
        assert_eq!(of(&[]), LogFile::Path("a:-b".into()));
        assert_eq!(of(&[("LOG", "")]), LogFile::Path("a:-b".into()));
        assert_eq!(of(&[("LOG", "c")]), LogFile::Path("c".into()));
    }

    #[test]
    fn all_of_a_text_may_be_a_number_or_a_switch() {
        let text = "[process]\nworkers = '${env:N}'\n[defaults]\nnext_upstream = '${env:YES}'\n[log]\nfile = '${env:N}'";
        let config = config(text, &[("N", "0x10"), ("YES", "true")]);
        assert_eq!((config.process.workers, config.defaults.session.next_upstream), (Count::Exactly(16), Some(true)));
        assert_eq!(config.log.file, LogFile::Path("0x10".into()), "where a text belongs it stays one");
        let report = load("[process]\nworkers = '1${env:N}'", &[("N", "6")]).diagnostics.to_string();
        assert!(report.contains("1 error"), "{report}");
    }

    #[test]
    fn a_value_that_does_not_fit_is_the_values_fault() {
        let report = |text: &str, value: &str| load(text, &[("T", value)]).diagnostics.to_string();
        let told = report("[defaults]\nhalf_close = '${env:T}'", "yes");
        assert!(told.contains("the value that was put in is neither true nor false") && !told.contains("quotes"), "{told}");
        let told = report("[process]\nworkers = '${env:T}'", "many");
        assert!(!told.contains("quotes") && told.contains("1 error"), "{told}");
        let told = report("[log]\nfile = '${env:T}'", "a\u{fffd}b");
        assert!(told.contains("the value of T is not UTF-8 text"), "{told}");
        let told = parse("a.toml", "[defaults]\nidle_timeout = ${env:T}\n", &[], []).unwrap_err().to_string();
        assert!(told.contains("put quotes around it: \"${env:T}\""), "{told}");
    }

    #[test]
    fn what_was_put_in_is_not_looked_at_again() {
        let report = load("[log]\nfile = '${env:A}'", &[("A", "${env:B}"), ("B", "b")]).diagnostics.to_string();
        assert!(report.contains("the value of A has a `$`") && report.contains("a.toml:2:9"), "{report}");
        assert_eq!(config("[log]\nfile = '${env:A}{env:B}'", &[("A", "x"), ("B", "b")]).log.file, LogFile::Path("x{env:B}".into()));
    }

    #[test]
    fn escapes_keep_a_text_as_it_is() {
        let networks = config("networks.a = [\"\\u0024{env:A}\"]", &[("A", "x")]).networks;
        assert_eq!(networks["a"], Network::Ranges(vec!["${env:A}".into()]));
    }

    #[test]
    fn keys_are_not_filled_in() {
        let loaded = load("[upstream.'${env:A}']\nservers = ['h:1']", &[("A", "x")]);
        assert!(loaded.config.upstream.contains_key("${env:A}"));
    }

    #[test]
    fn bytes_of_a_filled_text_are_found_in_the_file() {
        let loaded = load("[log]\nfile = '-${env:A}-${env:B}-'", &[("A", "12345678"), ("B", "x")]);
        let inside = |bytes| match loaded.places.inside(&crate::path_to!["log", "file"], bytes) {
            Place::File { source, span } => source.text()[span].to_owned(),
            other => panic!("{other}"),
        };
        assert_eq!(inside(0..1), "-");
        assert_eq!(inside(2..3), "${env:A}");
        assert_eq!(inside(0..3), "-${env:A}");
        assert_eq!(inside(9..10), "-");
        assert_eq!(inside(9..11), "-${env:B}");
        assert_eq!(inside(11..12), "-");
        assert_eq!(inside(0..12), "-${env:A}-${env:B}-");
    }

    #[test]
    fn complaints_show_names_not_values() {
        let text = "[listener.a]\nlisten = ['${env:SECRET}', ':1']\nroutes = '${env:SECRET}'\nprotocol = '${env:SECRET}'";
        let loaded = load(text, &[("SECRET", "hunter2-\"hunter\"")]);
        let report = loaded.diagnostics.to_string();
        assert!(report.contains("\"${env:SECRET}\" is not"), "{report}");
        assert!(!report.contains("hunter"), "{report}");
    }
}
