//! What a hello says, row by row: names, extensions, versions, ALPN, and what is refused of each.

use super::hellos::{Spec, alpn, body, client_hello, handshake, key_share, long, record, server_name, server_names, supported_versions};
use super::{ClientHello, Malformed, Parse, ServerName, named, parse};
use crate::host::{Hostname, HostnameError};

const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;

fn read(spec: &Spec) -> ClientHello {
    match parse(&client_hello(spec)) {
        Parse::Complete(hello) => hello,
        other => panic!("{other:?} for {spec:?}"),
    }
}

fn refusal(spec: &Spec) -> Malformed {
    match parse(&client_hello(spec)) {
        Parse::Malformed(reason) => reason,
        other => panic!("{other:?} for {spec:?}"),
    }
}

fn refused_body(body: &[u8]) -> Malformed {
    match parse(&record(0x0301, &handshake(1, body))) {
        Parse::Malformed(reason) => reason,
        other => panic!("{other:?} for {body:?}"),
    }
}

fn with(extension: (u16, Vec<u8>)) -> Spec {
    Spec::default().with(extension)
}

fn host(name: &str, sent: &str) -> ServerName {
    ServerName::Host { name: Hostname::parse(name).unwrap(), sent: sent.into() }
}

#[test]
fn a_name_is_kept_in_its_normal_form_and_as_it_was_sent() {
    for sent in ["a.example", "A.Example", "a.example.", "A.EXAMPLE."] {
        assert_eq!(read(&Spec::named(sent)).server_name, host("a.example", sent));
    }
    for sent in ["12345", "-a.example", "_x.example", "xn--bcher-kva.example"] {
        assert_eq!(read(&Spec::named(sent)).server_name, host(sent, sent));
    }
}

#[test]
fn a_hello_without_a_name_is_unnamed() {
    let no_extensions = Spec { extensions: None, legacy_version: 0x0301, ..Spec::default() };
    let empty_extensions = Spec { extensions: Some(vec![]), ..Spec::default() };
    for spec in [Spec::default(), no_extensions, empty_extensions] {
        assert_eq!(read(&spec).server_name, ServerName::None);
    }
}

#[test]
fn an_address_is_no_name() {
    for address in ["127.0.0.1", "10.0.0.1.", "::1", "2001:db8::1"] {
        assert_eq!(read(&Spec::named(address)).server_name, ServerName::None, "{address}");
    }
}

#[test]
fn what_is_no_host_name_is_refused_and_says_why() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = "a.".repeat(127) + "b";
    let cases = [
        ("a\0.example", HostnameError::Character('\0')),
        ("a b.example", HostnameError::Character(' ')),
        ("*.example", HostnameError::Character('*')),
        ("a/b", HostnameError::Character('/')),
        ("a:443", HostnameError::Character(':')),
        ("b\u{fc}cher.example", HostnameError::Character('\u{fc}')),
        (".example", HostnameError::EmptyLabel),
        ("a..example", HostnameError::EmptyLabel),
        ("a.example..", HostnameError::EmptyLabel),
        ("", HostnameError::Empty),
        (".", HostnameError::Empty),
        (&long_label, HostnameError::TooLong),
        (&long_name, HostnameError::TooLong),
    ];
    for (name, reason) in cases {
        assert_eq!(refusal(&Spec::named(name)), Malformed::ServerName(reason), "{name:?}");
    }
    assert_eq!(refusal(&with(server_names(&[(0, b"a\xff.example")]))), Malformed::ServerNameText);
}

#[test]
fn a_server_name_that_leaves_a_doubt_is_refused() {
    let list = |bytes: &[u8]| with((0, bytes.to_vec()));
    let one = [&[0][..], &long(b"a.example")].concat();
    let cases = [
        ("an empty extension", list(&[]), Malformed::NoServerName),
        ("an empty list", list(&[0, 0]), Malformed::NoServerName),
        ("half a length", list(&[0]), Malformed::ServerNameList),
        ("junk in the list", list(&long(&[&one[..], &[0, 0]].concat())), Malformed::ServerNameList),
        ("junk behind the list", list(&[&long(&one)[..], &[0]].concat()), Malformed::ServerNameList),
        ("a list longer than the extension", list(&[&[0, 99], &one[..]].concat()), Malformed::ServerNameList),
        ("a name longer than the list", list(&long(&[0, 0, 9, b'a'])), Malformed::ServerNameList),
        ("a name shorter than the list", list(&long(&[0, 0, 1, b'a', b'b'])), Malformed::ServerNameList),
        ("two names", with(server_names(&[(0, b"a.example"), (0, b"b.example")])), Malformed::ManyServerNames(2)),
        ("the same name twice", with(server_names(&[(0, b"a.example"), (0, b"a.example")])), Malformed::ManyServerNames(2)),
        ("names of two types", with(server_names(&[(0, b"a.example"), (1, b"b")])), Malformed::ManyServerNames(2)),
        ("a name of an unknown type", with(server_names(&[(1, b"a.example")])), Malformed::ServerNameType(1)),
        ("the extension twice", Spec::named("a.example").with(server_name("a.example")), Malformed::DuplicateExtension(0)),
    ];
    for (what, spec, reason) in cases {
        assert_eq!(refusal(&spec), reason, "{what}");
    }
}

