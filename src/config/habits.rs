//! Values that nginx's and HAProxy's users write by habit, and what they are here. Keys of theirs are among the words.

use figment::value::Value;

use super::read::{Read, Reader};
use super::upstream::Balance;
use super::words::SERVER;
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

/// A parameter's value: a number, or a text. A time without a unit is nginx's seconds.
fn said(key: &str, value: &str) -> String {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "fail_timeout" | "slow_start" if is_number && units::duration(value).is_err() => format!("\"{value}s\""),
        _ if is_number => value.into(),
        _ => format!("{value:?}"),
    }
}
