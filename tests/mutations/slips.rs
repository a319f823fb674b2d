//! The slips that are made in a file: each changes one thing, as a human does who is in a hurry.

use std::collections::BTreeSet;

use super::line::{Kind, Line, inside};

/// A file with one slip in it.
#[derive(Clone, Debug)]
pub struct Slip {
    /// What kind of slip.
    pub kind: &'static str,
    /// The whole file.
    pub text: String,
    /// The lines at which it shows, counted from 1: what was changed, the lines of its value before it, the header above.
    pub lines: BTreeSet<usize>,
    /// The names in what was changed, before and after: other lines may have them.
    pub names: BTreeSet<String>,
    /// For whoever reads the report.
    pub what: String,
}

/// All slips of a file, in order.
pub fn all(text: &str) -> Vec<Slip> {
    let file = File { lines: text.lines().collect(), names: defined(text) };
    let mut slips = Vec::new();
    for number in 0..file.lines.len() {
        let line = Line::of(file.lines[number]);
        if !line.is_empty() {
            in_one_line(&file, number, &line, &mut slips);
            of_whole_lines(&file, number, &line, &mut slips);
        }
    }
    slips.retain(|slip| slip.text.trim_end() != text.trim_end());
    slips
}

/// All slips of a list, which has one thing a line.
pub fn all_of_list(text: &str) -> Vec<Slip> {
    let file = File { lines: text.lines().collect(), names: BTreeSet::new() };
    let mut slips = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let mut add = |kind, others: &[&str]| slips.push(file.slip(kind, number, number + 1, others));
        add("list: line deleted", &[]);
        add("list: line doubled", &[line, line]);
        add("list: semicolon at the end", &[&format!("{line};")]);
        let words: Vec<_> = line.split_whitespace().collect();
        for (index, word) in words.iter().enumerate() {
            let with = |other: &str| [&words[..index], &[other], &words[index + 1..]].concat().join(" ");
            let kind = if index == 0 { "list: first word mistyped" } else { "list: target misspelt" };
            misspelt(word).iter().for_each(|other| add(kind, &[&with(other)]));
            add("list: word dropped", &[&with("")]);
        }
    }
    slips.retain(|slip| slip.text.trim_end() != text.trim_end());
    slips
}

/// A file, its lines counted from 0.
struct File<'a> {
    lines: Vec<&'a str>,
    /// What it defines: the last words of its headers.
    names: BTreeSet<String>,
}

impl File<'_> {
    /// The file with other lines in place of some.
    fn slip(&self, kind: &'static str, from: usize, to: usize, others: &[&str]) -> Slip {
        let lines = [&self.lines[..from], others, &self.lines[to..]].concat();
        let shown = from..(from + others.len()).max(from + 1);
        let around = if others.is_empty() { from.saturating_sub(1)..from + 1 } else { shown };
        let above = std::iter::once(self.header_above(from)).chain(self.statement_of(from)..from).map(|number| number + 1);
        let names = self.lines[from..to].iter().chain(others).flat_map(|line| Line::of(line).all_names());
        Slip {
            kind,
            text: lines.join("\n") + "\n",
            lines: around.map(|number| number + 1).chain(above).collect(),
            names: names.collect(),
            what: format!("{} | {} => {}", from + 1, self.lines[from..to].join(" / "), others.join(" / ")),
        }
    }

    fn header_above(&self, number: usize) -> usize {
        (0..=number).rev().find(|&above| self.lines[above].starts_with('[')).unwrap_or(number)
    }

    /// Where the value begins that goes on in this line.
    fn statement_of(&self, number: usize) -> usize {
        (0..=number).rev().find(|&above| !self.lines[above].starts_with([' ', ']', '}'])).unwrap_or(number)
    }

    fn next_header(&self, number: usize) -> Option<usize> {
        (number + 1..self.lines.len()).find(|&below| self.lines[below].starts_with('['))
    }
}

/// The names that a file gives to its tables.
fn defined(text: &str) -> BTreeSet<String> {
    let last = |line: &str| Line::of(line).names().last().map(str::to_owned);
    text.lines().filter(|line| line.starts_with('[')).filter_map(last).collect()
}

