//! What `access` and `limits` say of a client.

use std::net::IpAddr;

use super::explanation::{Access, Limit};
use crate::snapshot::Admission;

/// Whether the rules let a client in, and which of them decides.
pub(super) fn access(admission: &Admission, from: Option<IpAddr>) -> Access {
    let deciding = admission.access.deciding(from);
    Access {
        allowed: deciding.is_none_or(|rule| rule.allows),
        has_rules: !admission.access.rules().is_empty(),
        rule: deciding.map(|rule| rule.written.to_string()),
    }
}

/// The limits that count a client.
pub(super) fn limits(admission: &Admission, from: Option<IpAddr>) -> Vec<Limit> {
    let one = |settings: &crate::admit::LimitSettings| Limit {
        name: settings.name.to_string(),
        exempt: from.is_some_and(|from| settings.exempt.contains(from)),
        dry_run: settings.dry_run,
    };
    admission.limits.iter().map(|keyed| one(keyed.limit.settings())).collect()
}
