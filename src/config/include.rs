//! More files of the same form: `include`.

use figment::value::Value;
use serde::Serialize;

use super::file_pattern::FilePatternError;
use super::read::{Read, Reader};
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
    /// The way out, where there is one.
    pub(super) fn instead(&self) -> Option<String> {
        match self {
            Self::Folder { name } => Some(format!("its files are \"{name}/*.toml\"")),
            Self::Unreadable { .. } => Some("a pattern such as \"routes.d/*.toml\" may match nothing, a name must exist".into()),
            Self::Circle { way } if way.len() == 2 => Some("this leads to the file that has it".into()),
            Self::Circle { .. } => Some("one of them must not include the next".into()),
            Self::OtherHosts { .. } => Some("which names it may define is said in one place".into()),
            Self::NoFile { .. } | Self::Pattern(_) | Self::TooMany { .. } | Self::TooDeep { .. } | Self::TooLarge { .. } => None,
        }
    }
}
