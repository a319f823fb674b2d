//! Where something stands that a message is about.

use std::fmt;
use std::ops::Range;
use std::string::FromUtf8Error;
use std::sync::Arc;

use super::source::Source;

/// Where something stands: in a file, in an environment variable or on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Some bytes of a file.
    File {
        /// The file's name and text.
        source: Arc<Source>,
        /// The bytes meant.
        span: Range<usize>,
    },
    /// An environment variable, as `VESTIBULE_LOG__LEVEL=debug`.
    Environment(String),
    /// What was given to `--set`, as `log.level=debug`.
    Set(String),
    /// Nowhere in particular: the file as a whole.
    Whole,
}

impl Place {
    /// The first bytes of a file that are no text.
    pub(super) fn no_text(name: &str, error: &FromUtf8Error) -> Self {
        let at = error.utf8_error().valid_up_to();
        let source = Arc::new(Source::new(name, String::from_utf8_lossy(error.as_bytes())));
        Self::File { source, span: at..at + char::REPLACEMENT_CHARACTER.len_utf8() }
    }

    /// The line in its file, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::File { source, span } => Some(source.position(span.start).0),
            Self::Environment(_) | Self::Set(_) | Self::Whole => None,
        }
    }

    /// Whether both stand in one file.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        matches!((self, other), (Self::File { source, .. }, Self::File { source: other, .. }) if source == other)
    }

    /// Files as they were read, each from top to bottom, then the environment, then the command line.
    #[must_use]
    pub fn order(&self) -> impl Ord + use<> {
        match self {
            Self::Whole => (0, 0, 0, String::new()),
            Self::File { source, span } => (1, source.number(), span.start, String::new()),
            Self::Environment(variable) => (2, 0, 0, variable.clone()),
            Self::Set(item) => (3, 0, 0, item.clone()),
        }
    }
}

/// As a text mentions it: `routes.toml:30`, `the environment: VESTIBULE_LOG__LEVEL=debug`, `--set log.level=debug`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { source, span } => write!(f, "{}:{}", source.name(), source.position(span.start).0),
            Self::Environment(variable) => write!(f, "the environment: {variable}"),
            Self::Set(item) => write!(f, "--set {item}"),
            Self::Whole => f.write_str("the configuration"),
        }
    }
}
