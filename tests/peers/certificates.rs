//! Certificates as OpenSSL makes, reads and asks for them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use vestibule::tls::x509::Facts;
use vestibule::tls::{Passwords, certificates_of, key_of, key_with_passwords};

use super::is_installed;
use crate::harness::{Gate, within};

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(file)
}

/// OpenSSL in a folder of its own.
struct OpenSsl(TempDir);

impl OpenSsl {
    /// Nothing, when it is not installed and need not be.
    fn installed() -> Option<Self> {
        is_installed("openssl").then(|| Self(tempfile::tempdir().unwrap()))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// What it prints when it is told this, its words apart by spaces.
    async fn told(&self, line: &str) -> String {
        self.given(&line.split(' ').collect::<Vec<_>>()).await
    }

    async fn given(&self, words: &[&str]) -> String {
        let mut command = Command::new("openssl");
        let output = within(command.args(words).current_dir(self.0.path()).stdin(Stdio::null()).output()).await.unwrap();
        assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[tokio::test]
async fn a_certificate_says_of_itself_what_openssl_says_of_it() {
    let Some(openssl) = OpenSsl::installed() else { return };
    let subjects = [
        "/C=DE/ST=Nord/L=Ort/O=Wells, GmbH/OU=a+b/CN=host.test/emailAddress=a@b.test",
        "/DC=test/DC=example/UID=u1/CN= #lead and trail ",
        "/O=Åé \"q\" <x>;y\\\\z=w/CN=#Ł日本",
        "/O=a/OU=b+CN=two in one+serialNumber=7",
        "/SN=sur/GN=given/initials=i/title=t/generationQualifier=g/dnQualifier=d/pseudonym=p/name=n/description=text",
        "/street=s/postalCode=1/businessCategory=c/jurisdictionC=DE/organizationIdentifier=o/unstructuredName=u/telephoneNumber=1",
    ];
    let mut files = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let (file, key) = (format!("{index}.pem"), format!("{index}.key"));
        let serial = format!("0x{index}f3a7b");
        let words = ["req", "-x509", "-utf8", "-multivalue-rdn", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let more = ["-set_serial", &serial, "-subj", subject, "-keyout", &key, "-out", &file];
        openssl.given(&[&words[..], &more[..]].concat()).await;
        files.push(openssl.path(&file));
    }
    files.extend(["good.pem", "other.pem", "v1.pem", "stapled.pem"].map(data));
    for file in files {
        let facts = Facts::of(&certificates_of(&file).unwrap()[0]).unwrap();
        let words = ["x509", "-noout", "-nameopt", "RFC2253", "-subject", "-issuer", "-serial", "-fingerprint", "-sha1", "-in"];
        let told = openssl.given(&[&words[..], &[file.to_str().unwrap()]].concat()).await;
        let expected = format!("subject={}\nissuer={}\nserial={}\n", facts.subject, facts.issuer, facts.serial);
        let fingerprint = told.lines().last().unwrap().split('=').nth(1).unwrap().replace(':', "").to_lowercase();
        assert_eq!(told.lines().take(3).map(|line| format!("{line}\n")).collect::<String>(), expected, "{}", file.display());
        assert_eq!(fingerprint, facts.fingerprint);
    }
}

#[tokio::test]
async fn keys_that_openssl_encrypts_are_opened() {
    let Some(openssl) = OpenSsl::installed() else { return };
    openssl.told("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.key").await;
    let plain = key_of(&openssl.path("plain.key")).unwrap();
    std::fs::write(openssl.path("passwords"), "wrong\nsecret\n").unwrap();
    let passwords = Passwords::read(&openssl.path("passwords")).unwrap();
    let ways = [
        "",
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc",
        "-v2 aes256 -v2prf hmacWithSHA1",
        "-v2 aes256 -v2prf hmacWithSHA256",
        "-v2 aes256 -v2prf hmacWithSHA384",
        "-v2 aes256 -v2prf hmacWithSHA512",
        "-v2 des3 -v2prf hmacWithSHA1",
        "-scrypt -scrypt_N 1024",
    ];
    for (way, form) in ways.iter().flat_map(|way| [(way, "PEM"), (way, "DER")]) {
        let line = format!("pkcs8 -topk8 {way} -passout pass:secret -in plain.key -outform {form} -out locked.key");
        openssl.told(&line.replace("  ", " ")).await;
        let opened = key_with_passwords(&openssl.path("locked.key"), &passwords);
        assert_eq!(opened.unwrap_or_else(|error| panic!("{way}: {error}")), plain, "{way} in {form}");
    }
}

#[tokio::test]
async fn plain_keys_of_every_form_and_kind_serve() {
    let Some(openssl) = OpenSsl::installed() else { return };
    let kinds =
        ["RSA -pkeyopt rsa_keygen_bits:2048", "EC -pkeyopt ec_paramgen_curve:P-256", "EC -pkeyopt ec_paramgen_curve:P-384", "ED25519"];
    for kind in kinds {
        openssl.told(&format!("genpkey -algorithm {kind} -out site.key")).await;
        openssl.told("req -x509 -new -key site.key -subj /CN=site.test -days 90 -out site.pem").await;
        let mut forms = vec!["pkey -in site.key -out form.key", "pkey -in site.key -outform DER -out form.key"];
        match kind.split(' ').next() {
            Some("RSA") => {
                forms.extend(["rsa -in site.key -traditional -out form.key", "rsa -in site.key -traditional -outform DER -out form.key"])
            }
            Some("EC") => forms.extend(["ec -in site.key -out form.key", "ec -in site.key -outform DER -out form.key"]),
            _ => {}
        }
        for form in forms {
            openssl.told(form).await;
            serves(&openssl.path("site.pem"), &openssl.path("form.key"), form);
        }
    }
    openssl.told("ecparam -name prime256v1 -genkey -out form.key").await;
    let text = std::fs::read_to_string(openssl.path("form.key")).unwrap();
    assert!(text.starts_with("-----BEGIN EC PARAMETERS"), "{text}");
    openssl.told("req -x509 -new -key form.key -subj /CN=site.test -days 90 -out site.pem").await;
    serves(&openssl.path("site.pem"), &openssl.path("form.key"), "behind EC PARAMETERS");
}

/// Fails if a gateway could not use this certificate with this key.
fn serves(chain: &Path, key: &Path, what: &str) {
    let text = format!(
        "[listener.a]\nlisten = \"127.0.0.1:0\"\nrespond = \"\"\nterminate = \"public\"\n[lints]\nopen-private-key = \"allow\"\n[terminate.public]\ncertificates = {{ chain = {chain:?}, key = {key:?} }}\n"
    );
    let loaded = vestibule::config::parse("routes.toml", &text, &[], []).unwrap();
    let compiled = vestibule::snapshot::Snapshot::check(loaded);
    assert!(compiled.diagnostics.is_empty(), "{what}: {}", compiled.diagnostics);
}

/// A gateway that answers under a profile with these certificates.
fn gate(certificates: &str) -> Gate {
    let certificates = certificates.replace("{data}", &data("").display().to_string());
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nrespond = \"hello\\n\"\n[terminate.public]\ncertificates = {certificates}\n"
    ))
}

/// What `openssl s_client` prints of a handshake, its words apart by spaces.
async fn asked(gate: &Gate, words: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &gate.address("https").to_string()]).args(words.split(' '));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut client = command.spawn().unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let output = tokio::spawn(client.wait_with_output());
    // It stays for as long as somebody might type.
    let output = within(output).await.unwrap().unwrap();
    let _ = stdin.flush().await;
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const MANY: &str = "[\"{data}v1.pem\", \"{data}good.pem\", \"{data}other.pem\", \"{data}rsa.pem\"]";

