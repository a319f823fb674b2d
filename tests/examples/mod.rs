//! The files under `docs/examples`: each is whole, usable without a warning, shorter than the same in nginx, and does what its
//! own `tests` say, with real connections.

pub mod stage;
mod traffic;

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::config::Paint;
use vestibule::snapshot::Snapshot;

use stage::Stage;

/// Each by the name of its folder.
pub const NAMES: [&str; 5] = ["bank", "saas", "services", "pair", "edge"];

#[test]
fn every_example_is_usable_without_a_warning() {
    for name in NAMES {
        let stage = Stage::of(name);
        // How many descriptors there are is the machine's business.
        let found = Snapshot::check(stage.load(&["lints.too-few-descriptors=allow".to_owned()]));
        assert!(found.snapshot.is_some() && found.diagnostics.is_empty(), "{name}: {}", found.diagnostics.render(Paint::Plain));
    }
}

#[test]
fn every_folder_is_an_example() {
    let mut folders: Vec<_> = fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap()).collect();
    folders.retain(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    let mut known = NAMES;
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn forty_hosts_are_the_banks() {
    let loaded = Stage::of("bank").load(&[]);
    assert_eq!(loaded.config.routes["dmz"].hosts.len(), 40);
}

/// One row of the table, which is printed, and which docs/examples/README.md has.
#[test]
fn every_example_is_shorter_than_the_same_in_nginx() {
    let table: String = NAMES.iter().map(|name| row(name)).collect();
    println!("{table}");
    let readme = fs::read_to_string(examples().join("README.md")).unwrap();
    assert!(readme.contains(&table), "docs/examples/README.md says otherwise; it is:\n{table}");
}

/// The numbers stand in a table of their own, and nowhere else.
#[test]
fn every_example_is_described_in_words() {
    let readme = fs::read_to_string(examples().join("README.md")).unwrap();
    for name in NAMES {
        let start = format!("| [{name}](");
        let rows: Vec<_> = readme.lines().filter(|line| line.starts_with(&start)).collect();
        let [described, counted] = rows[..] else { panic!("{name}: {rows:?}") };
        assert!(described.matches('|').count() == 3 && !described.contains('%'), "{described}");
        assert!(counted.contains('%'), "{counted}");
    }
}

fn row(name: &str) -> String {
    let folder = examples().join(name);
    let ours = Size::of(&files(&folder, &["toml"]));
    let nginxs = Size::of(&files(&folder, &["conf"]));
    assert!(ours.lines < nginxs.lines && ours.characters < nginxs.characters, "{name}: {ours:?}, nginx {nginxs:?}");
    let percent = |part: usize, whole: usize| (100 * part + whole / 2) / whole;
    format!(
        "| [{name}]({name}/routes.toml) | {} | {} | {} % | {} | {} | {} % |\n",
        ours.lines,
        nginxs.lines,
        percent(ours.lines, nginxs.lines),
        ours.characters,
        nginxs.characters,
        percent(ours.characters, nginxs.characters)
    )
}

/// What somebody has to read: neither blank lines nor comments, nor the blanks at a line's ends.
#[derive(Clone, Copy, Debug)]
struct Size {
    lines: usize,
    characters: usize,
}

impl Size {
    fn of(files: &[PathBuf]) -> Self {
        assert!(!files.is_empty());
        let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let lines = texts.iter().flat_map(|text| text.lines()).map(|line| uncommented(line).trim()).filter(|line| !line.is_empty());
        lines.fold(Self { lines: 0, characters: 0 }, |sum, line| Self {
            lines: sum.lines + 1,
            characters: sum.characters + line.chars().count(),
        })
    }
}

/// A line without its comment: in both forms one begins the line, or stands behind a blank and outside of all quotes.
fn uncommented(line: &str) -> &str {
    let starts = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    let quoted = |at: usize| line[..at].matches(['"', '\'']).count() % 2 == 1;
    line.match_indices('#').find(|&(at, _)| starts(at) && !quoted(at)).map_or(line, |(at, _)| &line[..at])
}

#[test]
fn a_comment_is_none_of_a_lines_length() {
    assert_eq!(uncommented("a = 1  # why"), "a = 1  ");
    assert_eq!(uncommented("# all of it"), "");
    assert_eq!(uncommented("a = \"b # c\""), "a = \"b # c\"");
}

/// The files with one of these endings, in a folder and those beneath it, by name.
pub fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}

/// Where they are.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}
