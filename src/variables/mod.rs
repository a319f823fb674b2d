//! `$name` → text, from the facts of a session. The names are nginx's where nginx has one.
//! An unset variable has no value; who asks decides what stands in its place (`-` in logs, nothing in keys).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Zoned;
use jiff::tz::TimeZone;
use tokio::time::Duration;

use crate::proxy_protocol::Field;
use crate::session::{ClientCertificate, Hello, LimitStatus, Peer, Session, Try};
use crate::template::{Piece, Template};

/// Declares the variables once: the enum, the list of names and the look-up by name cannot disagree.
macro_rules! variables {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// Something that a template can say of a session.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Variable {
            $(#[doc = concat!("`$", $name, "`")] $variant,)*
            /// A group of the winning pattern, by number or by name.
            Capture(Box<str>),
            /// `$proxy_protocol_tlv_NAME`, with its name.
            ProxyProtocolTlv(Field, Box<str>),
        }

        /// The names of all variables but captures, for "did you mean".
        pub const NAMES: &[&str] = &[$($name),*];

        impl Variable {
            /// The variable of this name; captures are told by their digits alone.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ if name.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::Capture(name.into())),
                    _ => Field::named(name.strip_prefix(PROXY_PROTOCOL_TLV)?).map(|field| Self::ProxyProtocolTlv(field, name.into())),
                }
            }

            /// What it is called, without `$`.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Capture(group) => group,
                    Self::ProxyProtocolTlv(_, name) => name,
                }
            }
        }
    };
}

variables! {
    BinaryRemoteAddr = "binary_remote_addr",
    BytesReceived = "bytes_received",
    BytesSent = "bytes_sent",
    CloseReason = "close_reason",
    Connection = "connection",
    Hello = "hello",
    Hostname = "hostname",
    LimitConnStatus = "limit_conn_status",
    Listener = "listener",
    Msec = "msec",
    Pid = "pid",
    Protocol = "protocol",
    ProxyProtocolAddr = "proxy_protocol_addr",
    ProxyProtocolPort = "proxy_protocol_port",
    ProxyProtocolServerAddr = "proxy_protocol_server_addr",
    ProxyProtocolServerPort = "proxy_protocol_server_port",
    RealipRemoteAddr = "realip_remote_addr",
    RealipRemotePort = "realip_remote_port",
    RemoteAddr = "remote_addr",
    RemotePort = "remote_port",
    Route = "route",
    ServerAddr = "server_addr",
    ServerPort = "server_port",
    SessionTime = "session_time",
    SslAlpnProtocol = "ssl_alpn_protocol",
    SslCipher = "ssl_cipher",
    SslClientFingerprint = "ssl_client_fingerprint",
    SslClientIDn = "ssl_client_i_dn",
    SslClientSDn = "ssl_client_s_dn",
    SslClientSerial = "ssl_client_serial",
    SslClientVerify = "ssl_client_verify",
    SslPrereadAlpnProtocols = "ssl_preread_alpn_protocols",
    SslPrereadProtocol = "ssl_preread_protocol",
    SslPrereadServerName = "ssl_preread_server_name",
    SslProtocol = "ssl_protocol",
    SslServerName = "ssl_server_name",
    SslSessionId = "ssl_session_id",
    SslSessionReused = "ssl_session_reused",
    Status = "status",
    TimeIso8601 = "time_iso8601",
    TimeLocal = "time_local",
    Upstream = "upstream",
    UpstreamAddr = "upstream_addr",
    UpstreamBytesReceived = "upstream_bytes_received",
    UpstreamBytesSent = "upstream_bytes_sent",
    UpstreamConnectTime = "upstream_connect_time",
    UpstreamFirstByteTime = "upstream_first_byte_time",
    UpstreamSessionTime = "upstream_session_time",
}

/// A text with variables that are known to exist.
pub type Text = Template<Variable>;

