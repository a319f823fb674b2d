//! The files of a log whose path has variables. Clients may choose among them: those that are open are bounded, and so are
//! those that are made.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

use super::direct::Direct;
use super::lost::Lost;
use super::open::{LogError, appending_here, is_still};
use super::path::PathTemplate;
use crate::session::Session;

/// The open files of a log whose path has variables.
#[derive(Debug)]
pub(super) struct Paths {
    template: PathTemplate,
    files: Mutex<Files>,
    lost: Arc<Lost>,
}

#[derive(Debug, Default)]
struct Files {
    open: HashMap<Vec<u8>, Known>,
    /// How often one was asked for.
    asked: u64,
    /// How many were made.
    made: usize,
    /// Whether it is said that no more are.
    is_told: bool,
}

#[derive(Debug)]
struct Known {
    file: Arc<Direct>,
    asked: u64,
    /// When its path led to it last.
    seen: Instant,
}

impl Paths {
    /// Begins; the folder must be there.
    pub(super) fn open(template: &PathTemplate, lost: Arc<Lost>) -> Result<Self, LogError> {
        let folder = template.certain_folder();
        match std::fs::metadata(&folder) {
            Ok(found) if found.is_dir() => Ok(Self { template: template.clone(), files: Mutex::default(), lost }),
            Ok(_) => Err(LogError::Folder { folder, source: io::ErrorKind::NotADirectory.into() }),
            Err(source) => Err(LogError::Folder { folder, source }),
        }
    }

    /// Writes the line of a session into its file.
    pub(super) fn write(&self, session: &Session, line: &[u8]) {
        thread_local! {
            static PATH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        PATH.with_borrow_mut(|path| {
            self.template.write(session, path);
            let found = self.file(path).and_then(|own| match own {
                Some(file) => Ok(file),
                None => {
                    self.template.write_common(path);
                    self.file(path)?.ok_or_else(|| io::ErrorKind::InvalidFilename.into())
                }
            });
            match found {
                Ok(file) => file.write(line),
                Err(error) => self.lost.add(1, &format_args!("{}: {error}", OsStr::from_bytes(path).display())),
            }
        });
    }

    /// Opens all files anew when they are next written to, and lets as many be made again.
    pub(super) fn reopen(&self) {
        *self.files() = Files::default();
    }

    /// The file of this name; nothing if it may not be made.
    fn file(&self, name: &[u8]) -> io::Result<Option<Arc<Direct>>> {
        let path = self.template.folder.join(OsStr::from_bytes(name));
        if let Some(file) = self.files().known(name, &path) {
            return Ok(Some(file));
        }
        let opened = match appending_here().open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut common = Vec::new();
                self.template.write_common(&mut common);
                if name != common && !self.may_make() {
                    return Ok(None);
                }
                appending_here().create(true).open(&path)
            }
            opened => opened,
        };
        match opened {
            Ok(file) => Ok(Some(self.files().keep(name, Direct::new(file, self.lost.clone())))),
            // A client chose how long it is.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether one more file may be made; that there are no more is said once.
    fn may_make(&self) -> bool {
        let (may, is_news) = self.files().may_make();
        if is_news {
            tracing::warn!(
                "[access_log.{}] has made {MOST_MADE} files, and makes no more until SIGUSR1: what needs another has its lines in {}",
                self.lost.name(),
                self.common().display()
            );
        }
        may
    }

    /// The file of those that have none of their own.
    fn common(&self) -> PathBuf {
        let mut common = Vec::new();
        self.template.write_common(&mut common);
        self.template.folder.join(OsStr::from_bytes(&common))
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// An open file, if its name still leads to it as far as one has looked.
    fn known(&mut self, name: &[u8], path: &Path) -> Option<Arc<Direct>> {
        self.asked += 1;
        let asked = self.asked;
        let known = self.open.get_mut(name)?;
        if known.seen.elapsed() >= VALID {
            if !is_still(&known.file.file, path) {
                self.open.remove(name);
                return None;
            }
            known.seen = Instant::now();
        }
        known.asked = asked;
        Some(known.file.clone())
    }

    /// Whether one more file may be made; if so, it counts. And whether that is news: it is no for the first time.
    fn may_make(&mut self) -> (bool, bool) {
        let may = self.made < MOST_MADE;
        self.made += usize::from(may);
        (may, !may && !std::mem::replace(&mut self.is_told, true))
    }

    /// Keeps a file open, in the place of the one that was not asked for for longest.
    fn keep(&mut self, name: &[u8], file: Direct) -> Arc<Direct> {
        if self.open.len() >= MOST_OPEN
            && let Some(oldest) = self.open.iter().min_by_key(|(_, known)| known.asked).map(|(name, _)| name.clone())
        {
            self.open.remove(&oldest);
        }
        let file = Arc::new(file);
        self.open.insert(name.to_vec(), Known { file: file.clone(), asked: self.asked, seen: Instant::now() });
        file
    }
}

/// How many files a log has open at most.
pub(super) const MOST_OPEN: usize = 64;
/// How many files a log makes until it is reopened.
const MOST_MADE: usize = 1024;
/// How long a file is written to without a look at whether it still has its name.
const VALID: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Peer;
    use crate::template::Template;
    use crate::variables::Variable;
    use std::time::SystemTime;

    fn paths(folder: &Path, text: &str) -> Paths {
        let text = Template::parse(text).unwrap().link(|name| Variable::named(&name.name).ok_or(())).unwrap();
        Paths::open(&PathTemplate { folder: folder.into(), text }, Lost::of(&"a".into())).unwrap()
    }

    fn session(server_name: &str) -> Session {
        let mut session = Session::new(3, "https".into(), Peer::Unix, Peer::Unix, Instant::now(), SystemTime::now());
        session.server_name = Some(server_name.into());
        session
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn each_value_has_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path(), "${ssl_preread_server_name}.log");
        for name in ["a.example", "b.example", "A.example"] {
            paths.write(&session(name), format!("{name}\n").as_bytes());
        }
        assert_eq!(names(folder.path()), ["a.example.log", "b.example.log"]);
        assert_eq!(std::fs::read_to_string(folder.path().join("a.example.log")).unwrap(), "a.example\nA.example\n");
    }

