//! What any parser of first bytes gets wrong: cutting, caps, and the bytes that are almost TLS.
//! What a hello says is in `says`, what real clients say in `captured`.

mod captured;
#[path = "../../tests/harness/hellos.rs"]
pub(crate) mod hellos;
mod says;

use std::borrow::Cow;

use proptest::prelude::*;

use self::hellos::{Spec, client_hello, handshake, message, padding, record, split_records};
use super::*;

const CAP: usize = 64 * 1024;

/// Counts the bytes that are looked at, so that linearity can be asserted without a clock.
pub(super) mod work {
    use std::cell::Cell;

    thread_local!(static BYTES: Cell<usize> = const { Cell::new(0) });

    pub(crate) fn add(bytes: usize) {
        BYTES.set(BYTES.get() + bytes);
    }

    pub(crate) fn taken_by(job: impl FnOnce()) -> usize {
        BYTES.set(0);
        job();
        BYTES.get()
    }
}

fn parse(bytes: &[u8]) -> Parse<ClientHello> {
    Assembler::new(CAP).push(bytes)
}

/// The answer to bytes that arrive in pieces of these sizes, the last going on until the end, and how many were needed for it.
fn parse_in_pieces(bytes: &[u8], sizes: &[usize]) -> (Parse<ClientHello>, usize) {
    let mut assembler = Assembler::new(CAP);
    let mut sizes = sizes.iter().copied();
    let mut size = bytes.len().max(1);
    let mut rest = bytes;
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size).max(1);
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        let answer = assembler.push(piece);
        if answer != Parse::Incomplete {
            return (answer, assembler.len());
        }
        rest = behind;
    }
    (Parse::Incomplete, assembler.len())
}

fn named(name: &str) -> Vec<u8> {
    client_hello(&Spec::named(name))
}

fn name_of(answer: &Parse<ClientHello>) -> &str {
    match answer {
        Parse::Complete(ClientHello { server_name: ServerName::Host { name, .. }, .. }) => name.as_str(),
        other => panic!("no name: {other:?}"),
    }
}

#[test]
fn nothing_is_held_before_the_first_byte() {
    let mut assembler = Assembler::new(CAP);
    assert_eq!(assembler.push(&[]), Parse::Incomplete);
    assert!(assembler.is_empty());
    assert_eq!(assembler.into_raw().capacity(), 0);
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_announced() {
    let mut assembler = Assembler::new(1 << 24);
    assert_eq!(assembler.push(&[22, 3, 1, 0x40, 0, 1, 0x80, 0, 0, 3]), Parse::Incomplete);
    assert!(assembler.raw.capacity() <= 64, "{}", assembler.raw.capacity());
}

#[test]
fn a_hello_in_one_record_is_read_where_it_lies() {
    let whole = [named("a.example"), b"later".to_vec()].concat();
    let mut assembler = Assembler::new(CAP);
    assert_eq!(name_of(&assembler.push(&whole)), "a.example");
    assert!(matches!(assembler.whole_message(), Cow::Borrowed(found) if found == message(&Spec::named("a.example"))));
}

#[test]
fn a_hello_over_two_records_is_joined_once() {
    let mut assembler = Assembler::new(CAP);
    assert_eq!(name_of(&assembler.push(&split_records(&named("a.example"), &[3, 500]))), "a.example");
    assert!(matches!(assembler.whole_message(), Cow::Owned(joined) if joined == message(&Spec::named("a.example"))));
}

#[test]
fn what_follows_the_hello_is_kept_and_changes_nothing() {
    for later in [&b"\x17\x03\x03\x00\x05early"[..], b"\x15\x03\x01\x00\x02\x01\x00", b"GET / HTTP/1.1\r\n", b"\0"] {
        let whole = [&named("a.example"), later].concat();
        let mut assembler = Assembler::new(CAP);
        let answer = assembler.push(&whole);
        assert_eq!(name_of(&answer), "a.example");
        assert_eq!(assembler.push(later), answer);
        assert_eq!(assembler.len(), whole.len() + later.len());
        assert_eq!(assembler.into_raw(), [&whole, later].concat());
    }
}

#[test]
fn a_record_that_goes_on_behind_the_hello_is_refused_as_soon_as_both_lengths_are_known() {
    let whole = record(0x0301, &[message(&Spec::named("a.example")), handshake(20, &[0; 12])].concat());
    let refused = Parse::Malformed(Malformed::BehindHello);
    assert_eq!(parse_in_pieces(&whole, &[1]), (refused.clone(), 9));
    assert_eq!(parse_in_pieces(&split_records(&whole, &[40, 1 << 14]), &[1]), (refused, 5 + 40 + 5));
    let aligned = split_records(&whole, &[message(&Spec::named("a.example")).len(), 16]);
    assert_eq!(name_of(&parse(&aligned)), "a.example");
}

#[test]
fn bytes_that_are_not_tls_are_told_by_the_byte_that_shows_it() {
    let cases: [(&str, &[u8], usize); 8] = [
        ("plain HTTP", b"GET / HTTP/1.1\r\n\r\n", 1),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", 1),
        ("a PROXY header", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 1),
        ("SSLv2", &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10], 1),
        ("an alert first", &[21, 3, 1, 0, 2, 2, 40], 1),
        ("application data first", &[23, 3, 3, 0, 1, 0], 1),
        ("a NUL", &[0], 1),
        ("another major version", &[22, 2, 0, 0, 5, 1, 0, 0, 1, 0], 2),
    ];
    for (what, bytes, needed) in cases {
        assert_eq!(parse(bytes), Parse::NotTls, "{what}");
        assert_eq!(parse_in_pieces(bytes, &[1]), (Parse::NotTls, needed), "{what}");
    }
}