#[tokio::test]
async fn openssl_gets_the_certificate_for_the_name_that_it_asks_for() {
    let Some(_openssl) = OpenSsl::installed() else { return };
    let gate = gate(MANY);
    for (words, subject) in [
        ("-servername good.test", "CN = good"),
        ("-servername A.good.test", "CN = good"),
        ("-servername other.test", "CN = other"),
        ("-servername a.b.good.test", "CN = v1.test"),
        ("-noservername", "CN = v1.test"),
    ] {
        let told = asked(&gate, words).await;
        assert!(told.contains(&format!("subject={subject}\n")), "{words}: {told}");
    }
}

#[tokio::test]
async fn openssl_gets_the_certificate_that_its_algorithms_can_verify() {
    let Some(_openssl) = OpenSsl::installed() else { return };
    let gate = gate(MANY);
    for version in ["-tls1_3", "-tls1_2"] {
        for (algorithms, subject) in
            [("ECDSA+SHA256", "CN = good"), ("RSA-PSS+SHA256", "CN = good by RSA"), ("RSA-PSS+SHA256:ECDSA+SHA256", "CN = good by RSA")]
        {
            let told = asked(&gate, &format!("{version} -servername good.test -sigalgs {algorithms}")).await;
            assert!(told.contains(&format!("subject={subject}\n")), "{version} {algorithms}: {told}");
        }
    }
}

#[tokio::test]
async fn openssl_talks_with_a_gateway_whose_certificate_is_of_version_1() {
    let Some(_openssl) = OpenSsl::installed() else { return };
    let gate = gate("[\"{data}v1.pem\"]");
    for version in ["-tls1_3", "-tls1_2"] {
        let told = asked(&gate, &format!("{version} -CAfile {} -verify_return_error", data("v1.pem").display())).await;
        assert!(told.contains("subject=CN = v1.test\n") && told.contains("Verify return code: 0 (ok)"), "{told}");
        assert!(told.contains("hello\n"), "{told}");
    }
}

#[tokio::test]
async fn openssl_talks_with_a_gateway_whose_key_is_encrypted() {
    let Some(_openssl) = OpenSsl::installed() else { return };
    let gate = gate("{ chain = \"{data}locked.pem\", password_file = \"{data}passwords\" }");
    let told = asked(&gate, "-servername good.test").await;
    assert!(told.contains("subject=CN = good\n") && told.contains("hello\n"), "{told}");
}

#[tokio::test]
async fn openssl_gets_the_ocsp_answer_with_the_certificate() {
    let Some(_openssl) = OpenSsl::installed() else { return };
    for (ocsp, seen) in [("stapled.ocsp", "OCSP Response Status: successful"), ("ended.ocsp", "OCSP response: no response sent")] {
        let gate = gate(&format!("{{ chain = \"{{data}}stapled.pem\", ocsp = \"{{data}}{ocsp}\" }}"));
        for version in ["-tls1_3", "-tls1_2"] {
            let told = asked(&gate, &format!("{version} -status")).await;
            assert!(told.contains(seen), "{ocsp} {version}: {told}");
        }
    }
}
