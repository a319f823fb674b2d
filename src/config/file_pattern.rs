//! Patterns of file names, as `include` and `hosts_files` have them.

use std::path::{Path, PathBuf};

/// A pattern of file names, with the folder that it starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern {
    written: String,
    whole: String,
}

/// Why nobody knows which files are meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilePatternError {
    /// It is written wrong.
    #[error("{pattern:?} is no pattern of file names: {why}")]
    NoPattern {
        /// As it is written.
        pattern: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A folder on the way can't be looked into.
    #[error("{name} can't be read: {why}")]
    Unreadable {
        /// The folder.
        name: String,
        /// What the system says.
        why: String,
    },
}

impl FilePattern {
    /// A text that is a pattern and not the name of a file; whatever the folder is called, that is none.
    #[must_use]
    pub fn new(folder: &Path, written: &str) -> Option<Self> {
        let folder = glob::Pattern::escape(&folder.to_string_lossy());
        let whole = || Path::new(&folder).join(written).to_string_lossy().into_owned();
        written.contains(['*', '?', '[']).then(|| Self { written: written.into(), whole: whole() })
    }

    /// The pattern with its folder.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// The first so many files and folders that it means, in the order of their names. `*` means no hidden ones.
    ///
    /// # Errors
    /// When it is no pattern, or a folder can't be read.
    pub fn matches(&self, most: usize) -> Result<Vec<PathBuf>, FilePatternError> {
        let unreadable = |error: glob::GlobError| FilePatternError::Unreadable {
            name: error.path().display().to_string(),
            why: error.error().to_string(),
        };
        let found = glob::glob_with(&self.whole, MATCHING)
            .map_err(|error| FilePatternError::NoPattern { pattern: self.written.clone(), why: error.msg })?;
        let mut paths = found.take(most).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        paths.sort();
        Ok(paths)
    }
}

/// Hidden files are not meant by `*`, nor folders by a part of a name.
const MATCHING: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
