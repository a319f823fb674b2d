//! A folder with all that a profile needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::{self as provider, DEFAULT_CIPHER_SUITES};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::time::Duration;

use crate::tls::clock::Moment;
use crate::tls::settings::{CertificateFiles, ClientAuthSettings, ServerSettings, Tickets};

/// An authority and its files.
pub(super) struct Site {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, ready to be shown.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Whom a certificate is for.
pub(super) struct Person {
    params: CertificateParams,
}

impl Site {
    /// A site with a certificate for its hosts.
    pub(super) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), issuer: authority("an authority") };
        site.renew_certificate();
        site.write("ca.pem", site.issuer.pem().as_bytes());
        site
    }

    /// Gives the hosts another certificate.
    pub(super) fn renew_certificate(&self) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["a.test".to_owned(), "b.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write("site.pem", certificate.pem().as_bytes());
        let file = self.write("site.key", key.serialize_pem().as_bytes());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The certificate of the authority.
    pub(super) fn authority(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Lets a second authority vouch for clients, too.
    pub(super) fn trust_another(&self) {
        self.write("ca.pem", [self.issuer.pem(), authority("another").pem()].concat().as_bytes());
    }

    /// Signs a person's certificate.
    pub(super) fn sign(&self, person: &Person) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = person.params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// A list that is good until this year, on which these serial numbers are.
    pub(super) fn revoke(&self, serials: &[u64], until: i32) -> PathBuf {
        self.list("revoked.pem", serials, |list| list.next_update = date_time_ymd(until, 1, 1))
    }

    /// A list that is good for so long, on which nobody is.
    pub(super) fn revoke_nobody_for(&self, name: &str, duration: Duration) -> PathBuf {
        self.list(name, &[], |list| list.next_update = in_the_test(duration).into())
    }

    fn list(&self, name: &str, serials: &[u64], limit: impl FnOnce(&mut CertificateRevocationListParams)) -> PathBuf {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let mut params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        limit(&mut params);
        self.write(name, params.signed_by(&self.issuer).unwrap().pem().unwrap().as_bytes())
    }

    /// Puts a file into the folder.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A file with a key for tickets that nobody but its owner may read; the same seed makes the same key.
    pub(super) fn key_file(&self, name: &str, seed: u8) -> PathBuf {
        let path = self.write(name, &(0..80).map(|index| seed.wrapping_mul(97).wrapping_add(index)).collect::<Vec<_>>());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A profile with the site's certificate.
    pub(super) fn profile(&self, name: &str) -> ServerSettings {
        let chain = self.folder.path().join("site.pem");
        ServerSettings {
            name: name.into(),
            certificates: vec![CertificateFiles { key: Some(chain.with_extension("key")), chain, password_file: None, ocsp: None }],
            versions: vec![&TLS13, &TLS12],
            ciphers: DEFAULT_CIPHER_SUITES.to_vec(),
            own_order: false,
            groups: provider::default_provider().kx_groups,
            alpn: Vec::new(),
            session_cache: 1 << 20,
            session_timeout: Duration::from_secs(300),
            tickets: Tickets::Off,
            handshake_timeout: Duration::from_secs(60),
            client_auth: None,
        }
    }

    /// Clients are asked for a certificate of the site's authority.
    pub(super) fn asking(&self, is_required: bool) -> ClientAuthSettings {
        ClientAuthSettings { ca: self.folder.path().join("ca.pem"), is_required, crls: Vec::new(), subjects: Vec::new() }
    }
}

impl Person {
    /// Somebody of this common name.
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Self { params }
    }

    /// Somebody of an organisation.
    pub(super) fn organised(organisation: &str, name: &str) -> Self {
        let mut person = Self::new(name);
        person.params.distinguished_name = rcgen::DistinguishedName::new();
        person.params.distinguished_name.push(DnType::OrganizationName, organisation);
        person.params.distinguished_name.push(DnType::CommonName, name);
        person
    }

    /// With this serial number.
    pub(super) fn number(mut self, serial: u64) -> Self {
        self.params.serial_number = Some(SerialNumber::from(serial));
        self
    }

    /// From the first moment of one year to that of another.
    pub(super) fn between(mut self, from: i32, until: i32) -> Self {
        (self.params.not_before, self.params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        self
    }

    /// Until so long from now.
    pub(super) fn for_another(mut self, duration: Duration) -> Self {
        self.params.not_after = in_the_test(duration).into();
        self
    }

    /// Only good as a server's.
    pub(super) fn only_a_server(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }

    /// Signed by nobody else.
    pub(super) fn alone(&self) -> (String, Identity) {
        let key = KeyPair::generate().unwrap();
        let certificate = self.params.self_signed(&key).unwrap();
        (certificate.pem(), (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()))
    }

    /// Signed by nobody else, and signing for another, which it may not.
    pub(super) fn vouching_for(self, other: &Self) -> (String, Identity) {
        let issuer = CertifiedIssuer::self_signed(self.params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = other.params.signed_by(&key, &issuer).unwrap();
        (issuer.pem(), (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()))
    }
}

/// A certificate of version 1, which rcgen does not make: of `openssl ca -selfsign`, from 2000 to 2100.
pub(super) const VERSION_1: &str = include_str!("data/version_1.pem");

/// The same, ready to be shown.
pub(super) fn version_1() -> Identity {
    let certificate = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("data/version_1.key")).unwrap();
    (vec![certificate], key)
}

/// So long after the moment that the test has come to.
fn in_the_test(duration: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(Moment::now().after(duration).0)
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}
