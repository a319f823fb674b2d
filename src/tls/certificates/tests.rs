use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm as Kind};
use tempfile::TempDir;

use super::standing::Standing;
use super::*;
use crate::tls::passwords::FromPipes;
use crate::tls::settings::{CertificateFiles, Finding, Part};
use crate::tls::x509::DAY;

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
const ECDSA_384: SignatureScheme = SignatureScheme::ECDSA_NISTP384_SHA384;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_SHA256;
const ED25519: SignatureScheme = SignatureScheme::ED25519;
static P256: &Kind = &rcgen::PKCS_ECDSA_P256_SHA256;

/// A folder with certificates, and the entries that name them.
struct Shelf {
    folder: TempDir,
    entries: Vec<CertificateFiles>,
}

impl Shelf {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), entries: Vec::new() }
    }

    /// With a certificate of each of these names, files and kinds of keys.
    fn with(all: &[(&str, &[&str], &'static Kind)]) -> Self {
        let mut shelf = Self::empty();
        for (file, names, kind) in all {
            shelf.put(file, names, kind);
            shelf.entries.push(entry(&shelf.path(&format!("{file}.pem"))));
        }
        shelf
    }

    fn put(&self, file: &str, names: &[&str], kind: &'static Kind) {
        let key = KeyPair::generate_for(kind).unwrap();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, file);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn load(&self) -> (Certificates, Vec<Finding>) {
        load(&self.entries)
    }

    /// The certificates, which are good.
    fn good(&self) -> Certificates {
        let (certificates, findings) = self.load();
        assert_eq!(findings, []);
        certificates
    }
}

fn entry(chain: &Path) -> CertificateFiles {
    CertificateFiles { chain: chain.into(), key: None, password_file: None, ocsp: None }
}

fn load(entries: &[CertificateFiles]) -> (Certificates, Vec<Finding>) {
    let mut findings = Vec::new();
    let certificates = Certificates::load(entries, &FromPipes::default(), &mut findings);
    // Who may read them depends on the user who runs the tests.
    findings.retain(|finding| finding.lint != Some("open-private-key"));
    (certificates, findings)
}

/// A file of the test data.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(name)
}

