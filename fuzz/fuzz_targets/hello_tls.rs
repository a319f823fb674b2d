//! No prefix contradicts a longer one: `Incomplete` until decided, then the same answer for ever, however the bytes arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::hello::{Assembler, Parse};

/// The default, and one that real hellos exceed.
const CAPS: [usize; 2] = [64 * 1024, 400];

fuzz_target!(|bytes: &[u8]| CAPS.into_iter().for_each(|cap| check(cap, bytes)));

fn check(cap: usize, bytes: &[u8]) {
    let whole = Assembler::new(cap).push(bytes);
    let mut assembler = Assembler::new(cap);
    let bytewise = bytes.iter().map(|byte| assembler.push(&[*byte])).find(|answer| *answer != Parse::Incomplete);
    assert_eq!(bytewise.as_ref().unwrap_or(&Parse::Incomplete), &whole);

    let decided_by = assembler.len();
    if let Some(answer) = bytewise {
        assert_eq!(assembler.push(&bytes[decided_by..]), answer);
    }
    assert_eq!(assembler.into_raw(), bytes);
}
