//! Maps of host names, limits, and variables of the user's own.

use super::super::tls_version::TlsVersion;
use super::super::words as kinds;
use super::listeners::{ACCESS, LIMITS, SESSION};
use super::process::MOST;
use super::shape::Shape::{Either, Frequency, List, Named, Number, OneOrMany, Switch, Text, Whole, Words};
use super::shape::Without::{Nothing, Required, Value};
use super::shape::{Entry, Shape, Table, Without, key, words};

pub(super) const ROUTES: Table = Table::new(
    &kinds::ROUTES,
    &[&[
        key("default", TARGETS, Nothing, "Where a name goes that matches nothing; absent refuses it (alert unrecognized_name)."),
        key("no_sni", TARGETS, Nothing, "Where TLS without a server name goes; absent is as default."),
        key("not_tls", TARGETS, Nothing, "Where goes what is not TLS; absent closes it."),
        key(
            "hosts",
            Named(&TARGETS),
            Nothing,
            "Host names, exact or with wildcards (\"*.a.example\", \".a.example\", \"www.a.*\"), and their targets.",
        ),
        key("hosts_files", OneOrMany(&Text), Nothing, "Files with lines \"host upstream\", for long lists that programs write."),
        key("patterns", List(&Shape::Table(&PATTERN)), Nothing, "Regexes over the whole name, tried in this order after all hosts."),
        key(
            "tests",
            List(&Shape::Table(&TEST)),
            Nothing,
            "What the map must do; check runs them, and a reload that breaks one is refused.",
        ),
    ]],
);

/// What a host leads to: an upstream, a table, or a list of these.
const TARGETS: Shape = Either(&[Text, Shape::Table(&TARGET), List(&Either(&[Text, Shape::Table(&TARGET)]))]);

const ONE_ACTION: &[&str] = &["upstream", "reject", "respond"];

const TARGET: Table = Table { one_of: ONE_ACTION, ..Table::new(&kinds::TARGET, &[TARGETED, SESSION]) };

const PATTERN: Table = Table {
    one_of: ONE_ACTION,
    ..Table::new(
        &kinds::PATTERN,
        &[
            &[key(
                "host",
                Text,
                Required,
                "A regex over the whole name, in 'single quotes'; what its groups take is usable in the target.",
            )
            .such_as(&["'(?<tenant>[a-z0-9-]+)\\.apps\\.example'"])],
            TARGETED,
            SESSION,
        ],
    )
};

const TARGETED: &[Entry] = &[
    key("upstream", Text, Nothing, "An upstream's name, an address, or a template of these.").such_as(&[
        "\"web\"",
        "\"10.0.0.1:443\"",
        "\"${tenant}.internal:443\"",
    ]),
    key("reject", Words(alerts), Nothing, "The TLS alert that the client hears, or \"close\" (ssl_reject_handshake).").such_as(&[
        "\"unrecognized_name\"",
        "\"access_denied\"",
        "\"close\"",
    ]),
    key(
        "respond",
        Text,
        Nothing,
        "A template that is sent before the connection is closed; only where TLS ends or is not spoken (return).",
    ),
    key("terminate", Text, Nothing, "The [terminate.NAME] under which its TLS ends here; absent passes the bytes on as they came."),
    key("alpn", List(&Text), Nothing, "Guard: clients that offer one of these protocols.").such_as(&["[\"acme-tls/1\"]"]),
    key("from", List(&Text), Nothing, "Guard: clients from one of these ranges or networks.").such_as(&["[\"office\", \"10.0.0.0/8\"]"]),
    key("versions", List(&Words(words::<TlsVersion>)), Nothing, "Guard: clients that offer one of these versions of TLS."),
    ACCESS,
    LIMITS,
    key("note", Text, Nothing, "What you want to be reminded of; route and the JSON log tell it."),
    key("maintenance", Text, Nothing, "Where new sessions go instead, for the time being."),
];

const EXPECT: Table = Table {
    any_of: kinds::EXPECT.keys[0],
    ..Table::new(
        &kinds::EXPECT,
        &[&[
            key("entry", Text, Nothing, "The entry that must win, as it is written."),
            key("upstream", Text, Nothing, "The upstream, or the address, that it must come to."),
            key("reject", Words(alerts), Nothing, "The alert that it must hear, or \"close\" where it is closed without one."),
            key("respond", Text, Nothing, "The text with which it must be answered."),
        ]],
    )
};

