//! More files of the same form: `include`.

use std::path::Path;
use std::{fs, io};

use figment::value::Value;
use serde::Serialize;

use super::file_pattern::{FilePatternError, has_braces};
use super::read::{Read, Reader};
use super::source::shown;
use super::values::OneOrMany;
use super::words as kinds;

/// One of `include`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Include {
    /// Paths, and patterns of them, relative to the file that has them.
    pub files: Vec<String>,
    /// The host names that these files may define, and nothing else but upstreams; absent is everything that may be included.
    pub hosts: Option<Vec<String>>,
}

impl Read for Include {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            return Some(Self { files: vec![String::read(value, reader)?], hosts: None });
        }
        let mut table = reader.table(value, &kinds::INCLUDE)?;
        let files: Option<OneOrMany<String>> = reader.require(&mut table, "files", "\"teams/pay/*.toml\"");
        let hosts = reader.take(&mut table, "hosts");
        // Without them the files could define everything.
        (!reader.was_cut("hosts")).then_some(Self { files: files?.0, hosts })
    }
}

/// Why what `include` says is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IncludeError {
    #[error("{name} can't be read: {why}")]
    Unreadable { name: String, why: String },
    #[error("{name} can't be read: there is no such file")]
    Missing { name: String },
    #[error("{name} is a link to {to}, which is not there")]
    Dangling { name: String, to: String },
    #[error("{name} may not be read by this user")]
    Denied { name: String },
    #[error("{name} is a folder")]
    Folder { name: String },
    #[error("{name} is not a regular file")]
    NoFile { name: String },
    #[error(transparent)]
    Pattern(#[from] FilePatternError),
    #[error("files include one another in a circle: {}", way.join(", then "))]
    Circle { way: Vec<String> },
    #[error("{name} is included twice, and not for the same host names")]
    OtherHosts { name: String },
    #[error("more than {most} files are included")]
    TooMany { most: usize },
    #[error("{name} is included by a file that is included, {most} times over")]
    TooDeep { name: String, most: usize },
    #[error("with {name} the files have more than {most} MiB together")]
    TooLarge { name: String, most: usize },
}

impl IncludeError {
    /// What the system says of a file.
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let name = shown(file);
        match (error.kind(), fs::read_link(file)) {
            (io::ErrorKind::NotFound, Ok(to)) => Self::Dangling { name, to: shown(&to) },
            (io::ErrorKind::NotFound, Err(_)) => Self::Missing { name },
            (io::ErrorKind::PermissionDenied, _) => Self::Denied { name },
            _ => Self::Unreadable { name, why: error.to_string() },
        }
    }

    /// The way out, where there is one.
    pub(super) fn instead(&self) -> Option<String> {
        match self {
            Self::Folder { name } => Some(format!("its files are \"{name}/*.toml\"")),
            Self::Missing { name } if has_braces(name) => Some("braces mean nothing here: write a name or a pattern for each".into()),
            Self::Missing { .. } => Some("a pattern such as \"routes.d/*.toml\" may match nothing, a name must exist".into()),
            Self::Circle { way } if way.len() == 2 => Some("this leads to the file that has it".into()),
            Self::Circle { .. } => Some("one of them must not include the next".into()),
            Self::OtherHosts { .. } => Some("which names it may define is said in one place".into()),
            Self::Denied { .. } => Some("let the gateway's user read it, and enter the folders on the way".into()),
            Self::Unreadable { .. }
            | Self::Dangling { .. }
            | Self::NoFile { .. }
            | Self::Pattern(_)
            | Self::TooMany { .. }
            | Self::TooDeep { .. }
            | Self::TooLarge { .. } => None,
        }
    }
}