    #[test]
    fn strangers_make_so_many_files_and_no_line_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path(), "log-$ssl_preread_server_name");
        for number in 0..MOST_MADE + 10 {
            paths.write(&session(&format!("n{number}")), b"line\n");
        }
        assert_eq!(names(folder.path()).len(), MOST_MADE + 1);
        let common = std::fs::read_to_string(folder.path().join("log-_others")).unwrap();
        assert_eq!((common, paths.lost.all()), ("line\n".repeat(10), 0));
        assert_eq!(paths.files().open.len(), MOST_OPEN);
        paths.write(&session("n0"), b"again\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("log-n0")).unwrap(), "line\nagain\n", "what is there is no new file");
        paths.reopen();
        paths.write(&session("another"), b"line\n");
        assert!(folder.path().join("log-another").exists(), "reopened, as many may be made again");
    }

    #[test]
    fn a_name_that_is_too_long_for_a_file_loses_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path(), "$ssl_preread_server_name$ssl_preread_server_name$ssl_preread_server_name");
        paths.write(&session(&"x".repeat(200)), b"line\n");
        assert_eq!(names(folder.path()), ["_others_others_others"]);
    }

    #[test]
    fn a_link_is_not_followed_and_its_lines_are_lost() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("a")).unwrap();
        let paths = paths(folder.path(), "$ssl_preread_server_name");
        paths.write(&session("a"), b"line\n");
        paths.write(&session("b"), b"line\n");
        assert_eq!((std::fs::read_to_string(elsewhere.path()).unwrap(), paths.lost.all()), (String::new(), 1));
        assert_eq!(std::fs::read_to_string(folder.path().join("b")).unwrap(), "line\n");
    }

    #[test]
    fn the_file_that_was_not_asked_for_for_longest_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path(), "$ssl_preread_server_name");
        for number in 0..MOST_OPEN {
            paths.write(&session(&format!("n{number}")), b"line\n");
        }
        paths.write(&session("n0"), b"line\n");
        paths.write(&session("one-more"), b"line\n");
        let is_open = |name: &str| paths.files().open.contains_key(name.as_bytes());
        assert_eq!([is_open("n0"), is_open("n1"), is_open("n2")], [true, false, true]);
    }

    #[test]
    fn a_file_that_was_moved_away_is_noticed_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path(), "$ssl_preread_server_name");
        paths.write(&session("a"), b"one\n");
        std::fs::rename(folder.path().join("a"), folder.path().join("old")).unwrap();
        paths.write(&session("a"), b"two\n");
        let before = Instant::now().checked_sub(VALID).unwrap();
        paths.files().open.values_mut().for_each(|known| known.seen = before);
        paths.write(&session("a"), b"three\n");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("old"), read("a")), ("one\ntwo\n".into(), "three\n".into()));
    }

    #[test]
    fn the_folder_that_is_certain_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let certain = |text: &str| paths(folder.path(), text).template.certain_folder();
        assert_eq!(certain("$listener/log"), folder.path().join(""));
        assert_eq!(certain("/tmp/a-$listener/log"), Path::new("/tmp"));
        assert_eq!(certain("/$listener"), Path::new("/"));
        let text = Template::parse("nowhere/$listener").unwrap().link(|name| Variable::named(&name.name).ok_or(())).unwrap();
        let error = Paths::open(&PathTemplate { folder: folder.path().into(), text }, Lost::of(&"a".into())).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write logs into {}/nowhere: ", folder.path().display())), "{error}");
    }
}
