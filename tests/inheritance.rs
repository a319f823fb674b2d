//! What is written once in `[defaults]` holds as if it stood in each table, unless that says otherwise.

use std::collections::BTreeSet;

use toml::Value;
use vestibule::snapshot::Snapshot;

use crate::harness::compile;

/// Every key there is stands in it, as another test sees to.
const EVERYTHING: &str = include_str!("data/everything.toml");

/// A key with two values, and what else must stand beside it to have an effect.
struct Key {
    name: &'static str,
    one: &'static str,
    other: &'static str,
    beside: &'static str,
}

const fn key(name: &'static str, one: &'static str, other: &'static str) -> Key {
    Key { name, one, other, beside: "" }
}

const fn beside(name: &'static str, one: &'static str, other: &'static str, beside: &'static str) -> Key {
    Key { name, one, other, beside }
}

const SESSION: &[Key] = &[
    key("connect_timeout", "\"1s\"", "\"2s\""),
    key("idle_timeout", "\"1s\"", "\"2s\""),
    key("next_upstream", "false", "true"),
    key("next_upstream_tries", "1", "2"),
    key("next_upstream_timeout", "\"1s\"", "\"2s\""),
    key("half_close", "false", "true"),
    key("source", "\"10.0.0.9\"", "\"$remote_addr\""),
    beside("transparent", "true", "false", "source = \"$remote_addr\""),
    key("upload_rate", "\"1m\"", "\"$listener\""),
    key("download_rate", "\"1m\"", "\"2m\""),
    key("requests", "1", "2"),
    key("responses", "1", "2"),
    // It is read for the sake of nginx's users, and changes nothing.
    key("buffer_size", "\"1k\"", "\"2k\""),
];

const LISTENING: &[Key] = &[
    beside("preread_timeout", "\"1s\"", "\"2s\"", "preread = \"tls\""),
    beside("preread_buffer_size", "\"1k\"", "\"2k\"", "preread = \"tls\""),
    beside("defer_accept", "false", "true", "preread = \"tls\""),
    key("backlog", "1", "2"),
    key("ipv6_only", "false", "true"),
    key("reuse_port", "false", "true"),
    beside("accept_proxy_protocol", "\"require\"", "\"allow\"", "trusted_proxies = []"),
    beside("proxy_protocol_timeout", "\"1s\"", "\"2s\"", "accept_proxy_protocol = \"allow\"\ntrusted_proxies = []"),
    beside("trusted_proxies", "[\"10.0.0.1\"]", "[\"unix:\"]", "accept_proxy_protocol = \"allow\""),
    key("access", "[\"deny 10.0.0.1\", \"allow all\"]", "[\"deny all\"]"),
    key("limits", "[\"one\"]", "[\"two\"]"),
    key("max_connections", "1", "2"),
    key("keepalive", "true", "{ idle = \"5s\" }"),
    key("receive_buffer", "\"64k\"", "\"128k\""),
    key("send_buffer", "\"64k\"", "\"128k\""),
    key("mode", "\"0600\"", "\"0660\""),
    key("free_bind", "true", "false"),
    key("interface", "\"lo\"", "\"eth0\""),
    key("protocol", "\"udp\"", "[\"tcp\", \"udp\"]"),
    key("preread", "\"tls\"", "\"none\""),
];

const UPSTREAM: &[Key] = &[
    key("balance", "\"hash\"", "\"least_conn\""),
    beside("hash_key", "\"$listener\"", "\"$remote_port\"", "balance = \"hash\""),
    key("fallback", "\"spare\"", "\"10.0.0.7:443\""),
    key("resolver", "{ timeout = \"1s\" }", "{ timeout = \"2s\" }"),
    key("keepalive", "true", "{ idle = \"5s\" }"),
    key("user_timeout", "\"1s\"", "\"2s\""),
    key("tls", "{ verify = false, server_name = \"a.internal\" }", "{ verify = false, alpn = [\"h2\"] }"),
    key("send_proxy_protocol", "\"v1\"", "{ version = \"v2\", tlvs = [\"crc32c\"] }"),
];

const SERVER: &[Key] = &[
    key("weight", "2", "3"),
    key("max_fails", "2", "3"),
    key("fail_timeout", "\"1s\"", "\"2s\""),
    key("max_conns", "2", "3"),
    key("slow_start", "\"1s\"", "\"2s\""),
    key("backup", "true", "false"),
    key("down", "true", "false"),
    key("service", "\"http\"", "\"https\""),
];

