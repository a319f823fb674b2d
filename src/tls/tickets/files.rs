//! Secrets from files that a fleet shares, in nginx's format (`ssl_session_ticket_key`): 48 or 80 random bytes. All of a file's bytes
//! make the secret, so it is the same on each machine, and is another than any program would make that takes a file apart.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Secret;
use crate::tls::settings::{Finding, Part};

/// Reads the files of a profile; the first seals, all open. What can't be used is among the findings.
pub(in crate::tls) fn read(files: &[PathBuf], findings: &mut Vec<Finding>) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let (part, name) = (Part::TicketKey(index), path.display());
        match KeyFile::read(path) {
            Ok(file) => {
                let secret = Secret::new(&file.bytes);
                if file.is_open_to_all {
                    let problem = format!("everybody on this machine may read the key in {name}");
                    findings.push(Finding::warning("open-ticket-key", part, problem).help(format!("chmod o= {name}")));
                }
                if let Some(same) = secrets.iter().position(|one| one.is_same(&secret)) {
                    let problem = format!("the key in {name} is the same as number {}", same + 1);
                    findings.push(Finding::warning("ticket-key-twice", part, problem));
                }
                secrets.push(secret);
            }
            Err(error) => findings.push(Finding::error(part, format!("{name} {error}")).help(error.help(path))),
        }
    }
    secrets
}

struct KeyFile {
    bytes: Vec<u8>,
    is_open_to_all: bool,
}

/// Why a file has no key.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("has {0} bytes, and a key for tickets has 48 or 80")]
    Short(usize),
    #[error("has more bytes than a key for tickets, which has 48 or 80")]
    Long,
    #[error("is no key: all of its bytes are the same")]
    Constant,
}

impl KeyFileError {
    /// The way out.
    fn help(&self, path: &Path) -> String {
        match self {
            // It may well be a key, and one that others share.
            Self::Unreadable(error) if error.kind() != io::ErrorKind::NotFound => {
                "it must be readable for the user that vestibule runs as".into()
            }
            _ => format!("openssl rand 80 > {}", path.display()),
        }
    }
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path)?;
        let is_open_to_all = file.metadata()?.permissions().mode() & OTHERS_READ != 0;
        let mut bytes = Vec::new();
        file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() {
            48 | LONGEST => {}
            long if long > LONGEST => return Err(KeyFileError::Long),
            short => return Err(KeyFileError::Short(short)),
        }
        if bytes.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(KeyFileError::Constant);
        }
        Ok(Self { bytes, is_open_to_all })
    }
}

const LONGEST: usize = 80;
const OTHERS_READ: u32 = 0o004;
