//! PEM files: certificates, keys, revocations. The only user of rustls-pemfile, which is archived; the parser beneath it
//! lives on in rustls-pki-types.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It can't be read, or is no PEM.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is none of what was looked for.
    #[error("{}: there is no {what} in it", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
}

/// All certificates of a file, in their order.
///
/// # Errors
/// When the file can't be read, is broken, or has no certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let bytes = read(path)?;
    let certificates = rustls_pemfile::certs(&mut &bytes[..]).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|source| PemError::File { path: path.into(), source })?;
    if certificates.is_empty() {
        return Err(PemError::Empty { path: path.into(), what: "certificate" });
    }
    Ok(certificates)
}

/// The first key of a file.
///
/// # Errors
/// When the file can't be read, is broken, or has no key.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let bytes = read(path)?;
    let key = rustls_pemfile::private_key(&mut &bytes[..]).map_err(|source| PemError::File { path: path.into(), source })?;
    key.ok_or(PemError::Empty { path: path.into(), what: "key" })
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(path).map_err(|source| PemError::File { path: path.into(), source })
}