#[test]
fn broken_records_are_refused_by_the_byte_that_shows_it() {
    let hello = named("a.example");
    let cut = |behind: &[u8]| [&record(0x0301, &message(&Spec::named("a.example"))[..20]), behind].concat();
    let cases = [
        ("an empty record first", vec![22, 3, 1, 0, 0], Malformed::EmptyRecord),
        ("an empty record in the middle", cut(&[22, 3, 1, 0, 0]), Malformed::EmptyRecord),
        ("a record of 2^14 + 1", vec![22, 3, 1, 0x40, 1], Malformed::LongRecord(16_385)),
        ("an alert in the middle", cut(&[21]), Malformed::Interleaved(21)),
        ("application data in the middle", cut(&[23]), Malformed::Interleaved(23)),
        ("another major version in the middle", cut(&[22, 2]), Malformed::RecordVersion(2)),
        ("a server hello", [&hello[..5], &[2]].concat(), Malformed::NotAHello(2)),
        ("a hello request", [&hello[..5], &[0]].concat(), Malformed::NotAHello(0)),
        ("an empty hello", record(0x0301, &[1, 0, 0, 0]), Malformed::Fields),
    ];
    for (what, bytes, reason) in cases {
        assert_eq!(parse(&[&bytes[..], &hello].concat()), Parse::Malformed(reason), "{what}");
        assert_eq!(parse_in_pieces(&bytes, &[1]), (Parse::Malformed(reason), bytes.len()), "{what}");
    }
}

#[test]
fn record_versions_say_nothing() {
    for record_version in [0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03ff] {
        let hello = client_hello(&Spec { record_version, ..Spec::named("a.example") });
        assert_eq!(parse(&hello), parse(&named("a.example")), "{record_version:#06x}");
    }
}

#[test]
fn a_record_of_2_to_the_14_and_several_of_them_are_read() {
    let spec = Spec::named("a.example").with(padding(40_000));
    assert_eq!(client_hello(&spec)[3..5], [0x40, 0]);
    assert_eq!(name_of(&parse(&client_hello(&spec))), "a.example");
}

#[test]
fn a_hello_of_exactly_the_cap_passes_and_one_byte_more_does_not() {
    for sizes in [&[1 << 14][..], &[1], &[100, 7]] {
        let hello = split_records(&named("a.example"), sizes);
        let with_data = [&hello[..], &[23; 100]].concat();
        assert_eq!(name_of(&Assembler::new(hello.len()).push(&with_data)), "a.example");
        assert_eq!(Assembler::new(hello.len() - 1).push(&with_data), Parse::TooLarge);
        let mut bytewise = Assembler::new(hello.len() - 1);
        let answers: Vec<_> = hello.iter().map(|byte| bytewise.push(&[*byte])).collect();
        assert_eq!(answers.last(), Some(&Parse::TooLarge));
        assert!(!answers.iter().any(|answer| matches!(answer, Parse::Complete(_))));
    }
}