const TERMINATE: &[Key] = &[
    key("versions", "[\"1.3\"]", "[\"1.2\"]"),
    key("ciphers", "[\"TLS_AES_128_GCM_SHA256\"]", "[\"TLS_AES_256_GCM_SHA384\"]"),
    key("groups", "[\"X25519\"]", "[\"secp256r1\"]"),
    key("alpn", "[\"h2\"]", "[]"),
    key("session_cache", "\"off\"", "\"1m\""),
    key("session_timeout", "\"1s\"", "\"2s\""),
    key("session_tickets", "false", "true"),
    key("handshake_timeout", "\"1s\"", "\"2s\""),
    key("client_auth", "{ ca = \"tests/data/certs/good.pem\", mode = \"require\" }", "false"),
];

fn everything() -> toml::Table {
    EVERYTHING.parse().unwrap()
}

/// All keys that stand in tables of a section, or in `[defaults]` itself.
fn keys<'t>(tables: impl Iterator<Item = &'t Value>, but: &[&str]) -> BTreeSet<String> {
    let keys = tables.filter_map(Value::as_table).flat_map(toml::Table::keys).cloned();
    let keys: BTreeSet<_> = keys.filter(|key| !but.contains(&key.as_str())).collect();
    assert!(keys.len() > 5, "{keys:?}");
    keys
}

fn names(tables: &[&[Key]]) -> BTreeSet<String> {
    tables.iter().copied().flatten().map(|key| key.name.to_owned()).collect()
}

#[test]
fn no_key_is_left_out_here() {
    let everything = everything();
    let tables = |section: &str| everything[section].as_table().unwrap().values();
    let servers = || tables("upstream").flat_map(|upstream| upstream["servers"].as_array().unwrap());
    assert_eq!(keys([&everything["defaults"]].into_iter(), &["upstream", "terminate"]), names(&[SESSION, LISTENING]));
    assert_eq!(
        keys(tables("upstream"), &["servers", "balance"]).into_iter().chain(["balance".into()]).collect::<BTreeSet<_>>(),
        names(&[UPSTREAM])
    );
    assert_eq!(keys(servers().chain([&everything["defaults"]["upstream"]["server"]]), &["address"]), names(&[SERVER]));
    assert_eq!(keys(tables("terminate"), &["certificates"]), names(&[TERMINATE]));
}

/// A way to write a key in several tables: each text has `KEY` where the key may stand.
struct Levels {
    /// The nearest first; nothing is written where nothing is given.
    tables: &'static [&'static str],
    whole: &'static str,
    seen: fn(&Snapshot) -> String,
}

impl Levels {
    /// What comes of values on some of the levels.
    fn with(&self, key: &Key, values: &[Option<&str>]) -> String {
        let mut text = self.whole.to_owned();
        for (table, value) in self.tables.iter().zip(values) {
            let line = value.map(|value| format!("{} = {value}", key.name)).unwrap_or_default();
            text = text.replace(table, &line);
        }
        (self.seen)(&compile(&text.replace("BESIDE", key.beside)))
    }

    /// The same value has the same effect on each level, and the nearest level wins.
    fn hold(&self, key: &Key) {
        let name = key.name;
        let none = vec![None; self.tables.len()];
        let at = |level: usize, value| {
            let mut values = none.clone();
            values[level] = Some(value);
            values
        };
        let nearest = self.with(key, &at(0, key.one));
        let has_effect = name != "buffer_size";
        assert_eq!(self.with(key, &at(0, key.other)) != nearest, has_effect, "{name} has an effect");
        for level in 1..self.tables.len() {
            assert_eq!(self.with(key, &at(level, key.one)), nearest, "{name} on level {level}");
            for nearer in 0..level {
                let mut both = at(level, key.other);
                both[nearer] = Some(key.one);
                assert_eq!(self.with(key, &both), nearest, "{name}: level {nearer} over {level}");
            }
        }
    }
}

fn listener(snapshot: &Snapshot) -> String {
    format!("{:?}", snapshot.listeners[0])
}

fn pool(snapshot: &Snapshot) -> String {
    let pool = &snapshot.pools["web"];
    let encryption = pool.encryption.as_ref().map(|encryption| (encryption.originator.settings(), &encryption.server_name));
    let fallback = pool.fallback().map(|fallback| fallback.upstream.name());
    let group = (pool.upstream.balance(), pool.upstream.lines());
    format!("{group:?} {:?} {:?} {:?} {encryption:?} {:?} {fallback:?}", pool.hash_key, pool.silence, pool.resolver, pool.announcement)
}

fn profile(snapshot: &Snapshot) -> String {
    format!("{:?}", snapshot.terminators["public"].settings())
}

