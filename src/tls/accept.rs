//! TLS with a client, under a profile: its beginning, and what is known once it stands.

use std::cell::OnceCell;
use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use tokio_rustls::TlsAcceptor;

use super::handshake::{HandshakeError, Wire, feed, within};
use super::stream::Layer;
use super::suites::{cipher_name, version_name};
use super::terminator::Terminator;
use super::x509;
use crate::net::Socket;
use crate::session::{ClientCertificate, TlsFacts};

impl Terminator {
    /// Goes through the handshake with a client whose hello was read before, under the profile as it is now. When it
    /// fails, the alert that says so is sent already, as far as the client takes it and rustls has one.
    ///
    /// # Errors
    /// When the client fails, breaks, ends or is too slow.
    pub async fn accept(&self, socket: &Socket, hello: &[u8]) -> Result<(Layer, TlsFacts), HandshakeError> {
        let (config, boundary) = self.handshake();
        let failed = OnceCell::new();
        let handshake = TlsAcceptor::from(config).accept_with(Wire::after(socket, &failed), |connection| {
            // It is empty until now.
            let _ = feed(connection, hello).map_err(|error| failed.set(error));
        });
        let accepted = within(self.settings().handshake_timeout, handshake).await;
        let (wire, connection) = accepted
            .map_err(|error| match (error, boundary.refusal()) {
                (HandshakeError::Failed(_), Some(whose)) => HandshakeError::Certificate(whose.into()),
                (error, _) => error,
            })?
            .into_inner();
        let facts = facts(&connection, &wire.first_sent);
        Ok((Layer::new(connection.into()), facts))
    }
}

/// What was agreed on with a client.
fn facts(connection: &ServerConnection, first_sent: &[u8]) -> TlsFacts {
    TlsFacts {
        protocol: connection.protocol_version().map_or("unknown", version_name),
        cipher: connection.negotiated_cipher_suite().map_or("unknown", |suite| cipher_name(suite.suite())),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        session_id: session_id(first_sent).filter(|_| connection.protocol_version() == Some(ProtocolVersion::TLSv1_2)),
        alpn: connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into()),
        client: connection.peer_certificates().and_then(|chain| chain.first()).and_then(client_certificate),
    }
}

/// What the certificate says; a resumed client's too.
fn client_certificate(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let x509::Facts { subject, issuer, serial, fingerprint, .. } = x509::Facts::of(certificate).ok()?;
    Some(ClientCertificate { subject: subject.into(), issuer: issuer.into(), serial: serial.into(), fingerprint: fingerprint.into() })
}

/// The session id of a ServerHello, which is the first record that a server sends (RFC 5246 §7.4.1.3).
fn session_id(first_sent: &[u8]) -> Option<Box<str>> {
    let length = usize::from(*first_sent.get(SESSION_ID)?);
    let id = first_sent.get(SESSION_ID + 1..)?.get(..length).filter(|id| !id.is_empty())?;
    let mut text = String::with_capacity(2 * length);
    for byte in id {
        // Writing to memory cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text.into())
}

/// Where the length of the id stands: behind the heads of record and message, the version and the random bytes.
const SESSION_ID: usize = 5 + 4 + 2 + 32;
