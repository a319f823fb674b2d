//! The first flights of real clients (`tests/data/hellos`), and what each is known to say.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use super::hellos::{self, split_records};
use super::{Assembler, CAP, ClientHello, Parse, ServerName, parse, parse_in_pieces};

/// What a captured hello says.
struct Known {
    file: &'static str,
    name: Option<&'static str>,
    alpn: &'static str,
    protocol: &'static str,
    post_quantum: bool,
    ech: bool,
}

const OLD: Known = Known { file: "", name: None, alpn: "", protocol: "TLSv1.2", post_quantum: false, ech: false };
const NEW: Known = Known { protocol: "TLSv1.3", ..OLD };

const KNOWN: [Known; 11] = [
    Known { file: "openssl-tls12", name: Some("openssl.test"), ..OLD },
    Known { file: "openssl-tls13", name: Some("openssl.test"), alpn: "h2,http/1.1", ..NEW },
    Known { file: "openssl-large", name: Some("openssl.test"), ..NEW },
    Known { file: "openssl-unnamed", ..NEW },
    Known { file: "curl", name: Some("curl.test"), alpn: "h2,http/1.1", ..NEW },
    Known { file: "curl-address", alpn: "h2,http/1.1", ..NEW },
    Known { file: "gnutls", name: Some("gnutls.test"), ..NEW },
    Known { file: "python", name: Some("python.test"), alpn: "http/1.1", ..NEW },
    Known { file: "go", name: Some("go.test"), alpn: "h2,http/1.1", post_quantum: true, ..NEW },
    Known { file: "rustls", name: Some("rustls.test"), alpn: "h2", post_quantum: true, ..NEW },
    Known { file: "chromium", name: Some("chromium.test"), alpn: "h2,http/1.1", post_quantum: true, ech: true, ..NEW },
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hellos"))
}

fn bytes(known: &Known) -> Vec<u8> {
    std::fs::read(folder().join(known.file).with_extension("bin")).expect(known.file)
}

fn read(hello: &[u8]) -> ClientHello {
    match parse(hello) {
        Parse::Complete(hello) => hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_captured_hello_is_known() {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "bin"));
    assert!(!files.is_empty());
    for file in &files {
        assert!(KNOWN.iter().any(|known| file.file_stem().unwrap() == known.file), "{file:?}");
    }
    assert_eq!(files.len(), KNOWN.len());
}

#[test]
fn real_clients_are_understood() {
    for known in &KNOWN {
        let hello = read(&bytes(known));
        let name = match &hello.server_name {
            ServerName::Host { name, sent } => {
                assert_eq!(name.as_str(), &**sent, "{}", known.file);
                Some(name.as_str())
            }
            ServerName::None => None,
        };
        assert_eq!(name, known.name, "{}", known.file);
        assert_eq!(hello.alpn_text(), known.alpn, "{}", known.file);
        assert_eq!(hello.protocol(), known.protocol, "{}", known.file);
        assert_eq!(hello.offers(0x0304), known.protocol == "TLSv1.3", "{}", known.file);
        assert_eq!(hello.ech, known.ech, "{}", known.file);
        assert_eq!(has_post_quantum_share(&bytes(known)), known.post_quantum, "{}", known.file);
    }
}

#[test]
fn real_hellos_read_the_same_however_they_are_cut() {
    for known in &KNOWN {
        let whole = bytes(known);
        let answer = parse(&whole);
        assert!(matches!(answer, Parse::Complete(_)), "{}", known.file);
        for size in 1..whole.len() {
            assert_eq!(parse_in_pieces(&whole, &[size, whole.len()]), (answer.clone(), whole.len()), "{} at {size}", known.file);
            assert_eq!(parse(&split_records(&whole, &[size, 1 << 14])), answer, "{} at {size}", known.file);
        }
        for each in [1, 2, 5, 100] {
            assert_eq!(parse_in_pieces(&split_records(&whole, &[each]), &[1]).0, answer, "{} by {each}", known.file);
        }
    }
}

#[test]
fn real_hellos_are_forwarded_as_they_came() {
    for known in &KNOWN {
        let whole = bytes(known);
        let mut assembler = Assembler::new(CAP);
        whole.iter().for_each(|byte| drop(assembler.push(&[*byte])));
        assert_eq!(assembler.into_raw(), whole, "{}", known.file);
    }
}

/// The rustls that is linked, so a new version of it is tried at once. `tests/data/hellos/capture` has the hello sent to it.
#[test]
fn rustls_says_hello() {
    let sent = rustls_hello();
    let hello = read(&sent);
    assert!(matches!(&hello.server_name, ServerName::Host { name, .. } if name.as_str() == "rustls.test"), "{hello:?}");
    assert_eq!(hello.alpn_text(), "h2");
    assert!(hello.offers(0x0304) && hello.offers(0x0303));
    assert!(has_post_quantum_share(&sent));
    if let Ok(address) = std::env::var("RUSTLS_HELLO_TO") {
        TcpStream::connect(address).unwrap().write_all(&sent).unwrap();
    }
}

fn rustls_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut connection = rustls::ClientConnection::new(Arc::new(config), "rustls.test".try_into().unwrap()).unwrap();
    let mut sent = Vec::new();
    connection.write_tls(&mut sent).unwrap();
    sent
}

/// X25519MLKEM768 as a key share: the group, then the length that only it has.
fn has_post_quantum_share(hello: &[u8]) -> bool {
    hellos::payload(hello).windows(4).any(|bytes| bytes == [0x11, 0xec, 0x04, 0xc0])
}
