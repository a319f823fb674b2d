//! A header is told from its own bytes alone, and for good: not from what stands behind it, not from how it is cut. What it says
//! can be said again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::proxy_protocol::{Field, Header, MOST, Outgoing, Parse, parse, write_v1};

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    let decided_at = (0..=bytes.len().min(MOST)).find(|length| parse(&bytes[..*length]) != Parse::Incomplete);
    match decided_at {
        Some(length) => assert_eq!(parse(&bytes[..length]), whole, "what comes behind changes nothing"),
        None => {
            assert_eq!(whole, Parse::Incomplete);
            assert!(bytes.len() < MOST, "nobody waits for more than this");
        }
    }
    if let Parse::Complete(header, length) = whole {
        assert_eq!(decided_at, Some(length), "not a byte beyond it");
        for name in Field::NAMES {
            let _ = Field::named(name).expect("it is a name").value(&header.tlvs);
        }
        say_again(&header);
    }
});

fn say_again(header: &Header) {
    let mut said = Vec::new();
    Outgoing { transport: header.transport, ends: header.ends, tlvs: &[], has_checksum: true }.write(&mut said);
    let Parse::Complete(again, length) = parse(&said) else { panic!("{said:?}") };
    assert_eq!(length, said.len());
    let (mut line, mut line_again) = (Vec::new(), Vec::new());
    write_v1(header.ends, &mut line);
    write_v1(again.ends, &mut line_again);
    assert_eq!(line, line_again);
}
