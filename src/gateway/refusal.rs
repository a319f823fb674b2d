//! Why a session was not joined to a server: each error of its way becomes the one reason in which it ends.

use rustls::PeerMisbehaved::ServerNameDifferedOnRetry;

use crate::peek::PeekError;
use crate::session::{CloseReason, Hello, alert};
use crate::snapshot::ForwardError;
use crate::tls::{HandshakeError, NoVersion};
use crate::upstream::ConnectError;

/// Why a session was not joined.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: CloseReason,
    /// What more there is to say in the log.
    pub(super) detail: Option<Box<str>>,
}

impl Refusal {
    /// What first bytes were that could not be routed: `$hello`.
    pub(super) fn hello(error: &PeekError) -> Hello {
        match error {
            PeekError::Malformed(_) => Hello::Malformed,
            PeekError::TooLarge => Hello::TooLarge,
            PeekError::Timeout => Hello::Timeout,
            PeekError::Gone | PeekError::Reset(_) => Hello::Gone,
        }
    }
}

impl From<CloseReason> for Refusal {
    fn from(reason: CloseReason) -> Self {
        Self { reason, detail: None }
    }
}

impl From<PeekError> for Refusal {
    fn from(error: PeekError) -> Self {
        let reason = match &error {
            PeekError::Malformed(malformed) => CloseReason::MalformedHello(malformed.alert()),
            PeekError::TooLarge => CloseReason::HelloTooLarge,
            PeekError::Timeout => CloseReason::HelloTimeout,
            PeekError::Gone => CloseReason::HelloGone,
            PeekError::Reset(_) => CloseReason::ClientReset,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        let reason = match &error {
            // Routed by one name, it now asks for another (RFC 8446 §4.1.2).
            HandshakeError::Failed(rustls::Error::PeerMisbehaved(ServerNameDifferedOnRetry)) => {
                CloseReason::MalformedHello(alert::ILLEGAL_PARAMETER)
            }
            HandshakeError::Failed(rustls::Error::NoCertificatesPresented) | HandshakeError::Certificate(_) => {
                CloseReason::CertificateRefused
            }
            HandshakeError::Failed(_) => CloseReason::TlsFailed(None),
            HandshakeError::Timeout(_) => CloseReason::HandshakeTimeout,
            HandshakeError::Gone => CloseReason::HandshakeGone,
            HandshakeError::Broken(_) => CloseReason::ClientReset,
        };
        Self { reason, detail: Some(error.of_client().into()) }
    }
}

impl From<NoVersion> for Refusal {
    fn from(error: NoVersion) -> Self {
        Self { reason: CloseReason::TlsFailed(Some(alert::PROTOCOL_VERSION)), detail: Some(error.to_string().into()) }
    }
}

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        let reason = match &error {
            ForwardError::NoAddress { .. } => CloseReason::Unresolved,
            ForwardError::Refused { .. } => CloseReason::ForwardRefused,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        let reason = match &error {
            ConnectError::NoServer { .. } | ConnectError::Nobody { .. } => CloseReason::NoServer,
            ConnectError::NoSource { .. } => CloseReason::NoSource,
            ConnectError::NoDescriptor { .. } => CloseReason::NoDescriptor,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}
