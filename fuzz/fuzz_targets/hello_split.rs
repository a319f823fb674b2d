//! A handshake message that is cut into records at any places parses as it does in records that are as full as can be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::hello::Assembler;

#[path = "../../tests/harness/hellos.rs"]
mod hellos;

/// More than a message's three bytes of length can announce: how far a cap reaches does depend on the cut, as record headers count.
const CAP: usize = 1 << 25;

const VERSION: u16 = 0x0301;
const RECORD_HEADER: usize = 5;
/// Where a hello in one record has its random. It means nothing to a parser, so it may say where to cut.
const RANDOM: std::ops::Range<usize> = 11..43;

fuzz_target!(|hello: &[u8]| {
    let Some(random) = hello.get(RANDOM) else { return };
    let sizes: Vec<usize> = random.iter().map(|byte| 1 + usize::from(*byte) * usize::from(*byte) / 64).collect();
    let full: Vec<u8> = first_message(&hello[RECORD_HEADER..]).chunks(1 << 14).flat_map(|piece| hellos::record(VERSION, piece)).collect();
    let cut = hellos::split_records(&full, &sizes);
    assert_eq!(Assembler::new(CAP).push(&cut), Assembler::new(CAP).push(&full));
});

fn first_message(handshake: &[u8]) -> &[u8] {
    let [_, high, middle, low, ..] = *handshake else { return handshake };
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    handshake.get(..4 + length).unwrap_or(handshake)
}
