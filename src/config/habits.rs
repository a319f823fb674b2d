//! Values that nginx's and HAProxy's users write by habit, and what they are here. Keys of theirs are among the words.

use figment::value::Value;

use super::read::{Read, Reader};
use super::terminate::ClientAuthMode;
use super::tls_version::TlsVersion;
use super::upstream::Balance;
use super::values::{Word, unknown_word};
use super::words::SERVER;
use crate::address::ListenAddress;
use crate::units;

/// Reads a way to balance.
pub(super) fn balance(value: Value, reader: &mut Reader<'_>) -> Option<Balance> {
    let words: Vec<_> = value.as_str().unwrap_or_default().split_whitespace().collect();
    let ours = match words[..] {
        ["hash", key, "consistent"] => format!("\"consistent_hash\", with hash_key = {key:?}"),
        ["hash", key] => format!("\"hash\", with hash_key = {key:?}"),
        ["ip_hash" | "source"] => "\"hash\", with hash_key = \"$remote_addr\"".into(),
        ["random", "two", "least_conn"] | ["random", "two"] => "\"random_two\"".into(),
        ["random", "two", ..] => "\"random_two\", which counts sessions".into(),
        ["least_time", ..] if words.len() > 1 => "\"least_time\", of connects and first bytes".into(),
        ["static-rr"] => "\"round_robin\"".into(),
        _ => return Balance::read(value, reader),
    };
    reader.wrong(format!("{:?} is not a way to balance", words.join(" "))).label(ours);
    None
}

/// Reads whether another server is tried; nginx's http module says after which failures.
pub(super) fn next_upstream(value: Value, reader: &mut Reader<'_>) -> Option<bool> {
    let is_switch = matches!(value.as_str(), Some("true" | "false" | "on" | "off" | "yes" | "no"));
    if matches!(value, Value::Array(..)) || value.as_str().is_some_and(|_| !is_switch) {
        reader.unfit(&value, "true or false").label("true: when a server cannot be connected, for whatever reason");
        return None;
    }
    bool::read(value, reader)
}

/// The name servers of a `resolver` that is no table, as the key that says them.
pub(super) fn name_servers(value: &Value) -> Option<String> {
    let listed: Vec<&str> = match value {
        // nginx's parameters stand behind them.
        Value::String(_, text) => text.split_whitespace().filter(|word| !word.contains('=')).collect(),
        Value::Array(_, servers) => servers.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    (!listed.is_empty()).then(|| format!("nameservers = {listed:?}"))
}

/// The table that a server with parameters behind its address is here; nothing if that is only an address.
pub(super) fn server(written: &str) -> Option<String> {
    let (address, rest) = written.split_once(char::is_whitespace).filter(|_| !written.starts_with("unix:"))?;
    let mut keys = vec![format!("address = {address:?}")];
    for parameter in rest.split_whitespace() {
        keys.extend(match parameter.split_once('=') {
            Some((key, value)) if SERVER.has(key) => Some(format!("{key} = {}", said(key, value))),
            None if matches!(parameter, "backup" | "down") => Some(format!("{parameter} = true")),
            _ => None,
        });
    }
    let is_meant = keys.len() > 1 || address.contains(':');
    is_meant.then(|| format!("{{ {} }}", keys.join(", ")))
}

/// A listen address with parameters behind it, as the keys that say them; nothing if that is only an address.
pub(super) fn listen(written: &str) -> Option<String> {
    let (address, rest) = written.split_once(char::is_whitespace).filter(|_| !written.starts_with("unix:"))?;
    let address = address.parse::<u16>().map_or_else(|_| address.to_owned(), |port| format!(":{port}"));
    let mut keys = vec![format!("listen = {address:?}")];
    keys.extend(rest.split_whitespace().filter_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, "on"));
        let is_on = value != "off";
        Some(match name {
            "udp" => "protocol = \"udp\"".into(),
            "ssl" => "terminate = \"NAME\"".into(),
            "reuseport" => "reuse_port = true".into(),
            "proxy_protocol" | "accept-proxy" => "accept_proxy_protocol = \"require\"".into(),
            "deferred" | "defer-accept" => "defer_accept = true".into(),
            "ipv6only" => format!("ipv6_only = {is_on}"),
            "v6only" => "ipv6_only = true".into(),
            "so_keepalive" => format!("keepalive = {is_on}"),
            "backlog" => format!("backlog = {value}"),
            "rcvbuf" => format!("receive_buffer = {value:?}"),
            "sndbuf" => format!("send_buffer = {value:?}"),
            _ => return None,
        })
    }));
    ListenAddress::parse(&address).is_ok().then(|| keys.join(", "))
}

/// A version that is spoken, as nginx and OpenSSL write it too.
pub(super) struct Spoken(pub(super) TlsVersion);