#[test]
fn a_listener_inherits_each_of_its_keys() {
    let levels = Levels {
        tables: &["OWN", "DEFAULT"],
        whole: "[defaults]\nDEFAULT\n[limit.one]\nconnections = 1\n[limit.two]\nconnections = 2\n\
                [listener.a]\nlisten = [\"127.0.0.1:0\"]\nupstream = \"web\"\nBESIDE\nOWN\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n",
        seen: listener,
    };
    LISTENING.iter().chain(SESSION).for_each(|key| levels.hold(key));
}

#[test]
fn a_target_inherits_each_session_key_from_its_listener_and_that_from_the_defaults() {
    let levels = Levels {
        tables: &["TARGET", "OWN", "DEFAULT"],
        whole: "[defaults]\nDEFAULT\n[listener.a]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\nOWN\n\
                [routes.map.hosts.\"a.test\"]\nupstream = \"10.0.0.1:443\"\nBESIDE\nTARGET\n",
        seen: listener,
    };
    SESSION.iter().for_each(|key| levels.hold(key));
}

#[test]
fn an_upstream_inherits_each_of_its_keys() {
    let levels = Levels {
        tables: &["OWN", "DEFAULT"],
        whole: "[defaults.upstream]\nDEFAULT\n[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n\
                [upstream.web]\nservers = [\"web.internal:443\"]\nBESIDE\nOWN\n[upstream.spare]\nservers = [\"spare.internal:443\"]\n",
        seen: pool,
    };
    UPSTREAM.iter().filter(|key| key.name != "tls").for_each(|key| levels.hold(key));
}

#[test]
fn each_key_of_tls_towards_servers_is_inherited_by_itself() {
    let with = |defaults: &str, own: &str| {
        pool(&compile(&format!(
            "[defaults.upstream]\n{defaults}\n[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n\
             [upstream.web]\nservers = [\"web.internal:443\"]\n{own}\n"
        )))
    };
    let whole = "tls = { verify = false, server_name = \"a.internal\", alpn = [\"h2\"], versions = [\"1.3\"], session_reuse = false }";
    let one = "tls = { alpn = [\"http/1.1\"] }";
    assert_eq!(with(whole, ""), with("", whole));
    assert_eq!(with(whole, one), with("", &whole.replace("h2", "http/1.1")));
    assert_eq!(with(whole, "tls = { alpn = [] }"), with("", &whole.replace("\"h2\"", "")));
    assert_eq!(with(whole, "tls = false"), with("", ""), "one can do without");
    assert_ne!(with(whole, ""), with("", ""));
}

#[test]
fn each_server_inherits_each_of_its_keys() {
    let levels = Levels {
        tables: &["OWN", "DEFAULT"],
        whole: "[defaults.upstream.server]\nDEFAULT\n[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n\
                [upstream.web]\nservers = [{ address = \"other.internal\", backup = false, down = false, service = \"x\" }, SELF]\n",
        seen: pool,
    };
    for key in SERVER {
        let own = |value: Option<&str>| {
            let own = value.map(|value| format!(", {} = {value}", key.name)).unwrap_or_default();
            format!("{{ address = \"web.internal{}\"{own} }}", if key.name == "service" { "" } else { ":443" })
        };
        let with = |default: Option<&str>, value: Option<&str>| {
            let default = default.map(|value| format!("{} = {value}", key.name)).unwrap_or_default();
            (levels.seen)(&compile(&levels.whole.replace("DEFAULT", &default).replace("SELF", &own(value))))
        };
        // The other server has the key, too, unless it says otherwise, so only the server in question is looked at.
        let last = |said: String| said.rsplit("ServerLine").next().unwrap().to_owned();
        assert_eq!(last(with(Some(key.one), None)), last(with(None, Some(key.one))), "{}", key.name);
        assert_eq!(last(with(Some(key.other), Some(key.one))), last(with(None, Some(key.one))), "{}", key.name);
        assert_ne!(last(with(Some(key.other), None)), last(with(None, Some(key.one))), "{}", key.name);
    }
}

#[test]
fn a_profile_inherits_each_of_its_keys() {
    let levels = Levels {
        tables: &["OWN", "DEFAULT"],
        whole: "[defaults.terminate]\nDEFAULT\n[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"10.0.0.1:80\"\nterminate = \"public\"\n\
                [terminate.public]\ncertificates = \"tests/data/certs/good.pem\"\nOWN\n",
        seen: profile,
    };
    TERMINATE.iter().for_each(|key| levels.hold(key));
    let off = levels.with(&TERMINATE[8], &[Some("false"), Some(TERMINATE[8].one)]);
    assert_eq!(off, levels.with(&TERMINATE[8], &[None, None]), "one can do without client_auth");
}