impl Variable {
    /// Whether the variable is decided by bytes that the client sends.
    #[must_use]
    pub fn is_sent_by_client(&self) -> bool {
        matches!(
            self,
            Self::SslPrereadServerName
                | Self::SslPrereadAlpnProtocols
                | Self::SslServerName
                | Self::SslAlpnProtocol
                | Self::SslSessionId
                | Self::SslClientSDn
                | Self::SslClientIDn
                | Self::SslClientSerial
                | Self::SslClientFingerprint
                | Self::Capture(_)
                | Self::ProxyProtocolAddr
                | Self::ProxyProtocolPort
                | Self::ProxyProtocolServerAddr
                | Self::ProxyProtocolServerPort
                | Self::ProxyProtocolTlv(..)
        )
    }

    /// Whether the variable is unset where no TLS ends.
    #[must_use]
    pub fn is_of_ended_tls(&self) -> bool {
        matches!(
            self,
            Self::SslAlpnProtocol
                | Self::SslCipher
                | Self::SslClientFingerprint
                | Self::SslClientIDn
                | Self::SslClientSDn
                | Self::SslClientSerial
                | Self::SslClientVerify
                | Self::SslProtocol
                | Self::SslServerName
                | Self::SslSessionId
                | Self::SslSessionReused
        )
    }

    /// Whether the variable is unset where no first bytes are read.
    #[must_use]
    pub fn is_read_from_first_bytes(&self) -> bool {
        matches!(self, Self::Hello | Self::SslPrereadServerName | Self::SslPrereadAlpnProtocols | Self::SslPrereadProtocol)
    }

    /// Whether the variable tells of a server, or of bytes and times with it, so that it says nothing before one is picked.
    #[must_use]
    pub fn is_known_late(&self) -> bool {
        match self {
            Self::BytesReceived | Self::BytesSent | Self::CloseReason | Self::SessionTime | Self::Status => true,
            other => other.name().starts_with("upstream_") && !matches!(other, Self::Capture(_)),
        }
    }

    /// The value in this session, as raw bytes; nothing if it is unset.
    #[must_use]
    pub fn value<'s>(&self, session: &'s Session) -> Option<Cow<'s, [u8]>> {
        let text = match self {
            Self::BinaryRemoteAddr => return Some(binary_address(session.client).into()),
            Self::RemoteAddr => remote_address(session.client),
            Self::RemotePort => port(session.client)?.into(),
            Self::RealipRemoteAddr => remote_address(session.peer()),
            Self::RealipRemotePort => port(session.peer())?.into(),
            Self::ProxyProtocolAddr => said_ends(session)?.0.ip().to_string().into(),
            Self::ProxyProtocolPort => said_ends(session)?.0.port().to_string().into(),
            Self::ProxyProtocolServerAddr => said_ends(session)?.1.ip().to_string().into(),
            Self::ProxyProtocolServerPort => said_ends(session)?.1.port().to_string().into(),
            Self::ProxyProtocolTlv(field, _) => return field.value(&session.proxied.as_ref()?.tlvs),
            Self::ServerAddr => remote_address(session.local),
            Self::ServerPort => port(session.local)?.into(),
            Self::Protocol => session.protocol.label().into(),
            Self::Connection => session.number.to_string().into(),
            Self::Hostname => hostname().into(),
            Self::Pid => std::process::id().to_string().into(),
            Self::Listener => (&*session.listener).into(),
            Self::Route => session.route.as_deref()?.into(),
            Self::Upstream => session.upstream.as_deref()?.into(),
            Self::Hello => session.hello.map(Hello::label)?.into(),
            Self::LimitConnStatus => session.limit_status.map(LimitStatus::label)?.into(),
            Self::SslPrereadServerName => session.server_name.as_deref()?.into(),
            Self::SslPrereadAlpnProtocols => session.alpn.as_deref()?.into(),
            Self::SslPrereadProtocol => session.tls_version?.into(),
            Self::SslServerName => session.tls.as_ref().and(session.server_name.as_deref())?.into(),
            Self::SslProtocol => session.tls.as_ref()?.protocol.into(),
            Self::SslCipher => session.tls.as_ref()?.cipher.into(),
            Self::SslSessionReused => session.tls.as_ref()?.session_reused().into(),
            Self::SslSessionId => session.tls.as_ref()?.session_id.as_deref()?.into(),
            Self::SslAlpnProtocol => session.tls.as_ref()?.alpn.as_deref()?.into(),
            Self::SslClientVerify => session.tls.as_ref()?.client_verify().into(),
            Self::SslClientSDn => (*client_certificate(session)?.subject).into(),
            Self::SslClientIDn => (*client_certificate(session)?.issuer).into(),
            Self::SslClientSerial => (*client_certificate(session)?.serial).into(),
            Self::SslClientFingerprint => (*client_certificate(session)?.fingerprint).into(),
            Self::Capture(group) => session.capture(group)?.into(),
            Self::BytesReceived => session.bytes_received.to_string().into(),
            Self::BytesSent => session.bytes_sent.to_string().into(),
            Self::SessionTime => seconds(session.ended.as_ref()?.lasted).into(),
            Self::Status => format!("{:03}", session.ended.as_ref()?.reason.status()).into(),
            Self::CloseReason => session.ended.as_ref()?.reason.label().into(),
            Self::Msec => seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).into(),
            Self::TimeLocal => now().strftime("%d/%b/%Y:%H:%M:%S %z").to_string().into(),
            Self::TimeIso8601 => now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().into(),
            Self::UpstreamAddr => joined(session, |tried| Some(tried.address.to_string()))?.into(),
            Self::UpstreamBytesSent => joined(session, |tried| Some(tried.bytes_sent.to_string()))?.into(),
            Self::UpstreamBytesReceived => joined(session, |tried| Some(tried.bytes_received.to_string()))?.into(),
            Self::UpstreamConnectTime => joined(session, |tried| tried.connected.map(seconds))?.into(),
            Self::UpstreamFirstByteTime => joined(session, |tried| tried.first_byte.map(seconds))?.into(),
            Self::UpstreamSessionTime => joined(session, |tried| tried.lasted.map(seconds))?.into(),
        };
        Some(into_bytes(text))
    }
}

