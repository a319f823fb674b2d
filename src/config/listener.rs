//! Where connections come in: `[listener.NAME]`, and `[defaults]` for all of them.

use std::time::Duration;

use figment::value::Value;
use serde::Serialize;

use super::habits;
use super::keepalive::Keepalive;
use super::mode::Mode;
use super::places::Places;
use super::proxy_protocol::AcceptProxyProtocol;
use super::rate::Rate;
use super::read::{Read, Reader, Table};
use super::sockets::{interface, kernel_size};
use super::terminate::TerminateKeys;
use super::upstream::UpstreamDefaults;
use super::values::{MOST, OneOrMany, bare_port, lasting, number_or, size, words};
use super::{print, words as kinds};
use crate::address::ListenAddress;

/// `[listener.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listener {
    /// The addresses, as written.
    pub listen: Vec<String>,
    /// What is spoken there; none written is TCP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protocol: Vec<Protocol>,
    /// What becomes of a connection.
    #[serde(flatten)]
    pub action: ListenerAction,
    /// The profile under which TLS ends here, for every connection.
    pub terminate: Option<String>,
    /// Whether the first bytes are looked at; with `routes` they always are.
    pub preread: Option<Preread>,
    /// How it listens and peeks.
    #[serde(flatten)]
    pub listening: Listening,
    /// How its sessions run.
    #[serde(flatten)]
    pub session: SessionKeys,
}

/// What a listener does with a connection: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerAction {
    /// Looks its host name up in `[routes.NAME]`.
    Routes(String),
    /// Hands it to an upstream: a name, an address, or a template of these.
    Upstream(String),
    /// Sends a text and closes.
    Respond(String),
    /// Shows how the gateway stands.
    Show(Show),
}

words! {
    /// What a listener can show of the gateway.
    Show, "what a listener can show", {
        /// The upstreams and their servers, as nginx-upsync's `upstream_show`.
        Upstreams = "upstreams",
    }
}

words! {
    /// What is spoken on an address.
    Protocol, "a protocol", {
        /// Connections.
        Tcp = "tcp",
        /// Datagrams.
        Udp = "udp",
    }
}

words! {
    /// What is expected of a connection's first bytes.
    Preread, "a kind of preread", {
        /// A TLS hello.
        Tls = "tls",
        /// Nothing: not a byte is read before a server is asked.
        None = "none",
    }
}

impl Read for Listener {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::LISTENER)?;
        let listen: Option<OneOrMany<ListenText>> = reader.require(&mut table, "listen", "\":443\"");
        if listen.as_ref().is_some_and(|all| all.0.is_empty()) && !reader.was_cut("listen") {
            let place = reader.entry("listen", Places::written_value);
            reader.error(place, "an empty list listens nowhere").label("\":443\"");
            reader.cut("listen");
        }
        let listen = listen.map(|all| all.0.into_iter().map(|one| one.0).collect()).unwrap_or_default();
        let protocol: Option<OneOrMany<Protocol>> = reader.take(&mut table, "protocol");
        let action = listener_action(&mut table, reader);
        let terminate = reader.take_with(&mut table, "terminate", habits::profile);
        let lost_terminate = reader.was_cut("terminate");
        let preread = reader.take(&mut table, "preread");
        let listening = Listening::take(&mut table, reader);
        let session = SessionKeys::take(&mut table, reader);
        // Without what was written, it would pass TLS on that was to end here.
        (!lost_terminate).then_some(())?;
        let (protocol, listening) = (protocol.map(|all| all.0).unwrap_or_default(), listening?);
        Some(Self { listen, protocol, action: action?, terminate, preread, listening, session })
    }
}

fn listener_action(table: &mut Table, reader: &mut Reader<'_>) -> Option<ListenerAction> {
    match reader.only_one(table, ["routes", "upstream", "respond", "show"])? {
        "routes" => reader.take(table, "routes").map(ListenerAction::Routes),
        "upstream" => reader.take(table, "upstream").map(ListenerAction::Upstream),
        "respond" => reader.take(table, "respond").map(ListenerAction::Respond),
        _ => reader.take(table, "show").map(ListenerAction::Show),
    }
}

/// A listen address; a port alone is a common slip. It is judged here, also where the listener lacks something else.
struct ListenText(String);

