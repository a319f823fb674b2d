//! `vestibule certs`: certificates for development, made once, beside whatever else lies there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use crate::harness::program::{Folder, Said};
use crate::harness::tls::ask;
use crate::harness::{Gate, Server, connect, within};

const GATE: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"dev\"\nupstream = ";

fn made(folder: &Folder, hosts: &[&str]) -> String {
    let Said { status, out, err } = folder.run(&[&["certs"], hosts].concat());
    assert_eq!((status, &*err), (Some(0), ""), "{out}");
    out
}

/// What the output shows for `routes.toml`, with paths that hold anywhere.
fn profile(folder: &Folder, out: &str) -> String {
    let lines: Vec<_> = out.lines().filter(|line| line.starts_with("  ")).map(str::trim_start).collect();
    assert_eq!(lines[0], "[terminate.dev]", "{out}");
    lines.join("\n").replace("\"certs/", &format!("\"{}/", folder.path("certs").display()))
}

/// A client that trusts the authority of this folder.
fn trusting(folder: &Folder) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path("certs/ca.pem")).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

async fn handshake(gate: &Gate, name: ServerName<'static>, config: Arc<ClientConfig>) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = connect(gate.address("https")).await;
    within(tokio_rustls::TlsConnector::from(config).connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn clients_that_trust_the_authority_trust_hosts_wildcards_and_addresses() {
    let (folder, server) = (Folder::empty(), Server::named("dev").await);
    let out = made(&folder, &["a.test", "*.dev.test", "127.0.0.1", "::1"]);
    let gate = Gate::start(&format!("{GATE}\"{}\"\n{}\n", server.address, profile(&folder, &out)));
    let config = trusting(&folder);
    for name in ["a.test", "b.dev.test"] {
        let mut client = handshake(&gate, name.try_into().unwrap(), config.clone()).await;
        assert_eq!(ask(&mut client, b"question").await, "dev", "{name}");
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_is_good_for_it() {
    let (folder, server) = (Folder::empty(), Server::named("dev").await);
    let out = made(&folder, &["127.0.0.1"]);
    let gate = Gate::start(&format!("{GATE}\"{}\"\n{}\n", server.address, profile(&folder, &out)));
    let mut client = handshake(&gate, "127.0.0.1".try_into().unwrap(), trusting(&folder)).await;
    assert_eq!(ask(&mut client, b"question").await, "dev");
}

#[tokio::test]
async fn a_second_run_uses_the_same_authority() {
    let (folder, server) = (Folder::empty(), Server::named("dev").await);
    made(&folder, &["a.test"]);
    let (ca, first) = (fs::read(folder.path("certs/ca.pem")).unwrap(), fs::read(folder.path("certs/a.test.pem")).unwrap());
    let out = made(&folder, &["a.test", "b.test"]);
    assert!(out.contains("certs/a.test.pem: there already and left as it is"), "{out}");
    assert_eq!(fs::read(folder.path("certs/ca.pem")).unwrap(), ca);
    assert_eq!(fs::read(folder.path("certs/a.test.pem")).unwrap(), first);
    let gate = Gate::start(&format!("{GATE}\"{}\"\n{}\n", server.address, profile(&folder, &out)));
    let config = trusting(&folder);
    for name in ["a.test", "b.test"] {
        handshake(&gate, name.try_into().unwrap(), config.clone()).await;
    }
}

#[test]
fn what_it_shows_is_a_configuration_without_a_complaint() {
    let folder = Folder::empty();
    let out = made(&folder, &["a.test", "*.dev.test"]);
    folder.write("routes.toml", &format!("{GATE}\"127.0.0.1:80\"\n{}\n", profile(&folder, &out)));
    let check = folder.run(&["check"]);
    assert_eq!((check.status, &*check.err), (Some(0), ""), "{}", check.out);
}

#[test]
fn keys_are_for_nobody_else() {
    let folder = Folder::empty();
    made(&folder, &["a.test"]);
    let mode = |file: &str| fs::metadata(folder.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["certs/ca.key", "certs/a.test.key"].map(mode), [0o600; 2]);
    let mut left: Vec<_> = fs::read_dir(folder.path("certs")).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.test.key", "a.test.pem", "ca.key", "ca.pem"]);
}

#[test]
fn a_users_own_files_are_left_alone() {
    for (own, hosts) in [("ca.pem", ["a.test"]), ("ca.key", ["a.test"]), ("a.test.pem", ["a.test"]), ("a.test.key", ["a.test"])] {
        let folder = Folder::empty();
        fs::create_dir(folder.path("certs")).unwrap();
        folder.write(&format!("certs/{own}"), "the user's own");
        let said = folder.run(&[&["certs"], &hosts[..]].concat());
        assert_eq!((said.status, &*said.out), (Some(1), ""), "{own}: {said:?}");
        assert!(said.err.contains(&format!("certs/{own} is there without")), "{}", said.err);
        assert_eq!(fs::read_to_string(folder.path(&format!("certs/{own}"))).unwrap(), "the user's own");
    }
}

#[test]
fn nothing_is_signed_in_the_name_of_another_authority() {
    let folder = Folder::empty();
    let data = |file: &str| format!("{}/tests/data/certs/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::create_dir(folder.path("certs")).unwrap();
    fs::copy(data("good.pem"), folder.path("certs/ca.pem")).unwrap();
    fs::copy(data("good.key"), folder.path("certs/ca.key")).unwrap();
    let said = folder.run(&["certs", "a.test"]);
    assert_eq!(said.status, Some(1));
    assert!(said.err.contains("are not the authority that this makes"), "{}", said.err);
    assert!(!folder.path("certs/a.test.pem").exists());
}

#[test]
fn what_is_no_name_has_status_2() {
    let folder = Folder::empty();
    let said = folder.run(&["certs", "../evil"]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.err.contains("neither a host name, a wildcard") && !folder.path("certs").exists(), "{}", said.err);
}

#[test]
fn a_host_called_ca_is_not_the_authority() {
    let folder = Folder::empty();
    let out = made(&folder, &["ca"]);
    assert!(out.contains("certificates = [\"certs/ca-host.pem\"]"), "{out}");
}
