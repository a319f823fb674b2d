//! The words of a configuration: which keys a table has, which table a stray key belongs to, what nginx calls it.

/// A sort of table, as an error names it, and all its keys.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static [&'static str]],
}

impl Kind {
    pub(super) fn has(&self, key: &str) -> bool {
        self.known().any(|known| known == key)
    }

    pub(super) fn known(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().copied().flatten().copied()
    }

    /// What to say beside a key that is none of ours.
    pub(super) fn advice(&self, stray: &str) -> Advice {
        for (whose, words) in [("nginx", NGINX), ("HAProxy", HAPROXY)] {
            let mut meant = words.iter().filter(|(theirs, _)| *theirs == stray).map(|(_, ours)| ours);
            let here = meant.clone().find(|ours| self.has(ours.trim_matches('`')));
            if let Some(ours) = here.or_else(|| meant.next()) {
                return Advice::Elsewhere(format!("{whose}'s {stray} is {ours} here"));
            }
        }
        if let Some((_, ours)) = MEANT.iter().find(|(theirs, ours)| *theirs == stray && self.has(ours)) {
            return Advice::Meant(ours);
        }
        // One for several, or the other way round, rather than a word from elsewhere.
        let number = |known: &&str| known.strip_suffix('s') == Some(stray) || stray.strip_suffix('s') == Some(known);
        if let Some(near) = self.known().find(number) {
            return Advice::Meant(near);
        }
        let elsewhere: Vec<_> = EVERYWHERE.iter().filter(|kind| kind.has(stray)).map(|kind| kind.name).collect();
        if let Some((last, others)) = elsewhere.split_last() {
            let all = if others.is_empty() { (*last).into() } else { format!("{} or {last}", others.join(", ")) };
            return Advice::Elsewhere(format!("`{stray}` belongs to {all}"));
        }
        suggest(stray, self.known()).map_or(Advice::Unknown, Advice::Meant)
    }
}

/// What to write instead of a key of `[defaults]` or `[defaults.upstream]` that stands a table too high or too deep.
pub(super) fn in_defaults(kind: &Kind, stray: &str, written: &str) -> Option<String> {
    match stray {
        "server" if kind.name == DEFAULTS.name => Some("servers start from server = { max_fails = 2 } under [defaults.upstream]".into()),
        "listener" if kind.name == DEFAULTS.name => Some("a listener's keys stand in [defaults] itself".into()),
        _ if kind.name == UPSTREAM_DEFAULTS.name && SERVER_DEFAULTS.has(stray) => Some(format!("server = {{ {stray} = {written} }}")),
        _ => None,
    }
}