impl Read for ListenText {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(port) = bare_port(&value) {
            reader.wrong("an address belongs here, not only a port").label(format!("\":{port}\" listens on all addresses"));
            return None;
        }
        let text = String::read(value, reader)?;
        if let Err(error) = ListenAddress::parse(&text) {
            let several: Vec<_> = text.split([',', ' ']).filter(|address| !address.is_empty()).collect();
            let are_addresses = several.len() > 1 && several.iter().all(|address| ListenAddress::parse(address).is_ok());
            match habits::listen(&text) {
                _ if are_addresses => reader.wrong("several addresses stand in a list").label(format!("{several:?}")),
                Some(keys) => reader.wrong("what stands behind an address has keys of its own").label(keys),
                None => reader.wrong(error.to_string()).label(error.instead_to_listen(&text)),
            };
            return None;
        }
        Some(Self(text))
    }
}

/// How a listener listens and peeks; what is not written here comes from `[defaults]`, then from what is built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Listening {
    /// From accept until the hello is whole.
    #[serde(serialize_with = "print::some_duration")]
    pub preread_timeout: Option<Duration>,
    /// Raw bytes that a hello may take.
    pub preread_buffer_size: Option<u64>,
    /// Whether the kernel waits for the first bytes.
    pub defer_accept: Option<bool>,
    /// Connections that may wait to be accepted.
    pub backlog: Option<u16>,
    /// Whether an IPv6 socket leaves IPv4 alone.
    pub ipv6_only: Option<bool>,
    /// Whether each worker has its own socket.
    pub reuse_port: Option<bool>,
    /// Whether a PROXY header comes first.
    pub accept_proxy_protocol: Option<AcceptProxyProtocol>,
    /// From accept until that header is whole.
    #[serde(serialize_with = "print::some_duration")]
    pub proxy_protocol_timeout: Option<Duration>,
    /// Ranges and named networks whose header is believed.
    pub trusted_proxies: Option<Vec<String>>,
    /// Who may come: ordered rules, the first that fits decides.
    pub access: Option<Vec<String>>,
    /// Names of `[limit.NAME]` that count its sessions.
    pub limits: Option<Vec<String>>,
    /// Sessions of this listener that may be open at once.
    pub max_connections: Option<u32>,
    /// Whether and when the kernel asks a silent client if it is still there.
    pub keepalive: Option<Keepalive>,
    /// Bytes that the kernel holds for us of what a client sends.
    pub receive_buffer: Option<u64>,
    /// Bytes that the kernel holds for a client.
    pub send_buffer: Option<u64>,
    /// Who may connect to a unix socket: permissions in octal.
    pub mode: Option<Mode>,
    /// Whether an address may be listened on that this machine does not have.
    pub free_bind: Option<bool>,
    /// The only network interface that is listened on.
    pub interface: Option<String>,
}

impl Listening {
    /// Nothing, if what keeps clients out cannot be read.
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Option<Self> {
        let listening = Self {
            preread_timeout: reader.take_with(table, "preread_timeout", lasting),
            preread_buffer_size: reader.take_with(table, "preread_buffer_size", hello_size),
            defer_accept: reader.take(table, "defer_accept"),
            backlog: reader.take_with(table, "backlog", number_or(1..=65_535, "511 is built in: leave it out")),
            ipv6_only: reader.take(table, "ipv6_only"),
            reuse_port: reader.take(table, "reuse_port"),
            accept_proxy_protocol: reader.take(table, "accept_proxy_protocol"),
            proxy_protocol_timeout: reader.take_with(table, "proxy_protocol_timeout", lasting),
            trusted_proxies: reader.take(table, "trusted_proxies"),
            access: reader.take(table, "access"),
            limits: reader.take(table, "limits"),
            max_connections: reader.take_with(table, "max_connections", number_or(1..=MOST, "leave it out for no limit of its own")),
            keepalive: reader.take(table, "keepalive"),
            receive_buffer: reader.take_with(table, "receive_buffer", kernel_size),
            send_buffer: reader.take_with(table, "send_buffer", kernel_size),
            mode: reader.take(table, "mode"),
            free_bind: reader.take(table, "free_bind"),
            interface: reader.take_with(table, "interface", interface),
        };
        let keeps_out = ["accept_proxy_protocol", "trusted_proxies", "access", "limits"];
        (!keeps_out.into_iter().any(|key| reader.was_cut(key))).then_some(listening)
    }
}

