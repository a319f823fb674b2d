//! Files with lists, each read once however many things name it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Compiler;
use crate::config::{FilePattern, Key, ListError, Place, Source, read_list};

impl Compiler {
    /// The files that a text means, in the order of their names: a pattern may mean none.
    pub(super) fn list_files(&mut self, path: &[Key], written: &str) -> Vec<PathBuf> {
        let Some(pattern) = FilePattern::new(&self.places.file(path, ""), written) else { return vec![self.places.file(path, written)] };
        let found = pattern.matches(MOST_FILES + 1);
        if let (Some(folder), true) = (pattern.missing_folder(), found.is_ok()) {
            let problem = format!("{written:?} matches nothing: there is no folder {}", folder.display());
            let place = self.places.value(path);
            self.diagnostics.warning("empty-pattern", place, problem);
        }
        match found {
            Ok(found) if found.len() > MOST_FILES => {
                self.wrong(path, format!("{written:?} means more than {MOST_FILES} files"));
                Vec::new()
            }
            Ok(found) => found.into_iter().filter(|file| !file.is_dir()).collect(),
            Err(error) => {
                self.wrong(path, error.to_string());
                Vec::new()
            }
        }
    }

    /// The text of a file that is named here.
    pub(super) fn list(&mut self, path: &[Key], file: &Path) -> Option<Arc<Source>> {
        if let Some(known) = self.lists.get(file) {
            return known.clone();
        }
        let source = match read_list(file) {
            Ok(source) => Some(Arc::new(source)),
            Err(ListError::NoText(place)) => {
                self.wrong_at(*place, "this is not UTF-8 text").help("save the file as UTF-8");
                None
            }
            Err(error) => {
                self.wrong(path, format!("{} can't be read: {error}", file.display()));
                None
            }
        };
        self.lists.insert(file.to_owned(), source.clone());
        source
    }

    /// Warns of a list that says nothing, maybe by accident.
    pub(super) fn warn_of_empty_list(&mut self, path: &[Key], file: &Path, what: &str) {
        let place = self.places.value(path);
        self.diagnostics.warning("empty-list", place, format!("{} is empty: {what}", file.display()));
    }
}

/// More are none that anybody means.
const MOST_FILES: usize = 10_000;

/// Some bytes of a list.
pub(super) fn place_in(source: &Arc<Source>, at: usize, length: usize) -> Place {
    Place::File { source: Arc::clone(source), span: at..at + length }
}
