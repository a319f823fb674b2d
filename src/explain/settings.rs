//! What a session keeps to, and which table says so.

use std::num::NonZeroU64;

use super::explanation::Setting;
use super::origins::Tables;
use super::values::bytes;
use crate::session::Session;
use crate::snapshot::{RateRule, SourceRule, Target};
use crate::units::written;

/// `idle_timeout` and `connect_timeout`, and of the others those that are written.
pub(super) fn told(target: &Target, session: &Session, tables: &Tables<'_>) -> Vec<Setting> {
    let (connect, relay, datagrams) = (&target.limits.connect, &target.limits.relay, &target.limits.datagrams);
    let mut settings = vec![
        tables.always("idle_timeout", written(relay.idle_timeout)),
        tables.always("connect_timeout", written(connect.connect_timeout)),
    ];
    let others = [
        tables.if_written("next_upstream", || connect.next_upstream.to_string()),
        tables.if_written("next_upstream_tries", || connect.tries.to_string()),
        tables.if_written("next_upstream_timeout", || written(connect.tries_timeout)),
        tables.if_written("half_close", || relay.half_close.to_string()),
        tables.if_written("requests", || datagrams.requests.to_string()),
        tables.if_written("responses", || datagrams.responses.map_or_else(|| "unlimited".into(), |most| most.to_string())),
        tables.if_written("upload_rate", || rate(&target.rates.upload, session)),
        tables.if_written("download_rate", || rate(&target.rates.download, session)),
        target.source.as_ref().and_then(|rule| tables.if_written("source", || source(rule, session))),
    ];
    settings.extend(others.into_iter().flatten());
    settings
}

fn rate(rule: &RateRule, session: &Session) -> String {
    match rule.of(session) {
        Ok(rate) => bytes(rate.map_or(0, NonZeroU64::get)),
        Err(text) => format!("0, since {text:?} is no rate"),
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
