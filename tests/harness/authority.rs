//! A certificate authority of a test's own, in a folder that goes with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
        Self::named("an authority of the tests")
    }

    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
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
        Arc::new(ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(self.roots()).with_no_client_auth())
    }

    /// A client's configuration that trusts nobody else, and shows this to whoever asks.
    pub fn showing(&self, versions: &[&'static rustls::SupportedProtocolVersion], identity: &Identity) -> Arc<ClientConfig> {
        let chain = CertificateDer::pem_file_iter(&identity.chain).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
        let builder = ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(self.roots());
        Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    /// A profile with a certificate for each of these hosts, as a table of `routes.toml`; `more` are further keys of it.
    pub fn profile(&self, name: &str, hosts: &[&str], more: &str) -> String {
        let certificates: String = hosts.iter().map(|host| self.issue(host).written()).collect();
        format!("[terminate.{name}]\ncertificates = [{certificates}]\n{more}\n")
    }

    /// Where what was issued for a host last lies.
    pub fn issued(&self, host: &str) -> Identity {
        let place = |ending| self.folder.path().join(format!("{host}.{ending}"));
        Identity { chain: place("pem"), key: place("key") }
    }

    /// A list of what it has revoked, by serial numbers, that is good for a day.
    pub fn revoking(&self, serials: &[u64]) -> String {
        let now = rcgen::date_time_ymd(1970, 1, 1) + std::time::UNIX_EPOCH.elapsed().unwrap();
        let revoked = |&serial: &u64| RevokedCertParams {
            serial_number: serial.into(),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + std::time::Duration::from_secs(24 * 3600),
            crl_number: 1u64.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    pub fn issue(&self, host: &str) -> Identity {
        self.issue_with(host, |_| {})
    }

    /// The same, changed as a test wants it.
    pub fn issue_with(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.issue_to(&KeyPair::generate().unwrap(), host, change)
    }

    /// The same for a key that is there already.
    pub fn issue_to(&self, key: &KeyPair, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        params.distinguished_name.push(DnType::CommonName, host);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).unwrap();

        let identity = self.issued(host);
        fs::write(&identity.chain, certificate.pem()).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        fs::set_permissions(&identity.key, fs::Permissions::from_mode(0o600)).unwrap();
        identity
    }
}

impl Identity {
    /// As an item of `certificates`.
    pub fn written(&self) -> String {
        format!("{{ chain = \"{}\", key = \"{}\" }}, ", self.chain.display(), self.key.display())
    }
}
