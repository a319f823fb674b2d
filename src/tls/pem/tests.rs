use super::*;

/// A file of the test data.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(name)
}

/// A folder with one file in it.
fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pem");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn text(name: &str) -> String {
    fs::read_to_string(data(name)).unwrap()
}

#[test]
fn what_stands_around_sections_is_no_matter() {
    let good = certificates(&data("good.pem")).unwrap();
    assert_eq!(good.len(), 1);
    for odd in [
        format!("\u{feff}{}", text("good.pem")),
        text("good.pem").replace('\n', " \r\n"),
        format!("Bag Attributes\n  a: b\n{}\n-----nothing-----\n", text("good.pem")),
        text("good.pem").replace("CERTIFICATE", "X509 CERTIFICATE"),
        format!("{}{}", text("good.key"), text("good.pem")),
        text("good.pem").trim_end().to_owned(),
    ] {
        let (_folder, path) = file(odd);
        assert_eq!(certificates(&path).unwrap(), good, "{:?}", fs::read_to_string(&path));
    }
    let mut latin = b"caf\xe9\n".to_vec();
    latin.extend(text("good.pem").bytes());
    let (_folder, path) = file(latin);
    assert_eq!(certificates(&path).unwrap(), good);
}

#[test]
fn der_is_read_like_pem() {
    let good = certificates(&data("good.pem")).unwrap();
    let (_folder, path) = file(&good[0]);
    assert_eq!(certificates(&path).unwrap(), good);
    let plain = key(&data("good.key")).unwrap();
    let (_folder, path) = file(plain.secret_der());
    assert_eq!(key(&path).unwrap(), plain);
    let locked = File::read(&data("locked.key")).map(|file| file.decode(&file.sections().unwrap()[0]).unwrap()).unwrap();
    let (_folder, path) = file(locked);
    assert_eq!(key_with(&path, &Passwords::read(&data("passwords")).unwrap()).unwrap(), plain);
}

#[test]
fn a_certificate_in_der_is_no_key() {
    let (_folder, path) = file(&certificates(&data("good.pem")).unwrap()[0]);
    assert!(key(&path).unwrap_err().is_empty());
}

#[test]
fn the_first_password_that_fits_opens_a_key() {
    let plain = key(&data("good.key")).unwrap();
    let opened = key_with(&data("locked.key"), &Passwords::read(&data("passwords")).unwrap());
    assert_eq!(opened.unwrap(), plain, "the second line does, though lines end in CRLF");
}

#[test]
fn a_locked_key_says_how_many_passwords_were_tried_and_none_of_them() {
    let error = |passwords: &Passwords| key_with(&data("locked.key"), passwords).unwrap_err();
    assert!(matches!(error(&Passwords::none()), PemError::Locked { tried: 0, .. }));
    let (_folder, path) = file("hunter2\nhunter3\n");
    let wrong = Passwords::read(&path).unwrap();
    let told = error(&wrong);
    assert!(matches!(told, PemError::Locked { tried: 2, .. }), "{told}");
    assert!(!format!("{told} {told:?} {wrong:?} {:?}", told.help()).contains("hunter"));
}

#[test]
fn a_key_encrypted_as_of_old_names_the_command_that_helps() {
    let error = key_with(&data("old.key"), &Passwords::read(&data("passwords")).unwrap()).unwrap_err();
    assert!(error.help().unwrap().contains("openssl pkcs8 -topk8"), "{error}");
}

#[test]
fn broken_sections_are_told_with_their_line() {
    let good = text("good.pem");
    let cases = [
        (format!("# one\n# two\n{}", good.replace("-----END CERTIFICATE-----\n", "")), 3, "has no end"),
        (format!("{}{good}", good.replace("-----END CERTIFICATE-----\n", "")), 1, "has no end"),
        (good.replace("END CERTIFICATE", "END X509 CRL"), 1, "ends as another one"),
        (good.replace("M", "*"), 1, "no base64"),
    ];
    for (text, at, why) in cases {
        let (_folder, path) = file(text);
        let error = certificates(&path).unwrap_err();
        assert!(matches!(error, PemError::Section { line, .. } if line == at), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_key_of_ssh_is_none_of_tls() {
    let (_folder, path) = file("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    assert!(key(&path).unwrap_err().to_string().contains("ssh-keygen"));
}

#[test]
fn a_file_without_what_is_looked_for_tells_what_is_in_it() {
    let told = |result: Option<PemError>| result.unwrap().to_string();
    assert!(told(certificates(&data("good.key")).err()).ends_with("only \"PRIVATE KEY\""));
    assert!(told(crls(&data("good.pem")).err()).ends_with("only \"CERTIFICATE\""));
    assert!(told(key(&data("good.pem")).err()).ends_with("only \"CERTIFICATE\""));
    assert!(told(certificates(&data("text.pem")).err()).ends_with("text.pem"));
}

#[test]
fn revocations_are_read_in_their_order() {
    let params = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2027, 1, 1),
        crl_number: rcgen::SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    let issuer = rcgen::CertifiedIssuer::self_signed(ca, rcgen::KeyPair::generate().unwrap()).unwrap();
    let crl = params.signed_by(&issuer).unwrap();
    let (_folder, path) = file(format!("{}{}", crl.pem().unwrap(), crl.pem().unwrap()));
    assert_eq!(crls(&path).unwrap(), [crl.der().clone(), crl.der().clone()]);
    let (_folder, path) = file(crl.der());
    assert_eq!(crls(&path).unwrap(), [crl.der().clone()]);
}