fn in_one_line(file: &File<'_>, number: usize, line: &Line<'_>, slips: &mut Vec<Slip>) {
    let mut add = |kind, changed: String| slips.push(file.slip(kind, number, number + 1, &[&changed]));
    let text = |range: &std::ops::Range<usize>| &line.text[range.clone()];
    for range in line.all(|kind| kind == Kind::Quoted) {
        add("quote dropped", line.with(&(range.start..range.start + 1), ""));
        add("quote dropped", line.with(&(range.end - 1..range.end), ""));
        if text(range).starts_with('\'') {
            add("pattern in double quotes", line.with(range, &format!("\"{}\"", inside(text(range)))));
        }
        for (at, _) in text(range).match_indices('\\') {
            add("backslash dropped", line.with(&(range.start + at..range.start + at + 1), ""));
        }
        for wildcard in ["\"*.", "\"."] {
            if text(range).starts_with(wildcard) {
                add("wildcard dropped", line.with(&(range.start + 1..range.start + wildcard.len()), ""));
            }
        }
    }
    for range in line.all(|kind| matches!(kind, Kind::Mark('[' | ']' | '{' | '}'))) {
        add("bracket dropped", line.with(range, ""));
    }
    for range in line.all(|kind| kind == Kind::Mark(',')) {
        add("comma dropped", line.with(range, ""));
    }
    for range in line.all(|kind| kind == Kind::Mark('=')) {
        add("equals sign dropped", line.with(range, ""));
        add("colon for equals", line.with(range, ":"));
    }
    let end = line.parts.last().map_or(0, |(_, range)| range.end);
    add("semicolon at the end", line.with(&(end..end), ";"));

    for range in line.keys(Kind::Bare) {
        misspelt(text(range)).into_iter().for_each(|word| add("key misspelt", line.with(range, &word)));
    }
    for range in line.keys(Kind::Quoted) {
        misspelt(inside(text(range))).into_iter().for_each(|word| add("host misspelt", line.with(range, &format!("\"{word}\""))));
    }
    if line.is_header() {
        let words: Vec<_> = line.all(|kind| kind == Kind::Bare).collect();
        for (index, range) in words.iter().enumerate() {
            let kind = if index == 0 { "table misspelt" } else { "name in a header misspelt" };
            misspelt(text(range)).into_iter().for_each(|word| add(kind, line.with(range, &word)));
        }
    }
    for range in line.values(Kind::Quoted) {
        in_a_text(file, text(range), |kind, other| add(kind, line.with(range, &other)));
    }
    for range in line.values(Kind::Bare) {
        let bare = text(range);
        match bare {
            "true" | "false" => {
                add("boolean in quotes", line.with(range, &format!("\"{bare}\"")));
                add("boolean turned", line.with(range, if bare == "true" { "false" } else { "true" }));
            }
            _ if bare.bytes().all(|byte| byte.is_ascii_digit()) => {
                add("number off by a digit", line.with(range, &format!("{bare}{}", &bare[bare.len() - 1..])));
                add("number off by a digit", line.with(range, if bare.len() > 1 { &bare[1..] } else { "" }));
                add("number in quotes", line.with(range, &format!("\"{bare}\"")));
            }
            _ => {}
        }
    }
    if let [.., (Kind::Mark('='), _), (Kind::Mark('['), open), (Kind::Quoted, _), (Kind::Mark(']'), close)] = &line.parts[..] {
        add("list's brackets dropped", line.with(&(open.start..close.end), &line.text[open.end..close.start]));
    }
}

/// Slips within a value in quotes.
fn in_a_text(file: &File<'_>, quoted: &str, mut add: impl FnMut(&'static str, String)) {
    let value = inside(quoted);
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit = &value[digits..];
    if digits > 0 && !unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        add("unit dropped", format!("\"{}\"", &value[..digits]));
        add("unit dropped", value[..digits].to_owned());
        add("quotes dropped", value.to_owned());
        let other = match unit {
            "s" => "ms",
            "m" => "s",
            "h" => "m",
            _ => "x",
        };
        add("unit changed", format!("\"{}{other}\"", &value[..digits]));
        add("number off by a digit", format!("\"{}0{unit}\"", &value[..digits]));
    } else if file.names.contains(value) {
        misspelt(value).into_iter().for_each(|word| add("name misspelt", format!("\"{word}\"")));
        add("quotes dropped", value.to_owned());
    } else if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_lowercase() || b"_ ".contains(&byte)) {
        misspelt(value).into_iter().for_each(|word| add("word misspelt", format!("\"{word}\"")));
        add("quotes dropped", value.to_owned());
    } else if let Some((host, port)) = value.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        add("port mistyped", format!("\"{host}:{}\"", &port[1..]));
        add("port mistyped", format!("\"{host}:{port}{}\"", &port[port.len() - 1..]));
        add("port dropped", format!("\"{host}\""));
        if host.bytes().filter(|&byte| byte == b'.').count() == 3 && host.as_bytes()[0].is_ascii_digit() {
            add("address mistyped", format!("\"{host}{}:{port}\"", &host[host.len() - 1..]));
            add("address mistyped", format!("\"{}:{port}\"", host.replacen('.', "", 1)));
            add("address mistyped", format!("\"{}:{port}\"", host.replacen('.', ",", 1)));
        }
    }
}

