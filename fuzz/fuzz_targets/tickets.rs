//! A stranger's bytes are no ticket, also behind a name that is known; what was sealed opens to what it was, under its own policy alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::tls::{Policy, Secret, open_ticket};

const NAME_LENGTH: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    let secrets = [Secret::new(b"one"), Secret::new(b"other")];
    let (own, other) = (Policy::from([1; 32]), Policy::from([2; 32]));
    assert_eq!(open_ticket(secrets.iter(), own, bytes), None);
    let ticket = secrets[1].seal(own, bytes).expect("there is something random to be had");
    assert_eq!(open_ticket(secrets.iter(), own, &[&ticket[..NAME_LENGTH], bytes].concat()), None);
    assert_eq!(open_ticket(secrets.iter(), own, &ticket).as_deref(), Some(bytes));
    assert_eq!(open_ticket(secrets.iter(), other, &ticket), None);
});