#[test]
fn an_odd_extension_hides_none_behind_it() {
    let heartbeat = (15, vec![]);
    let next_protocol = (13_172, vec![1, 2, 3]);
    let old_esni = (0xffce, vec![0xff; 3]);
    let grease = (0x3a3a, vec![0]);
    let unknown = (0xabcd, vec![1; 300]);
    let post_quantum = key_share(0x11ec, 1216);
    let broken_groups = (10, vec![0xff, 0xff, 0xff]);
    for odd in [heartbeat, next_protocol, old_esni, grease, unknown, post_quantum, broken_groups] {
        let spec = Spec { extensions: Some(vec![odd.clone(), server_name("a.example")]), ..Spec::default() };
        assert_eq!(read(&spec).server_name, host("a.example", "a.example"), "{odd:?}");
    }
}

#[test]
fn an_extension_of_any_type_stands_once() {
    for kind in [0x3a3a, 21, 0xfe0d, 0xabcd] {
        let spec = with((kind, vec![1])).with((kind, vec![]));
        assert_eq!(refusal(&spec), Malformed::DuplicateExtension(kind));
    }
    let many = Spec { extensions: Some((100..16_000).map(|kind| (kind, vec![])).collect()), ..Spec::default() };
    assert_eq!(read(&many).server_name, ServerName::None);
}

#[test]
fn every_length_of_the_body_is_honoured() {
    let right = body(&Spec::named("a.example"));
    let extensions = body(&Spec { extensions: None, ..Spec::named("a.example") }).len();
    let changed = |place: usize, value: u8| {
        let mut body = right.clone();
        body[place] = value;
        body
    };
    let without_extensions = &right[..extensions];
    let cases = [
        ("bytes behind the extensions", [&right[..], &[0]].concat()),
        ("extensions longer than the message", changed(extensions + 1, right[extensions + 1] + 1)),
        ("extensions shorter than the message", changed(extensions + 1, right[extensions + 1] - 1)),
        ("half a length of extensions", [without_extensions, &[0]].concat()),
        ("a session id of 33", changed(34, 33)),
        ("an odd length of cipher suites", changed(34 + 33 + 1, 5)),
        ("cipher suites beyond the message", changed(34 + 33, 0xff)),
        ("compression methods beyond the message", changed(34 + 33 + 8, 0xff)),
    ];
    for (what, body) in cases {
        assert_eq!(refused_body(&body), Malformed::Fields, "{what}");
    }
    for length in 0..extensions {
        assert_eq!(refused_body(&right[..length]), Malformed::Fields, "cut after {length}");
    }
}

#[test]
fn an_extension_does_not_reach_beyond_the_extensions() {
    let no_extensions = body(&Spec { extensions: None, ..Spec::default() });
    for extensions in [&[0][..], &[0, 21], &[0, 21, 0], &[0, 21, 0, 1], &[0, 21, 0, 0, 0], &[0, 21, 0xff, 0xff, 0]] {
        assert_eq!(refused_body(&[&no_extensions[..], &long(extensions)].concat()), Malformed::Extension, "{extensions:?}");
    }
}

#[test]
fn a_hello_offers_something() {
    let no_suites = Spec { cipher_suites: vec![], ..Spec::named("a.example") };
    let no_compression = Spec { compression_methods: vec![], ..Spec::named("a.example") };
    assert_eq!(refusal(&no_suites), Malformed::NothingOffered("cipher suite"));
    assert_eq!(refusal(&no_compression), Malformed::NothingOffered("compression method"));
}

#[test]
fn another_major_version_is_refused() {
    for version in [0x0002, 0x0200, 0x0400, 0xfefd] {
        assert_eq!(refusal(&Spec { legacy_version: version, ..Spec::named("a.example") }), Malformed::Version(version));
    }
}

