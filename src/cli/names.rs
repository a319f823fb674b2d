//! `vestibule route --names`: a question on each line, `HOST [from=IP] [alpn=PROTOCOL,...] [versions=VERSION,...]`. A line that is
//! no question is said, with its number, and the others are answered all the same.

use std::io::Read;
use std::path::Path;

use super::client::Client;
use super::route::protocol;
use super::{Failure, print};
use crate::config::TlsVersion;
use crate::explain::{Explainer, Explanation, First, Outcome, Question};
use crate::snapshot::Listener;

/// What questions say that do not say it themselves.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) from: Client,
    pub(super) alpn: Vec<String>,
    pub(super) versions: Vec<TlsVersion>,
}

/// How each is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// The name, the entry that wins and where it leads, in columns.
    Text,
    /// All that there is to say, an object of JSON on each line.
    Json,
}

pub(super) fn answer(file: &Path, common: &Common, explainer: &Explainer<'_>, listener: &Listener, form: Form) -> Result<(), Failure> {
    let text = read(file)?;
    let mut strays = Vec::new();
    let mut rows = Vec::new();
    let mut json = String::new();
    for (index, line) in text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let said = question(line, common).and_then(|question| explained(explainer, listener, &question));
        match (said, form) {
            (Err(problem), _) => strays.push(format!("{}:{}: {problem}", file.display(), index + 1)),
            (Ok(explanation), Form::Text) => rows.push(row(line, &explanation)),
            (Ok(explanation), Form::Json) => {
                json += &serde_json::to_string(&explanation).map_err(Failure::run)?;
                json.push('\n');
                // There may be very many of them, and each says much.
                if json.len() > PIECE {
                    print(&std::mem::take(&mut json))?;
                }
            }
        }
    }
    print(&(json + &columns(&rows)))?;
    if strays.is_empty() { Ok(()) } else { Err(Failure::Usage(few(&strays))) }
}

fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |error| Failure::Usage(format!("{} cannot be read: {error}", file.display()));
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

fn question(line: &str, common: &Common) -> Result<Question, String> {
    let mut words = line.split_whitespace();
    let name = words.next().filter(|name| *name != NO_NAME).map(str::to_owned);
    let Common { mut from, mut alpn, mut versions } = common.clone();
    let mut said = Vec::new();
    for word in words {
        let key = word.split('=').next().unwrap_or_default();
        if said.contains(&key) {
            return Err(format!("{word}: {key} is there already"));
        }
        said.push(key);
        match word.split_once('=') {
            Some(("from", text)) => from = text.parse().map_err(|why| format!("{word}: {why}"))?,
            Some(("alpn", text)) => {
                alpn = text.split(',').map(protocol).collect::<Result<_, _>>().map_err(|why| format!("{word}: {why}"))?
            }
            Some(("versions", text)) => {
                let named = text.split(',').map(TlsVersion::named).collect::<Option<_>>();
                versions = named.ok_or_else(|| format!("{word}: a version is one of 1.0, 1.1, 1.2, 1.3"))?;
            }
            _ => return Err(format!("{word:?} is none of from=IP, alpn=PROTOCOL, versions=VERSION")),
        }
    }
    Ok(Question { from: from.0, first: First::Tls { name, alpn, versions } })
}

/// What no client could send is an answer, but none that was asked for.
fn explained(explainer: &Explainer<'_>, listener: &Listener, question: &Question) -> Result<Explanation, String> {
    let explanation = explainer.explain(listener, question);
    match &explanation.outcome {
        Outcome::Refused { reason: "malformed_hello", detail, .. } => Err(detail.clone().unwrap_or_default()),
        _ => Ok(explanation),
    }
}

/// The question, the entry that wins, and where it leads.
fn row(line: &str, explanation: &Explanation) -> [String; 3] {
    let entry = match explanation.winner() {
        Some(entry) => entry.written.clone().unwrap_or_else(|| format!("[listener.{}]", explanation.listener)),
        None => "no entry".into(),
    };
    [line.to_owned(), entry, explanation.in_short()]
}

fn columns(rows: &[[String; 3]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default().min(WIDEST);
    let (first, second) = (width(0), width(1));
    rows.iter().map(|[line, entry, target]| format!("{line:<first$} -> {entry:<second$} -> {target}\n")).collect()
}

/// The first few of the lines that are no questions.
fn few(strays: &[String]) -> String {
    let shown: Vec<_> = strays.iter().take(FEW).map(String::as_str).collect();
    match strays.len().saturating_sub(FEW) {
        0 => shown.join("\n"),
        more => format!("{}\nand {more} more lines that are no questions", shown.join("\n")),
    }
}

/// What stands for a hello without a name.
const NO_NAME: &str = "-";
/// One long line must not push all others apart.
const WIDEST: usize = 60;
/// What some editors put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// After so many bytes of JSON they are written.
const PIECE: usize = 1 << 20;
const FEW: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_strays_are_told_by_the_first_of_them() {
        let strays: Vec<_> = (1..=22).map(|line| format!("names:{line}: x")).collect();
        let told = few(&strays);
        assert!(told.starts_with("names:1: x\n") && told.ends_with("names:20: x\nand 2 more lines that are no questions"), "{told}");
    }
}
