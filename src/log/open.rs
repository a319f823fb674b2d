//! Opening files to append to, and what can go wrong with it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A log that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file.
    #[error("cannot open the log {}: {}", .path.display(), explain(.source, .path))]
    Open {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A folder in which files are to be made.
    #[error("cannot write logs into {}: {source}", .folder.display())]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// What the process was started with as its output.
    #[error("cannot write to the standard output: {0}")]
    Standard(#[source] io::Error),
    /// The thread that would have written it.
    #[error("cannot start the thread of a log: {0}")]
    Thread(#[source] io::Error),
}

/// Opens a log to append to; a file exists from then on. A FIFO without a reader must not hold the start up, which
/// opening it to write would (fifo(7)), nor a reader that stalls the sessions.
pub(super) fn open(path: &Path) -> Result<File, LogError> {
    appending().create(true).open(path).map_err(|source| LogError::Open { path: path.into(), source })
}

/// How logs are opened.
pub(super) fn appending() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).custom_flags(libc::O_NONBLOCK);
    options
}

/// How a file is opened whose name strangers have a say in: one that leads elsewhere is none of theirs.
pub(super) fn appending_here() -> OpenOptions {
    let mut options = appending();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    options
}

/// Whether a path still leads to this file.
pub(super) fn is_still(file: &File, path: &Path) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (open, named) = (file.metadata().map(identity), std::fs::metadata(path).map(identity));
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}

fn explain(error: &io::Error, path: &Path) -> String {
    let is_fifo = || std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    match error.raw_os_error() {
        Some(libc::ENXIO) if is_fifo() => "nobody reads this FIFO; start its reader first".into(),
        _ => error.to_string(),
    }
}