/// Fills a template with raw values; what is unset is empty, as in nginx's keys and addresses.
pub fn render(template: &Text, session: &Session, out: &mut Vec<u8>) {
    for piece in template.pieces() {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Variable(variable) => {
                if let Some(value) = variable.value(session) {
                    out.extend_from_slice(&value);
                }
            }
        }
    }
}

/// A duration as nginx logs it: seconds with milliseconds.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

/// The wall clock in the machine's time zone, which is read once.
#[must_use]
pub fn now() -> Zoned {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    jiff::Timestamp::now().to_zoned(ZONE.get_or_init(TimeZone::system).clone())
}

/// One value for each server tried, joined as nginx joins them; `-` where a try has none.
fn joined(session: &Session, value: impl Fn(&Try) -> Option<String>) -> Option<String> {
    let values: Vec<_> = session.tries.iter().map(|tried| value(tried).unwrap_or_else(|| "-".into())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// What a PROXY header says of both ends, believed or not.
fn said_ends(session: &Session) -> Option<(SocketAddr, SocketAddr)> {
    session.proxied.as_ref()?.ends
}

fn client_certificate(session: &Session) -> Option<&ClientCertificate> {
    session.tls.as_ref()?.client.as_ref()
}

fn remote_address(peer: Peer) -> Cow<'static, str> {
    match peer {
        Peer::Ip(address) => address.ip().to_string().into(),
        Peer::Unix => "unix:".into(),
    }
}

fn binary_address(peer: Peer) -> Vec<u8> {
    match peer.ip() {
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        Some(IpAddr::V6(v6)) => v6.octets().to_vec(),
        None => b"unix:".to_vec(),
    }
}

fn port(peer: Peer) -> Option<String> {
    match peer {
        Peer::Ip(address) => Some(address.port().to_string()),
        Peer::Unix => None,
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// What the names begin with of all that a PROXY header says besides addresses.
pub const PROXY_PROTOCOL_TLV: &str = "proxy_protocol_tlv_";

/// The machine's name in lower case, as nginx has it; asked for once.
fn hostname() -> &'static str {
    static NAME: OnceLock<Arc<str>> = OnceLock::new();
    NAME.get_or_init(|| rustix::system::uname().nodename().to_string_lossy().to_lowercase().into())
}

#[cfg(test)]
mod tests;
