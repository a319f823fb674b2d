//! What is a header and what is none; and whether ppp, which others use, thinks so too.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn ends(source: &str, destination: &str) -> Ends {
    Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

/// A header of version 2 from its 13th byte on.
fn v2(version_and_command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[version_and_command, family], &length, block].concat()
}

const INET: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xbb];

fn malformed(bytes: &[u8]) -> Malformed {
    match parse(bytes) {
        Parse::Malformed(malformed) => malformed,
        other => panic!("{other:?} of {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn complete(bytes: &[u8]) -> Header {
    match parse(bytes) {
        Parse::Complete(header, length) if length == bytes.len() => header,
        other => panic!("{other:?} of {:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn a_line_tells_both_ends() {
    let header = complete(b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n");
    assert_eq!(header.ends, Some(ends("192.0.2.1:12345", "198.51.100.2:443")));
    let header = complete(b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n");
    assert_eq!(header.ends, Some(ends("[2001:db8::1]:0", "[::ffff:192.0.2.1]:65535")));
}

#[test]
fn a_line_of_somebody_unknown_says_nothing_whatever_stands_on_it() {
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ::1 1 2\r\n", "PROXY UNKNOWN \r\t\n!\r\n"] {
        assert_eq!(complete(line.as_bytes()), Header::unknown());
    }
}

#[test]
fn a_line_that_is_not_written_strictly_is_none() {
    for (rest, wrong) in [
        ("TCP5", Malformed::Protocol),
        ("t", Malformed::Protocol),
        ("UNKNOWNS", Malformed::Protocol),
        (" ", Malformed::Protocol),
        ("TCP4  ", Malformed::Address),
        ("TCP4 192.0.2.01 ", Malformed::Address),
        ("TCP4 192.0.2 ", Malformed::Address),
        ("TCP4 ::1 ", Malformed::Address),
        ("TCP4 192.0.2.1\t", Malformed::Address),
        ("TCP6 192.0.2.1 ", Malformed::Address),
        ("TCP6 fe80::1%", Malformed::Address),
        ("TCP4 192.0.2.1 192.0.2.2 +", Malformed::Port),
        ("TCP4 192.0.2.1 192.0.2.2 1 05\r", Malformed::Port),
        ("TCP4 192.0.2.1 192.0.2.2 1 65536\r", Malformed::Port),
        ("TCP4 192.0.2.1 192.0.2.2 1 ff\r", Malformed::Port),
        ("TCP4 192.0.2.1 192.0.2.2 1 \r", Malformed::Port),
        ("TCP4 192.0.2.1 192.0.2.2 1 2\n", Malformed::LineEnd),
        ("TCP4 192.0.2.1 192.0.2.2 1 2 ", Malformed::LineEnd),
        ("TCP4 192.0.2.1 192.0.2.2 1 2\r\r", Malformed::LineEnd),
    ] {
        let line = format!("PROXY {rest}");
        assert_eq!(malformed(line.as_bytes()), wrong, "{rest}");
        assert_eq!(parse(&line.as_bytes()[..line.len() - 1]), Parse::Incomplete, "{rest}: the last byte shows it");
    }
}

#[test]
fn a_line_ends_within_107_bytes_or_is_none() {
    let line = |length: usize| [b"PROXY UNKNOWN ", &vec![b'x'; length - 16][..], b"\r\n"].concat();
    complete(&line(107));
    assert_eq!(malformed(&line(108)), Malformed::LongLine);
    assert_eq!(malformed(&line(108)[..107]), Malformed::LongLine, "nothing waits for more");
}

#[test]
fn what_does_not_begin_as_a_header_is_told_by_the_first_byte_that_shows_it() {
    for (may_be, is_none) in [("", "G"), ("", "\x16"), ("P", "PO"), ("PROXY", "PROXYS"), ("\r\n\r\n", "\r\n\r\nG")] {
        assert_eq!(parse(may_be.as_bytes()), Parse::Incomplete, "{may_be:?}");
        assert_eq!(parse(is_none.as_bytes()), Parse::Absent, "{is_none:?}");
    }
    assert_eq!(parse(b"\r\n\r\n\0\r\nQUIT\r"), Parse::Absent);
}

#[test]
fn a_binary_header_tells_both_ends_and_what_for() {
    let header = complete(&v2(0x21, 0x11, &INET));
    assert_eq!((header.transport, header.ends), (Transport::Stream, Some(ends("192.0.2.1:12345", "198.51.100.2:443"))));
    let header = complete(&v2(0x21, 0x12, &INET));
    assert_eq!((header.transport, header.ends), (Transport::Datagram, Some(ends("192.0.2.1:12345", "198.51.100.2:443"))));
    let header = complete(&v2(0x21, 0x21, &[&[0; 15][..], &[1], &[0; 15], &[2, 0, 3, 0, 4]].concat()));
    assert_eq!(header.ends, Some(ends("[::1]:3", "[::2]:4")));
}

#[test]
fn a_binary_header_of_nobody_says_nothing() {
    for (command, family, block) in [
        (0x20, 0x00, &[][..]),
        (0x20, 0x11, &INET),
        (0x20, 0xff, &[9, 9]), // who speaks for itself may say what it likes
        (0x21, 0x00, &[]),
        (0x21, 0x10, &INET),
        (0x21, 0x31, &[b'/'; 216]),
    ] {
        let header = complete(&v2(command, family, block));
        assert_eq!((header.ends, header.tlvs.len()), (None, 0), "{command:x} {family:x}");
    }
}

#[test]
fn a_binary_header_is_refused_on_the_byte_that_shows_it() {
    let first = |bytes: &[u8], length: usize| {
        assert_eq!(parse(&bytes[..length - 1]), Parse::Incomplete);
        malformed(&bytes[..length])
    };
    assert_eq!(first(&v2(0x11, 0x11, &INET), 13), Malformed::Version(1));
    assert_eq!(first(&v2(0x22, 0x11, &INET), 13), Malformed::Command(2));
    assert_eq!(first(&v2(0x21, 0x41, &INET), 14), Malformed::Family(0x41));
    assert_eq!(first(&v2(0x21, 0x13, &INET), 14), Malformed::Family(0x13));
    assert_eq!(first(&v2(0x21, 0x11, &INET[..4]), 16), Malformed::NoRoom { announced: 4, needed: 12 });
    assert_eq!(first(&v2(0x21, 0x31, &[0; 215]), 16), Malformed::NoRoom { announced: 215, needed: 216 });
    assert_eq!(first(&v2(0x20, 0x00, &[0; MOST - 15]), 16), Malformed::TooLong(MOST - 15));
    complete(&v2(0x20, 0x00, &[0; MOST - 16]));
}

#[test]
fn a_field_that_is_cut_off_breaks_the_header() {
    let whole = |tlvs: &[u8]| [&INET[..], tlvs].concat();
    assert_eq!(&*complete(&v2(0x21, 0x11, &whole(&[1, 0, 2, b'h', b'2']))).tlvs, [1, 0, 2, b'h', b'2']);
    for tlvs in [
        &[1][..],
        &[1, 0],
        &[1, 0, 3, b'h', b'2'],
        &[0x20, 0, 4, 1, 0, 0, 0],
        &[0x20, 0, 6, 1, 0, 0, 0, 0, 0x21],
        &[0x20, 0, 9, 1, 0, 0, 0, 0, 0x21, 0, 2, 1],
    ] {
        assert_eq!(malformed(&v2(0x21, 0x11, &whole(tlvs))), Malformed::Tlv, "{tlvs:?}");
        assert_eq!(malformed(&v2(0x21, 0x00, tlvs)), Malformed::Tlv, "{tlvs:?}");
    }
}

#[test]
fn a_checksum_must_be_right_and_the_only_one() {
    let mut header = Vec::new();
    let tlvs = [(Kind::ALPN, &b"h2"[..])];
    let ends = Some(ends("192.0.2.1:12345", "198.51.100.2:443"));
    Outgoing { transport: Transport::Stream, ends, tlvs: &tlvs, has_checksum: true }.write(&mut header);
    complete(&header);
    // From the polynomial, bit by bit, over the header with zeros in its place.
    assert_eq!(header[header.len() - 4..], [0x1b, 0x50, 0x66, 0x72]);
    // One that is called something else is none.
    let kind_of_checksum = header.len() - 7;
    for at in (16..header.len()).filter(|at| *at != kind_of_checksum) {
        let mut flipped = header.clone();
        flipped[at] ^= 0x40;
        assert!(matches!(parse(&flipped), Parse::Malformed(_)), "byte {at}");
    }
    for tlvs in [&[3, 0, 3, 0, 0, 0][..], &[3, 0, 0], &[3, 0, 4, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0]] {
        assert_eq!(malformed(&v2(0x21, 0x11, &[&INET[..], tlvs].concat())), Malformed::NoChecksum);
    }
}

#[test]
fn fields_are_found_by_nginx_s_names() {
    let ssl = SslFacts::verified(false).value(&[(Kind::SSL_VERSION, b"TLSv1.3"), (Kind::SSL_CN, b"a")]);
    let fields = [(Kind::AUTHORITY, &b"a.example"[..]), (Kind::SSL, &ssl), (Kind(0xe1), b"\0")];
    let mut header = Vec::new();
    let ends = Some(ends("192.0.2.1:1", "192.0.2.2:2"));
    Outgoing { transport: Transport::Stream, ends, tlvs: &fields, has_checksum: false }.write(&mut header);
    let tlvs = complete(&header).tlvs;
    let value = |name: &str| Field::named(name).unwrap().value(&tlvs).map(|value| String::from_utf8_lossy(&value).into_owned());
    assert_eq!(value("authority").as_deref(), Some("a.example"));
    assert_eq!(value("0x2").as_deref(), Some("a.example"));
    assert_eq!(value("0xE1").as_deref(), Some("\0"));
    assert_eq!(value("0x000e1").as_deref(), Some("\0"));
    assert_eq!(value("ssl_verify").as_deref(), Some("0"));
    assert_eq!(value("ssl_version").as_deref(), Some("TLSv1.3"));
    assert_eq!(value("ssl_0x22").as_deref(), Some("a"));
    assert_eq!(value("ssl_cipher"), None);
    assert_eq!(value("alpn"), None);
    for none in ["", "0x", "0x100", "0x+1", "ssl_", "ssl_verified", "sni", "ALPN"] {
        assert_eq!(Field::named(none), None, "{none:?}");
    }
    for name in Field::NAMES {
        assert!(Field::named(name).is_some(), "{name}");
    }
}

#[test]
fn of_a_client_s_tls_it_is_told_who_showed_what_and_when() {
    assert_eq!(SslFacts::encrypted().value(&[]), [1, 0, 0, 0, 1], "without a certificate none was good");
    assert_eq!(SslFacts::verified(false).value(&[]), [7, 0, 0, 0, 0]);
    assert_eq!(SslFacts::verified(true).value(&[]), [5, 0, 0, 0, 0], "not in this connection");
}

#[test]
fn ends_of_two_families_are_told_in_one() {
    let mut line = Vec::new();
    write_v1(Some(ends("[::ffff:192.0.2.1]:1", "198.51.100.2:2")), &mut line);
    write_v1(Some(ends("[2001:db8::1]:1", "198.51.100.2:2")), &mut line);
    write_v1(None, &mut line);
    let expected = "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\nPROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 1 2\r\nPROXY UNKNOWN\r\n";
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn of_nobody_the_sender_speaks_for_itself() {
    let mut header = Vec::new();
    Outgoing { transport: Transport::Stream, ends: None, tlvs: &[], has_checksum: false }.write(&mut header);
    assert_eq!(header, v2(0x20, 0, &[]));
}

#[test]
fn what_would_make_a_header_too_long_is_left_out() {
    let long = vec![b'x'; MOST];
    let fields = [(Kind::SSL_CN, &long[..]), (Kind::ALPN, b"h2"), (Kind::AUTHORITY, &long[..MOST - 16 - 12 - 3 - 5 - 7])];
    let mut header = Vec::new();
    let ends = Some(ends("192.0.2.1:1", "192.0.2.2:2"));
    Outgoing { transport: Transport::Datagram, ends, tlvs: &fields, has_checksum: true }.write(&mut header);
    assert_eq!(header.len(), MOST);
    let tlvs = complete(&header).tlvs;
    assert_eq!(tlv(&tlvs, Kind::SSL_CN), None);
    assert!(tlv(&tlvs, Kind::AUTHORITY).is_some());
}

fn end() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(|end| SocketAddr::new(end.ip(), end.port()))
}

/// Lines that are nearly right, and some that are.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof!["[0-9a-f.:]{0,12}", any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()), "[+]?0?[0-9]{1,5}"];
    let words = vec(word, 3..6).prop_map(|words| words.join(" "));
    let protocol = prop_oneof![Just("TCP4"), Just("TCP6"), Just("UNKNOWN"), Just("TCP")];
    (protocol, words, prop_oneof![Just("\r\n"), Just("\n"), Just("\r"), Just("\r\nmore")])
        .prop_map(|(protocol, words, end)| format!("PROXY {protocol} {words}{end}").into_bytes())
}

/// Binary headers that are nearly right, and some that are.
fn binary() -> impl Strategy<Value = Vec<u8>> {
    let field = (prop_oneof![1..6_u8, Just(0x20), any::<u8>()], vec(any::<u8>(), 0..12))
        .prop_map(|(kind, value)| [&[kind, 0, u8::try_from(value.len()).unwrap()], &value[..]].concat());
    let block = (prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 12..=12), vec(any::<u8>(), 36..=36)], vec(field, 0..4));
    let command = prop_oneof![4 => Just(0x21_u8), 1 => Just(0x20), 1 => any::<u8>()];
    let family = prop_oneof![4 => prop_oneof![Just(0x11_u8), Just(0x21), Just(0x12), Just(0)], 1 => any::<u8>()];
    (command, family, block, 0..3_usize).prop_map(|(command, family, (addresses, fields), cut)| {
        let mut header = v2(command, family, &[addresses, fields.concat()].concat());
        header.truncate(header.len() - cut);
        header
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(source in end(), destination in end(), datagrams: bool, with_checksum: bool,
            fields in vec((any::<u8>(), vec(any::<u8>(), 0..300)), 0..5), behind in vec(any::<u8>(), 0..9)) {
        let said = Ends { source, destination };
        let transport = if datagrams { Transport::Datagram } else { Transport::Stream };
        // These two have a form of their own.
        let fields: Vec<_> = fields.iter().filter(|(kind, _)| ![3, 0x20].contains(kind)).map(|(kind, value)| (Kind(*kind), &value[..])).collect();
        let mut bytes = Vec::new();
        Outgoing { transport, ends: Some(said), tlvs: &fields, has_checksum: with_checksum }.write(&mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(&behind);
        let Parse::Complete(header, taken) = parse(&bytes) else { panic!("{:?}", parse(&bytes)) };
        prop_assert_eq!((header.transport, header.ends, taken), (transport, Some(said.alike()), length));
        for (kind, _) in &fields {
            let first = fields.iter().find(|(other, _)| other == kind).map(|(_, value)| *value);
            prop_assert_eq!(tlv(&header.tlvs, *kind), first);
        }
        let mut line = Vec::new();
        write_v1(Some(said), &mut line);
        let length = line.len();
        line.extend_from_slice(&behind);
        let Parse::Complete(header, taken) = parse(&line) else { panic!("{:?}", parse(&line)) };
        prop_assert_eq!((header.ends, taken), (Some(said.alike()), length));
    }

    #[test]
    fn an_answer_does_not_change_with_what_comes_behind(bytes in prop_oneof![line(), binary(), vec(any::<u8>(), 0..30)]) {
        let mut last = Parse::Incomplete;
        for length in 0..=bytes.len() {
            let answer = parse(&bytes[..length]);
            if last != Parse::Incomplete {
                prop_assert_eq!(&answer, &last);
            }
            last = answer;
        }
    }

    #[test]
    fn whatever_is_a_header_here_is_the_same_one_to_another_parser(bytes in prop_oneof![line(), binary()]) {
        let Parse::Complete(header, length) = parse(&bytes) else { return Ok(()) };
        if bytes.starts_with(b"PROXY UNKNOWN") {
            // It does not ignore what stands there, as it should.
            prop_assert_eq!(header.ends, None);
        } else if bytes.starts_with(v1::SIGNATURE) {
            let theirs = ppp::v1::Header::try_from(&bytes[..length]);
            let Ok(theirs) = theirs else { panic!("{theirs:?}") };
            prop_assert_eq!(ends_of_line(theirs.addresses), header.ends);
        } else {
            let theirs = ppp::v2::Header::try_from(&bytes[..]);
            // Who speaks for itself may say anything, also what no other parser knows.
            let Ok(theirs) = theirs else { prop_assert_eq!(bytes[12], 0x20); return Ok(()) };
            prop_assert_eq!(theirs.len(), length);
            if theirs.command == ppp::v2::Command::Proxy && theirs.protocol != ppp::v2::Protocol::Unspecified {
                prop_assert_eq!(ends_of_binary(theirs.addresses), header.ends);
            }
            if theirs.command == ppp::v2::Command::Proxy {
                prop_assert_eq!(theirs.tlv_bytes(), &*header.tlvs);
            }
        }
    }

    #[test]
    fn what_another_parser_takes_for_a_header_is_one_unless_it_is_too_lenient(bytes in prop_oneof![line(), binary()]) {
        let whole = match parse(&bytes) {
            Parse::Complete(..) | Parse::Malformed(Malformed::Checksum | Malformed::NoChecksum | Malformed::Tlv) => true,
            // It takes a sign, and zeros in front; and a line that ends in half an end.
            Parse::Malformed(Malformed::Port) => return Ok(()),
            _ if bytes.starts_with(b"PROXY UNKNOWN") => return Ok(()),
            _ => false,
        };
        let theirs = ppp::HeaderResult::parse(&bytes);
        let is_theirs = matches!(theirs, ppp::HeaderResult::V1(Ok(_)) | ppp::HeaderResult::V2(Ok(_)));
        prop_assert!(whole || !is_theirs, "{:?} is {:?}, and to them {:?}", bytes, parse(&bytes), theirs);
    }
}

fn ends_of_line(theirs: ppp::v1::Addresses) -> Option<Ends> {
    match theirs {
        ppp::v1::Addresses::Unknown => None,
        ppp::v1::Addresses::Tcp4(all) => Some(Ends {
            source: (all.source_address, all.source_port).into(),
            destination: (all.destination_address, all.destination_port).into(),
        }),
        ppp::v1::Addresses::Tcp6(all) => Some(Ends {
            source: (all.source_address, all.source_port).into(),
            destination: (all.destination_address, all.destination_port).into(),
        }),
    }
}

fn ends_of_binary(theirs: ppp::v2::Addresses) -> Option<Ends> {
    match theirs {
        ppp::v2::Addresses::Unspecified | ppp::v2::Addresses::Unix(_) => None,
        ppp::v2::Addresses::IPv4(all) => Some(Ends {
            source: (all.source_address, all.source_port).into(),
            destination: (all.destination_address, all.destination_port).into(),
        }),
        ppp::v2::Addresses::IPv6(all) => Some(Ends {
            source: (all.source_address, all.source_port).into(),
            destination: (all.destination_address, all.destination_port).into(),
        }),
    }
}
