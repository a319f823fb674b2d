//! The hello of a client that is described in words, as to `vestibule route` or by the `tests` of a map.

use super::{ClientHello, ServerName};
use crate::host::{Hostname, HostnameError};

impl ClientHello {
    /// What a client sends of which this is said; without `versions` it speaks those that most clients do. One that knows TLS 1.3
    /// lists its versions; any other says its highest, and counts as speaking all below (RFC 8446 §4.2.1).
    ///
    /// # Errors
    /// When a hello with this name is malformed.
    pub fn described(name: Option<&str>, alpn: &[String], versions: impl IntoIterator<Item = u16>) -> Result<Self, HostnameError> {
        let mut versions: Vec<_> = versions.into_iter().collect();
        if versions.is_empty() {
            versions = vec![TLS_1_3, TLS_1_2];
        }
        let highest = versions.iter().copied().max().unwrap_or_default();
        Ok(Self {
            server_name: name.map_or(Ok(ServerName::None), ServerName::of_text)?,
            alpn: alpn.iter().map(|protocol| protocol.as_bytes().into()).collect(),
            legacy_version: highest.min(TLS_1_2),
            supported_versions: (highest >= TLS_1_3).then_some(versions),
            ech: false,
        })
    }
}

impl ServerName {
    /// What is sent for a name; an address counts as none.
    fn of_text(sent: &str) -> Result<Self, HostnameError> {
        match Hostname::parse(sent) {
            Ok(name) => Ok(Self::Host { name, sent: sent.into() }),
            Err(HostnameError::IpAddress) => Ok(Self::None),
            Err(error) => Err(error),
        }
    }
}

const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_offers_is_what_is_said_of_it() {
        let offers = |versions: &[u16]| {
            let hello = ClientHello::described(None, &[], versions.iter().copied()).unwrap();
            ([0x0301, 0x0302, 0x0303, 0x0304].map(|version| hello.offers(version)), hello.protocol())
        };
        assert_eq!(offers(&[]), ([false, false, true, true], "TLSv1.3"));
        assert_eq!(offers(&[0x0304]), ([false, false, false, true], "TLSv1.3"));
        assert_eq!(offers(&[0x0302, 0x0304]), ([false, true, false, true], "TLSv1.3"));
        assert_eq!(offers(&[0x0302, 0x0301]), ([true, true, false, false], "TLSv1.1"), "one number says both");
        assert_eq!(offers(&[0x0303]), ([true, true, true, false], "TLSv1.2"), "one number says all below");
    }

    #[test]
    fn an_address_counts_as_no_name() {
        let named = |name| ClientHello::described(Some(name), &[], []).map(|hello| hello.server_name);
        assert_eq!(named("192.0.2.1"), Ok(ServerName::None));
        assert_eq!(named("A.test"), Ok(ServerName::Host { name: Hostname::parse("a.test").unwrap(), sent: "A.test".into() }));
        assert_eq!(named("*.test").ok(), None);
    }
}