fn chosen(certificates: &Certificates, host: Option<&str>, offered: &[SignatureScheme]) -> String {
    let certificate = certificates.choose(host, offered).unwrap();
    certificate.file().file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn an_exact_name_comes_before_a_wildcard_of_one_label() {
    let shelf = Shelf::with(&[("first", &["first.test"], P256), ("wild", &["*.a.test"], P256), ("exact", &["b.a.test", "a.test"], P256)]);
    let certificates = shelf.good();
    for (host, file) in [
        ("b.a.test", "exact"),
        ("b.a.test.", "exact"),
        ("a.test", "exact"),
        ("c.a.test", "wild"),
        ("d.c.a.test", "first"),
        ("test", "first"),
        ("other.test", "first"),
    ] {
        assert_eq!(chosen(&certificates, Some(host), &[ECDSA]), file, "{host}");
    }
    assert_eq!(chosen(&certificates, None, &[ECDSA]), "first");
}

#[test]
fn of_one_name_the_clients_first_algorithm_decides() {
    let names: &[&str] = &["a.test"];
    let shelf = Shelf::with(&[
        ("rsa", names, &PKCS_RSA_SHA256),
        ("ecdsa", names, P256),
        ("ecdsa_384", names, &PKCS_ECDSA_P384_SHA384),
        ("ed25519", names, &PKCS_ED25519),
    ]);
    let certificates = shelf.good();
    for (offered, file) in [
        (&[ECDSA, RSA][..], "ecdsa"),
        (&[RSA, ECDSA], "rsa"),
        (&[SignatureScheme::RSA_PKCS1_SHA512], "rsa"),
        (&[ECDSA_384], "ecdsa_384"),
        (&[ED25519, RSA], "ed25519"),
        (&[SignatureScheme::ED448], "rsa"),
    ] {
        assert_eq!(chosen(&certificates, Some("a.test"), offered), file, "{offered:?}");
        assert_eq!(chosen(&certificates, None, offered), file, "the first's names, {offered:?}");
    }
}

#[test]
fn the_first_is_replaced_only_by_one_for_all_of_its_names() {
    let first = ("rsa", &["a.test", "b.test"][..], &PKCS_RSA_SHA256);
    let part = ("part", &["a.test", "other.test"][..], P256);
    let all = ("all", &["*.test"][..], P256);
    for host in [None, Some("unknown.else")] {
        let (without, with) = (Shelf::with(&[first, part]), Shelf::with(&[first, part, all]));
        assert_eq!(chosen(&without.good(), host, &[ECDSA, RSA]), "rsa", "{host:?}");
        assert_eq!(chosen(&with.good(), host, &[ECDSA, RSA]), "all", "{host:?}");
        assert_eq!(without.good().for_host(host).count(), 1, "what `vestibule route` tells");
    }
    let nameless = Shelf::with(&[("nameless", &[], &PKCS_RSA_SHA256), part]);
    assert_eq!(chosen(&nameless.good(), None, &[ECDSA]), "nameless");
}

#[test]
fn a_wildcard_serves_whom_the_exact_one_cannot() {
    let shelf = Shelf::with(&[("exact", &["b.a.test"], &PKCS_RSA_SHA256), ("wild", &["*.a.test"], P256)]);
    assert_eq!(chosen(&shelf.good(), Some("b.a.test"), &[ECDSA]), "wild");
}

#[test]
fn nobody_gets_a_certificate_of_another_name_for_its_algorithm() {
    let shelf = Shelf::with(&[("other", &["other.test"], P256), ("rsa", &["a.test"], &PKCS_RSA_SHA256)]);
    assert_eq!(chosen(&shelf.good(), Some("a.test"), &[ECDSA]), "rsa", "rustls then says that there is no algorithm in common");
}

#[test]
fn a_pattern_of_file_names_stands_for_all_that_have_a_certificate() {
    let shelf = Shelf { entries: Vec::new(), ..Shelf::with(&[("b", &["b.test"], P256), ("a", &["a.test"], P256)]) };
    fs::copy(shelf.path("a.key"), shelf.path("c-key.pem")).unwrap();
    fs::create_dir(shelf.path("d.pem")).unwrap();
    let (certificates, findings) = load(&[entry(&shelf.path("*.pem"))]);
    assert_eq!(findings, []);
    let names: Vec<_> = certificates.names().map(ToString::to_string).collect();
    assert_eq!(names, ["a.test", "b.test"]);
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_is_meant_itself() {
    let mut shelf = Shelf::with(&[("[a]", &["a.test"], P256)]);
    shelf.put("a", &["b.test"], P256);
    assert_eq!(shelf.good().names().map(ToString::to_string).collect::<Vec<_>>(), ["a.test"]);
    shelf.entries.clear();
}

#[test]
fn version_1_is_served_and_its_key_must_fit_all_the_same() {
    let (certificates, findings) = load(&[entry(&data("v1.pem"))]);
    assert_eq!(findings, []);
    assert!(certificates.all()[0].facts().is_version_1);
    assert_eq!(certificates.names().map(ToString::to_string).collect::<Vec<_>>(), ["v1.test"]);
    let (_, findings) = load(&[CertificateFiles { key: Some(data("good.key")), ..entry(&data("v1.pem")) }]);
    assert!(findings[0].is_error() && findings[0].problem.contains("does not fit"), "{findings:?}");
}

#[test]
fn an_encrypted_key_is_opened() {
    let locked = CertificateFiles { password_file: Some(data("passwords")), ..entry(&data("locked.pem")) };
    let (certificates, findings) = load(&[locked]);
    assert_eq!((certificates.all().len(), findings), (1, Vec::new()));
}

#[test]
fn what_comes_out_of_a_pipe_is_good_for_every_load() {
    let shelf = Shelf::empty();
    let pipe = shelf.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::OpenOptions::new().write(true).open(pipe).unwrap().write_all(b"secret\n").unwrap())
    };
    let locked = CertificateFiles { password_file: Some(pipe), ..entry(&data("locked.pem")) };
    let pipes = FromPipes::default();
    for _ in 0..2 {
        let mut findings = Vec::new();
        let certificates = Certificates::load(&[locked.clone(), locked.clone()], &pipes, &mut findings);
        assert_eq!(certificates.all().len(), 2, "{findings:?}");
    }
    writer.join().unwrap();
}

