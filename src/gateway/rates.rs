//! How fast a session may go: its target's rates, as they are for this session.

use std::num::NonZeroU64;

use super::live::Ledger;
use crate::relay::Rates;
use crate::session::Session;
use crate::snapshot::{RateRule, RateRules};

/// The rates of a session, evaluated once. A template that says no rate is told of, and limits nothing, as in nginx.
pub(super) fn rates(rules: &RateRules, session: &Session, ledger: &Ledger) -> Rates {
    Rates { upload: rate(&rules.upload, "upload_rate", session, ledger), download: rate(&rules.download, "download_rate", session, ledger) }
}

fn rate(rule: &RateRule, key: &'static str, session: &Session, ledger: &Ledger) -> Option<NonZeroU64> {
    rule.of(session).unwrap_or_else(|text| {
        ledger.complain(&session.listener, key, "such sessions have no limit", &format_args!("{key}: {text:?} is no rate"));
        None
    })
}