/// What to do about a stray key.
pub(super) enum Advice {
    /// It was probably this one.
    Meant(&'static str),
    /// It is known, but not here, as this says.
    Elsewhere(String),
    /// Nobody knows it.
    Unknown,
}

/// The known word that was probably meant: within a third of its letters, swapped neighbours counting once.
pub fn suggest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    let length = wrong.chars().count();
    let most = (length / 3).max(1);
    known
        .filter(|word| word.chars().count().abs_diff(length) <= most)
        .map(|word| (strsim::damerau_levenshtein(&wrong, &word.to_ascii_lowercase()), word))
        .filter(|&(distance, _)| distance <= most)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

const SESSION: &[&str] = &[
    "connect_timeout",
    "idle_timeout",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
    "half_close",
    "source",
    "transparent",
    "upload_rate",
    "download_rate",
    "requests",
    "responses",
    "buffer_size",
];
const LISTENING: &[&str] = &[
    "preread_timeout",
    "preread_buffer_size",
    "defer_accept",
    "backlog",
    "ipv6_only",
    "reuse_port",
    "accept_proxy_protocol",
    "proxy_protocol_timeout",
    "trusted_proxies",
    "access",
    "limits",
    "max_connections",
    "keepalive",
    "receive_buffer",
    "send_buffer",
    "mode",
    "free_bind",
    "interface",
];
const TARGETED: &[&str] = &["access", "limits", "note", "maintenance"];
const GUARDED: &[&str] = &["upstream", "reject", "respond", "terminate", "alpn", "from", "versions"];
const GROUPED: &[&str] = &["balance", "hash_key", "fallback", "resolver", "keepalive", "user_timeout", "tls", "send_proxy_protocol"];
const SERVING: &[&str] = &["weight", "max_fails", "fail_timeout", "max_conns", "slow_start", "backup", "down", "service"];
const TERMINATING: &[&str] =
    &["ciphers", "groups", "session_cache", "session_timeout", "session_tickets", "handshake_timeout", "client_auth"];
const TLS: &[&str] = &["alpn", "versions"];
const RESOLVING: &[&str] = &["nameservers", "valid", "timeout", "ipv6"];

pub(super) const FILE: Kind = Kind {
    name: "the file itself",
    keys: &[&[
        "include",
        "lints",
        "process",
        "log",
        "access_log",
        "resolver",
        "networks",
        "defaults",
        "listener",
        "routes",
        "limit",
        "map",
        "terminate",
        "upstream",
    ]],
};
pub(super) const PROCESS: Kind = Kind { name: "[process]", keys: &[&["workers", "max_connections", "shutdown_timeout", "watch"]] };
pub(super) const LOG: Kind = Kind { name: "[log]", keys: &[&["level", "format", "file"]] };
pub(super) const ACCESS_LOG: Kind = Kind { name: "an access log", keys: &[&["file", "format", "if", "buffer", "flush", "gzip"]] };
pub(super) const DEFAULTS: Kind =
    Kind { name: "[defaults]", keys: &[LISTENING, SESSION, &["protocol", "preread", "upstream", "terminate"]] };
pub(super) const INCLUDE: Kind = Kind { name: "an include", keys: &[&["files", "hosts"]] };
pub(super) const NETWORK: Kind = Kind { name: "a network", keys: &[&["file"]] };
pub(super) const UPSTREAM_DEFAULTS: Kind = Kind { name: "[defaults.upstream]", keys: &[GROUPED, &["server"]] };
pub(super) const SERVER_DEFAULTS: Kind = Kind { name: "server of [defaults.upstream]", keys: &[SERVING] };
pub(super) const LISTENER: Kind = Kind {
    name: "a listener",
    keys: &[&["listen", "protocol", "routes", "upstream", "respond", "show", "terminate", "preread"], LISTENING, SESSION],
};
pub(super) const ROUTES: Kind =
    Kind { name: "[routes.NAME]", keys: &[&["default", "no_sni", "not_tls", "hosts", "hosts_files", "patterns", "tests"]] };
pub(super) const TEST: Kind =
    Kind { name: "a test", keys: &[&["sni", "no_sni", "not_tls", "alpn", "versions", "from", "listener", "expect"]] };
pub(super) const EXPECT: Kind = Kind { name: "expect", keys: &[&["entry", "upstream", "reject", "respond"]] };
pub(super) const TARGET: Kind = Kind { name: "a target", keys: &[GUARDED, TARGETED, SESSION] };
pub(super) const PATTERN: Kind = Kind { name: "a pattern", keys: &[&["host"], GUARDED, TARGETED, SESSION] };
pub(super) const LIMIT: Kind = Kind { name: "[limit.NAME]", keys: &[&["key", "connections", "rate", "burst", "exempt", "dry_run"]] };
pub(super) const MAP: Kind = Kind { name: "[map.NAME]", keys: &[&["of", "values", "hosts", "ranges", "patterns", "shares", "default"]] };
pub(super) const MAP_PATTERN: Kind = Kind { name: "a pattern of a map", keys: &[&["match", "value"]] };
pub(super) const SHARE: Kind = Kind { name: "a share", keys: &[&["percent", "value"]] };
pub(super) const SEND_PROXY_PROTOCOL: Kind = Kind { name: "send_proxy_protocol", keys: &[&["version", "tlvs"]] };
pub(super) const TERMINATE: Kind = Kind { name: "[terminate.NAME]", keys: &[&["certificates"], TERMINATING, TLS] };
pub(super) const TERMINATE_DEFAULTS: Kind = Kind { name: "[defaults.terminate]", keys: &[TERMINATING, TLS] };
pub(super) const CERTIFICATE: Kind = Kind { name: "a certificate", keys: &[&["chain", "key", "password_file", "ocsp"]] };
pub(super) const SESSION_TICKETS: Kind = Kind { name: "session_tickets", keys: &[&["keys"]] };
pub(super) const CLIENT_AUTH: Kind = Kind { name: "client_auth", keys: &[&["ca", "mode", "crl", "subjects"]] };
pub(super) const UPSTREAM_TLS: Kind = Kind {
    name: "tls of an upstream",
    keys: &[&["server_name", "verify", "ca", "certificate", "key", "password_file", "session_reuse"], TLS],
};
pub(super) const UPSTREAM: Kind = Kind { name: "an upstream", keys: &[&["servers"], GROUPED] };
pub(super) const RESOLVER: Kind = Kind { name: "a resolver", keys: &[RESOLVING] };
pub(super) const KEEPALIVE: Kind = Kind { name: "keepalive", keys: &[&["idle", "interval", "count"]] };
pub(super) const SERVER: Kind = Kind { name: "a server", keys: &[&["address"], SERVING] };

/// Where a stray key may belong. `[defaults]` takes most keys of others and need not be named for each.
pub(super) const EVERYWHERE: &[Kind] = &[
    PROCESS,
    LOG,
    LISTENER,
    TARGET,
    ROUTES,
    UPSTREAM,
    SERVER,
    TERMINATE,
    CERTIFICATE,
    CLIENT_AUTH,
    LIMIT,
    MAP,
    MAP_PATTERN,
    SHARE,
    ACCESS_LOG,
    SEND_PROXY_PROTOCOL,
    UPSTREAM_TLS,
    RESOLVER,
    KEEPALIVE,
    INCLUDE,
    TEST,
    EXPECT,
    FILE,
];

/// Words for keys that others have for the same.
const MEANT: &[(&str, &str)] = &[("path", "file"), ("timeout", "idle_timeout")];

/// What nginx's users write by habit.
const NGINX: &[(&str, &str)] = &[
    ("server", "`servers` of an upstream, or a [listener.NAME],"),
    ("server_name", "a name in [routes.NAME.hosts]"),
    ("map", "[routes.NAME.hosts]"),
    ("proxy_pass", "`upstream`"),
    ("return", "`respond`"),
    ("ssl_preread", "`preread = \"tls\"`, which `routes` implies,"),
    ("proxy_timeout", "`idle_timeout`"),
    ("proxy_connect_timeout", "`connect_timeout`"),
    ("proxy_next_upstream", "`next_upstream`"),
    ("proxy_next_upstream_tries", "`next_upstream_tries`"),
    ("proxy_next_upstream_timeout", "`next_upstream_timeout`"),
    ("proxy_half_close", "`half_close`"),
    ("reuseport", "`reuse_port`"),
    ("ipv6only", "`ipv6_only`"),
    ("deferred", "`defer_accept`"),
    ("least_conn", "a value of `balance`"),
    ("least_time", "a value of `balance`"),
    ("random", "a value of `balance`"),
    ("ssl_certificate", "`certificates` of [terminate.NAME]"),
    ("ssl_certificate_key", "`key` of a certificate of [terminate.NAME]"),
    ("ssl_password_file", "`password_file` of a certificate of [terminate.NAME]"),
    ("ssl_session_cache", "`session_cache` of [terminate.NAME]"),
    ("ssl_session_timeout", "`session_timeout` of [terminate.NAME]"),
    ("ssl_session_tickets", "`session_tickets` of [terminate.NAME]"),
    ("ssl_session_ticket_key", "`session_tickets = { keys = [...] }` of [terminate.NAME]"),
    ("ssl_handshake_timeout", "`handshake_timeout` of [terminate.NAME]"),
    ("ssl_protocols", "`versions` of [terminate.NAME]"),
    ("ssl_ciphers", "`ciphers` of [terminate.NAME]"),
    ("ssl_ecdh_curve", "`groups` of [terminate.NAME]"),
    ("ssl_alpn", "`alpn` of [terminate.NAME]"),
    ("ssl_verify_client", "`client_auth` of [terminate.NAME]"),
    ("ssl_client_certificate", "`ca` of `client_auth` of [terminate.NAME]"),
    ("ssl_crl", "`crl` of `client_auth` of [terminate.NAME]"),
    ("ssl_stapling_file", "`ocsp` of a certificate of [terminate.NAME]"),
    ("ssl_reject_handshake", "{ reject = \"unrecognized_name\" } as a target"),
    ("ssl", "`terminate = \"NAME\"` of a listener, or of a target, with [terminate.NAME]"),
    ("proxy_ssl", "`tls` of an upstream"),
    ("proxy_ssl_name", "`server_name` of an upstream's `tls`"),
    ("proxy_ssl_verify", "`verify` of an upstream's `tls`"),
    ("proxy_ssl_trusted_certificate", "`ca` of an upstream's `tls`"),
    ("proxy_ssl_certificate", "`certificate` of an upstream's `tls`"),
    ("proxy_ssl_certificate_key", "`key` of an upstream's `tls`"),
    ("proxy_ssl_session_reuse", "`session_reuse` of an upstream's `tls`"),
    ("proxy_bind", "`source`"),
    ("proxy_upload_rate", "`upload_rate`"),
    ("proxy_download_rate", "`download_rate`"),
    ("limit_rate", "`download_rate`"),
    ("udp", "`protocol = \"udp\"` of a listener"),
    ("proxy_requests", "`requests`"),
    ("proxy_responses", "`responses`"),
    ("proxy_buffer_size", "`buffer_size`"),
    ("proxy_protocol", "`accept_proxy_protocol` of a listener (`listen ... proxy_protocol`), `send_proxy_protocol` of an upstream"),
    ("set_real_ip_from", "`trusted_proxies`"),
    ("allow", "`access = [\"allow RANGE\"]`"),
    ("deny", "`access = [\"deny RANGE\"]`"),
    ("limit_conn", "`limits = [\"NAME\"]`, with [limit.NAME]"),
    ("limit_conn_zone", "[limit.NAME] with `key`"),
    ("limit_conn_dry_run", "`dry_run` of [limit.NAME]"),
    ("geo", "[map.NAME] with `ranges`"),
    ("split_clients", "[map.NAME] with `shares`"),
    ("so_keepalive", "`keepalive`"),
    ("rcvbuf", "`receive_buffer`"),
    ("sndbuf", "`send_buffer`"),
    ("freebind", "`free_bind`"),
    ("upstream_show", "`show = \"upstreams\"` of a listener"),
    ("proxy_socket_keepalive", "`keepalive` of an upstream"),
    ("resolver_timeout", "`timeout` of [resolver]"),
    ("resolve", "nothing: names are looked up again by themselves"),
    ("hash", "`balance = \"hash\"` or \"consistent_hash\", with `hash_key`,"),
    ("zone", "nothing: all workers share the counts"),
    ("ip_hash", "`balance = \"hash\"` with `hash_key = \"$remote_addr\"`"),
    ("worker_processes", "`workers` of [process]"),
    ("worker_connections", "`max_connections` of [process]"),
    ("worker_shutdown_timeout", "`shutdown_timeout` of [process]"),
    ("error_log", "[log]"),
    ("log_format", "`format` of [access_log.NAME]"),
    ("stream", "the whole file: no block around it is needed"),
    ("http", "nothing: HTTP is not routed"),
];

/// What HAProxy's users write by habit. Of several words for one of theirs, that counts which the table has.
const HAPROXY: &[(&str, &str)] = &[
    ("bind", "`listen`"),
    ("accept-proxy", "`accept_proxy_protocol = \"require\"`"),
    ("send-proxy", "`send_proxy_protocol = \"v1\"`"),
    ("send-proxy-v2", "`send_proxy_protocol = \"v2\"`"),
    ("stick-table", "[limit.NAME]"),
    ("frontend", "[listener.NAME]"),
    ("backend", "[upstream.NAME]"),
    ("default_backend", "`default` of [routes.NAME], or `upstream` of a listener,"),
    ("use_backend", "a name in [routes.NAME.hosts]"),
    ("leastconn", "`balance = \"least_conn\"`"),
    ("roundrobin", "`balance = \"round_robin\"`"),
    ("maxconn", "`max_conns`"),
    ("maxconn", "`max_connections`"),
    ("timeout client", "`idle_timeout`"),
    ("timeout_client", "`idle_timeout`"),
    ("timeout server", "`idle_timeout`"),
    ("timeout_server", "`idle_timeout`"),
    ("timeout connect", "`connect_timeout`"),
    ("timeout_connect", "`connect_timeout`"),
    ("slowstart", "`slow_start`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_its_word() {
        let known = ["round_robin", "hash", "consistent_hash"];
        assert_eq!(suggest("round-robin", known.into_iter()), Some("round_robin"));
        assert_eq!(suggest("Hash", known.into_iter()), Some("hash"));
        assert_eq!(suggest("hsah", known.into_iter()), Some("hash"));
        assert_eq!(suggest("least_conn", known.into_iter()), None);
        assert_eq!(suggest("", known.into_iter()), None);
        assert_eq!(suggest("shpo", ["web", "shop", "ship"].into_iter()), Some("shop"));
    }
}
