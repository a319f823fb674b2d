//! Both sides in memory: which servers are believed, and what is resumed.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::*;
use crate::tls::CertificateFiles;

/// An authority with a folder for its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        // Each has a name of its own.
        params.distinguished_name.push(DnType::CommonName, folder.path().to_str().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a name, changed as a test wants it.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { pem: certificate.pem(), chain: vec![certificate.der().clone()], key: key.serialize_pem(), der: key.serialize_der() }
    }
}

/// A certificate with its key.
struct Identity {
    pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: String,
    der: Vec<u8>,
}

impl Identity {
    /// One that nobody else has signed.
    fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), chain: vec![certificate.der().clone()], key: key.serialize_pem(), der: key.serialize_der() }
    }

    /// The one of X.509 version 1 in the data of TLS' tests: `CN=old.test` and nothing more, from `openssl x509 -req -signkey`.
    fn of_version_1() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/tests/data");
        let chain = pem::certificates(&folder.join("version_1_of_a_host.pem")).unwrap();
        let PrivateKeyDer::Pkcs8(key) = pem::key(&folder.join("version_1_of_a_host.key")).unwrap() else { panic!("it is PKCS#8") };
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        Self { pem: text("version_1_of_a_host.pem"), chain, key: text("version_1_of_a_host.key"), der: key.secret_pkcs8_der().to_vec() }
    }

    /// A server that shows it.
    fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
        Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(self.certified()))))
    }

    fn certified(&self) -> CertifiedKey {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.der.clone()));
        CertifiedKey::new(self.chain.clone(), provider::sign::any_supported_type(&key).unwrap())
    }

    fn write(&self, folder: &Path) -> CertificateFiles {
        let key = folder.join("own.key");
        let files = CertificateFiles { chain: folder.join("own.pem"), key: Some(key.clone()), password_file: None, ocsp: None };
        fs::write(&files.chain, &self.pem).unwrap();
        fs::write(key, &self.key).unwrap();
        files
    }
}

fn settings(trust: Trust) -> ClientSettings {
    ClientSettings { name: "web".into(), trust, identity: None, alpn: Vec::new(), versions: BOTH.to_vec(), session_reuse: true }
}

fn load(settings: ClientSettings) -> Originator {
    let mut findings = Vec::new();
    let loaded = Originator::load(settings, &SystemRoots::default(), &mut findings);
    loaded.unwrap_or_else(|| panic!("{findings:?}"))
}

fn trusting(authority: &Authority) -> Originator {
    load(settings(Trust::File(authority.file())))
}

/// One that trusts what stands in a file.
fn trusting_file(pem: &str) -> (Originator, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("listed.pem");
    fs::write(&file, pem).unwrap();
    (load(settings(Trust::File(file))), folder)
}

/// A handshake until it stands or fails, and what the server has heard.
fn shake(originator: &Originator, server: &Arc<ServerConfig>, address: &str, name: &str) -> Result<Shaken, rustls::Error> {
    let mut client = ClientConnection::new(originator.config(&address.into()), ExpectedName::parse(name).unwrap().0).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    // Tickets come behind the handshake: a turn more than it takes.
    for _ in 0..6 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut left = &bytes[..];
        while !left.is_empty() {
            server.read_tls(&mut left).unwrap();
        }
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut left = &bytes[..];
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
        }
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking(), "neither stands nor fails");
    Ok(Shaken {
        is_resumed: client.handshake_kind() == Some(HandshakeKind::Resumed),
        name: server.server_name().map(str::to_owned),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        group: client.negotiated_key_exchange_group().map(|group| group.name()),
        shown: server.peer_certificates().map(<[_]>::len),
    })
}

struct Shaken {
    is_resumed: bool,
    name: Option<String>,
    alpn: Option<Vec<u8>>,
    group: Option<rustls::NamedGroup>,
    shown: Option<usize>,
}

fn refusal(originator: &Originator, server: &Arc<ServerConfig>, name: &str) -> String {
    shake(originator, server, "10.0.0.1:443", name).err().expect("it is refused").to_string()
}

