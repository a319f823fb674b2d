//! Why there is no TLS with a server, for whoever reads the log and has to do something about it.

use rustls::{CertificateError, Error, InvalidMessage};

use super::handshake::HandshakeError;

impl HandshakeError {
    /// In words, of a server.
    #[must_use]
    pub fn of_server(&self) -> String {
        match self {
            Self::Failed(error) => words(error),
            Self::Certificate(_) | Self::Timeout(_) | Self::Gone | Self::Broken(_) => self.to_string(),
        }
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody that is trusted vouches for its certificate (`ca` says who is)".into()
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "a signature does not fit: another authority of the same name has made its certificate, or it is not its own".into()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => match other.0.to_string() {
            of_webpki if of_webpki == "CaUsedAsEndEntity" => {
                "its certificate is that of an authority, and does not stand in the file of `ca` itself".into()
            }
            words => format!("its certificate is not good: {words}"),
        },
        Error::InvalidCertificate(other) => format!("its certificate is not good: {other}"),
        Error::AlertReceived(alert) => format!("it refused the TLS handshake: {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "what it answers is no TLS".into(),
        other => other.to_string(),
    }
}
