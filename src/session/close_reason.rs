//! The closed list of ways in which a session ends. Each has a status (nginx's), a word for the log, the side
//! that caused it, and the way the client is told.

use super::alert;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both directions ended in order; the client was first.
    ClientClosed,
    /// Both directions ended in order; the server was first.
    ServerClosed,
    /// The client was first, and the server then ended its TLS without saying so, as many do that have nothing more to say.
    ClientClosedUnanswered,
    /// The client reset the connection, or can no longer be reached.
    ClientReset,
    /// The server did.
    ServerReset,
    /// The client ended its TLS without saying so: what it sent may not be all.
    ClientTruncated,
    /// The server did.
    ServerTruncated,
    /// The client broke TLS after the handshake, or gave up by an alert.
    ClientTlsError,
    /// The server did.
    ServerTlsError,
    /// No byte in either direction for `idle_timeout`.
    IdleTimeout,
    /// The text of `respond` was sent.
    Responded,
    /// The hello was not whole within `preread_timeout`.
    HelloTimeout,
    /// The client closed before its hello was whole.
    HelloGone,
    /// The hello is broken; the client is told by this alert.
    MalformedHello(u8),
    /// The hello is larger than `preread_buffer_size`.
    HelloTooLarge,
    /// What came is not TLS, and the map has no `not_tls`.
    NotTls,
    /// The TLS handshake with the client failed. It is told by this alert, unless rustls has told it already.
    TlsFailed(Option<u8>),
    /// The same, since the client shows no certificate or none that is good: told apart, so that no scanner drowns it out.
    CertificateRefused,
    /// The TLS handshake was not over within `handshake_timeout`.
    HandshakeTimeout,
    /// The client closed in the middle of the TLS handshake.
    HandshakeGone,
    /// No entry of the map stands for the name, or none for a hello without one.
    NoRoute,
    /// The entry has targets, and the guards of none of them fit.
    NoTarget,
    /// The entry says `reject`, with this alert; `None` closes without one.
    Rejected(Option<u8>),
    /// The target's address was decided by the client, and lies where none may be forwarded to.
    ForwardRefused,
    /// The target's template gave no address, or a name that could not be resolved.
    Unresolved,
    /// No server of the upstream could be connected, or none was left to try.
    NoServer,
    /// No server could be dialled from the address that `source` says.
    NoSource,
    /// No descriptor was left for the server's connection.
    NoDescriptor,
    /// A rule of `access` refuses the client.
    AccessDenied,
    /// A `[limit.NAME]` is reached.
    LimitReached,
    /// What came where a PROXY header must stand is none, or one that is broken.
    BadProxyHeader,
    /// A PROXY header came from somebody who is not among the `trusted_proxies`.
    UntrustedProxy,
    /// The PROXY header was not whole within `proxy_protocol_timeout`.
    ProxyHeaderTimeout,
    /// The client closed before its PROXY header was whole.
    ProxyHeaderGone,
    /// All datagrams that were to come, came.
    Finished,
    /// Datagrams that a server was to answer went unanswered for `idle_timeout`.
    NoResponse,
    /// The session made room for another one, having seen no answer.
    Evicted,
    /// The gateway was told to stop, and `shutdown_timeout` was over.
    Drained,
    /// The gateway was told to stop at once.
    Stopped,
    /// A call of the operating system failed in a way that is nobody's fault outside.
    Failed,
}

/// Who caused a session to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// A server, or the lack of one.
    Server,
    /// The gateway: its configuration, its limits, its operator.
    Gateway,
}

/// How loudly an ending is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// As it should be, or the client's fault.
    Debug,
    /// The client's fault, or that of what is asked of it here.
    Info,
    /// A server's fault.
    Warn,
    /// Ours.
    Error,
}

/// How the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The connection is closed; all that was sent still arrives.
    Close,
    /// This TLS alert, then as above.
    Alert(u8),
    /// A reset, since an orderly end would pass for a complete one.
    Reset,
}

