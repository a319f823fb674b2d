//! Whatever hello rustls accepts, we read the same server name from, or refuse it for a reason that rustls does not look at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::server::{Accepted, Acceptor};
use vestibule::hello::{Assembler, Malformed, Parse, ServerName};

const CAP: usize = 1 << 24;

fuzz_target!(|bytes: &[u8]| {
    let Some(accepted) = accepted_by_rustls(bytes) else { return };
    let expected = accepted.client_hello().server_name().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    match Assembler::new(CAP).push(bytes) {
        Parse::Complete(hello) => assert_eq!(name(&hello.server_name), expected.as_deref()),
        Parse::Malformed(reason) => assert!(is_ours_alone(reason), "{reason}, while rustls reads {expected:?}"),
        other => panic!("{other:?}, while rustls reads {expected:?}"),
    }
});

fn accepted_by_rustls(mut bytes: &[u8]) -> Option<Accepted> {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes).ok()?;
        match acceptor.accept() {
            Ok(Some(accepted)) => return Some(accepted),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    None
}

fn name(server_name: &ServerName) -> Option<&str> {
    match server_name {
        ServerName::Host { name, .. } => Some(name.as_str()),
        ServerName::None => None,
    }
}

/// rustls steps over what follows a host name if its type is unknown, and looks at legacy_version later.
const fn is_ours_alone(reason: Malformed) -> bool {
    matches!(reason, Malformed::ServerNameList | Malformed::ManyServerNames(_) | Malformed::Version(_))
}
