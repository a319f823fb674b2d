//! Host names and the patterns that stand for them, in one normal form that is made once.
//! A [`Hostname`] is what a client may ask for; a [`HostPattern`] is what a user writes in a map.
//! Names are compared as lower-case ASCII without the trailing dot (RFC 1034 §3.1); no Unicode is folded.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A host name in its normal form: lower-case ASCII, no trailing dot, at most 253 bytes, labels of 1 to 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hostname(Arc<str>);

/// Why a text is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// Nothing stands before the trailing dot.
    #[error("a host name is empty")]
    Empty,
    /// An IPv4 or IPv6 address: RFC 6066 §3 allows none as a server name.
    #[error("an IP address is not a host name")]
    IpAddress,
    /// More than 253 bytes, or a label of more than 63.
    #[error("a host name has at most 253 characters, each label at most 63")]
    TooLong,
    /// Two dots in a row, or one at the start.
    #[error("a label is empty (two dots in a row, or one at the start)")]
    EmptyLabel,
    /// A character that no host name has. Internationalised names are written as A-labels.
    #[error("{0:?} does not belong into a host name (letters, digits, '-', '_' and '.'; other scripts as labels that begin with xn--)")]
    Character(char),
}

/// The most bytes a host name has, the trailing dot not counted (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 253;
/// The most bytes of one of its labels.
pub const MAX_LABEL: usize = 63;

impl Hostname {
    /// Brings a name into its normal form.
    ///
    /// # Errors
    /// When the text is no host name; an IP address is told apart from the rest.
    pub fn parse(text: &str) -> Result<Self, HostnameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(HostnameError::Empty);
        }
        // Of 100,000 names hardly one looks like an address, which ends in a digit or has a colon.
        let may_be_address = name.ends_with(|last: char| last.is_ascii_digit()) || name.contains(':');
        if may_be_address && name.parse::<IpAddr>().is_ok() {
            return Err(HostnameError::IpAddress);
        }
        check_labels(name)?;
        match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Ok(Self(name.to_ascii_lowercase().into())),
            false => Ok(Self(name.into())),
        }
    }

    /// The name in its normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands on the left of a map: one name, or a wildcard for many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `api.example`: this name alone.
    Exact(Hostname),
    /// `*.example`: every name below `example`, at any depth; not `example` itself.
    Below(Hostname),
    /// `.example`: `example` and every name below it.
    AndBelow(Hostname),
    /// `www.example.*`: `www.example` with any one or more labels behind it.
    Trailing(Hostname),
}

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// A `*` anywhere but as the whole first or the whole last label.
    #[error("a wildcard stands for whole labels at one end of the name: \"*.example\" or \"www.example.*\"")]
    WildcardInside,
    /// What is left without the wildcard is no host name.
    #[error(transparent)]
    Hostname(#[from] HostnameError),
}

impl HostPattern {
    /// Reads a pattern as it stands in `[routes.NAME.hosts]`.
    ///
    /// # Errors
    /// When a wildcard stands inside the name, or the rest is no host name.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let (build, rest): (fn(Hostname) -> Self, &str) = if let Some(rest) = text.strip_prefix("*.") {
            (Self::Below, rest)
        } else if let Some(rest) = text.strip_suffix(".*") {
            (Self::Trailing, rest)
        } else if let Some(rest) = text.strip_prefix('.') {
            (Self::AndBelow, rest)
        } else {
            (Self::Exact, text)
        };
        if rest.contains('*') {
            return Err(HostPatternError::WildcardInside);
        }
        // "www.example..*": the dot that a name may end in would hide an empty label.
        if text.ends_with("..*") {
            return Err(HostnameError::EmptyLabel.into());
        }
        Ok(build(Hostname::parse(rest)?))
    }

    /// The text of which this was made, in no memory of its own where it is the name itself.
    #[must_use]
    pub fn written(&self, text: &str) -> Arc<str> {
        match self {
            Self::Exact(name) if name.as_str() == text => Arc::clone(&name.0),
            _ => text.into(),
        }
    }
}

fn check_labels(name: &str) -> Result<(), HostnameError> {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if let Some(at) = name.bytes().position(|byte| !belongs(byte)) {
        // All before it is ASCII, so that a character begins there.
        return Err(HostnameError::Character(name[at..].chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    if name.len() > MAX_NAME {
        return Err(HostnameError::TooLong);
    }
    name.split('.').try_for_each(|label| match label.len() {
        0 => Err(HostnameError::EmptyLabel),
        1..=MAX_LABEL => Ok(()),
        _ => Err(HostnameError::TooLong),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_has_no_trailing_dot() {
        assert_eq!(Hostname::parse("Acme.Example.").unwrap().as_str(), "acme.example");
        assert_eq!(Hostname::parse("_dmarc.a-b.1").unwrap().as_str(), "_dmarc.a-b.1");
    }

    #[test]
    fn what_is_no_name_says_why() {
        let long_label = "a".repeat(64);
        let long_name = format!("{}b", "a.".repeat(127));
        let cases = [
            ("", HostnameError::Empty),
            (".", HostnameError::Empty),
            ("127.0.0.1", HostnameError::IpAddress),
            ("127.0.0.1.", HostnameError::IpAddress),
            ("::1", HostnameError::IpAddress),
            ("a..b", HostnameError::EmptyLabel),
            (".a", HostnameError::EmptyLabel),
            ("a..", HostnameError::EmptyLabel),
            ("a b", HostnameError::Character(' ')),
            ("a\0b", HostnameError::Character('\0')),
            ("bücher.example", HostnameError::Character('ü')),
            ("\u{212a}.example", HostnameError::Character('\u{212a}')),
            (&long_label, HostnameError::TooLong),
            (&long_name, HostnameError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(Hostname::parse(text), Err(error), "{text:?}");
        }
        assert!(Hostname::parse(&long_name[2..]).is_ok(), "253 bytes are allowed");
    }

    #[test]
    fn patterns_have_four_forms() {
        let name = |text| Hostname::parse(text).unwrap();
        assert_eq!(HostPattern::parse("A.b"), Ok(HostPattern::Exact(name("a.b"))));
        assert_eq!(HostPattern::parse("*.a.b"), Ok(HostPattern::Below(name("a.b"))));
        assert_eq!(HostPattern::parse(".a.b"), Ok(HostPattern::AndBelow(name("a.b"))));
        assert_eq!(HostPattern::parse("www.a.*"), Ok(HostPattern::Trailing(name("www.a"))));
        for inside in ["a.*.b", "*a.b", "a*", "*", "*.*", "*.a.*", "www.*.*", "www.a..*"] {
            assert!(HostPattern::parse(inside).is_err(), "{inside}");
        }
    }
}
