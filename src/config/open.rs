//! One file's text, within bounds.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::string::FromUtf8Error;
use std::sync::Arc;

use super::diagnostic::{Diagnostics, Place};
use super::include::IncludeError;
use super::source::Source;

/// What came of a file that could be read.
pub(super) enum Opened {
    Text(String),
    /// It is not UTF-8: what can be shown of it, and the first byte that is none.
    NoText(String, usize),
    /// It has more bytes than there is room for.
    TooLarge,
}

/// Reads a file that is to be included, up to so many bytes.
///
/// # Errors
/// When it cannot be read, or is no regular file: a pipe would be waited for.
pub(super) fn text(path: &Path, most: usize) -> Result<Opened, IncludeError> {
    let name = || path.display().to_string();
    let unreadable = |error: std::io::Error| IncludeError::unreadable(path, &error);
    // Looked at before it is opened, which a pipe would hold up.
    let what = std::fs::metadata(path).map_err(unreadable)?;
    if what.is_dir() {
        return Err(IncludeError::Folder { name: name() });
    }
    if !what.is_file() {
        return Err(IncludeError::NoFile { name: name() });
    }
    let room = u64::try_from(most).unwrap_or(u64::MAX);
    if what.len() > room {
        return Ok(Opened::TooLarge);
    }
    // It may grow meanwhile.
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(room.saturating_add(1)).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > most {
        return Ok(Opened::TooLarge);
    }
    Ok(String::from_utf8(bytes).map_or_else(|error| lossy(&error), Opened::Text))
}

fn lossy(error: &FromUtf8Error) -> Opened {
    Opened::NoText(String::from_utf8_lossy(error.as_bytes()).into_owned(), error.utf8_error().valid_up_to())
}

/// What is said of a file that is no text, as far as it can be shown.
pub(super) fn not_text(lossy: Source, at: usize) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(lossy.name());
    if lossy.text().contains('\0') {
        let begins_as_utf16 = lossy.text().starts_with("\u{fffd}\u{fffd}");
        let problem = if begins_as_utf16 { "is UTF-16 text" } else { "is no text at all" };
        diagnostics.error(Place::Whole, format!("{} {problem}", lossy.name())).help("a text editor saves it as UTF-8");
        return diagnostics;
    }
    let place = Place::File { source: Arc::new(lossy), span: at..at + char::REPLACEMENT_CHARACTER.len_utf8() };
    diagnostics.error(place, "this is not UTF-8 text").help("save the file as UTF-8");
    diagnostics
}
