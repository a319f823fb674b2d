//! What `vestibule route` says of access and limits.

use std::net::IpAddr;

use crate::snapshot::Admission;

/// Whether the rules let a client in, and which of them decides; nothing where there are none.
pub(super) fn access(admission: &Admission, from: IpAddr) -> Option<(bool, String)> {
    if admission.access.rules().is_empty() {
        return None;
    }
    Some(match admission.access.deciding(Some(from)) {
        None => (true, "allowed, no rule fits".into()),
        Some(rule) => (rule.allows, format!("{} by {:?}", if rule.allows { "allowed" } else { "denied" }, rule.written)),
    })
}

/// The limits that count a client; nothing where there are none. How much of them is used up is not known here.
pub(super) fn limits(admission: &Admission, from: IpAddr) -> Option<String> {
    let one = |settings: &crate::admit::LimitSettings| match (settings.exempt.contains(from), settings.dry_run) {
        (true, _) => format!("{} (exempt)", settings.name),
        (false, true) => format!("{} (dry run)", settings.name),
        (false, false) => settings.name.to_string(),
    };
    let all: Vec<_> = admission.limits.iter().map(|keyed| one(keyed.limit.settings())).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