#[test]
fn an_ocsp_answer_goes_with_the_certificate_that_it_is_about() {
    let staple = |ocsp: &str| {
        let entry = CertificateFiles { ocsp: Some(data(ocsp)), ..entry(&data("stapled.pem")) };
        let (certificates, findings) = load(&[entry]);
        let reasons: Vec<_> = findings.iter().map(|finding| (finding.part, finding.lint, finding.problem.clone())).collect();
        (certificates.all()[0].certified.ocsp.clone(), reasons)
    };
    assert_eq!(staple("stapled.ocsp"), (Some(fs::read(data("stapled.ocsp")).unwrap()), Vec::new()));
    for unsent in ["ended.ocsp", "revoked.ocsp", "later.ocsp"] {
        let (staple, reasons) = staple(unsent);
        assert!(staple.is_none() && reasons.len() == 1, "{unsent}: {reasons:?}");
        assert_eq!((reasons[0].0, reasons[0].1), (Part::Ocsp(0), Some("unsent-staple")), "{unsent}");
    }
}

#[test]
fn of_several_certificates_of_an_entry_the_answer_goes_with_its_own() {
    let shelf = Shelf::with(&[("a", &["a.test"], P256), ("z", &["z.test"], P256)]);
    for file in ["stapled.pem", "stapled.key"] {
        fs::copy(data(file), shelf.path(file)).unwrap();
    }
    let (certificates, findings) = load(&[CertificateFiles { ocsp: Some(data("stapled.ocsp")), ..entry(&shelf.path("*.pem")) }]);
    assert_eq!(findings, []);
    let stapled: Vec<_> = certificates.all().iter().map(|certificate| certificate.certified.ocsp.is_some()).collect();
    assert_eq!(stapled, [false, true, false]);
}

#[test]
fn a_broken_answer_of_any_kind_is_an_error_and_no_panic() {
    let whole = fs::read(data("stapled.ocsp")).unwrap();
    let shelf = Shelf::empty();
    let path = shelf.path("cut.ocsp");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (_, findings) = load(&[CertificateFiles { ocsp: Some(path.clone()), ..entry(&data("stapled.pem")) }]);
        assert!(findings.iter().any(Finding::is_error), "of {length} bytes");
    }
}

#[test]
fn certificates_end_soon_for_their_length() {
    let mut facts = load(&[entry(&data("good.pem"))]).0.all[0].facts.clone();
    let now = facts.not_before + DAY * 100;
    let mut standing = |life: Duration, left: Duration| {
        facts.not_after = now + left;
        facts.not_before = facts.not_after - life;
        Standing::of(&facts, now)
    };
    assert_eq!(standing(DAY * 90, DAY * 15), Standing::Good);
    assert_eq!(standing(DAY * 90, DAY * 14), Standing::Ending);
    assert_eq!(standing(DAY * 6, DAY * 3), Standing::Good);
    assert_eq!(standing(DAY * 6, DAY * 2), Standing::Ending);
    assert_eq!(standing(DAY * 6, DAY * 7), Standing::Early);
    facts.not_after = now - Duration::from_secs(1);
    assert_eq!(Standing::of(&facts, now), Standing::Ended);
}

#[test]
fn a_set_is_told_from_another_by_its_certificates_and_their_order() {
    let shelf = Shelf::with(&[("a", &["a.test"], P256), ("b", &["b.test"], P256)]);
    let identity = |entries: &[CertificateFiles]| load(entries).0.identity();
    let [a, b] = &shelf.entries[..] else { panic!("two entries") };
    let set = [a.clone(), b.clone()];
    assert_eq!(identity(&set), identity(&set));
    assert_ne!(identity(&set), identity(&[b.clone(), a.clone()]));
    assert_ne!(identity(&set), identity(std::slice::from_ref(a)));
}

#[test]
fn a_set_is_told_from_one_in_which_a_certificate_stands_behind_another() {
    let shelf = Shelf::with(&[("a", &["a.test"], P256), ("b", &["b.test"], P256)]);
    let [a, b] = ["a.pem", "b.pem"].map(|file| fs::read_to_string(shelf.path(file)).unwrap());
    fs::write(shelf.path("chain.pem"), format!("{a}{b}")).unwrap();
    let chain = CertificateFiles { key: Some(shelf.path("a.key")), ..entry(&shelf.path("chain.pem")) };
    assert_ne!(load(&[chain]).0.identity(), load(&shelf.entries).0.identity());
}

