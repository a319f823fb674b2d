//! How a session becomes a line: text, JSON, or a template of the user's. Values are escaped so that a line
//! always stays one line, and a field one field.

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;

use crate::session::{Ended, Hello, LimitStatus, Peer, Proxied, Session, TlsFacts, Try};
use crate::template::{Piece, Template};
use crate::variables::{Text, Variable, now, seconds};

/// The form of an access log's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// The fields people look for, in one readable line.
    Text,
    /// Every field, one object a line.
    Json,
    /// The user's own, escaped as nginx's `log_format` escapes by default.
    Template(Text),
}

impl Format {
    /// Whether lines tell the gateway's own address, which costs a call for each session on a wildcard.
    #[must_use]
    pub fn tells_server_address(&self) -> bool {
        match self {
            Self::Text => false,
            Self::Json => true,
            Self::Template(text) => text.variables().any(Variable::tells_server_address),
        }
    }

    /// Writes the line of an ended session, with its newline.
    pub(super) fn write(&self, session: &Session, out: &mut Vec<u8>) {
        match self {
            Self::Text => text(session, out),
            Self::Json => json(session, out),
            Self::Template(template) => escaped(template, session, out),
        }
        out.push(b'\n');
    }
}

fn text(session: &Session, out: &mut Vec<u8>) {
    let Some(ended) = &session.ended else { return };
    let name = session.server_name.as_deref().or(session.hello.map(Hello::label)).unwrap_or("-");
    let servers: Vec<_> = session.tries.iter().map(|tried| &*tried.address).collect();
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "{} {} {} {} -> {} {} {} {} {}s in {} out {}",
        now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"),
        escape(session.listener.as_bytes()),
        peer(session.client),
        escape(name.as_bytes()),
        escape(session.upstream.as_deref().unwrap_or("-").as_bytes()),
        if servers.is_empty() { "-".into() } else { servers.join(",") },
        ended.reason.status(),
        ended.reason.label(),
        seconds(ended.lasted),
        session.bytes_received,
        session.bytes_sent,
    );
    if let Some(detail) = &ended.detail {
        let _ = write!(out, " ({})", escape(detail.as_bytes()));
    }
}

#[derive(Serialize)]
struct Line<'s> {
    time: String,
    connection: u64,
    listener: &'s str,
    protocol: &'static str,
    remote_addr: String,
    remote_port: Option<u16>,
    realip_remote_addr: Option<String>,
    realip_remote_port: Option<u16>,
    proxy_protocol: Option<Header>,
    server_addr: String,
    server_port: Option<u16>,
    hello: Option<&'static str>,
    server_name: Option<&'s str>,
    alpn: Option<&'s str>,
    tls_version: Option<&'static str>,
    ech: bool,
    tls: Option<Tls<'s>>,
    route: Option<&'s str>,
    note: Option<&'s str>,
    maintenance: bool,
    limit_status: Option<&'static str>,
    upstream: Option<&'s str>,
    servers: Vec<Server<'s>>,
    status: u16,
    close_reason: &'static str,
    closed_by: &'static str,
    detail: Option<&'s str>,
    bytes_received: u64,
    bytes_sent: u64,
    session_time: f64,
}

/// What a PROXY header says, and whether it is believed.
#[derive(Serialize)]
struct Header {
    trusted: bool,
    addr: Option<String>,
    port: Option<u16>,
    server_addr: Option<String>,
    server_port: Option<u16>,
}

/// TLS that ended here.
#[derive(Serialize)]
struct Tls<'s> {
    protocol: &'s str,
    cipher: &'s str,
    resumed: bool,
    alpn: Option<&'s str>,
    client_subject: Option<&'s str>,
    client_issuer: Option<&'s str>,
    client_serial: Option<&'s str>,
    client_fingerprint: Option<&'s str>,
}

#[derive(Serialize)]
struct Server<'s> {
    address: &'s str,
    connect_time: Option<f64>,
    first_byte_time: Option<f64>,
    session_time: Option<f64>,
    bytes_sent: u64,
    bytes_received: u64,
}

fn json(session: &Session, out: &mut Vec<u8>) {
    let Some(ended) = &session.ended else { return };
    // Writing to memory cannot fail, and neither can numbers and strings be serialised.
    let _ = serde_json::to_writer(out, &Line::new(session, ended));
}

