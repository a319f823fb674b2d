//! Patterns of file names, as `include` and `hosts_files` have them.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use glob::Pattern;

/// A pattern of file names, with the folder that it starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern {
    written: String,
    folder: PathBuf,
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
    /// It leads through more than anybody means.
    #[error("{pattern:?} leads through more than {most} files and folders")]
    TooMany {
        /// As it is written.
        pattern: String,
        /// How many may be looked at.
        most: usize,
    },
}

impl FilePattern {
    /// A text that is a pattern and not the name of a file; whatever the folder is called, that is none.
    #[must_use]
    pub fn new(folder: &Path, written: &str) -> Option<Self> {
        written.contains(WILD).then(|| Self { written: written.into(), folder: folder.into() })
    }

    /// The pattern with its folder, whose own name is none.
    #[must_use]
    pub fn whole(&self) -> String {
        Path::new(&Pattern::escape(&self.folder.to_string_lossy())).join(&self.written).to_string_lossy().into_owned()
    }

    /// The folder in which the search begins, if it is not there: then the pattern will match nothing, whatever comes.
    #[must_use]
    pub fn missing_folder(&self) -> Option<PathBuf> {
        let begin: PathBuf = Path::new(&self.written).components().take_while(|part| !is_wild(part.as_os_str())).collect();
        let begin = self.folder.join(begin);
        let is_missing = match fs::metadata(&begin) {
            Ok(found) => !found.is_dir(),
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        };
        (!begin.as_os_str().is_empty() && is_missing).then_some(begin)
    }

    /// The first so many files and folders that it means, in the order of their names. `*` means no hidden ones, and `**` does
    /// not go through links to folders, which may lead back.
    ///
    /// # Errors
    /// When it is no pattern, a folder can't be read, or it leads through too many.
    pub fn matches(&self, most: usize) -> Result<Vec<PathBuf>, FilePatternError> {
        self.matches_within(most, MOST_SEEN)
    }

    fn matches_within(&self, most: usize, most_seen: usize) -> Result<Vec<PathBuf>, FilePatternError> {
        let steps = self.steps()?;
        let mut walk = Walk { pattern: self, found: Vec::new(), most, seen: 0, most_seen };
        walk.go(&self.folder, &steps)?;
        walk.found.sort();
        walk.found.dedup();
        Ok(walk.found)
    }

    fn steps(&self) -> Result<Vec<Step>, FilePatternError> {
        let wrong = |why| FilePatternError::NoPattern { pattern: self.written.clone(), why };
        if has_braces(&self.written) {
            return Err(wrong("braces mean nothing here, so write a pattern for each"));
        }
        Pattern::new(&self.written).map_err(|error| wrong(error.msg))?;
        let step = |part: Component<'_>| match part.as_os_str() {
            part if part == "**" => Ok(Step::Below),
            part if is_wild(part) => Pattern::new(&part.to_string_lossy()).map(Step::Like).map_err(|error| wrong(error.msg)),
            part => Ok(Step::Name(part.into())),
        };
        let parts = Path::new(&self.written).components().filter(|part| *part != Component::CurDir);
        let mut steps = parts.map(step).collect::<Result<Vec<_>, _>>()?;
        steps.dedup_by(|next, step| matches!((next, step), (Step::Below, Step::Below)));
        Ok(steps)
    }
}

/// Whether a text has a list in braces, as a shell would write one out.
pub(super) fn has_braces(written: &str) -> bool {
    written.split_once('{').and_then(|(_, rest)| rest.split_once('}')).is_some_and(|(inside, _)| inside.contains(','))
}

fn is_wild(part: &OsStr) -> bool {
    part.to_string_lossy().contains(WILD)
}

/// A part of a pattern, between slashes.
enum Step {
    /// This very name.
    Name(PathBuf),
    /// All names that are like it.
    Like(Pattern),
    /// This folder and all those below it.
    Below,
}

/// A search under way.
struct Walk<'p> {
    pattern: &'p FilePattern,
    found: Vec<PathBuf>,
    most: usize,
    seen: usize,
    most_seen: usize,
}