#[test]
fn each_chain_has_the_key_of_its_own_folder() {
    let shelf = Shelf { entries: Vec::new(), ..Shelf::with(&[("b", &["b.test"], P256), ("a", &["a.test"], P256)]) };
    for name in ["a", "b"] {
        let folder = shelf.path("live").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::rename(shelf.path(&format!("{name}.pem")), folder.join("fullchain.pem")).unwrap();
        fs::rename(shelf.path(&format!("{name}.key")), folder.join("privkey.pem")).unwrap();
    }
    let with_key = |key: &str| CertificateFiles { key: Some(shelf.path(key)), ..entry(&shelf.path("live/*/fullchain.pem")) };
    let (certificates, findings) = load(&[with_key("live/*/privkey.pem")]);
    assert_eq!(findings, []);
    assert_eq!(certificates.names().map(ToString::to_string).collect::<Vec<_>>(), ["a.test", "b.test"]);
    for unclear in ["live/*/*.pem", "keys/*/privkey.pem", "l*/*/privkey.pem"] {
        let (_, findings) = load(&[with_key(unclear)]);
        assert_eq!(findings.iter().map(|finding| finding.part).collect::<Vec<_>>(), [Part::Key(0)], "{unclear}");
        assert!(findings[0].problem.contains("does not say which key each chain has"), "{findings:?}");
    }
}

#[test]
fn of_a_certificate_that_ends_it_is_said_at_once_and_then_every_day() {
    let shelf = Shelf::with(&[("a", &["a.test"], P256)]);
    let certificates = shelf.good();
    let facts = &certificates.all()[0].facts;
    let ends = facts.not_after;
    let mut reminders = Reminders::default();
    let minute = Duration::from_secs(60);
    let mut due = |now| reminders.due(&certificates, now).len();
    for (now, said) in [
        (ends - 15 * DAY, 0),
        (ends - 14 * DAY, 1),
        (ends - 14 * DAY + minute, 0),
        (ends - 13 * DAY, 1),
        (ends - DAY / 2, 1),
        (ends + minute, 1),
        (ends + 2 * minute, 0),
        (ends + minute + DAY, 1),
    ] {
        assert_eq!(due(now), said, "{:?} before the end", ends.duration_since(now));
    }
    assert_eq!(Reminders::default().due(&certificates, ends + minute).len(), 0, "the start has said it");
}

#[test]
fn an_ocsp_answer_is_sent_until_it_ends() {
    let (certificates, findings) = load(&[CertificateFiles { ocsp: Some(data("stapled.ocsp")), ..entry(&data("stapled.pem")) }]);
    assert_eq!(findings, []);
    let staple = fs::read(data("stapled.ocsp")).unwrap();
    let end = crate::tls::ocsp::end(&staple, &certificates.all()[0].facts).unwrap();
    assert!(certificates.without_ended_staples(end - Duration::from_secs(1)).is_none());
    let (rest, ended) = certificates.without_ended_staples(end).unwrap();
    assert_eq!(ended, [data("stapled.pem")]);
    assert_eq!(rest.all()[0].certified.ocsp, None);
    assert_eq!(rest.identity(), certificates.identity());
    assert!(rest.without_ended_staples(end).is_none(), "it is said once");
}

#[test]
fn a_key_that_everybody_may_read_is_told_of_once() {
    let shelf = Shelf::with(&[("a", &["a.test"], P256)]);
    let key = shelf.path("a.key");
    let told = |mode| {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let mut findings = Vec::new();
        Certificates::load(&[entry(&shelf.path("a.pem")), entry(&shelf.path("a.pem"))], &FromPipes::default(), &mut findings);
        findings.into_iter().filter(|finding| finding.lint == Some("open-private-key")).map(|finding| finding.part).collect::<Vec<_>>()
    };
    assert_eq!(told(0o604), [Part::Key(0)]);
    assert_eq!(told(0o660), []);
}
