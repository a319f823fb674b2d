//! A development CA and certificates in a folder of their own, made at the first use. Keys stay on this machine, and
//! nothing outside the folder is touched: a user's own certificates may lie beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::{Authority, MakeError, PRIVATE, PUBLIC, write};
use crate::tls::{PemError, certificates_of, key_of};

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
    #[error("{0}; run it in a folder that you can write to")]
    Make(#[from] MakeError),
    #[error("{0}; delete its folder and start again")]
    Read(#[from] PemError),
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
        let ca = Authority::new("vestibule demo CA")?;
        for (name, hosts) in all {
            let signed = ca.sign(name, hosts)?;
            write(&self.chain(name), &signed.chain, PUBLIC)?;
            write(&self.key(name), &signed.key, PRIVATE)?;
        }
        Ok(write(&self.ca(), ca.pem(), PUBLIC)?)
    }

    /// The certificate of this name, with its key.
    pub(super) fn load(&self, name: &str) -> Result<Identity, CertificateError> {
        Ok((certificates_of(&self.chain(name))?, key_of(&self.key(name))?))
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
}

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