impl Walk<'_> {
    /// Goes on from a path that the steps before have led to.
    fn go(&mut self, at: &Path, steps: &[Step]) -> Result<(), FilePatternError> {
        if self.found.len() >= self.most {
            return Ok(());
        }
        let Some((step, rest)) = steps.split_first() else {
            self.found.push(at.into());
            return Ok(());
        };
        match step {
            Step::Name(name) => {
                let next = at.join(name);
                if fs::symlink_metadata(&next).is_ok() { self.go(&next, rest) } else { Ok(()) }
            }
            Step::Like(like) => {
                for (path, name, _) in self.entries(at)? {
                    if like.matches_with(&name, MATCHING) {
                        self.go(&path, rest)?;
                    }
                }
                Ok(())
            }
            Step::Below => {
                // The last of a pattern means the folders themselves.
                if !rest.is_empty() {
                    self.go(at, rest)?;
                }
                for (path, name, is_folder) in self.entries(at)? {
                    if !is_folder || name.starts_with('.') {
                        continue;
                    }
                    if rest.is_empty() {
                        self.go(&path, rest)?;
                    }
                    self.go(&path, steps)?;
                }
                Ok(())
            }
        }
    }

    /// What is in a folder, by name: the path, the name, and whether it is a folder itself and no link to one. There is nothing in
    /// what is none.
    fn entries(&mut self, folder: &Path) -> Result<Vec<(PathBuf, String, bool)>, FilePatternError> {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let unreadable = |error: io::Error| FilePatternError::Unreadable { name: here.display().to_string(), why: error.to_string() };
        let listing = match fs::read_dir(here) {
            Ok(listing) => listing,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(unreadable)?;
            self.seen += 1;
            if self.seen > self.most_seen {
                return Err(FilePatternError::TooMany { pattern: self.pattern.written.clone(), most: self.most_seen });
            }
            let is_folder = entry.file_type().is_ok_and(|sort| sort.is_dir());
            let name = entry.file_name();
            entries.push((folder.join(&name), name.to_string_lossy().into_owned(), is_folder));
        }
        entries.sort();
        Ok(entries)
    }
}

/// What makes a name a pattern.
const WILD: [char; 3] = ['*', '?', '['];

/// More are on nobody's way to the files that are meant.
const MOST_SEEN: usize = 1_000_000;

/// Hidden files are not meant by `*`, nor folders by a part of a name.
const MATCHING: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A folder of its own, which goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn with(files: &[&str]) -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let folder = Self(std::env::temp_dir().join(format!("vestibule-pattern-{}-{number}", std::process::id())));
            for file in files {
                let file = folder.0.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            folder
        }

        fn matches(&self, written: &str) -> Result<Vec<String>, FilePatternError> {
            let found = FilePattern::new(&self.0, written).unwrap().matches(1000)?;
            Ok(found.iter().map(|path| path.strip_prefix(&self.0).unwrap().display().to_string()).collect())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_pattern_means_names_and_no_hidden_ones() {
        let folder = Folder::with(&["a.toml", "b.toml", "b.toml~", ".c.toml", "d/e.toml", "d/f/g.toml", "d/.h/i.toml"]);
        let cases: [(&str, &[&str]); 9] = [
            ("*.toml", &["a.toml", "b.toml"]),
            ("[b-z].toml", &["b.toml"]),
            (".*.toml", &[".c.toml"]),
            ("*/*.toml", &["d/e.toml"]),
            ("**/*.toml", &["a.toml", "b.toml", "d/e.toml", "d/f/g.toml"]),
            ("d/**/**/?.toml", &["d/e.toml", "d/f/g.toml"]),
            ("d/*/../e.toml", &["d/f/../e.toml"]),
            ("**", &["d", "d/f"]),
            ("no/*.toml", &[]),
        ];
        for (written, expected) in cases {
            assert_eq!(folder.matches(written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn links_that_lead_back_are_not_gone_through() {
        let folder = Folder::with(&["d/a.toml", "elsewhere/b.toml"]);
        for link in ["one", "two", "three"] {
            symlink(".", folder.0.join("d").join(link)).unwrap();
        }
        symlink("a.toml", folder.0.join("d/file.toml")).unwrap();
        symlink("elsewhere", folder.0.join("link")).unwrap();
        assert_eq!(folder.matches("d/**/*.toml").unwrap(), ["d/a.toml", "d/file.toml"]);
        assert_eq!(folder.matches("link/*.toml").unwrap(), ["link/b.toml"], "one that is written is meant");
    }

    #[test]
    fn a_search_comes_to_an_end() {
        let folder = Folder::with(&["a/1", "a/2", "b/3"]);
        let pattern = FilePattern::new(&folder.0, "**/*").unwrap();
        let too_many = FilePatternError::TooMany { pattern: "**/*".into(), most: 6 };
        assert_eq!(pattern.matches_within(10, 6), Err(too_many));
        assert_eq!(pattern.matches_within(2, 1000).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        let folder = Folder::with(&["a.toml"]);
        for written in ["{a,b}/*.toml", "a[.toml", "a**"] {
            let error = folder.matches(written).unwrap_err();
            assert!(matches!(error, FilePatternError::NoPattern { .. }), "{written}: {error}");
        }
        assert_eq!(folder.matches("{a}*").unwrap(), [""; 0], "a name may have braces");
    }

    #[test]
    fn a_folder_that_is_not_there_is_known() {
        let folder = Folder::with(&["d/a.toml"]);
        let missing = |written: &str| FilePattern::new(&folder.0, written).unwrap().missing_folder();
        assert_eq!(missing("team/x/*.toml"), Some(folder.0.join("team/x")));
        assert_eq!((missing("d/*.json"), missing("*/x.toml"), missing("d/**/a")), (None, None, None));
        assert_eq!(FilePattern::new(Path::new(""), "*.toml").unwrap().missing_folder(), None);
    }
}