#[test]
fn protocols_keep_their_order_and_their_bytes() {
    let hello = read(&with(alpn(&[&b"h2"[..], b"http/1.1", b"\xff\x00", "\u{fc}".as_bytes()])));
    assert_eq!(hello.alpn, [&b"h2"[..], b"http/1.1", b"\xff\x00", "\u{fc}".as_bytes()].map(Box::from));
    assert_eq!(hello.alpn_text(), "h2,http/1.1,\\xff\0,\u{fc}");
    assert_eq!(read(&Spec::default()).alpn_text(), "");
}

#[test]
fn broken_protocols_are_refused() {
    let junk_in_list = (16, long(&[2, b'h', b'2', 9]));
    let junk_behind_list = (16, [&long(&[2, b'h', b'2'])[..], &[0]].concat());
    for extension in [(16, vec![]), (16, vec![0, 0]), alpn(&[""]), alpn(&["h2", ""]), junk_in_list, junk_behind_list] {
        assert_eq!(refusal(&with(extension.clone())), Malformed::Alpn, "{extension:?}");
    }
}

#[test]
fn versions_are_told_with_nginxs_words() {
    let old = |legacy_version| Spec { legacy_version, extensions: None, ..Spec::default() };
    for (version, word) in
        [(0x0300, "SSLv3"), (0x0301, "TLSv1"), (0x0302, "TLSv1.1"), (0x0303, "TLSv1.2"), (0x0304, "TLSv1.3"), (0x0305, "")]
    {
        assert_eq!(read(&old(version)).protocol(), word);
    }
    for listed in [&[0x0304][..], &[0x0303], &[0x0a0a]] {
        let spec = Spec { extensions: Some(vec![supported_versions(listed)]), ..Spec::default() };
        assert_eq!(read(&spec).protocol(), "TLSv1.3", "{listed:?}");
    }
}

#[test]
fn a_version_is_offered_if_it_is_listed_or_else_up_to_the_old_field() {
    let offered = |spec: &Spec| -> Vec<u16> { (0x0300..=0x0305).filter(|version| read(spec).offers(*version)).collect() };
    let listing = |versions: &[u16]| Spec { extensions: Some(vec![supported_versions(versions)]), ..Spec::default() };
    let old = |legacy_version| Spec { legacy_version, extensions: None, ..Spec::default() };
    assert_eq!(offered(&listing(&[0x1a1a, 0x0304])), [0x0304]);
    assert_eq!(offered(&listing(&[0x0302, 0x0303])), [0x0302, 0x0303]);
    assert_eq!(offered(&old(0x0302)), [0x0300, 0x0301, 0x0302]);
    assert_eq!(offered(&old(0x0305)), [0x0300, 0x0301, 0x0302, 0x0303]);
    let draft_26 = 0x7f1a;
    assert_eq!(read(&listing(&[0x1a1a, 0x0304, draft_26, 0xfafa])).supported_versions, Some(vec![0x0304, draft_26]));
    assert_eq!(read(&old(0x0303)).supported_versions, None);
}

#[test]
fn broken_versions_are_refused() {
    for content in [&[][..], &[0], &[1, 3], &[2, 3], &[2, 3, 4, 0], &[3, 3, 4, 3], &[4, 3, 4], &[3, 4]] {
        let spec = Spec { extensions: Some(vec![(43, content.to_vec())]), ..Spec::default() };
        assert_eq!(refusal(&spec), Malformed::SupportedVersions, "{content:?}");
    }
}

#[test]
fn an_encrypted_hello_is_noted_and_its_outer_name_read() {
    let hello = read(&Spec::named("outer.example").with((0xfe0d, vec![0; 200])));
    assert!(hello.ech);
    assert_eq!(hello.server_name, host("outer.example", "outer.example"));
    assert!(!read(&Spec::default()).ech);
}

#[test]
fn what_cannot_be_read_and_what_must_not_be_have_different_alerts() {
    assert_eq!(refusal(&Spec::named("a b")).alert(), ILLEGAL_PARAMETER);
    assert_eq!(refusal(&with((21, vec![])).with((21, vec![]))).alert(), ILLEGAL_PARAMETER);
    assert_eq!(refused_body(&[]).alert(), DECODE_ERROR);
    assert_eq!(refusal(&with((0, vec![]))).alert(), DECODE_ERROR);
}

#[test]
fn a_reason_quotes_nothing_that_could_forge_a_line() {
    for name in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b"] {
        let text = refusal(&Spec::named(name)).to_string();
        assert!(text.chars().all(|c| c == ' ' || !c.is_control() && !c.is_whitespace() && c != '\u{202e}'), "{text:?}");
    }
    assert!(matches!(parse(&named("a\nb")), Parse::Malformed(_)));
}