impl<'s> Line<'s> {
    fn new(session: &'s Session, ended: &'s Ended) -> Self {
        let (remote_addr, remote_port) = address_and_port(session.client);
        let (server_addr, server_port) = address_and_port(session.local);
        Self {
            time: now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            connection: session.number,
            listener: &session.listener,
            protocol: session.protocol.label(),
            remote_addr,
            remote_port,
            realip_remote_addr: session.proxied.as_ref().map(|proxied| address_and_port(proxied.peer).0),
            realip_remote_port: session.proxied.as_ref().and_then(|proxied| address_and_port(proxied.peer).1),
            proxy_protocol: session.proxied.as_deref().map(Header::new),
            server_addr,
            server_port,
            hello: session.hello.map(Hello::label),
            server_name: session.server_name.as_deref(),
            alpn: session.alpn.as_deref(),
            tls_version: session.tls_version,
            ech: session.ech,
            tls: session.tls.as_deref().map(Tls::new),
            route: session.route.as_deref(),
            note: session.note.as_deref(),
            maintenance: session.maintenance,
            limit_status: session.limit_status.map(LimitStatus::label),
            upstream: session.upstream.as_deref(),
            servers: servers(session),
            status: ended.reason.status(),
            close_reason: ended.reason.label(),
            closed_by: ended.reason.side().label(),
            detail: ended.detail.as_deref(),
            bytes_received: session.bytes_received,
            bytes_sent: session.bytes_sent,
            session_time: milliseconds(ended.lasted),
        }
    }
}

fn servers(session: &Session) -> Vec<Server<'_>> {
    session.tries.iter().map(Server::new).collect()
}

impl<'s> Server<'s> {
    fn new(tried: &'s Try) -> Self {
        Self {
            address: &tried.address,
            connect_time: tried.connected.map(milliseconds),
            first_byte_time: tried.first_byte.map(milliseconds),
            session_time: tried.lasted.map(milliseconds),
            bytes_sent: tried.bytes_sent,
            bytes_received: tried.bytes_received,
        }
    }
}

impl Header {
    fn new(proxied: &Proxied) -> Self {
        let (source, destination) = proxied.ends.unzip();
        Self {
            trusted: proxied.is_trusted,
            addr: source.map(|end| end.ip().to_string()),
            port: source.map(|end| end.port()),
            server_addr: destination.map(|end| end.ip().to_string()),
            server_port: destination.map(|end| end.port()),
        }
    }
}

impl<'s> Tls<'s> {
    fn new(facts: &'s TlsFacts) -> Self {
        let client = facts.client.as_ref();
        Self {
            protocol: facts.protocol,
            cipher: facts.cipher,
            resumed: facts.is_resumed,
            alpn: facts.alpn.as_deref(),
            client_subject: client.map(|client| &*client.subject),
            client_issuer: client.map(|client| &*client.issuer),
            client_serial: client.map(|client| &*client.serial),
            client_fingerprint: client.map(|client| &*client.fingerprint),
        }
    }
}

/// Seconds with three decimals, so that JSON has no long tails.
fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

fn address_and_port(peer: Peer) -> (String, Option<u16>) {
    match peer {
        Peer::Ip(address) => (address.ip().to_string(), Some(address.port())),
        Peer::Unix => ("unix:".into(), None),
    }
}

fn peer(peer: Peer) -> String {
    peer.socket_address().map_or_else(|| "unix:".into(), |address| address.to_string())
}

fn escaped(template: &Template<Variable>, session: &Session, out: &mut Vec<u8>) {
    for piece in template.pieces() {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Variable(variable) => match variable.value(session) {
                Some(value) => out.extend_from_slice(escape(&value).as_bytes()),
                None => out.push(b'-'),
            },
        }
    }
}

