//! Upstreams and their servers.

use super::super::proxy_protocol::{ProxyTlv, ProxyVersion};
use super::super::upstream::Balance;
use super::super::words as kinds;
use super::listeners::KEEPALIVE;
use super::process::{MOST, RESOLVER};
use super::shape::Shape::{Duration, Either, List, Switch, Text, Whole, Words};
use super::shape::Without::{Nothing, Required, Value};
use super::shape::{Entry, Shape, Table, key, words};
use super::tls::UPSTREAM_TLS;

pub(super) const UPSTREAM: Table = Table::new(
    &kinds::UPSTREAM,
    &[
        &[key(
            "servers",
            Shape::Filled(&Either(&[Text, Shape::Table(&SERVER)])),
            Required,
            "The servers in their order: addresses, or tables that say more (server).",
        )
        .such_as(&["[\"10.0.0.1:443\", \"web.internal:443\"]", "[{ address = \"10.0.0.2:443\", weight = 2 }]"])],
        GROUPED,
    ],
);

pub(super) const DEFAULTS: Table = Table::new(
    &kinds::UPSTREAM_DEFAULTS,
    &[&[key("server", Shape::Table(&SERVER_DEFAULTS), Nothing, "What each server starts from.")], GROUPED],
);

const GROUPED: &[Entry] = &[
    key("balance", Words(words::<Balance>), Value("\"round_robin\""), "How a server is picked (least_conn, random, hash ...)."),
    key("hash_key", Text, Value("\"$remote_addr\""), "What the hashes are made of, a template (hash)."),
    key(
        "fallback",
        Text,
        Nothing,
        "The upstream, or the address, that a session goes on with when no server of this one is left; \"\" is none.",
    ),
    key(
        "resolver",
        Shape::Table(&RESOLVER),
        Nothing,
        "Who is asked for the names of its servers; what it does not say comes from [resolver].",
    ),
    key(
        "keepalive",
        KEEPALIVE,
        Value("false"),
        "Whether the kernel asks a silent server if it is still there, and when (proxy_socket_keepalive).",
    ),
    key("user_timeout", Duration, Nothing, "How long what was sent to a server may go unacknowledged (TCP_USER_TIMEOUT)."),
    key(
        "tls",
        Either(&[Shape::Off, Shape::Table(&UPSTREAM_TLS)]),
        Nothing,
        "TLS towards the servers; {} verifies each by its name, false does without what [defaults.upstream] has (proxy_ssl).",
    ),
    key(
        "send_proxy_protocol",
        Either(&[Words(versions_or_off), Shape::Table(&SEND_PROXY_PROTOCOL)]),
        Value("\"off\""),
        "Whether servers are told whom a connection is from: \"v1\", \"v2\", or a table (proxy_protocol).",
    ),
];

fn versions_or_off() -> Vec<&'static str> {
    let mut all = words::<ProxyVersion>();
    all.push("off");
    all
}

const SEND_PROXY_PROTOCOL: Table = Table::new(
    &kinds::SEND_PROXY_PROTOCOL,
    &[&[
        key("version", Words(words::<ProxyVersion>), Required, "The form of the header: text or binary."),
        key("tlvs", List(&Words(words::<ProxyTlv>)), Value("[]"), "What version 2 says besides addresses."),
    ]],
);

const SERVER: Table = Table::new(
    &kinds::SERVER,
    &[
        &[key("address", Text, Required, "Its address: ip:port, [ip6]:port, name:port or unix:/path.")
            .such_as(&["\"10.0.0.1:443\"", "\"web.internal:443\""])],
        SERVING,
    ],
);

const SERVER_DEFAULTS: Table = Table::new(&kinds::SERVER_DEFAULTS, &[SERVING]);

const SERVING: &[Entry] = &[
    key("weight", Whole(1, 65_535), Value("1"), "Its share of the sessions (weight=)."),
    key("max_fails", Whole(0, MOST), Value("1"), "Failures after which it is left alone; 0 is never (max_fails=)."),
    key("fail_timeout", Duration, Value("\"10s\""), "For how long it is then left alone (fail_timeout=)."),
    key("max_conns", Whole(0, MOST), Value("0"), "The most sessions at once, over all workers; 0 is any number (max_conns=)."),
    key("slow_start", Duration, Value("\"0s\""), "How long its weight takes to grow to the whole when it has recovered (slow_start=)."),
    key("backup", Switch, Value("false"), "Only when no other server is left (backup)."),
    key("down", Switch, Value("false"), "Out of use (down)."),
    key("service", Text, Value("\"\""), "The address is a name without a port, whose SRV records say where the servers are (service=)."),
];