fn of_whole_lines(file: &File<'_>, number: usize, line: &Line<'_>, slips: &mut Vec<Slip>) {
    let this = file.lines[number];
    if line.is_header() {
        // All that stood under it stands somewhere else now.
        let mut slip = file.slip("header deleted", number, number + 1, &[]);
        slip.lines.extend(number + 1..file.next_header(number).unwrap_or(file.lines.len()));
        slips.push(slip);
    } else {
        slips.push(file.slip("line deleted", number, number + 1, &[]).also_about(file, number));
    }
    slips.push(file.slip("line doubled", number, number + 1, &[this, this]));
    if let Some(next) = file.lines.get(number + 1).filter(|next| !Line::of(next).is_empty()) {
        slips.push(file.slip("line swapped with the next", number, number + 2, &[next, this]));
        if let (Some(value), Some(other)) = (target(this), target(next))
            && value != other
        {
            let [here, below] = [this.replacen(value, other, 1), next.replacen(other, value, 1)];
            slips.push(file.slip("targets of two hosts swapped", number, number + 2, &[&here, &below]));
        }
    }
    let end = file.next_header(number).unwrap_or(file.lines.len());
    if line.is_header() {
        slips.push(file.slip("table removed", number, end, &[]));
        return;
    }
    if let Some(next) = file.next_header(number) {
        let between = [&file.lines[number + 1..=next], &[this]].concat();
        let mut slip =
            file.slip("line moved to the next table", number, next + 1, &between).only_about(this, next, file.header_above(number));
        // What went on behind it begins with nothing now.
        slip.lines.insert(number + 1);
        slips.push(slip);
    }
    let header = file.header_above(number);
    if header < number && header > 0 {
        let moved = [&[this], &file.lines[header..number]].concat();
        slips.push(file.slip("line moved to the table before", header, number + 1, &moved).only_about(this, header, header + 1));
    }
}

impl Slip {
    /// What a line is missing from, too: other keys of its table may have no meaning without it.
    fn also_about(mut self, file: &File<'_>, number: usize) -> Self {
        self.lines.extend(file.header_above(number) + 1..file.next_header(number).unwrap_or(file.lines.len()));
        self
    }

    /// Of all the lines between, only the one that was moved is the matter, with the header of the table that it came from.
    fn only_about(mut self, line: &str, at: usize, from: usize) -> Self {
        self.lines = [at + 1, from + 1].into();
        let text: Vec<_> = self.text.lines().collect();
        let header = (0..at).rev().find(|&above| text[above].starts_with('['));
        self.lines.extend(header.map(|above| above + 1));
        self.names = Line::of(line).all_names().collect();
        self.what = format!("{} | {line}", at + 1);
        self
    }
}

/// Where a line of `hosts` leads, with its quotes.
fn target(line: &str) -> Option<&str> {
    let line = Line::of(line);
    match &line.parts[..] {
        [(Kind::Quoted, key), (Kind::Mark('='), _), (Kind::Quoted, value)] if line.text[key.clone()].contains('.') => {
            Some(&line.text[value.clone()])
        }
        _ => None,
    }
}

/// A word with a letter missing, doubled, swapped with the next, and hit beside its key.
fn misspelt(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 2 {
        return Vec::new();
    }
    let at = letters.len() / 2;
    let with = |middle: &[char], to: usize| [&letters[..at], middle, &letters[to..]].concat().into_iter().collect::<String>();
    let mut words = vec![with(&[], at + 1), with(&[letters[at], letters[at]], at + 1), with(&[beside(letters[at])], at + 1)];
    if let Some(&next) = letters.get(at + 1).filter(|&&next| next != letters[at]) {
        words.push(with(&[next, letters[at]], at + 2));
    }
    words
}

/// The key to the right.
fn beside(letter: char) -> char {
    const ROWS: [&str; 4] = ["1234567890-", "qwertyuiop_", "asdfghjkl;", "zxcvbnm,./"];
    let right = |row: &&str| row.chars().skip_while(|&c| c != letter).nth(1);
    ROWS.iter().find_map(right).filter(char::is_ascii_alphanumeric).unwrap_or('x')
}

#[test]
fn every_slip_is_another_file() {
    let text = "[listener.a]\nlisten = \":443\"\nupstream = \"web\"\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n";
    let slips = all(text);
    assert!(slips.len() > 50, "{}", slips.len());
    assert!(slips.iter().all(|slip| slip.text != text));
}

#[test]
fn a_word_is_misspelt_in_four_ways() {
    assert_eq!(misspelt("web"), ["wb", "weeb", "wrb", "wbe"]);
}
