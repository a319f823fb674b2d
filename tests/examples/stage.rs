//! An example in a folder of its own, with the certificates and keys that it names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use tempfile::TempDir;
use vestibule::config::{self, Diagnostics, Loaded, Paint};

use super::{examples, files};
use crate::harness::{Authority, Identity};

/// An example that can be loaded, and everything it needs; gone when dropped.
pub struct Stage {
    /// Who signs: the gateway's certificates, and those of clients too.
    pub authority: Authority,
    /// What it is called where it comes from.
    pub name: String,
    folder: TempDir,
}

impl Stage {
    pub fn of(name: &str) -> Self {
        let from = examples().join(name);
        let texts = files(&from, &["toml", "map", "txt", "conf", "nginx"]).into_iter().map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file.strip_prefix(&from).unwrap().to_owned(), text)
        });
        Self::of_texts(name, texts.collect())
    }

    /// The same with a file that stands alone.
    pub fn of_file(file: &Path) -> Self {
        let name = file.file_stem().unwrap().to_string_lossy();
        Self::of_texts(&name, vec![("routes.toml".into(), fs::read_to_string(file).unwrap())])
    }

    fn of_texts(name: &str, texts: Vec<(PathBuf, String)>) -> Self {
        let stage = Self { authority: Authority::new(), name: name.to_owned(), folder: tempfile::tempdir().unwrap() };
        for (file, text) in texts {
            let text = LOGS.iter().fold(text, |text, logs| text.replace(logs, &format!("{}/", stage.path("log").display())));
            stage.write(&stage.path(file), text.replace("/data/keys/", "certs/"));
        }
        fs::create_dir(stage.path("log")).unwrap();
        stage.make_certificates();
        stage
    }

    /// What is read when it is loaded, lists included.
    pub fn files_read(&self) -> Vec<PathBuf> {
        files(self.folder.path(), &["toml", "map", "txt"])
    }

    /// Its `routes.toml`.
    pub fn file(&self) -> PathBuf {
        self.path("routes.toml")
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn load(&self, sets: &[String]) -> Loaded {
        self.try_load(sets).unwrap_or_else(|wrong| panic!("{}", wrong.render(Paint::Plain)))
    }

    pub fn try_load(&self, sets: &[String]) -> Result<Loaded, Diagnostics> {
        config::load(&self.file(), sets, environment())
    }

    /// A client's certificate whose subject begins with a country.
    pub fn client(&self, name: &str, country: &str) -> Identity {
        self.authority.issue_with(name, |params| {
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CountryName, country);
        })
    }

    fn write(&self, file: &Path, text: impl AsRef<[u8]>) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Makes what stands under `certs/` in any of its files.
    fn make_certificates(&self) {
        for file in files(self.folder.path(), &["toml"]) {
            let text = fs::read_to_string(&file).unwrap();
            for line in text.lines() {
                let is_certificate = |text: &&str| text.contains("certs/") && !text.ends_with("privkey.pem");
                for name in line.split('"').filter(is_certificate) {
                    self.make(&file.parent().unwrap().join(name), line.contains(&format!("ca = \"{name}\"")));
                }
            }
        }
    }

    fn make(&self, file: &Path, is_authority: bool) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if is_authority {
            self.write(file, fs::read(self.authority.file()).unwrap());
        } else if name.ends_with(".pem") {
            let hosts = HOSTS.iter().filter(|(certificate, _)| *certificate == name).map(|(_, host)| host.parse().unwrap());
            let params = |params: &mut CertificateParams| params.subject_alt_names = hosts.map(SanType::DnsName).collect();
            let key = if name.contains("rsa") { KeyPair::from_pem(RSA_KEY) } else { KeyPair::generate() };
            let made = self.authority.issue_to(&key.unwrap(), "made.example", params);
            let key = fs::read(made.key).unwrap();
            self.write(file, fs::read(made.chain).unwrap());
            // As one of the configurations that were moved over has it.
            for own in [file.with_extension("key"), file.with_file_name("privkey.pem")] {
                self.write(&own, &key);
                fs::set_permissions(own, fs::Permissions::from_mode(0o600)).unwrap();
            }
        } else {
            // No two keys for tickets may be the same.
            let first = u8::try_from(name.len()).unwrap();
            let bytes: Vec<u8> = (0..80).map(|byte| byte ^ first ^ name.as_bytes()[name.len() - 1]).collect();
            self.write(file, bytes);
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// What the environment says on one of the two machines of the pair.
pub fn environment() -> Vec<(String, String)> {
    [("GATEWAY", "gateway_1"), ("OWN_ADDRESS", "127.0.0.1")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Which names the certificates of the examples are for.
const HOSTS: [(&str, &str); 10] = [
    ("ebics.pem", "ebics.business.bank.example"),
    ("psd2.pem", "psd2.bank.example"),
    ("portal.pem", "portal.grid.example"),
    ("mqtt.pem", "mqtt.grid.example"),
    ("shop-ecdsa.pem", "shop.example"),
    ("shop-ecdsa.pem", "*.shop.example"),
    ("shop-rsa.pem", "shop.example"),
    ("shop-rsa.pem", "*.shop.example"),
    ("boutique.pem", "boutique.example"),
    ("boutique.pem", "*.boutique.example"),
];

const RSA_KEY: &str = include_str!("../data/certs/rsa.key");

/// Where the examples write, and where they do so here.
const LOGS: [&str; 2] = ["/var/log/vestibule/", "/var/log/nginx/"];
