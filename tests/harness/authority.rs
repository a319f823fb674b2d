//! A certificate authority of a test's own, in a folder that goes with it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// Signs what a test needs; its folder has all of it, as PEM.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// Where a host's certificate and its key lie.
pub struct Identity {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The certificate that whoever trusts this authority is given.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A client's configuration that trusts nobody else.
    pub fn trusted(&self) -> Arc<ClientConfig> {
        self.trusted_in(rustls::ALL_VERSIONS)
    }

    /// The same in these versions of TLS alone.
    pub fn trusted_in(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots).with_no_client_auth())
    }

    /// A profile with a certificate for each of these hosts, as a table of `routes.toml`; `more` are further keys of it.
    pub fn profile(&self, name: &str, hosts: &[&str], more: &str) -> String {
        let certificates: String = hosts.iter().map(|host| self.issue(host).written()).collect();
        format!("[terminate.{name}]\ncertificates = [{certificates}]\n{more}\n")
    }

    pub fn issue(&self, host: &str) -> Identity {
        self.issue_with(host, |_| {})
    }

    /// The same, changed as a test wants it.
    pub fn issue_with(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        params.distinguished_name.push(DnType::CommonName, host);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();

        let place = |ending| self.folder.path().join(format!("{host}.{ending}"));
        let identity = Identity { chain: place("pem"), key: place("key") };
        fs::write(&identity.chain, certificate.pem()).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }
}

impl Identity {
    /// As an item of `certificates`.
    pub fn written(&self) -> String {
        format!("{{ chain = \"{}\", key = \"{}\" }}, ", self.chain.display(), self.key.display())
    }
}