const TEST: Table = Table {
    one_of: &["sni", "no_sni", "not_tls"],
    ..Table::new(
        &kinds::TEST,
        &[&[
            key("sni", Text, Nothing, "The host name that the client sends."),
            key("no_sni", Switch, Nothing, "The client sends no name."),
            key("not_tls", Switch, Nothing, "The client does not speak TLS."),
            key("alpn", OneOrMany(&Text), Nothing, "The protocols that the client offers."),
            key("versions", List(&Words(words::<TlsVersion>)), Nothing, "The versions of TLS that the client offers."),
            key("from", Text, Nothing, "The client's address."),
            key("listener", Text, Nothing, "The listener that it comes to, where several have the map."),
            key(
                "expect",
                Either(&[Text, Shape::Table(&EXPECT)]),
                Required,
                "What must become of it: an upstream, an address, an entry as it is written, or a table.",
            ),
        ]],
    )
};

pub(super) const LIMIT: Table = Table {
    any_of: &["connections", "rate"],
    ..Table::new(
        &kinds::LIMIT,
        &[&[
            key(
                "key",
                Text,
                Without::Words("all sessions together"),
                "A template: sessions for which it says the same are counted together; IPv6 by its /64 with $binary_remote_addr.",
            )
            .such_as(&["\"$binary_remote_addr\"", "\"$ssl_preread_server_name\""]),
            key("connections", Whole(1, MOST), Nothing, "Sessions of a key that may be open at once (limit_conn)."),
            key("rate", Frequency, Nothing, "New sessions of a key in a second, minute or hour.").such_as(&[
                "\"50/s\"",
                "\"300/m\"",
                "\"1000/h\"",
            ]),
            key(
                "burst",
                Whole(0, MOST),
                Without::Words("one less than rate says"),
                "How many may come at once beyond the one that is due; 0 spaces all of them.",
            ),
            key("exempt", List(&Text), Value("[]"), "Ranges and networks whose clients are not counted."),
            key("dry_run", Switch, Value("false"), "Nobody is refused; the log tells what would be (limit_conn_dry_run)."),
        ]],
    )
};

pub(super) const MAP: Table = Table::new(
    &kinds::MAP,
    &[&[
        key("of", Text, Required, "The text that is looked up, a template.").such_as(&["\"$remote_addr\"", "\"$ssl_preread_server_name\""]),
        key("values", Named(&Text), Nothing, "Values of whole texts, compared without regard to case."),
        key("hosts", Named(&Text), Nothing, "Values of host names and wildcards (hostnames)."),
        key("ranges", Named(&Text), Nothing, "Values of address ranges and networks; the longest that fits (geo)."),
        key("patterns", List(&Shape::Table(&MAP_PATTERN)), Nothing, "Regexes and their values, tried in order."),
        key(
            "shares",
            List(&Shape::Table(&SHARE)),
            Nothing,
            "Parts of all texts by a hash, the same for the same text always (split_clients).",
        ),
        key("default", Text, Value("\"\""), "The value of anything else."),
    ]],
);

const MAP_PATTERN: Table = Table::new(
    &kinds::MAP_PATTERN,
    &[&[
        key("match", Text, Required, "A regex, in 'single quotes'."),
        key("value", Text, Required, "The value where it matches; may use its groups."),
    ]],
);

const SHARE: Table = Table::new(
    &kinds::SHARE,
    &[&[
        key("percent", Number(0, 100), Without::Words("the rest"), "How much of all it is, in percent."),
        key("value", Text, Required, "The value of this share."),
    ]],
);

/// What `reject` may say. The gateway has their numbers, of which a file knows nothing.
fn alerts() -> Vec<&'static str> {
    vec![
        "unrecognized_name",
        "access_denied",
        "handshake_failure",
        "certificate_unobtainable",
        "decode_error",
        "illegal_parameter",
        "insufficient_security",
        "internal_error",
        "no_application_protocol",
        "protocol_version",
        "record_overflow",
        "user_canceled",
        "close",
    ]
}