fn is_good(originator: &Originator, server: &Arc<ServerConfig>, name: &str) -> bool {
    shake(originator, server, "10.0.0.1:443", name).is_ok()
}

#[test]
fn a_server_that_an_authority_vouches_for_is_good_for_its_name_alone() {
    let authority = Authority::new();
    let server = authority.issue("web.test", |_| {}).server(&BOTH);
    let originator = trusting(&authority);
    let shaken = shake(&originator, &server, "10.0.0.1:443", "web.test").unwrap();
    assert_eq!(shaken.name.as_deref(), Some("web.test"));
    let refused = refusal(&originator, &server, "other.test");
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let server = Authority::new().issue("web.test", |_| {}).server(&BOTH);
    let refused = refusal(&trusting(&Authority::new()), &server, "web.test");
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[test]
fn a_server_whose_time_is_over_is_refused() {
    let authority = Authority::new();
    let server = authority.issue("web.test", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)).server(&BOTH);
    let refused = refusal(&trusting(&authority), &server, "web.test");
    assert!(refused.contains("expired"), "{refused}");
}

#[test]
fn an_ip_address_is_looked_for_in_the_certificate_and_not_asked_for() {
    let authority = Authority::new();
    let server = authority.issue("10.0.0.1", |_| {}).server(&BOTH);
    let shaken = shake(&trusting(&authority), &server, "10.0.0.1:443", "10.0.0.1").unwrap();
    assert_eq!(shaken.name, None);
    assert!(!is_good(&trusting(&authority), &server, "10.0.0.2"));
}

#[test]
fn a_listed_certificate_is_good_without_anybody_who_vouches_for_it() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let identity = Identity::self_signed(|params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName("web.test".try_into().unwrap())];
            params.is_ca = is_ca;
        });
        let (originator, _folder) = trusting_file(&identity.pem);
        assert!(is_good(&originator, &identity.server(&BOTH), "web.test"));
        assert!(!is_good(&originator, &identity.server(&BOTH), "other.test"), "but for no other name");
        let (stranger, _folder) = trusting_file(&Identity::self_signed(|_| {}).pem);
        assert!(!is_good(&stranger, &identity.server(&BOTH), "web.test"), "and where another is listed");
    }
}

