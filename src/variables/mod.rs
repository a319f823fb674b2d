//! `$name` → text, from the facts of a session. The names are nginx's where nginx has one.
//! An unset variable has no value; who asks decides what stands in its place (`-` in logs, nothing in keys).

mod map;

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

pub use map::{Map, MapPattern, MapTable, MapValue, Part, Ranges, RangesBuilder, Rows, RowsBuilder, Shares};

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
            /// A variable of the user's own.
            Map(Arc<Map>),
        }

        /// The names of all variables but captures and maps, for "did you mean".
        pub const NAMES: &[&str] = &[$($name),*];

        impl Variable {
            /// The variable of this name; captures are told by their digits alone, maps are not known here.
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
                    Self::Map(map) => map.name(),
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
    ServerName = "server_name",
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
    /// Whether the variable has bytes in it that the client sends. A map has none if the operator wrote all it may say.
    #[must_use]
    pub fn is_sent_by_client(&self) -> bool {
        match self {
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
            | Self::ProxyProtocolTlv(..) => true,
            Self::Map(map) => map.nature().sent_by_client,
            _ => false,
        }
    }

    /// Whether the client has a say in what the variable is, be it only by what a map is asked for.
    #[must_use]
    pub fn is_led_by_client(&self) -> bool {
        match self {
            Self::Map(map) => map.nature().led_by_client,
            other => other.is_sent_by_client(),
        }
    }

    /// Whether what the client sends may put a slash into the variable: no host name has one, nor has any part of one.
    #[must_use]
    pub fn may_hold_slash(&self) -> bool {
        match self {
            Self::Map(map) => map.nature().may_hold_slash,
            Self::SslPrereadServerName | Self::SslServerName | Self::Capture(_) => false,
            other => other.is_sent_by_client(),
        }
    }

    /// Whether the variable tells the gateway's own address.
    #[must_use]
    pub fn tells_server_address(&self) -> bool {
        match self {
            Self::ServerAddr | Self::ServerPort => true,
            Self::Map(map) => map.nature().tells_server_address,
            _ => false,
        }
    }

    /// Whether the variable is unset where no TLS ends.
    #[must_use]
    pub fn is_of_ended_tls(&self) -> bool {
        match self {
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
            | Self::SslSessionReused => true,
            Self::Map(map) => map.nature().of_ended_tls,
            _ => false,
        }
    }

    /// Whether the variable is unset where no first bytes are read.
    #[must_use]
    pub fn is_read_from_first_bytes(&self) -> bool {
        match self {
            Self::Hello | Self::SslPrereadServerName | Self::SslPrereadAlpnProtocols | Self::SslPrereadProtocol => true,
            Self::Map(map) => map.nature().read_from_first_bytes,
            _ => false,
        }
    }

    /// Whether the variable is unset until the host of a session has been looked up.
    #[must_use]
    pub fn is_of_route(&self) -> bool {
        match self {
            Self::Route | Self::ServerName | Self::Capture(_) => true,
            Self::Map(map) => map.nature().of_route,
            _ => false,
        }
    }

    /// Whether the variable is unset until an upstream has been found.
    #[must_use]
    pub fn is_of_upstream(&self) -> bool {
        match self {
            Self::Upstream => true,
            Self::Map(map) => map.nature().of_upstream,
            _ => false,
        }
    }

    /// Whether the variable tells of a server, or of bytes and times with it, so that it says nothing before one is picked.
    #[must_use]
    pub fn is_known_late(&self) -> bool {
        match self {
            Self::BytesReceived | Self::BytesSent | Self::CloseReason | Self::SessionTime | Self::Status => true,
            Self::Map(map) => map.nature().known_late,
            other => other.name().starts_with("upstream_") && !matches!(other, Self::Capture(_)),
        }
    }

    /// The value in this session, as raw bytes; nothing if it is unset.
    #[must_use]
    pub fn value<'s>(&'s self, session: &'s Session) -> Option<Cow<'s, [u8]>> {
        let text = match self {
            Self::Map(map) => return Some(map.value(session)),
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
            Self::ServerName => server_name(session)?.into(),
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

/// The text that a template makes of a session, whatever is no UTF-8 in it replaced.
#[must_use]
pub fn rendered(template: &Text, session: &Session) -> String {
    let mut text = Vec::new();
    render(template, session, &mut text);
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
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

/// The name of the host that won, or the regex; one that stands for a name and all below it is that name. Where no name
/// has won, there is none.
fn server_name(session: &Session) -> Option<&str> {
    let route = session.route.as_deref()?;
    // Whatever a pattern looks like, it has the whole name as its first group.
    let is_name = !session.captures.is_empty() || !["default", "no_sni", "not_tls"].contains(&route);
    is_name.then(|| if session.captures.is_empty() { route.strip_prefix('.').unwrap_or(route) } else { route })
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
