//! What a session keeps to, and which table says so.

use super::explanation::Setting;
use super::origins::Tables;
use crate::session::{Protocol, Session};
use crate::snapshot::{Listener, RateRule, SourceRule, Target};
use crate::units::{written, written_rate};

/// `idle_timeout` and `connect_timeout`, and of the others those that are written and mean something to what is spoken there.
pub(super) fn told(target: &Target, listener: &Listener, session: &Session, tables: &Tables<'_>) -> Vec<Setting> {
    let protocols = &listener.protocols;
    let told = |(key, value)| match key {
        "idle_timeout" | "connect_timeout" => Some(tables.always(key, value)),
        "upload_rate" => tables.if_written(key, || rate(&target.rates.upload, session)),
        "download_rate" => tables.if_written(key, || rate(&target.rates.download, session)),
        "source" => target.source.as_ref().and_then(|rule| tables.if_written(key, || source(rule, session))),
        "requests" | "responses" if !protocols.contains(&Protocol::Udp) => None,
        "half_close" if !protocols.contains(&Protocol::Tcp) => None,
        // It is told by itself.
        "note" => None,
        _ => tables.if_written(key, || value),
    };
    let of_session = target.settings().into_iter().filter_map(told);
    of_session.chain(of_listener(listener, tables)).collect()
}

/// What is written of how a listener takes connections.
fn of_listener(listener: &Listener, tables: &Tables<'_>) -> Vec<Setting> {
    let peek = listener.peek.as_ref();
    let all = [
        peek.and_then(|peek| tables.if_written("preread_timeout", || written(peek.timeout))),
        peek.and_then(|peek| tables.if_written("preread_buffer_size", || peek.size.to_string())),
        listener.max_connections.and_then(|most| tables.if_written("max_connections", || most.to_string())),
    ];
    all.into_iter().flatten().collect()
}

fn rate(rule: &RateRule, session: &Session) -> String {
    match rule.of(session) {
        Ok(Some(rate)) => written_rate(rate.get()),
        Ok(None) => "unlimited".into(),
        Err(text) => format!("unlimited, since {text:?} is no rate"),
    }
}

/// The address that servers see. Which port the client has may not be known here, and then one that follows it is not.
fn source(rule: &SourceRule, session: &Session) -> String {
    let transparent = if rule.transparent { ", transparent" } else { "" };
    match rule.of(session) {
        None => "none".into(),
        Some(Err(text)) => format!("{text:?}"),
        Some(Ok(source)) if source.address.port() == 0 => format!("{}{transparent}", source.address.ip()),
        Some(Ok(source)) => format!("{}{transparent}", source.address),
    }
}
