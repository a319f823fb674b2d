//! Files of certificates that change under a running gateway: the next handshake has the new ones, or, if they are no
//! good, the old ones.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::harness::tls::{Tls, connect_tls, handshake};
use crate::harness::{Authority, Process, Server, connect, said, until, within};

const HOST: &str = "site.test";

/// A gateway that ends TLS under what lies in a folder, before a server that sends everything back.
struct Site {
    authority: Authority,
    folder: TempDir,
    gate: Process,
    server: Server,
}

/// A certificate and its key, as PEM.
struct Pair {
    chain: String,
    key: String,
}

impl Site {
    /// With a certificate in `site.pem` and its key beside it.
    async fn open(more: &str) -> (Self, Pair) {
        let authority = Authority::new();
        let pair = Pair::of(&authority, HOST);
        let site = Self::open_with(authority, more, "site.pem", |folder| pair.write(folder, "site")).await;
        (site, pair)
    }

    /// With `certificates` in a folder that is filled before.
    async fn open_with(authority: Authority, more: &str, certificates: &str, fill: impl FnOnce(&Path)) -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), Server::echo().await);
        fill(folder.path());
        let gate = Process::start(&routes(&folder, certificates, &server, more)).await;
        // What changes before would be noticed unwatched: the gateway looks once when it begins.
        gate.watches(folder.path().join(certificates).parent().unwrap()).await;
        Self { authority, folder, gate, server }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    async fn connect(&self) -> Tls {
        connect_to(&self.gate, &self.authority).await
    }

    async fn shows(&self, pair: &Pair) -> bool {
        shows(&self.gate, &self.authority, pair).await
    }

    /// Waits until it shows this certificate.
    async fn comes_to_show(&self, pair: &Pair) {
        let comes = async {
            while !self.shows(pair).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(comes).await;
    }
}

impl Pair {
    fn of(authority: &Authority, host: &str) -> Self {
        let identity = authority.issue(host);
        Self { chain: fs::read_to_string(identity.chain).unwrap(), key: fs::read_to_string(identity.key).unwrap() }
    }

    /// Writes both, the key first.
    fn write(&self, folder: &Path, name: &str) {
        fs::write(folder.join(name).with_extension("key"), &self.key).unwrap();
        fs::write(folder.join(name).with_extension("pem"), &self.chain).unwrap();
    }
}

fn routes(folder: &TempDir, certificates: &str, server: &Server, more: &str) -> String {
    let certificates = folder.path().join(certificates);
    format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n[terminate.public]\ncertificates = [\"{}\"]\n{more}",
        server.address,
        certificates.display()
    )
}

async fn connect_to(gate: &Process, authority: &Authority) -> Tls {
    connect_tls(gate.address(), HOST, authority.trusted()).await
}