/// nginx's default escaping: `"`, `\`, controls and everything from 0x7f on become `\xXX`.
fn escape(value: &[u8]) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\';
    match str::from_utf8(value) {
        Ok(text) if value.iter().all(|&byte| plain(byte)) => Cow::Borrowed(text),
        _ => Cow::Owned(
            value.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("\\x{byte:02X}") }).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientCertificate, CloseReason};
    use std::time::SystemTime;
    use tokio::time::{Duration, Instant};

    fn ended_session() -> Session {
        let client = Peer::Ip("[2001:db8::1]:5000".parse().unwrap());
        let mut session = Session::new(3, "https".into(), client, Peer::Unix, Instant::now(), SystemTime::now());
        session.hello = Some(Hello::Named);
        session.server_name = Some("a.example".into());
        session.alpn = Some("h2\"\n\\é".into());
        session.upstream = Some("web".into());
        session.begin_try("10.0.0.1:443".into(), session.started);
        session.end(CloseReason::ClientClosed, None, session.started + Duration::from_millis(1500));
        session
    }

    fn line(format: &Format, session: &Session) -> String {
        let mut out = Vec::new();
        format.write(session, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_template_cannot_be_broken_out_of() {
        let text = Template::parse("\"$ssl_preread_alpn_protocols\" $route $status");
        let text = text.unwrap().link(|name| Variable::named(&name.name).ok_or(())).unwrap();
        assert_eq!(line(&Format::Template(text), &ended_session()), "\"h2\\x22\\x0A\\x5C\\xC3\\xA9\" - 200\n");
    }

    #[test]
    fn json_is_one_object_on_one_line() {
        let line = line(&Format::Json, &ended_session());
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["alpn"], "h2\"\n\\é");
        assert_eq!(value["close_reason"], "client_closed");
        assert_eq!(value["closed_by"], "client");
        assert_eq!(value["servers"][0]["address"], "10.0.0.1:443");
        assert_eq!(value["session_time"], 1.5);
        assert_eq!(value["remote_addr"], "2001:db8::1");
        assert!(value["tls"].is_null(), "no TLS ended here");
    }

    #[test]
    fn each_field_of_json_stands_in_the_documentation() {
        let client = ClientCertificate { subject: "CN=a".into(), issuer: "CN=b".into(), serial: "0A".into(), fingerprint: "ff".into() };
        let (protocol, cipher) = ("TLSv1.3", "TLS_AES_128_GCM_SHA256");
        let tls = TlsFacts { protocol, cipher, is_resumed: true, session_id: None, alpn: None, client: Some(client) };
        let mut session = Session { tls: Some(Box::new(tls)), ..ended_session() };
        session.note_header(true, None, Box::default());
        let value: serde_json::Value = serde_json::from_str(&line(&Format::Json, &session)).unwrap();
        let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let inner = [("tls", &value["tls"]), ("proxy_protocol", &value["proxy_protocol"]), ("servers", &value["servers"][0])];
        let inner = inner.iter().flat_map(|(of, value)| fields(value).into_iter().map(move |field| format!("{of}.{field}")));
        let mut all: Vec<_> = fields(&value).into_iter().chain(inner).collect();
        let docs = include_str!("../../docs/configuration.md").split("\n### JSON lines\n").nth(1).unwrap();
        let rows = docs.split("\n#").next().unwrap().lines().filter(|line| line.starts_with("| `"));
        let names = |row: &str| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let mut told: Vec<_> = rows.flat_map(names).collect();
        all.sort();
        told.sort();
        assert_eq!(told, all);
    }

    #[test]
    fn json_tells_what_was_agreed_on_where_tls_ends() {
        let mut session = ended_session();
        let client = ClientCertificate { subject: "CN=a".into(), issuer: "CN=b".into(), serial: "0A".into(), fingerprint: "ff".into() };
        session.tls = Some(Box::new(TlsFacts {
            protocol: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            is_resumed: true,
            session_id: None,
            alpn: Some("h2".into()),
            client: Some(client),
        }));
        let value: serde_json::Value = serde_json::from_str(&line(&Format::Json, &session)).unwrap();
        let expected = serde_json::json!({
            "protocol": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "resumed": true, "alpn": "h2",
            "client_subject": "CN=a", "client_issuer": "CN=b", "client_serial": "0A", "client_fingerprint": "ff",
        });
        assert_eq!(value["tls"], expected);
    }

    #[test]
    fn json_tells_what_a_header_said_and_who_really_connected() {
        let mut session = ended_session();
        let ends = Some(("192.0.2.1:5001".parse().unwrap(), "198.51.100.1:443".parse().unwrap()));
        session.note_header(false, ends, Box::default());
        let value: serde_json::Value = serde_json::from_str(&line(&Format::Json, &session)).unwrap();
        assert_eq!((&value["realip_remote_addr"], &value["realip_remote_port"]), (&"2001:db8::1".into(), &5000.into()));
        let expected = serde_json::json!({
            "trusted": false, "addr": "192.0.2.1", "port": 5001, "server_addr": "198.51.100.1", "server_port": 443,
        });
        assert_eq!(value["proxy_protocol"], expected);
    }

    #[test]
    fn text_tells_who_what_where_and_why() {
        let line = line(&Format::Text, &ended_session());
        let expected = " https [2001:db8::1]:5000 a.example -> web 10.0.0.1:443 200 client_closed 1.500s in 0 out 0\n";
        assert!(line.ends_with(expected), "{line}");
    }
}