/// Reads how many bytes a hello may take: none is shorter than the least, and the most is memory that strangers use.
fn hello_size(value: Value, reader: &mut Reader<'_>) -> Option<u64> {
    let bytes = size(value, reader)?;
    if !(64..=16 << 20).contains(&bytes) {
        reader.wrong("a size from 64 bytes to 16 MiB belongs here").label("\"64k\" is built in: leave it out");
        return None;
    }
    Some(bytes)
}

/// How a session runs; a target's come before its listener's, those before `[defaults]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionKeys {
    /// How long one server has to accept.
    #[serde(serialize_with = "print::some_duration")]
    pub connect_timeout: Option<Duration>,
    /// How long a session may pass no byte at all.
    #[serde(serialize_with = "print::some_duration")]
    pub idle_timeout: Option<Duration>,
    /// Whether another server is tried when one can't be connected.
    pub next_upstream: Option<bool>,
    /// How many servers are tried; 0 is as many as there are.
    pub next_upstream_tries: Option<u32>,
    /// How long servers are tried; zero is no limit.
    #[serde(serialize_with = "print::some_duration")]
    pub next_upstream_timeout: Option<Duration>,
    /// Whether a FIN is passed on while the other direction goes on.
    pub half_close: Option<bool>,
    /// The address that servers see, as a template.
    pub source: Option<String>,
    /// Whether that address may be one that this machine does not have.
    pub transparent: Option<bool>,
    /// Bytes in a second from the client.
    pub upload_rate: Option<Rate>,
    /// Bytes in a second to the client.
    pub download_rate: Option<Rate>,
    /// Datagrams of a client after which the next one begins a new session; 0 is no limit.
    pub requests: Option<u32>,
    /// Datagrams that a server answers to each of a client's, after which the session ends.
    pub responses: Option<u32>,
    /// The largest piece that is passed on at once where nothing better is known.
    pub buffer_size: Option<u64>,
}

impl SessionKeys {
    pub(super) fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self {
            connect_timeout: reader.take_with(table, "connect_timeout", lasting),
            idle_timeout: reader.take_with(table, "idle_timeout", lasting),
            next_upstream: reader.take_with(table, "next_upstream", habits::next_upstream),
            next_upstream_tries: reader.take_with(table, "next_upstream_tries", number_or(0..=MOST, "0 is as many as there are")),
            next_upstream_timeout: reader.take(table, "next_upstream_timeout"),
            half_close: reader.take(table, "half_close"),
            source: reader.take(table, "source"),
            transparent: reader.take(table, "transparent"),
            upload_rate: reader.take(table, "upload_rate"),
            download_rate: reader.take(table, "download_rate"),
            requests: reader.take_with(table, "requests", number_or(0..=MOST, "leave it out for no limit")),
            responses: reader.take_with(table, "responses", number_or(0..=MOST, "leave it out for no limit")),
            buffer_size: reader.take_with(table, "buffer_size", size),
        }
    }
}

/// `[defaults]`: what listeners, upstreams and servers start from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Defaults {
    /// What is spoken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protocol: Vec<Protocol>,
    /// Whether first bytes are looked at.
    pub preread: Option<Preread>,
    /// How listeners listen.
    #[serde(flatten)]
    pub listening: Listening,
    /// How sessions run.
    #[serde(flatten)]
    pub session: SessionKeys,
    /// What upstreams start from.
    pub upstream: UpstreamDefaults,
    /// What TLS profiles start from.
    pub terminate: TerminateKeys,
}

impl Read for Defaults {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::DEFAULTS)?;
        let protocol: Option<OneOrMany<Protocol>> = reader.take(&mut table, "protocol");
        Some(Self {
            protocol: protocol.map(|all| all.0).unwrap_or_default(),
            preread: reader.take(&mut table, "preread"),
            listening: Listening::take(&mut table, reader).unwrap_or_default(),
            session: SessionKeys::take(&mut table, reader),
            upstream: reader.take(&mut table, "upstream").unwrap_or_default(),
            terminate: reader.take(&mut table, "terminate").unwrap_or_default(),
        })
    }
}