#[test]
fn a_length_beyond_the_cap_is_refused_when_it_is_announced() {
    assert_eq!(parse_in_pieces(&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3], &[1]), (Parse::TooLarge, 9));
    let largest = u32::try_from(CAP - 9).unwrap().to_be_bytes();
    assert_eq!(parse(&[&[22, 3, 1, 0x40, 0, 1], &largest[1..]].concat()), Parse::Incomplete);
}

#[test]
fn records_of_one_byte_are_bounded_by_the_cap_alone() {
    let hello = client_hello(&Spec::named("a.example").with(padding(10_000)));
    let cut = split_records(&hello, &[1]);
    assert!(cut.len() > 60_000, "{}", cut.len());
    assert_eq!(parse(&cut), parse(&hello));
    let longer = split_records(&client_hello(&Spec::named("a.example").with(padding(11_000))), &[1]);
    let (answer, needed) = parse_in_pieces(&longer, &[1]);
    assert_eq!(answer, Parse::TooLarge);
    assert!(needed <= CAP, "{needed}");
}

#[test]
fn each_byte_is_looked_at_a_fixed_number_of_times_however_it_arrives() {
    let hello = client_hello(&Spec::named("a.example").with(padding(2_000)));
    let cut = split_records(&hello, &[1]);
    for sizes in [&[1][..], &[cut.len()], &[7, 1, 600]] {
        let looked_at = work::taken_by(|| assert_eq!(name_of(&parse_in_pieces(&cut, sizes).0), "a.example"));
        // Passed over on arrival, passed over when joined, read.
        assert!(looked_at <= 3 * hello.len(), "{looked_at} for {} bytes in pieces of {sizes:?}", hello.len());
    }
}

#[test]
fn an_answer_stays() {
    let cases = [&b"G"[..], &[22, 3, 1, 0, 0], &[22, 3, 1, 0, 9, 2], &[22, 3, 1, 0, 9, 1, 255, 255, 255]];
    for bytes in cases {
        let mut assembler = Assembler::new(CAP);
        let answer = assembler.push(bytes);
        assert_ne!(answer, Parse::Incomplete, "{bytes:?}");
        for later in [&[][..], &[22], &named("a.example")] {
            assert_eq!(assembler.push(later), answer, "{bytes:?}");
        }
    }
}

fn any_hello() -> impl Strategy<Value = Vec<u8>> {
    ("[a-zA-Z0-9.-]{0,40}", 0..3000usize, any::<bool>()).prop_map(|(name, length, with_extensions)| {
        let spec = Spec::named(&name).with(padding(length));
        client_hello(&Spec { extensions: spec.extensions.filter(|_| with_extensions), ..spec })
    })
}

/// A hello, cut into records and then spoilt in one place: what strangers send.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    (any_hello(), sizes(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(hello, sizes, place, value)| {
        let mut bytes = split_records(&hello, &sizes);
        let place = place.index(bytes.len());
        bytes[place] = value;
        bytes
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..8usize, 1..2000usize], 1..12)
}

proptest! {
    #[test]
    fn any_cut_into_segments_is_as_the_whole(bytes in any_bytes(), segments in sizes()) {
        prop_assert_eq!(parse_in_pieces(&bytes, &segments).0, parse(&bytes));
    }

    #[test]
    fn any_cut_into_records_is_as_the_whole(hello in any_hello(), records in sizes()) {
        prop_assert_eq!(parse(&split_records(&hello, &records)), parse(&hello));
    }

    #[test]
    fn no_prefix_contradicts_a_longer_one(bytes in any_bytes(), cut in any::<prop::sample::Index>()) {
        let prefix = parse(&bytes[..cut.index(bytes.len())]);
        prop_assert!(prefix == Parse::Incomplete || prefix == parse(&bytes));
    }

    #[test]
    fn noise_is_answered(noise in prop::collection::vec(any::<u8>(), 0..400), as_tls in any::<bool>()) {
        let bytes = if as_tls { client_like(&noise) } else { noise };
        let _ = parse(&bytes);
    }
}

fn client_like(noise: &[u8]) -> Vec<u8> {
    record(0x0301, &handshake(1, noise))
}
