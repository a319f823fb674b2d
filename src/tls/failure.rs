//! Why there is no TLS with somebody, or no more, for whoever reads the log and has to do something about it. What is said here
//! is said of the other side, a client or a server.

use std::time::UNIX_EPOCH;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use tokio::time::Duration;

use super::certificates::date;
use super::handshake::HandshakeError;

/// The other side.
#[derive(Clone, Copy)]
enum Peer {
    Client,
    Server,
}

impl HandshakeError {
    /// In words, of a client.
    #[must_use]
    pub fn of_client(&self) -> String {
        self.of(Peer::Client)
    }

    /// In words, of a server.
    #[must_use]
    pub fn of_server(&self) -> String {
        self.of(Peer::Server)
    }

    fn of(&self, peer: Peer) -> String {
        match self {
            Self::Failed(error) => words(error, peer),
            Self::Certificate(_) | Self::Timeout(_) | Self::Gone | Self::Broken(_) => self.to_string(),
        }
    }
}

/// What was wrong with a client's TLS after its handshake.
#[must_use]
pub fn of_client(error: &Error) -> String {
    words(error, Peer::Client)
}

/// What was wrong with a server's TLS after its handshake.
#[must_use]
pub fn of_server(error: &Error) -> String {
    words(error, Peer::Server)
}

fn words(error: &Error, peer: Peer) -> String {
    let it = match peer {
        Peer::Client => "the client",
        Peer::Server => "it",
    };
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => match ALERTS.iter().find(|(known, ..)| known == alert) {
            Some((_, name, says)) => format!("{it} {says} (alert {name})"),
            None => format!("{it} refused TLS by an alert: {alert:?}"),
        },
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => match peer {
            Peer::Client => "what the client sends is no TLS".into(),
            Peer::Server => "what it answers is no TLS".into(),
        },
        Error::NoApplicationProtocol => format!("{it} speaks none of the application protocols (`alpn`)"),
        Error::NoCertificatesPresented => format!("{it} shows no certificate"),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => format!("{it} has no cipher suite in common with `ciphers`"),
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => format!("{it} has no group of the key exchange in common"),
        Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => {
            format!("{it} has no kind of signature in common that the certificate's key can make")
        }
        Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig) => {
            format!("{it} chose a version of TLS that `versions` leaves out")
        }
        other => other.to_string(),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "nobody that is trusted vouches for its certificate (`ca` says who is)".into(),
        CertificateError::BadSignature => {
            "a signature does not fit: another authority of the same name has made its certificate, or it is not its own".into()
        }
        CertificateError::Expired => "its certificate has expired".into(),
        CertificateError::ExpiredContext { not_after, .. } => format!("its certificate has expired on {}", day(*not_after)),
        CertificateError::NotValidYet => "its certificate is not good yet".into(),
        CertificateError::NotValidYetContext { not_before, .. } => format!("its certificate is not good before {}", day(*not_before)),
        CertificateError::Revoked => "its certificate is revoked".into(),
        CertificateError::UnknownRevocationStatus => "its certificate comes from an issuer of whom no `crl` tells".into(),
        CertificateError::ExpiredRevocationList => "its certificate comes from an issuer whose `crl` is out of date".into(),
        CertificateError::ExpiredRevocationListContext { next_update, .. } => {
            format!("its certificate comes from an issuer whose `crl` is out of date since {}", day(*next_update))
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "its certificate is not for servers".into(),
        CertificateError::NotValidForNameContext { expected, presented } => match &*names(presented) {
            "" => format!("its certificate is for no name at all, and not for {}", expected.to_str()),
            names => format!("its certificate is for {names}, and not for {}", expected.to_str()),
        },
        CertificateError::Other(other) => match other.0.to_string() {
            of_webpki if of_webpki == "CaUsedAsEndEntity" => {
                "its certificate is that of an authority, and does not stand in the file of `ca` itself".into()
            }
            words => format!("its certificate is not good: {words}"),
        },
        other => format!("its certificate is not good: {other}"),
    }
}

/// The names of a certificate, which rustls has as `DnsName("a.test")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// A time as it is told.
pub(super) fn day(time: UnixTime) -> String {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).map_or_else(|| "a day beyond all calendars".into(), date)
}

/// What somebody means who ends TLS by these (RFC 8446 §6.2).
const ALERTS: [(AlertDescription, &str, &str); 16] = [
    (AlertDescription::UnknownCA, "unknown_ca", "does not trust the certificate: nobody vouches for it whom it trusts"),
    (AlertDescription::BadCertificate, "bad_certificate", "does not trust the certificate: it takes it for a bad one"),
    (AlertDescription::CertificateUnknown, "certificate_unknown", "does not trust the certificate"),
    (AlertDescription::CertificateExpired, "certificate_expired", "does not trust the certificate: it takes it for one that has expired"),
    (AlertDescription::CertificateRevoked, "certificate_revoked", "does not trust the certificate: it takes it for revoked"),
    (AlertDescription::UnsupportedCertificate, "unsupported_certificate", "can do nothing with such a certificate"),
    (AlertDescription::CertificateRequired, "certificate_required", "demands a certificate"),
    (AlertDescription::AccessDenied, "access_denied", "grants no access"),
    (
        AlertDescription::HandshakeFailure,
        "handshake_failure",
        "refused the TLS handshake: it found too little in common, or misses a certificate",
    ),
    (AlertDescription::ProtocolVersion, "protocol_version", "speaks none of the versions of TLS"),
    (AlertDescription::InsufficientSecurity, "insufficient_security", "demands more security"),
    (AlertDescription::NoApplicationProtocol, "no_application_protocol", "speaks none of the application protocols"),
    (AlertDescription::UnrecognisedName, "unrecognized_name", "does not know the name that it was asked for"),
    (AlertDescription::DecryptError, "decrypt_error", "found a signature, or a key, that does not fit"),
    (AlertDescription::InternalError, "internal_error", "has failed by itself"),
    (AlertDescription::UserCanceled, "user_canceled", "gave up"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let presented = ["DnsName(\"shop.test\")", "IpAddress(10.0.0.1)"].map(str::to_owned).to_vec();
        let expected = ServerName::try_from("web.test").unwrap();
        let cases: [(Error, &str); 8] = [
            (
                CertificateError::ExpiredContext { time: at(1_800_000_000), not_after: at(1_577_836_800) }.into(),
                "its certificate has expired on 2020-01-01 00:00 UTC",
            ),
            (CertificateError::Expired.into(), "its certificate has expired"),
            (
                CertificateError::NotValidForNameContext { expected, presented }.into(),
                "its certificate is for shop.test, 10.0.0.1, and not for web.test",
            ),
            (Error::NoApplicationProtocol, "it speaks none of the application protocols (`alpn`)"),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), "it has no cipher suite in common with `ciphers`"),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                "it does not trust the certificate: nobody vouches for it whom it trusts (alert unknown_ca)",
            ),
            (Error::AlertReceived(AlertDescription::ExportRestriction), "it refused TLS by an alert: ExportRestriction"),
            (Error::DecryptError, "cannot decrypt peer's message"),
        ];
        for (error, words) in cases {
            assert_eq!(of_server(&error), words);
        }
    }

    #[test]
    fn a_client_is_called_one() {
        assert_eq!(of_client(&Error::NoApplicationProtocol), "the client speaks none of the application protocols (`alpn`)");
    }
}
