//! TLS with a client, under a profile: its beginning, and what is known once it stands.

use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion, ServerConnection};

use super::stream::{Layer, SEEN};
use super::suites::{cipher_name, version_name};
use super::terminator::Terminator;
use super::x509;
use crate::session::{ClientCertificate, TlsFacts};

impl Terminator {
    /// A connection with a client that is about to begin its handshake, under the profile as it is now.
    ///
    /// # Errors
    /// When rustls cannot serve anybody under it.
    pub fn begin(&self) -> Result<Layer, rustls::Error> {
        let (config, boundary) = self.handshake();
        let layer = Layer::new(Connection::Server(ServerConnection::new(config)?));
        layer.state().first_sent = Some(Vec::with_capacity(SEEN));
        layer.state().boundary = Some(boundary);
        Ok(layer)
    }
}

impl Layer {
    /// What was agreed on with a client, once the handshake is over.
    #[must_use]
    pub fn facts(&self) -> TlsFacts {
        let state = &mut *self.state();
        let first_sent = state.first_sent.take().unwrap_or_default();
        state.boundary = None;
        let connection = &state.connection;
        TlsFacts {
            protocol: connection.protocol_version().map_or("unknown", version_name),
            cipher: connection.negotiated_cipher_suite().map_or("unknown", |suite| cipher_name(suite.suite())),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            session_id: session_id(&first_sent).filter(|_| connection.protocol_version() == Some(ProtocolVersion::TLSv1_2)),
            alpn: connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into()),
            client: connection.peer_certificates().and_then(|chain| chain.first()).and_then(client_certificate),
        }
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
