//! Which limits a target keeps to, from where its servers are dialled, and which line of the configuration says so.

use crate::config::{Key, Places, path_to};
use crate::session::Session;
use crate::snapshot::{SourceRule, Target};
use crate::units::written;

/// `idle 10s ([defaults], line 2), connect 60s (built in)`, for the target at this path, and the source if it has one.
pub(super) fn told(path: &[Key], listener: &str, target: &Target, session: &Session, places: &Places) -> String {
    let listener_path = path_to!["listener", listener];
    let defaults = path_to!["defaults"];
    let mut levels = vec![(&listener_path[..], format!("[listener.{listener}]")), (&defaults[..], "[defaults]".into())];
    // Without a map the listener's own table is the target's.
    if !path.starts_with(&listener_path) {
        levels.insert(0, (path, "the target".into()));
    }
    let origin = |key: &str| {
        let at = |level: &[Key]| places.written(&[level, &path_to![key]].concat());
        let found = levels.iter().find_map(|(path, name)| Some((at(path)?, name)));
        match found {
            None => "built in".to_owned(),
            Some((place, name)) => match place.line() {
                Some(line) => format!("{name}, line {line}"),
                None => place.to_string(),
            },
        }
    };
    let (idle, connect) = (written(target.limits.relay.idle_timeout), written(target.limits.connect.connect_timeout));
    let source = target.source.as_ref().map(|rule| format!(", {} ({})", source(rule, session), origin("source")));
    let source = source.unwrap_or_default();
    format!("idle {idle} ({}), connect {connect} ({}){source}", origin("idle_timeout"), origin("connect_timeout"))
}

/// The address that servers see. Which port the client has is not known here, so neither is one that follows it.
fn source(rule: &SourceRule, session: &Session) -> String {
    let transparent = if rule.transparent { ", transparent" } else { "" };
    match rule.of(session) {
        None => "no source".into(),
        Some(Err(text)) => format!("closed as no_source: the source {text:?} is no address"),
        Some(Ok(source)) if source.address.port() == 0 => format!("source {}{transparent}", source.address.ip()),
        Some(Ok(source)) => format!("source {}{transparent}", source.address),
    }
}