async fn shows(gate: &Process, authority: &Authority, pair: &Pair) -> bool {
    let client = connect_to(gate, authority).await;
    let shown = client.get_ref().1.peer_certificates().unwrap().first().unwrap().clone().into_owned();
    shown == CertificateDer::from_pem_slice(pair.chain.as_bytes()).unwrap()
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Has a link lead elsewhere, at one stroke.
fn relink(link: &Path, target: &str) {
    let new = link.with_file_name("to-be-renamed");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

#[tokio::test]
async fn files_that_are_replaced_are_in_use_and_open_sessions_go_on() {
    let (site, old) = Site::open("").await;
    let mut client = site.connect().await;
    assert!(site.shows(&old).await);
    let new = Pair::of(&site.authority, HOST);
    replace(&site.path("site.key"), &new.key);
    replace(&site.path("site.pem"), &new.chain);
    site.comes_to_show(&new).await;
    site.gate.says("the files of [terminate.public] have changed and are in use").await;
    // At the start, and of the new one.
    let told = || site.gate.log().matches("site.pem for site.test is good for ").count();
    until(|| told() >= 2).await;
    client.write_all(b"still here").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "still here");
}

#[tokio::test]
async fn files_that_are_written_in_place_are_in_use() {
    let (site, _) = Site::open("").await;
    let new = Pair::of(&site.authority, HOST);
    new.write(site.folder.path(), "site");
    site.comes_to_show(&new).await;
}

#[tokio::test]
async fn a_link_to_a_folder_that_leads_elsewhere_is_noticed() {
    let authority = Authority::new();
    let (old, new) = (Pair::of(&authority, HOST), Pair::of(&authority, HOST));
    // As Kubernetes lays out a mounted secret.
    let site = Site::open_with(authority, "", "site.pem", |folder| {
        for (pair, version) in [(&old, "..1"), (&new, "..2")] {
            fs::create_dir(folder.join(version)).unwrap();
            pair.write(&folder.join(version), "site");
        }
        symlink("..1", folder.join("..data")).unwrap();
        for file in ["site.pem", "site.key"] {
            symlink(format!("..data/{file}"), folder.join(file)).unwrap();
        }
    })
    .await;
    assert!(site.shows(&old).await);
    relink(&site.path("..data"), "..2");
    site.comes_to_show(&new).await;
}

#[tokio::test]
async fn links_to_files_elsewhere_are_followed() {
    let authority = Authority::new();
    let (old, new) = (Pair::of(&authority, HOST), Pair::of(&authority, HOST));
    // As certbot does it.
    let site = Site::open_with(authority, "", "live/site.pem", |folder| {
        fs::create_dir(folder.join("live")).unwrap();
        fs::create_dir(folder.join("archive")).unwrap();
        old.write(&folder.join("archive"), "site1");
        for ending in ["pem", "key"] {
            symlink(format!("../archive/site1.{ending}"), folder.join(format!("live/site.{ending}"))).unwrap();
        }
    })
    .await;
    assert!(site.shows(&old).await);
    new.write(&site.path("archive"), "site2");
    for ending in ["pem", "key"] {
        relink(&site.path(&format!("live/site.{ending}")), &format!("../archive/site2.{ending}"));
    }
    site.comes_to_show(&new).await;
    old.write(&site.path("archive"), "site2");
    site.comes_to_show(&old).await;
}

#[tokio::test]
async fn a_folder_that_takes_the_place_of_another_is_noticed_and_watched() {
    let authority = Authority::new();
    let [old, new, newest] = [(); 3].map(|()| Pair::of(&authority, HOST));
    let site = Site::open_with(authority, "", "live/site.pem", |folder| {
        fs::create_dir(folder.join("live")).unwrap();
        old.write(&folder.join("live"), "site");
    })
    .await;
    fs::create_dir(site.path("next")).unwrap();
    new.write(&site.path("next"), "site");
    fs::rename(site.path("live"), site.path("old")).unwrap();
    fs::rename(site.path("next"), site.path("live")).unwrap();
    site.comes_to_show(&new).await;
    site.gate.watches(&site.path("live")).await;
    newest.write(&site.path("live"), "site");
    site.comes_to_show(&newest).await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_is_told_once_and_may_come_right() {
    let authority = Authority::new();
    let [old, new, other] = [(); 3].map(|()| Pair::of(&authority, HOST));
    let spare = tempfile::tempdir().unwrap();
    old.write(spare.path(), "other");
    let more = format!("[terminate.the-last]\ncertificates = [\"{}\"]\n", spare.path().join("other.pem").display());
    let site = Site::open_with(authority, &more, "site.pem", |folder| old.write(folder, "site")).await;
    let (half, rest) = new.chain.split_at(new.chain.len() / 2);
    fs::write(site.path("site.key"), &new.key).unwrap();
    replace(&site.path("site.pem"), half);
    let told = "the files of [terminate.public] cannot be used, those before them stay in use: ";
    let half_told = || site.gate.log().lines().filter(|line| line.contains(told) && line.contains("CERTIFICATE")).count();
    until(|| half_told() > 0).await;
    assert!(site.shows(&old).await);
    // The same once more is nothing new. That it was looked at shows by what is looked at after it.
    replace(&site.path("site.pem"), half);
    other.write(spare.path(), "other");
    site.gate.says("the files of [terminate.the-last] have changed and are in use").await;
    assert_eq!(half_told(), 1, "{}", site.gate.log());
    assert!(site.shows(&old).await);
    fs::OpenOptions::new().append(true).open(site.path("site.pem")).unwrap().write_all(rest.as_bytes()).unwrap();
    site.comes_to_show(&new).await;
}

#[tokio::test]
async fn a_certificate_without_its_key_waits_for_it() {
    let (site, old) = Site::open("").await;
    let new = Pair::of(&site.authority, HOST);
    replace(&site.path("site.pem"), &new.chain);
    site.gate.says("the files of [terminate.public] cannot be used").await;
    assert!(site.shows(&old).await);
    replace(&site.path("site.key"), &new.key);
    site.comes_to_show(&new).await;
}

#[tokio::test]
async fn a_file_that_is_gone_changes_nothing() {
    let (site, old) = Site::open("").await;
    fs::remove_file(site.path("site.pem")).unwrap();
    site.gate.says("the files of [terminate.public] cannot be used").await;
    assert!(site.shows(&old).await);
    let new = Pair::of(&site.authority, HOST);
    new.write(site.folder.path(), "site");
    site.comes_to_show(&new).await;
}

#[tokio::test]
async fn a_new_file_that_a_pattern_matches_is_in_use() {
    let authority = Authority::new();
    let other = Pair::of(&authority, "other.test");
    let site = Site::open_with(authority, "", "*.pem", |folder| other.write(folder, "other")).await;
    let new = Pair::of(&site.authority, HOST);
    new.write(site.folder.path(), "site");
    let asks = async {
        let trusted = || site.authority.trusted();
        loop {
            let client = connect(site.gate.address()).await;
            if handshake(client, HOST, trusted()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(asks).await;
    assert!(site.shows(&new).await);
}

#[tokio::test]
async fn nothing_is_noticed_unwatched_and_a_signal_has_all_read_anew() {
    let (site, old) = Site::open("").await;
    let unwatched = Process::start(&routes(&site.folder, "site.pem", &site.server, "[process]\nwatch = \"off\"\n")).await;
    let new = Pair::of(&site.authority, HOST);
    new.write(site.folder.path(), "site");
    site.comes_to_show(&new).await;
    assert!(shows(&unwatched, &site.authority, &old).await);
    unwatched.signal(Signal::HUP);
    unwatched.says("SIGHUP: TLS files were read anew: 1 of 1 profiles use them, 1 something new, 0 failed").await;
    assert!(shows(&unwatched, &site.authority, &new).await);
    unwatched.signal(Signal::HUP);
    unwatched.says("SIGHUP: TLS files were read anew: 1 of 1 profiles use them, 0 something new").await;
    unwatched.says("SIGHUP: this version cannot reload routes.toml: nothing of it is changed").await;
    fs::write(site.path("site.pem"), "broken").unwrap();
    unwatched.signal(Signal::HUP);
    unwatched.says("SIGHUP: TLS files were read anew: 0 of 1 profiles use them").await;
    unwatched.says("the files of [terminate.public] cannot be used").await;
    assert!(shows(&unwatched, &site.authority, &new).await);
}

#[tokio::test]
async fn a_broken_profile_keeps_no_other_from_its_new_files() {
    let authority = Authority::new();
    let [first, second] = [(); 2].map(|()| Pair::of(&authority, HOST));
    let other = |folder: &Path| {
        first.write(folder, "site");
        second.write(folder, "other");
    };
    let spare = tempfile::tempdir().unwrap();
    second.write(spare.path(), "other");
    let more = format!("[terminate.another]\ncertificates = [\"{}\"]\n", spare.path().join("other.pem").display());
    let site = Site::open_with(authority, &more, "site.pem", other).await;
    fs::write(spare.path().join("other.pem"), "broken").unwrap();
    second.write(site.folder.path(), "site");
    site.comes_to_show(&second).await;
    site.gate.says("the files of [terminate.another] cannot be used").await;
}

/// Whether the log tells, behind a change, that everybody may read the new key.
async fn tells_of_an_open_key(more: &str) -> bool {
    let (site, _) = Site::open(more).await;
    fs::set_permissions(site.path("site.key"), fs::Permissions::from_mode(0o644)).unwrap();
    // What there is to say of the first change is said before the second is looked at.
    for _ in 0..2 {
        let new = Pair::of(&site.authority, HOST);
        new.write(site.folder.path(), "site");
        site.comes_to_show(&new).await;
    }
    site.gate.log().contains("[terminate.public]: everybody")
}

#[tokio::test]
async fn what_the_file_allows_is_not_told_of_files_that_change_either() {
    assert!(tells_of_an_open_key("").await);
    assert!(!tells_of_an_open_key("[lints]\nopen-private-key = \"allow\"\n").await);
}
