//! What the user sees when a configuration is wrong: each file of `data/broken` has its exact report beside it.
//! A file of the same name in `.given` is what the environment and the command line put over it, an item on a line.
//! A folder is a configuration of several files, its main one `routes.toml`.
//! `UPDATE_GOLDEN=1` rewrites the reports, to be reviewed as a diff.

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::snapshot::Snapshot;

/// Everything that is said of a configuration.
fn report(path: &Path, given: &str) -> String {
    let sets: Vec<_> = given.lines().filter_map(|line| line.strip_prefix("--set ")).map(str::to_owned).collect();
    let variables = given.lines().filter(|line| !line.starts_with("--set ")).filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let loaded = if path.is_dir() {
        vestibule::config::load(&path.join("routes.toml"), &sets, variables)
    } else {
        let text = fs::read_to_string(path).expect("a broken configuration is still text");
        vestibule::config::parse("routes.toml", text, &sets, variables)
    };
    let report = match loaded {
        Ok(loaded) => Snapshot::check(loaded).diagnostics.to_string(),
        Err(diagnostics) => diagnostics.to_string(),
    };
    report.replace(&format!("{}/", path.display()), "")
}

#[test]
fn every_broken_configuration_is_reported_as_its_golden_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(!files.is_empty());
    let differing: Vec<_> = files.iter().filter_map(|file| difference(file)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn difference(file: &Path) -> Option<String> {
    let given = fs::read_to_string(file.with_extension("given")).unwrap_or_default();
    let found = report(file, &given) + "\n";
    let golden = file.with_extension("expected");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    (found != expected).then(|| format!("{}: expected\n{expected}\nfound\n{found}", golden.display()))
}
