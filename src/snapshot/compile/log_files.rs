//! No two logs write the same file: one would be torn by the other, or a stranger could write into it whose name leads there.

use std::path::{Component, Path, PathBuf};

use super::Compiler;
use crate::config::{Config, Key, LogFile, path_to};
use crate::template::{Piece, Template};

/// Where a log's file is written, and which files it may be.
struct Written {
    /// `[access_log.NAME]`.
    log: String,
    path: Vec<Key>,
    /// The file, with [`ANYTHING`] in the place of each variable.
    file: PathBuf,
}

impl Compiler {
    /// Complains of files that belong to several logs.
    pub(super) fn check_log_files(&mut self, config: &Config) {
        let own = ("[log]".to_owned(), path_to!["log", "file"].to_vec(), &config.log.file);
        let access = config.access_log.iter().map(|(name, log)| {
            let name = name.as_str();
            (format!("[access_log.{}]", Key::from(name)), path_to!["access_log", name, "file"].to_vec(), &log.file)
        });
        let mut seen: Vec<Written> = Vec::new();
        for (log, path, file) in std::iter::once(own).chain(access) {
            let LogFile::Path(file) = file else { continue };
            let Some(file) = with_anything(file) else { continue };
            let written = Written { log, file: self.places.file(&path, file), path };
            // A device is nobody's file.
            if written.file.starts_with("/dev") {
                continue;
            }
            if let Some(other) = seen.iter().find(|other| may_be_one(&written.file, &other.file)) {
                self.same_file(&written, other);
            }
            seen.push(written);
        }
    }

    fn same_file(&mut self, written: &Written, other: &Written) {
        let place = self.places.value(&other.path);
        let is_certain = !has_anything(&written.file) && !has_anything(&other.file);
        let (problem, way_out) = match is_certain {
            true => (format!("{} and {} write the same file", other.log, written.log), "each log needs a file of its own"),
            false => (
                format!("{} and {} may come to write the same file, by what the variables in a path say", other.log, written.log),
                "paths with variables need a folder of their own, or a beginning or an end that no other log's file has",
            ),
        };
        self.wrong(&written.path, problem).label(format!("{} writes here too ({place})", other.log)).help(way_out);
    }
}

/// The path with [`ANYTHING`] for each variable; nothing if it cannot be read, which is said elsewhere.
fn with_anything(written: &str) -> Option<String> {
    let mut path = String::new();
    for piece in Template::parse(written).ok()?.pieces() {
        match piece {
            Piece::Text(text) => path.push_str(text),
            Piece::Variable(_) => path.push(ANYTHING),
        }
    }
    Some(path)
}

fn has_anything(path: &Path) -> bool {
    path.to_string_lossy().contains(ANYTHING)
}

/// Whether two paths may come to be the same. No variable has a slash in it.
fn may_be_one(one: &Path, other: &Path) -> bool {
    let parts = |path: &Path| -> Vec<String> {
        path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let (one, other) = (parts(one), parts(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| may_be_one_name(one, other))
}

fn may_be_one_name(one: &str, other: &str) -> bool {
    if !one.contains(ANYTHING) && !other.contains(ANYTHING) {
        return one == other;
    }
    let begins = |name: &str| name.split(ANYTHING).next().unwrap_or_default().to_owned();
    let ends = |name: &str| name.rsplit(ANYTHING).next().unwrap_or_default().to_owned();
    let (begin, other_begin, end, other_end) = (begins(one), begins(other), ends(one), ends(other));
    (begin.starts_with(&other_begin) || other_begin.starts_with(&begin)) && (end.ends_with(&other_end) || other_end.ends_with(&end))
}

/// Stands for what a variable says; no path has it.
const ANYTHING: char = '\0';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_meet_where_variables_may_say_so() {
        let meet = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|path| PathBuf::from(with_anything(path).unwrap()));
            let both = [may_be_one(&one, &other), may_be_one(&other, &one)];
            assert_eq!(both[0], both[1]);
            both[0]
        };
        assert!(meet("/l/a.log", "/l/a.log"));
        assert!(meet("/l/./a.log", "/l//a.log"));
        assert!(meet("/l/a.log", "/l/$listener.log"));
        assert!(meet("/l/$route.log", "/l/${listener}.log"), "both have an _others.log");
        assert!(meet("/l/$route", "/l/$listener.log"));
        assert!(meet("/l/$route/log", "/l/https/$listener"));
        assert!(!meet("/l/a.log", "/l/a.log.gz"));
        assert!(!meet("/l/a.log", "/l/of-$listener.log"));
        assert!(!meet("/l/a.log.gz", "/l/$listener.log"));
        assert!(!meet("/l/a.log", "/l/tenants/$listener.log"), "no value leads up or down");
        assert!(!meet("/l/a-$route", "/l/b-$route"));
    }
}
