//! What a client and a profile have in common, as far as it is known before their handshake.

use super::{ServerSettings, version_name};
use crate::hello::ClientHello;
use crate::session::{CloseReason, TlsFacts, alert};

/// A client that speaks none of a profile's versions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client offers {offered}, and the profile speaks {spoken}")]
pub struct NoVersion {
    offered: String,
    spoken: String,
}

/// Looks for a version that both speak. rustls would as well, and call it something else to the client, and in the log.
///
/// # Errors
/// When there is none.
pub fn version_in_common(hello: &ClientHello, settings: &ServerSettings) -> Result<(), NoVersion> {
    let spoken = settings.versions.iter().map(|version| u16::from(version.version));
    if spoken.clone().any(|version| hello.offers(version)) {
        return Ok(());
    }
    let spoken: Vec<_> = NAMES.iter().filter(|(version, _)| spoken.clone().any(|one| one == *version)).map(|(_, name)| *name).collect();
    Err(NoVersion { offered: offered(hello), spoken: spoken.join(" and ") })
}

/// Why no handshake under this profile would succeed, and what more there is to say.
#[must_use]
pub fn nothing_in_common(hello: &ClientHello, settings: &ServerSettings) -> Option<(CloseReason, String)> {
    if let Err(error) = version_in_common(hello, settings) {
        return Some((CloseReason::TlsFailed(Some(alert::PROTOCOL_VERSION)), error.to_string()));
    }
    // rustls says this one by itself: both speak of protocols, and have none in common (RFC 7301 §3.2).
    let has_none = !settings.alpn.is_empty() && !hello.alpn.is_empty() && agreed(hello, settings).is_none();
    has_none.then(|| (CloseReason::TlsFailed(alert::by_name("no_application_protocol")), "no protocol of ALPN is in common".into()))
}

/// What is agreed on with a client, as far as it is known before: nothing of what chance or the client's choice makes of it.
#[must_use]
pub fn agreed_facts(hello: &ClientHello, settings: &ServerSettings) -> TlsFacts {
    let common = settings.versions.iter().map(|spoken| spoken.version).filter(|version| hello.offers((*version).into()));
    TlsFacts {
        protocol: common.max_by_key(|version| u16::from(*version)).map_or("unknown", version_name),
        cipher: "",
        is_resumed: false,
        session_id: None,
        alpn: agreed(hello, settings).map(|protocol| String::from_utf8_lossy(protocol).into()),
        client: None,
    }
}

fn agreed<'s>(hello: &ClientHello, settings: &'s ServerSettings) -> Option<&'s [u8]> {
    settings.alpn.iter().map(Vec::as_slice).find(|ours| hello.alpn.iter().any(|offered| **offered == **ours))
}

/// Those that the hello lists, or the one that it goes up to.
fn offered(hello: &ClientHello) -> String {
    let mut offered = NAMES.iter().filter(|(version, _)| hello.offers(*version)).map(|(_, name)| *name);
    match (&hello.supported_versions, offered.next()) {
        (_, None) => "no version that is known here".into(),
        (None, Some(highest)) => format!("{highest} at most"),
        (Some(_), Some(highest)) => offered.fold(highest.to_owned(), |text, name| text + " and " + name),
    }
}

/// The highest first.
const NAMES: [(u16, &str); 5] = [(0x0304, "TLS 1.3"), (0x0303, "TLS 1.2"), (0x0302, "TLS 1.1"), (0x0301, "TLS 1.0"), (0x0300, "SSL 3")];