#[test]
fn a_listed_certificate_whose_time_is_over_or_to_come_is_refused() {
    let name = |params: &mut CertificateParams| params.subject_alt_names = vec![rcgen::SanType::DnsName("web.test".try_into().unwrap())];
    let past = Identity::self_signed(|params| {
        name(params);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let future = Identity::self_signed(|params| {
        name(params);
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    });
    let (originator, _folder) = trusting_file(&(past.pem.clone() + &future.pem));
    let refused = [&past, &future].map(|identity| refusal(&originator, &identity.server(&BOTH), "web.test"));
    assert!(refused[0].contains("certificate expired") && refused[1].contains("not valid yet"), "{refused:?}");
}

#[test]
fn a_listed_certificate_that_is_no_authority_vouches_for_nobody() {
    let listed = Identity::self_signed(|params| params.distinguished_name.push(DnType::CommonName, "web"));
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "web");
    let key = KeyPair::from_pem(&listed.key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["other.test".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let leaf = Identity { pem: leaf.pem(), chain: vec![leaf.der().clone()], key: leaf_key.serialize_pem(), der: leaf_key.serialize_der() };
    let (originator, _folder) = trusting_file(&listed.pem);
    assert!(!is_good(&originator, &leaf.server(&BOTH), "other.test"));
}

#[test]
fn a_listed_certificate_without_other_names_has_that_of_its_subject() {
    let identity = Identity::self_signed(|params| params.distinguished_name.push(DnType::CommonName, "*.web.test"));
    let (originator, _folder) = trusting_file(&identity.pem);
    let server = identity.server(&BOTH);
    assert!(is_good(&originator, &server, "a.web.test"));
    assert_eq!(["web.test", "a.b.web.test", "other.test"].map(|name| is_good(&originator, &server, name)), [false; 3]);
    let both = Identity::self_signed(|params| {
        params.distinguished_name.push(DnType::CommonName, "a.web.test");
        params.subject_alt_names = vec![rcgen::SanType::DnsName("b.web.test".try_into().unwrap())];
    });
    let (originator, _folder) = trusting_file(&both.pem);
    let server = both.server(&BOTH);
    assert_eq!(["a.web.test", "b.web.test"].map(|name| is_good(&originator, &server, name)), [false, true]);
}

#[test]
fn the_subject_of_what_an_authority_has_signed_is_no_name() {
    let authority = Authority::new();
    let identity = authority.issue("x.test", |params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "web.test");
    });
    assert!(!is_good(&trusting(&authority), &identity.server(&BOTH), "web.test"));
}

#[test]
fn a_listed_certificate_of_version_1_is_good_and_its_key_must_sign() {
    let old = Identity::of_version_1();
    let (originator, _folder) = trusting_file(&old.pem);
    for version in BOTH {
        let server = old.server(&[version]);
        assert!(is_good(&originator, &server, "old.test"), "{version:?}");
        assert!(!is_good(&originator, &server, "other.test"), "{version:?}");
        let thief = Identity { der: Identity::self_signed(|_| {}).der, ..Identity::of_version_1() };
        let refused = refusal(&originator, &thief.server(&[version]), "old.test");
        assert!(refused.contains("BadSignature"), "{version:?}: {refused}");
    }
}

#[test]
fn a_certificate_of_version_1_that_is_not_listed_is_refused_in_words() {
    let refused = shake(&trusting(&Authority::new()), &Identity::of_version_1().server(&BOTH), "10.0.0.1:443", "old.test");
    let words = HandshakeError::Failed(refused.err().unwrap()).of_server();
    assert_eq!(words, "its certificate is not good: it is of X.509 version 1 and must stand in the file of authorities itself");
}

#[test]
fn unverified_anybody_is_good() {
    let originator = load(settings(Trust::Anybody));
    for identity in [Identity::self_signed(|_| {}), Identity::of_version_1()] {
        for version in BOTH {
            assert!(is_good(&originator, &identity.server(&[version]), "web.test"), "{version:?}");
        }
    }
    let server = Identity::self_signed(|_| {}).server(&BOTH);
    let mut client = ClientConnection::new(originator.config(&"unix:/run/web".into()), ExpectedName::none().0).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    server.read_tls(&mut &hello[..]).unwrap();
    server.process_new_packets().unwrap();
    assert_eq!(server.server_name(), None);
}

#[test]
fn a_session_is_resumed_with_its_server_under_its_name_and_no_other() {
    let authority = Authority::new();
    for version in BOTH {
        let identity = authority.issue("*.web.test", |_| {});
        // One farm behind two addresses: each would resume what the other began.
        let server = identity.server(&[version]);
        let originator = trusting(&authority);
        let is_resumed = |address, name| shake(&originator, &server, address, name).unwrap().is_resumed;
        assert!(!is_resumed("10.0.0.1:443", "a.web.test"));
        assert!(is_resumed("10.0.0.1:443", "a.web.test"), "{version:?}");
        assert!(!is_resumed("10.0.0.2:443", "a.web.test"), "{version:?}: another server");
        assert!(!is_resumed("10.0.0.1:443", "b.web.test"), "{version:?}: another name");
        let other = trusting(&authority);
        assert!(!shake(&other, &server, "10.0.0.1:443", "a.web.test").unwrap().is_resumed, "{version:?}: another upstream");
    }
}

#[test]
fn nothing_is_resumed_that_was_begun_under_other_files_or_without_reuse() {
    let authority = Authority::new();
    for version in BOTH {
        let server = authority.issue("web.test", |_| {}).server(&[version]);
        let originator = trusting(&authority);
        let is_resumed = |originator: &Originator| shake(originator, &server, "10.0.0.1:443", "web.test").unwrap().is_resumed;
        assert_eq!([is_resumed(&originator), is_resumed(&originator)], [false, true]);
        assert_eq!(originator.reload(&SystemRoots::default()), []);
        assert!(!is_resumed(&originator), "{version:?}");
        let forgetful = load(ClientSettings { session_reuse: false, ..settings(Trust::File(authority.file())) });
        assert_eq!([is_resumed(&forgetful), is_resumed(&forgetful)], [false, false]);
    }
}

#[test]
fn an_authority_that_is_no_longer_in_the_file_is_believed_no_longer() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.issue("web.test", |_| {}).server(&BOTH);
    let originator = trusting(&authority);
    assert!(is_good(&originator, &server, "web.test"));
    fs::write(authority.file(), "broken").unwrap();
    assert!(originator.reload(&SystemRoots::default()).iter().any(Finding::is_error));
    assert!(is_good(&originator, &server, "web.test"), "a broken file changes nothing");
    fs::copy(other.file(), authority.file()).unwrap();
    assert_eq!(originator.reload(&SystemRoots::default()), []);
    assert!(!is_good(&originator, &server, "web.test"));
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks_for_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let mut roots = RootCertStore::empty();
    roots.add(clients.issuer.der().clone()).unwrap();
    let crypto = Arc::new(provider::default_provider());
    let asks = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto.clone()).build().unwrap();
    let server = ServerConfig::builder_with_provider(crypto).with_protocol_versions(&BOTH).unwrap().with_client_cert_verifier(asks);
    let shown = authority.issue("web.test", |_| {}).certified();
    let server = Arc::new(server.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown))));
    let identity = clients.issue("gateway.test", |_| {}).write(clients.folder.path());
    let originator = load(ClientSettings { identity: Some(identity), ..settings(Trust::File(authority.file())) });
    let shaken = shake(&originator, &server, "10.0.0.1:443", "web.test").unwrap();
    assert_eq!(shaken.shown, Some(1));
    assert!(!is_good(&trusting(&authority), &server, "web.test"), "it is demanded");
}

