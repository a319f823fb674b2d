//! Passwords for encrypted keys, one a line, as nginx's `ssl_password_file` has them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::pem::PemError;

/// The passwords of a file. Nothing shows them.
#[derive(Clone, Default)]
pub struct Passwords(Vec<Vec<u8>>);

impl Passwords {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The lines of a file that are not empty.
    ///
    /// # Errors
    /// When the file can't be read, or has no password.
    pub fn read(path: &Path) -> Result<Self, PemError> {
        let bytes = fs::read(path).map_err(|source| PemError::File { path: path.into(), source })?;
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let all: Vec<_> = lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
        if all.is_empty() { Err(PemError::Empty { path: path.into(), what: "password", found: None }) } else { Ok(Self(all)) }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passwords", self.0.len())
    }
}

/// What came out of pipes, which give it but once: it is kept for when the key is read anew.
#[derive(Debug, Default)]
pub(super) struct FromPipes(Mutex<Vec<(PathBuf, Passwords)>>);

impl FromPipes {
    /// The passwords of a file; of a pipe, those that were read from it first.
    pub(super) fn read(&self, path: &Path) -> Result<Passwords, PemError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, passwords)) = kept.iter().find(|(known, _)| known == path) {
            return Ok(passwords.clone());
        }
        let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        let passwords = Passwords::read(path)?;
        if !is_file {
            kept.push((path.into(), passwords.clone()));
        }
        Ok(passwords)
    }
}
