//! Listeners, and what they start from.

use super::super::listener::{Preread, Protocol, Show};
use super::super::proxy_protocol::AcceptProxyProtocol;
use super::super::words as kinds;
use super::process::MOST;
use super::shape::Shape::{Duration, Either, List, Mode, OneOrMany, Rate, Size, Switch, Text, Whole, Words};
use super::shape::Without::{Nothing, Required, Value};
use super::shape::{Entry, Shape, Table, Without, key, words};
use super::{tls, upstreams};

pub(super) const LISTENER: Table =
    Table {
        one_of: &["routes", "upstream", "respond", "show"],
        ..Table::new(
            &kinds::LISTENER,
            &[
                &[
                    key("listen", OneOrMany(&Text), Required, "Addresses: all, one, a range of ports, or a unix socket (listen).").such_as(
                        &["\":443\"", "\"0.0.0.0:443\"", "\"[::1]:443\"", "\"127.0.0.1:7000-7009\"", "\"unix:/run/vestibule.sock\""],
                    ),
                    PROTOCOL,
                    key(
                        "routes",
                        Text,
                        Nothing,
                        "The [routes.NAME] in which the host name is looked up; the first bytes are then always read.",
                    ),
                    key(
                        "upstream",
                        Text,
                        Nothing,
                        "Every connection goes here: an upstream's name, an address, or a template of these (proxy_pass).",
                    )
                    .such_as(&["\"web\"", "\"10.0.0.1:443\"", "\"unix:/run/web.sock\""]),
                    key("respond", Text, Nothing, "A template that is sent to the client before its connection is closed (return)."),
                    key("show", Words(words::<Show>), Nothing, "How the upstreams stand, for whoever connects (upstream_show)."),
                    key("terminate", Text, Nothing, "The [terminate.NAME] under which TLS ends for every connection (listen ... ssl)."),
                    PREREAD,
                ],
                LISTENING,
                SESSION,
            ],
        )
    };

pub(super) const DEFAULTS: Table = Table::new(
    &kinds::DEFAULTS,
    &[
        &[
            PROTOCOL,
            PREREAD,
            key("upstream", Shape::Table(&upstreams::DEFAULTS), Nothing, "What upstreams start from, and each of their servers."),
            key("terminate", Shape::Table(&tls::DEFAULTS), Nothing, "What TLS profiles start from."),
        ],
        LISTENING,
        SESSION,
    ],
);

const PROTOCOL: Entry = key(
    "protocol",
    OneOrMany(&Words(words::<Protocol>)),
    Value("\"tcp\""),
    "What is spoken there: connections, datagrams, or both in a list (listen ... udp).",
);
const PREREAD: Entry = key(
    "preread",
    Words(words::<Preread>),
    Without::Words("\"tls\" with `routes`, else \"none\""),
    "Whether the TLS hello is read; with upstream for the log and for variables (ssl_preread).",
);

const LISTENING: &[Entry] = &[
    key("preread_timeout", Duration, Value("\"30s\""), "From accept until the hello is whole (preread_timeout)."),
    key("preread_buffer_size", Size(0), Value("\"64k\""), "Raw bytes that a hello may take, from 64 to \"16m\" (preread_buffer_size)."),
    key(
        "defer_accept",
        Switch,
        Without::Words("true where the first bytes are read"),
        "The kernel waits for the first bytes, about a second, before the deadlines start (deferred).",
    ),
    key("backlog", Whole(1, i32::MAX as i64), Value("511"), "Connections that may wait to be accepted, per socket (backlog)."),
    key("ipv6_only", Switch, Value("true"), "Whether an IPv6 wildcard leaves IPv4 alone (ipv6only)."),
    key("reuse_port", Switch, Value("true"), "One socket per worker (reuseport)."),
    key(
        "accept_proxy_protocol",
        Words(words::<AcceptProxyProtocol>),
        Value("\"off\""),
        "Whether a PROXY header tells whom a connection is from: \"require\" has one come first, \"allow\" lets one (listen ... proxy_protocol).",
    ),
    key("proxy_protocol_timeout", Duration, Value("\"30s\""), "From accept until the PROXY header is whole."),
    key(
        "trusted_proxies",
        List(&Text),
        Nothing,
        "Ranges and networks whose PROXY header is believed; must be written with accept_proxy_protocol, [] is nobody (set_real_ip_from).",
    )
    .such_as(&["[\"10.0.0.0/8\"]"]),
    ACCESS,
    LIMITS,
    key("max_connections", Whole(1, MOST), Nothing, "Sessions of this listener at once; then the next ones wait."),
    key("keepalive", KEEPALIVE, Value("false"), "Whether the kernel asks a silent client if it is still there, and when (so_keepalive)."),
    key("receive_buffer", Size(1), Without::Words("the kernel's"), "Bytes that the kernel holds of what a client sends (rcvbuf)."),
    key("send_buffer", Size(1), Without::Words("the kernel's"), "Bytes that the kernel holds for a client (sndbuf)."),
    key("mode", Mode, Without::Words("what the umask leaves"), "Who may connect to a unix socket, in octal digits.").such_as(&["\"0660\""]),
    key("free_bind", Switch, Value("false"), "An address may be listened on that this machine does not have yet (freebind)."),
    key("interface", Text, Nothing, "The only network interface that is listened on.").such_as(&["\"eth0\""]),
];

