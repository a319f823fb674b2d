//! Whatever a certificate says of itself, it forges no line of a log, and its names are names that can be asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::tls::x509::{CertificateName, Facts};

fuzz_target!(|bytes: &[u8]| {
    let Ok(facts) = Facts::of(&bytes.to_vec().into()) else { return };
    for text in [&facts.subject, &facts.issuer] {
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text:?}");
    }
    assert_eq!(facts.fingerprint.len(), 40);
    assert!(facts.serial.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
    for name in &facts.names {
        assert_eq!(CertificateName::parse(&name.to_string()).as_ref(), Some(name));
    }
});