impl CloseReason {
    /// nginx's `$status` for such an end.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::ClientClosed
            | Self::ServerClosed
            | Self::ClientClosedUnanswered
            | Self::ClientReset
            | Self::ServerReset
            | Self::ClientTruncated
            | Self::ServerTruncated
            | Self::ClientTlsError
            | Self::ServerTlsError
            | Self::IdleTimeout
            | Self::Responded
            | Self::HelloTimeout
            | Self::HelloGone
            | Self::ProxyHeaderTimeout
            | Self::ProxyHeaderGone
            | Self::Finished
            | Self::Evicted
            | Self::Drained
            | Self::Stopped => 200,
            Self::MalformedHello(_) | Self::HelloTooLarge | Self::BadProxyHeader => 400,
            Self::ForwardRefused | Self::AccessDenied | Self::UntrustedProxy => 403,
            Self::NotTls
            | Self::TlsFailed(_)
            | Self::CertificateRefused
            | Self::HandshakeTimeout
            | Self::HandshakeGone
            | Self::NoRoute
            | Self::NoTarget
            | Self::Rejected(_)
            | Self::Unresolved
            | Self::NoSource
            | Self::NoDescriptor
            | Self::Failed => 500,
            Self::NoServer | Self::NoResponse => 502,
            Self::LimitReached => 503,
        }
    }

    /// `$close_reason`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClientClosed | Self::ClientClosedUnanswered => "client_closed",
            Self::ServerClosed => "server_closed",
            Self::ClientReset => "client_reset",
            Self::ServerReset => "server_reset",
            Self::ClientTruncated => "client_truncated",
            Self::ServerTruncated => "server_truncated",
            Self::ClientTlsError => "client_tls_error",
            Self::ServerTlsError => "server_tls_error",
            Self::IdleTimeout => "idle_timeout",
            Self::Responded => "responded",
            Self::HelloTimeout => "hello_timeout",
            Self::HelloGone => "hello_gone",
            Self::MalformedHello(_) => "malformed_hello",
            Self::HelloTooLarge => "hello_too_large",
            Self::NotTls => "not_tls",
            Self::TlsFailed(_) | Self::CertificateRefused => "tls_failed",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HandshakeGone => "handshake_gone",
            Self::NoRoute => "no_route",
            Self::NoTarget => "no_target",
            Self::Rejected(_) => "rejected",
            Self::ForwardRefused => "forward_refused",
            Self::Unresolved => "unresolved",
            Self::NoServer => "no_server",
            Self::NoSource => "no_source",
            Self::NoDescriptor => "no_descriptor",
            Self::AccessDenied => "access_denied",
            Self::LimitReached => "limit_reached",
            Self::BadProxyHeader => "bad_proxy_header",
            Self::UntrustedProxy => "untrusted_proxy",
            Self::ProxyHeaderTimeout => "proxy_header_timeout",
            Self::ProxyHeaderGone => "proxy_header_gone",
            Self::Finished => "finished",
            Self::NoResponse => "no_response",
            Self::Evicted => "evicted",
            Self::Drained => "drained",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The side that caused it.
    #[must_use]
    pub fn side(self) -> Side {
        match self {
            Self::ClientClosed
            | Self::ClientClosedUnanswered
            | Self::ClientReset
            | Self::ClientTruncated
            | Self::ClientTlsError
            | Self::HelloTimeout
            | Self::HelloGone
            | Self::MalformedHello(_)
            | Self::HelloTooLarge
            | Self::NotTls
            | Self::TlsFailed(_)
            | Self::CertificateRefused
            | Self::HandshakeTimeout
            | Self::HandshakeGone
            | Self::NoRoute
            | Self::NoTarget
            | Self::AccessDenied
            | Self::BadProxyHeader
            | Self::UntrustedProxy
            | Self::ProxyHeaderTimeout
            | Self::ProxyHeaderGone
            | Self::ForwardRefused => Side::Client,
            Self::ServerClosed
            | Self::ServerReset
            | Self::ServerTruncated
            | Self::ServerTlsError
            | Self::NoServer
            | Self::NoResponse
            | Self::Unresolved
            | Self::Finished => Side::Server,
            Self::IdleTimeout
            | Self::LimitReached
            | Self::Evicted
            | Self::Responded
            | Self::Rejected(_)
            | Self::NoSource
            | Self::NoDescriptor
            | Self::Drained
            | Self::Stopped
            | Self::Failed => Side::Gateway,
        }
    }

    /// How loudly the end is logged.
    #[must_use]
    pub fn level(self) -> LogLevel {
        match self {
            Self::TlsFailed(_) | Self::CertificateRefused | Self::HandshakeTimeout => LogLevel::Info,
            Self::AccessDenied | Self::LimitReached | Self::BadProxyHeader | Self::UntrustedProxy => LogLevel::Info,
            Self::NoServer | Self::Unresolved => LogLevel::Warn,
            Self::NoSource | Self::NoDescriptor | Self::Failed => LogLevel::Error,
            _ => LogLevel::Debug,
        }
    }

    /// The labels of those endings in which clients were turned away: what the summary of refusals counts.
    pub const REFUSALS: [&'static str; 23] = [
        Self::HelloTimeout.label(),
        Self::HelloGone.label(),
        Self::MalformedHello(0).label(),
        Self::HelloTooLarge.label(),
        Self::NotTls.label(),
        Self::TlsFailed(None).label(),
        Self::HandshakeTimeout.label(),
        Self::HandshakeGone.label(),
        Self::NoRoute.label(),
        Self::NoTarget.label(),
        Self::Rejected(None).label(),
        Self::ForwardRefused.label(),
        Self::AccessDenied.label(),
        Self::LimitReached.label(),
        Self::BadProxyHeader.label(),
        Self::UntrustedProxy.label(),
        Self::ProxyHeaderTimeout.label(),
        Self::ProxyHeaderGone.label(),
        Self::Unresolved.label(),
        Self::NoServer.label(),
        Self::NoSource.label(),
        Self::NoDescriptor.label(),
        Self::Evicted.label(),
    ];

    /// How the client is told, if it speaks TLS; one that does not gets no alert.
    #[must_use]
    pub fn farewell(self) -> Farewell {
        match self {
            Self::MalformedHello(number) | Self::Rejected(Some(number)) | Self::TlsFailed(Some(number)) => Farewell::Alert(number),
            Self::HelloTooLarge => Farewell::Alert(alert::RECORD_OVERFLOW),
            Self::NoRoute | Self::NoTarget => Farewell::Alert(alert::UNRECOGNIZED_NAME),
            Self::ForwardRefused | Self::AccessDenied | Self::LimitReached => Farewell::Alert(alert::ACCESS_DENIED),
            Self::ClientClosedUnanswered
            | Self::ClientReset
            | Self::ServerReset
            | Self::ClientTruncated
            | Self::ServerTruncated
            | Self::ServerTlsError
            | Self::IdleTimeout
            | Self::Drained
            | Self::Stopped => Farewell::Reset,
            _ => Farewell::Close,
        }
    }

    /// Whether the server must not take what it has heard for all that there was.
    #[must_use]
    pub fn is_cut_for_server(self) -> bool {
        match self {
            // It has heard the client's end.
            Self::ClientClosedUnanswered => false,
            Self::ClientTlsError => true,
            _ => self.farewell() == Farewell::Reset,
        }
    }
}

impl Side {
    /// The word in logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Gateway => "gateway",
        }
    }
}
