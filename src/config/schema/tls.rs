//! TLS that ends here, and TLS that begins here.

use super::super::terminate::ClientAuthMode;
use super::super::words as kinds;
use super::shape::Shape::{Duration, Either, List, OneOrMany, Size, Switch, Text, Words};
use super::shape::Without::{Nothing, Required, Value};
use super::shape::{Entry, Shape, Table, Without, key, words};

pub(super) const TERMINATE: Table = Table::new(
    &kinds::TERMINATE,
    &[
        &[key(
            "certificates",
            OneOrMany(&Either(&[Text, Shape::Table(&CERTIFICATE)])),
            Required,
            "The one whose names match the server name is shown, else the first; globs work (ssl_certificate).",
        )
        .such_as(&["[\"certs/site.pem\"]", "[{ chain = \"certs/site.pem\", key = \"certs/site.key\" }, \"certs/shop-*.pem\"]"])],
        TERMINATING,
        SPOKEN,
    ],
);

pub(super) const DEFAULTS: Table = Table::new(&kinds::TERMINATE_DEFAULTS, &[TERMINATING, SPOKEN]);

const TERMINATING: &[Entry] = &[
    key(
        "ciphers",
        List(&Text),
        Without::Words("all that are strong"),
        "The cipher suites, the best first, by OpenSSL's names or IANA's (ssl_ciphers).",
    ),
    key(
        "groups",
        List(&Text),
        Value("[\"X25519MLKEM768\", \"X25519\", \"P-256\", \"P-384\"]"),
        "The groups of the key exchange, the best first (ssl_ecdh_curve).",
    ),
    key(
        "session_cache",
        Either(&[Size(0), Words(|| vec!["off"])]),
        Value("\"10m\""),
        "Memory for sessions that may be resumed; \"off\" keeps none (ssl_session_cache).",
    ),
    key("session_timeout", Duration, Value("\"5m\""), "For how long TLS may be resumed, 7 days at most (ssl_session_timeout)."),
    key(
        "session_tickets",
        Either(&[Switch, Shape::Table(&SESSION_TICKETS)]),
        Value("true"),
        "Whether clients keep sessions themselves; a table with keys shares them with other gateways (ssl_session_tickets).",
    ),
    key("handshake_timeout", Duration, Value("\"60s\""), "For the whole handshake, from the hello on (ssl_handshake_timeout)."),
    key(
        "client_auth",
        Either(&[Shape::Off, Shape::Table(&CLIENT_AUTH)]),
        Nothing,
        "Whether clients show a certificate; false does without what [defaults.terminate] has (ssl_verify_client).",
    ),
];

const SPOKEN: &[Entry] = &[
    key("alpn", List(&Text), Nothing, "The application protocols, the best first (ssl_alpn, proxy_ssl_alpn).")
        .such_as(&["[\"h2\", \"http/1.1\"]"]),
    key(
        "versions",
        List(&Words(|| vec!["1.2", "1.3"])),
        Value("[\"1.2\", \"1.3\"]"),
        "The versions of TLS that are spoken (ssl_protocols, proxy_ssl_protocols).",
    ),
];

const CERTIFICATE: Table = Table::new(
    &kinds::CERTIFICATE,
    &[&[
        key("chain", Text, Required, "The certificate, then those that vouch for it (ssl_certificate)."),
        key(
            "key",
            Text,
            Without::Words("in the same file, else beside it: site.pem, site.key"),
            "The file of its key (ssl_certificate_key).",
        ),
        key("password_file", Text, Nothing, "Passwords for an encrypted key, one a line (ssl_password_file)."),
        key("ocsp", Text, Nothing, "An OCSP answer in DER that is sent along (ssl_stapling_file)."),
    ]],
);

const SESSION_TICKETS: Table = Table::new(
    &kinds::SESSION_TICKETS,
    &[&[key("keys", OneOrMany(&Text), Required, "Files of 48 or 80 bytes, the newest first; shared by a fleet (ssl_session_ticket_key).")]],
);

const CLIENT_AUTH: Table = Table::new(
    &kinds::CLIENT_AUTH,
    &[&[
        key("ca", Text, Required, "The file of those who vouch for clients (ssl_client_certificate)."),
        key(
            "mode",
            Words(words::<ClientAuthMode>),
            Required,
            "Whether they must: \"require\" refuses who has none, \"request\" lets them in (ssl_verify_client).",
        ),
        key("crl", OneOrMany(&Text), Nothing, "Files of revoked certificates (ssl_crl)."),
        key("subjects", OneOrMany(&Text), Without::Words("anybody"), "Patterns, one of which the certificate's subject must fit.")
            .such_as(&["[\"CN=partner,*\"]"]),
    ]],
);

pub(super) const UPSTREAM_TLS: Table = Table::new(
    &kinds::UPSTREAM_TLS,
    &[
        &[
            key(
                "server_name",
                Text,
                Without::Words("each server's name as it is written"),
                "The name that servers are asked for and must have, a template (proxy_ssl_name).",
            ),
            key("verify", Switch, Value("true"), "Whether the servers' certificates are verified (proxy_ssl_verify)."),
            key("ca", Text, Without::Words("the system's"), "A file of authorities (proxy_ssl_trusted_certificate)."),
            key("certificate", Text, Nothing, "What is shown to servers that ask for a certificate (proxy_ssl_certificate)."),
            key("key", Text, Nothing, "The key of that certificate (proxy_ssl_certificate_key)."),
            key("password_file", Text, Nothing, "Passwords for an encrypted key, one a line (proxy_ssl_password_file)."),
            key("session_reuse", Switch, Value("true"), "Whether sessions are resumed (proxy_ssl_session_reuse)."),
        ],
        SPOKEN,
    ],
);