impl Read for Spoken {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = value.as_str() else {
            let number = value.to_f64().filter(|number| [1.2, 1.3].contains(number));
            let label = number.map_or_else(|| "one of \"1.2\", \"1.3\"".into(), |number| format!("\"{number}\""));
            reader.unfit(&value, TlsVersion::WHAT).label(label);
            return None;
        };
        let known = |text: &str| TlsVersion::ALL.iter().find(|(word, _)| *word == text);
        if let Some(&(_, version)) = known(text) {
            return Some(Self(version));
        }
        match text.strip_prefix("TLSv").or(text.strip_prefix("TLS")).map(str::trim) {
            Some(ours @ ("1.2" | "1.3")) => {
                reader.wrong(format!("{text:?} is not {}", TlsVersion::WHAT)).label(format!("{ours:?}"));
                None
            }
            // That they are not spoken is said of each in the same words.
            Some("1" | "1.0") => Some(Self(TlsVersion::V1_0)),
            Some("1.1") => Some(Self(TlsVersion::V1_1)),
            _ => {
                unknown_word(text, TlsVersion::WHAT, ["1.2", "1.3"].into_iter(), reader);
                None
            }
        }
    }
}

/// Reads names of cipher suites; OpenSSL's strings of them are a language of their own.
pub(super) fn ciphers(value: Value, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let Some(text) = value.as_str() else { return Vec::read(value, reader) };
    let names: Vec<_> = text.split([':', ',', ' ']).collect();
    if names.iter().all(|name| name.contains(['-', '_']) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
    {
        reader.unfit(&value, "a list").label(format!("{names:?}"));
    } else {
        reader.wrong("OpenSSL's cipher strings are not read").label("list the suites; or leave it out for all that are strong");
    }
    None
}

/// The files of ticket keys that stand without the table around them, as the key that says them.
pub(super) fn key_files(value: &Value) -> Option<String> {
    let keys: Vec<&str> = match value {
        Value::String(_, text) if !matches!(&text[..], "on" | "off" | "true" | "false" | "yes" | "no") => vec![text],
        Value::Array(_, keys) => keys.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    (!keys.is_empty()).then(|| format!("keys = {keys:?}"))
}

/// A mode of `client_auth`; nginx has other words for it.
pub(super) struct Asked(pub(super) ClientAuthMode);

impl Read for Asked {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let ours = match (&value, value.as_str()) {
            (Value::Bool(_, true), _) | (_, Some("on" | "required")) => "\"require\"",
            (_, Some("optional")) => "\"request\"",
            (Value::Bool(_, false), _) | (_, Some("off" | "none")) => "client_auth = false, or leave it out",
            (_, Some("optional_no_ca")) => "a certificate is good here or refused: \"request\", with whoever vouches for it in `ca`",
            _ => return ClientAuthMode::read(value, reader).map(Self),
        };
        match value.as_str() {
            Some(text) => reader.wrong(format!("{text:?} is not {}", ClientAuthMode::WHAT)).label(ours),
            None => reader.unfit(&value, ClientAuthMode::WHAT).label(ours),
        };
        None
    }
}

/// A pattern of a subject, which openssl shows with slashes, too, the first part first.
pub(super) struct Subject(pub(super) String);

impl Read for Subject {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let slashed = value.as_str().and_then(|text| text.strip_prefix('/')).filter(|rest| rest.contains('='));
        let Some(rest) = slashed else { return String::read(value, reader).map(Self) };
        let mut parts: Vec<String> = Vec::new();
        for part in rest.split('/') {
            match parts.last_mut() {
                // A slash within a part.
                Some(last) if !part.contains('=') => *last = format!("{last}/{part}"),
                _ => parts.push(part.into()),
            }
        }
        let ours: Vec<_> = parts.iter().rev().map(|part| part.replace(',', "\\,")).collect();
        reader.wrong("a subject is written as `$ssl_client_s_dn` shows it, the last part first").label(format!("'{}'", ours.join(",")));
        None
    }
}

/// Reads the name of a profile.
pub(super) fn profile(value: Value, reader: &mut Reader<'_>) -> Option<String> {
    if matches!(value, Value::Bool(_, true)) {
        reader.unfit(&value, "the name of a TLS profile").label("terminate = \"NAME\", with [terminate.NAME]");
        return None;
    }
    if matches!(value, Value::Bool(_, false)) {
        reader.unfit(&value, "the name of a TLS profile").label("leave it out");
        return None;
    }
    String::read(value, reader)
}

/// A parameter's value: a number, or a text. A time without a unit is nginx's seconds.
fn said(key: &str, value: &str) -> String {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "fail_timeout" | "slow_start" if is_number && units::duration(value).is_err() => format!("\"{value}s\""),
        _ if is_number => value.into(),
        _ => format!("{value:?}"),
    }
}
