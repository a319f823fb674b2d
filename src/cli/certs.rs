//! A development CA and certificates in a folder of their own, made at the first use. Keys stay on this machine, and
//! nothing outside the folder is touched: a user's own certificates may lie beside it.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A folder with a CA and what it has signed.
pub(super) struct Certificates {
    folder: PathBuf,
}

/// A certificate that could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error(
        "the demo keeps its certificates in a folder that it makes: {}: {source}; run it in a folder that you can write to",
        .path.display()
    )]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{}: there is no {what} in it; delete its folder and start again", .path.display())]
    Empty { path: PathBuf, what: &'static str },
}

/// A chain and its key, as rustls takes them.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Certificates {
    /// The certificates in this folder, which is made if it is not there.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, CertificateError> {
        fs::create_dir_all(folder).map_err(|source| CertificateError::File { path: folder.into(), source })?;
        Ok(Self { folder: folder.into() })
    }

    /// The CA's certificate, for clients to trust.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Makes a certificate for each of the names, and a CA that signs them, unless all are there already.
    pub(super) fn make(&self, all: &[(&str, &[&str])]) -> Result<(), CertificateError> {
        let is_there = |name: &str| self.chain(name).exists() && self.key(name).exists();
        if self.ca().exists() && all.iter().all(|(name, _)| is_there(name)) {
            return Ok(());
        }
        // What is left of another set does not go with this one, and a set counts as whole by its CA.
        self.remove_ca()?;
        // The CA's key is never written down: what it signed is all there will be.
        let ca = CertifiedIssuer::self_signed(ca_params()?, KeyPair::generate()?)?;
        for (name, hosts) in all {
            let key = KeyPair::generate()?;
            let certificate = leaf_params(name, hosts)?.signed_by(&key, &ca)?;
            self.write(&self.chain(name), &certificate.pem(), PUBLIC)?;
            self.write(&self.key(name), &key.serialize_pem(), PRIVATE)?;
        }
        self.write(&self.ca(), &ca.pem(), PUBLIC)
    }

    /// The certificate of this name, with its key.
    pub(super) fn load(&self, name: &str) -> Result<Identity, CertificateError> {
        let (chain_path, key_path) = (self.chain(name), self.key(name));
        let chain = rustls_pemfile::certs(&mut open(&chain_path)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|source| CertificateError::File { path: chain_path.clone(), source })?;
        if chain.is_empty() {
            return Err(CertificateError::Empty { path: chain_path, what: "certificate" });
        }
        let key = rustls_pemfile::private_key(&mut open(&key_path)?);
        let key = key.map_err(|source| CertificateError::File { path: key_path.clone(), source })?;
        Ok((chain, key.ok_or(CertificateError::Empty { path: key_path, what: "key" })?))
    }

    fn chain(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn remove_ca(&self) -> Result<(), CertificateError> {
        match fs::remove_file(self.ca()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CertificateError::File { path: self.ca(), source }),
            _ => Ok(()),
        }
    }

    /// Writes a file whole or not at all, and through no link that stands in its place.
    fn write(&self, path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
        let written = || {
            let mut unfinished = path.as_os_str().to_owned();
            unfinished.push(".new");
            // One that a start left which was killed may have another mode.
            let _ = fs::remove_file(&unfinished);
            let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&unfinished, path)
        };
        written().map_err(|source| CertificateError::File { path: path.into(), source })
    }
}

fn ca_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "vestibule demo CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn open(path: &Path) -> Result<BufReader<fs::File>, CertificateError> {
    fs::File::open(path).map(BufReader::new).map_err(|source| CertificateError::File { path: path.into(), source })
}

const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn certificates_are_made_once_and_keys_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::in_folder(folder.path()).unwrap();
        let all: [(&str, &[&str]); 1] = [("web", &["web.test", "*.web.test"])];
        certificates.make(&all).unwrap();
        let before = certificates.load("web").unwrap();
        assert_eq!(before.0.len(), 1);
        let mode = fs::metadata(folder.path().join("web.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        certificates.make(&all).unwrap();
        assert_eq!(certificates.load("web").unwrap().0, before.0, "the second use changes nothing");
    }

    #[test]
    fn an_incomplete_set_is_made_anew_and_nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (own, precious) = (folder.path().join("own"), folder.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        let certificates = Certificates::in_folder(&own).unwrap();
        let all: [(&str, &[&str]); 2] = [("web", &["web.test"]), ("api", &["api.test"])];
        certificates.make(&all).unwrap();
        let before = certificates.load("api").unwrap();
        fs::remove_file(own.join("web.key")).unwrap();
        std::os::unix::fs::symlink(&precious, own.join("web.key")).unwrap();
        fs::remove_file(certificates.ca()).unwrap();
        certificates.make(&all).unwrap();
        assert_ne!(certificates.load("api").unwrap().0, before.0, "signed by the new CA");
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
        let left: Vec<_> = fs::read_dir(&own).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 5, "nothing unfinished: {left:?}");
    }

    #[test]
    fn a_file_without_a_certificate_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::in_folder(folder.path()).unwrap();
        fs::write(folder.path().join("web.pem"), "nothing").unwrap();
        let error = certificates.load("web").unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }
}
