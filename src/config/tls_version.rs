//! Versions of TLS, by their names.

use super::values::{Word, words};

words! {
    /// A version of TLS.
    TlsVersion, "a TLS version", {
        /// RFC 2246.
        V1_0 = "1.0",
        /// RFC 4346.
        V1_1 = "1.1",
        /// RFC 5246.
        V1_2 = "1.2",
        /// RFC 8446.
        V1_3 = "1.3",
    }
}

impl TlsVersion {
    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::V1_0 => 0x0301,
            Self::V1_1 => 0x0302,
            Self::V1_2 => 0x0303,
            Self::V1_3 => 0x0304,
        }
    }

    /// The version of this number.
    #[must_use]
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.iter().map(|(_, version)| *version).find(|version| version.number() == number)
    }

    /// The version of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, version)| *version)
    }

    /// Its name: `1.3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, version)| *version == self).map_or("", |(name, _)| name)
    }
}