#[test]
fn protocols_and_versions_are_those_of_the_settings_and_the_exchange_is_ready_for_quantum_computers() {
    let authority = Authority::new();
    let identity = authority.issue("web.test", |_| {});
    let mut server = ServerConfig::clone(&identity.server(&BOTH));
    server.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let alpn = vec![b"h2".to_vec()];
    let originator = load(ClientSettings { alpn: alpn.clone(), ..settings(Trust::File(authority.file())) });
    let shaken = shake(&originator, &Arc::new(server), "10.0.0.1:443", "web.test").unwrap();
    assert_eq!((shaken.alpn, shaken.group), (alpn.into_iter().next(), Some(rustls::NamedGroup::X25519MLKEM768)));
    let only_12 = load(ClientSettings { versions: vec![&TLS12], ..settings(Trust::File(authority.file())) });
    assert!(is_good(&only_12, &identity.server(&[&TLS12]), "web.test"));
    assert!(!is_good(&only_12, &identity.server(&[&TLS13]), "web.test"));
}

#[test]
fn what_is_wrong_with_a_certificate_of_its_own_is_said_of_the_part() {
    let authority = Authority::new();
    let files = authority.issue("gateway.test", |_| {}).write(authority.folder.path());
    let key = files.key.clone().unwrap();
    let found = |files: &CertificateFiles| {
        let mut findings = Vec::new();
        let settings = ClientSettings { identity: Some(files.clone()), ..settings(Trust::File(authority.file())) };
        assert!(Originator::load(settings, &SystemRoots::default(), &mut findings).is_none());
        findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.part).collect::<Vec<_>>()
    };
    fs::write(&key, &authority.issue("other.test", |_| {}).key).unwrap();
    assert_eq!(found(&files), [Part::Key(0)], "the key of another");
    fs::write(&key, "nothing").unwrap();
    assert_eq!(found(&files), [Part::Key(0)]);
    fs::write(&files.chain, "nothing").unwrap();
    assert_eq!(found(&files), [Part::Chain(0)]);
}

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
