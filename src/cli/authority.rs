//! A certificate authority for one machine, and the files that come of it: for `vestibule demo` and `vestibule certs`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    date_time_ymd,
};

use crate::tls::x509::DAY;

/// Something that could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{} can't be written: {source}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A name and a key that vouch for others.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(super) struct Signed {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Authority {
    /// A new one.
    pub(super) fn new(name: &str) -> Result<Self, MakeError> {
        let (params, key) = (ca_params(name)?, KeyPair::generate()?);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// The one of this name that had this key before.
    pub(super) fn again(name: &str, pem: String, key: KeyPair) -> Result<Self, MakeError> {
        Ok(Self { pem, issuer: Issuer::new(ca_params(name)?, key) })
    }

    /// Its own certificate.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key.
    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for these names and addresses.
    pub(super) fn sign(&self, name: &str, hosts: &[&str]) -> Result<Signed, MakeError> {
        let key = KeyPair::generate()?;
        let chain = leaf_params(name, hosts)?.signed_by(&key, &self.issuer)?.pem();
        Ok(Signed { chain, key: key.serialize_pem() })
    }
}

/// The public half of a key, in DER.
pub(super) fn public(key: &KeyPair) -> Vec<u8> {
    key.subject_public_key_info()
}

/// Writes a file whole or not at all, over one that is there, and through no link that stands in its place.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), MakeError> {
    written(path, text, mode, |unfinished| fs::rename(unfinished, path))
}

/// Writes a file whole or not at all, and not over one that is there.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), MakeError> {
    written(path, text, mode, |unfinished| fs::hard_link(unfinished, path).and_then(|()| fs::remove_file(unfinished)))
}

fn written(path: &Path, text: &str, mode: u32, put: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), MakeError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let written = || {
        // One that a start left which was killed may have another mode.
        let _ = fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        put(&unfinished)
    };
    written().map_err(|source| MakeError::File { path: path.into(), source })
}

fn ca_params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    good_for(&mut params, CA_DAYS);
    Ok(params)
}

fn leaf_params(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    good_for(&mut params, LEAF_DAYS);
    Ok(params)
}

/// From yesterday, for clocks that are behind.
fn good_for(params: &mut CertificateParams, days: u32) {
    let now = SystemTime::now();
    let day = |time: SystemTime| {
        let date = Timestamp::try_from(time).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).date();
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(now - DAY);
    params.not_after = day(now + DAY * days);
}

pub(super) const PUBLIC: u32 = 0o644;
pub(super) const PRIVATE: u32 = 0o600;

/// No browser takes a certificate that is good for longer than 398 days.
const LEAF_DAYS: u32 = 365;
const CA_DAYS: u32 = 3650;