pub(super) const ACCESS: Entry = key("access", List(&Text), Value("[]"), "Ordered rules, the first that fits decides, none is allowed: \"allow RANGE\", \"deny RANGE\", with ranges, networks or all (allow, deny).")
    .such_as(&["[\"allow office\", \"deny all\"]"]);
pub(super) const LIMITS: Entry = key("limits", List(&Text), Value("[]"), "Names of [limit.NAME] that count its sessions (limit_conn).");

pub(super) const SESSION: &[Entry] = &[
    key("connect_timeout", Duration, Value("\"60s\""), "How long one server may take to be connected (proxy_connect_timeout)."),
    key("idle_timeout", Duration, Value("\"10m\""), "No byte in either direction for so long ends the session (proxy_timeout)."),
    key("next_upstream", Switch, Value("true"), "Try another server when one cannot be connected (proxy_next_upstream)."),
    key("next_upstream_tries", Whole(0, MOST), Value("0"), "The most servers that are tried; 0 is no limit (proxy_next_upstream_tries)."),
    key(
        "next_upstream_timeout",
        Duration,
        Value("\"0s\""),
        "No further try begins later than this; 0 is no limit (proxy_next_upstream_timeout).",
    ),
    key("half_close", Switch, Value("true"), "Pass a FIN on and let the other direction finish (proxy_half_close)."),
    key("source", Text, Nothing, "The address from which servers are dialled, with a port or not; a template, empty is none (proxy_bind)."),
    key(
        "transparent",
        Switch,
        Value("false"),
        "The source may be an address that this machine does not have (proxy_bind ... transparent).",
    ),
    key(
        "upload_rate",
        Rate,
        Value("0"),
        "Bytes in a second of each session from its client, or a template; 0 is no limit (proxy_upload_rate).",
    )
    .such_as(&["\"1m\"", "\"8Mbit/s\""]),
    key(
        "download_rate",
        Rate,
        Value("0"),
        "Bytes in a second of each session to its client, or a template; 0 is no limit (proxy_download_rate).",
    )
    .such_as(&["\"1m\"", "\"8Mbit/s\""]),
    key(
        "requests",
        Whole(1, MOST),
        Without::Words("unlimited"),
        "UDP: datagrams of a client after which its next one begins another session (proxy_requests).",
    ),
    key(
        "responses",
        Whole(0, MOST),
        Without::Words("unlimited"),
        "UDP: datagrams of a server that answer each of the client's (proxy_responses).",
    ),
    key("buffer_size", Size(0), Nothing, "Of no effect; read for the sake of nginx's users (proxy_buffer_size)."),
];

pub(super) const KEEPALIVE: Shape = Either(&[Switch, Shape::Table(&KEEPALIVE_TIMES)]);

const KEEPALIVE_TIMES: Table = Table::new(
    &kinds::KEEPALIVE,
    &[&[
        key("idle", Duration, Without::Words("the kernel's"), "Silence after which it is asked, in whole seconds."),
        key("interval", Duration, Without::Words("the kernel's"), "The time between two questions, in whole seconds."),
        key("count", Whole(1, 127), Without::Words("the kernel's"), "Questions without an answer after which the connection ends."),
    ]],
);
