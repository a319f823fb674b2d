//! What is negotiated, by the names that people use: cipher suites (OpenSSL's names and IANA's), groups, versions.

use rustls::crypto::{SupportedKxGroup, aws_lc_rs as provider};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SupportedCipherSuite};

/// OpenSSL's names of the cipher suites; those of TLS 1.3 are IANA's.
const CIPHERS: [(CipherSuite, &str, &str); 9] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
];

/// The groups of the key exchange, by each of their names; the first is the one in logs.
const GROUPS: [(NamedGroup, &[&str]); 7] = [
    (NamedGroup::X25519MLKEM768, &["X25519MLKEM768"]),
    (NamedGroup::X25519, &["X25519", "x25519"]),
    (NamedGroup::secp256r1, &["P-256", "prime256v1", "secp256r1"]),
    (NamedGroup::secp384r1, &["P-384", "secp384r1"]),
    (NamedGroup::secp256r1MLKEM768, &["SecP256r1MLKEM768"]),
    (NamedGroup::MLKEM768, &["MLKEM768"]),
    (NamedGroup::MLKEM1024, &["MLKEM1024"]),
];

/// The cipher suite of this name, OpenSSL's or IANA's.
#[must_use]
pub fn cipher(name: &str) -> Option<SupportedCipherSuite> {
    let (suite, ..) = CIPHERS.iter().find(|(_, openssl, iana)| *openssl == name || *iana == name)?;
    provider::ALL_CIPHER_SUITES.iter().copied().find(|supported| supported.suite() == *suite)
}

/// The names of all cipher suites, OpenSSL's.
pub fn cipher_names() -> impl Iterator<Item = &'static str> {
    CIPHERS.iter().map(|(_, openssl, _)| *openssl)
}

/// `$ssl_cipher`: OpenSSL's name.
#[must_use]
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    CIPHERS.iter().find(|(known, ..)| *known == suite).map_or("unknown", |(_, openssl, _)| openssl)
}

/// The group of this name.
#[must_use]
pub fn group(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    let (group, _) = GROUPS.iter().find(|(_, names)| names.contains(&name))?;
    provider::ALL_KX_GROUPS.iter().copied().find(|supported| supported.name() == *group)
}

/// The names of all groups that can be chosen.
pub fn group_names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().filter_map(|(_, names)| names.first().copied()).filter(|name| group(name).is_some())
}

/// `$ssl_protocol`.
#[must_use]
pub fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_suite_there_is_has_its_name() {
        for supported in provider::ALL_CIPHER_SUITES {
            let name = cipher_name(supported.suite());
            assert_eq!(cipher(name).map(|found| found.suite()), Some(supported.suite()), "{name}");
        }
        assert_eq!(cipher_names().count(), provider::ALL_CIPHER_SUITES.len());
        assert_eq!(
            cipher("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256").map(|found| found.suite()),
            cipher("ECDHE-RSA-AES128-GCM-SHA256").map(|found| found.suite())
        );
    }

    #[test]
    fn every_group_there_is_has_its_name() {
        for supported in provider::ALL_KX_GROUPS {
            assert!(group_names().any(|name| group(name).is_some_and(|found| found.name() == supported.name())), "{supported:?}");
        }
        assert_eq!(group("prime256v1").map(|found| found.name()), Some(NamedGroup::secp256r1));
    }
}
