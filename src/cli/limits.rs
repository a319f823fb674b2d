//! Which limits a target keeps to, and which line of the configuration says so.

use crate::config::{Key, Places, path_to};
use crate::snapshot::TargetLimits;
use crate::units::written;

/// `idle 10s ([defaults], line 2), connect 60s (built in)`, for the target at this path.
pub(super) fn told(target: &[Key], listener: &str, limits: &TargetLimits, places: &Places) -> String {
    let listener_path = path_to!["listener", listener];
    let defaults = path_to!["defaults"];
    let mut levels = vec![(&listener_path[..], format!("[listener.{listener}]")), (&defaults[..], "[defaults]".into())];
    // Without a map the listener's own table is the target's.
    if !target.starts_with(&listener_path) {
        levels.insert(0, (target, "the target".into()));
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
    let (idle, connect) = (written(limits.relay.idle_timeout), written(limits.connect.connect_timeout));
    format!("idle {idle} ({}), connect {connect} ({})", origin("idle_timeout"), origin("connect_timeout"))
}
