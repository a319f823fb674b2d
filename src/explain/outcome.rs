//! What becomes of sessions that go nowhere, or to an address of a template.

use super::explanation::Outcome;
use super::profile;
use super::question::Heard;
use crate::address::Address;
use crate::gateway::in_common;
use crate::session::{CloseReason, Farewell, Hello, alert};
use crate::snapshot::{ForwardError, ForwardRules};
use crate::tls::ServerSettings;

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
    if let Err(error) = in_common(hello, settings) {
        return Some((CloseReason::TlsFailed(Some(alert::PROTOCOL_VERSION)), error.to_string()));
    }
    // rustls says this one by itself (RFC 7301 §3.2).
    let no_protocol = || (CloseReason::TlsFailed(alert::by_name("no_application_protocol")), "no protocol of ALPN is in common".into());
    profile::has_no_protocol_in_common(hello, settings).then(no_protocol)
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
