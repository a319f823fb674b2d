//! Whether a client and a profile have a version of TLS in common. rustls would find out as well, and call it something else to the
//! client, and in the log.

use crate::hello::ClientHello;
use crate::tls::ServerSettings;

/// A client that speaks none of a profile's versions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client offers {offered}, and the profile speaks {spoken}")]
pub(crate) struct NoVersion {
    offered: String,
    spoken: String,
}

/// Looks for a version that both speak.
///
/// # Errors
/// When there is none.
pub(crate) fn in_common(hello: &ClientHello, settings: &ServerSettings) -> Result<(), NoVersion> {
    let spoken = settings.versions.iter().map(|version| u16::from(version.version));
    if spoken.clone().any(|version| hello.offers(version)) {
        return Ok(());
    }
    let spoken: Vec<_> = NAMES.iter().filter(|(version, _)| spoken.clone().any(|one| one == *version)).map(|(_, name)| *name).collect();
    Err(NoVersion { offered: offered(hello), spoken: spoken.join(" and ") })
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
