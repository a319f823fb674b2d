//! What becomes of sessions that go nowhere, or to an address of a template.

use super::explanation::Outcome;
use super::question::Heard;
use crate::address::Address;
use crate::session::{CloseReason, Farewell, Hello, alert};
use crate::snapshot::{ForwardError, ForwardRules};
use crate::tls::{ServerSettings, nothing_in_common};

/// A refusal, and how the client hears of it: who does not speak TLS, as far as anybody has looked, has no use for an alert.
pub(super) fn refused(reason: CloseReason, hello: Option<Hello>, detail: Option<String>) -> Outcome {
    let alert = match (reason.farewell(), hello) {
        (Farewell::Alert(_), None | Some(Hello::NotTls)) | (Farewell::Close | Farewell::Reset, _) => None,
        (Farewell::Alert(number), _) => alert::name(number),
    };
    Outcome::Refused { reason: reason.label(), alert, detail }
}

/// Why no handshake under this profile would succeed.
pub(super) fn unfit(heard: &Heard, settings: &ServerSettings) -> Option<(CloseReason, String)> {
    let Some(hello) = heard.client_hello() else {
        return (*heard == Heard::NotTls).then(|| (CloseReason::NotTls, "TLS is to end here, and it is none".into()));
    };
    nothing_in_common(hello, settings)
}

/// A template's text that is no upstream's name.
pub(super) fn address(text: &str, rules: &ForwardRules, hello: Option<Hello>) -> Outcome {
    match rules.address(text) {
        Err(error @ ForwardError::NoAddress { .. }) => refused(CloseReason::Unresolved, hello, Some(error.to_string())),
        Err(error @ ForwardError::Refused { .. }) => refused(CloseReason::ForwardRefused, hello, Some(error.to_string())),
        Ok(address) => Outcome::ForwardedToAddress {
            address: text.into(),
            looked_up: matches!(address, Address::Name(..)),
            decided_by_client: rules.decided_by_client,
        },
    }
}
