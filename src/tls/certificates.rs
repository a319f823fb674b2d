//! A profile's certificates, found by the name that a client asks for.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pem;
use super::settings::{CertificateFiles, Finding, Part};

/// The certificates of a profile, in their order.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads them. What can't be used is among the findings.
    pub(super) fn load(files: &[CertificateFiles], findings: &mut Vec<Finding>) -> Self {
        let mut all = Vec::new();
        for (index, files) in files.iter().enumerate() {
            let key = files.key.clone().unwrap_or_else(|| files.chain.with_extension("key"));
            let loaded = pem::certificates(&files.chain).map_err(|error| Finding::error(Part::Chain(index), error.to_string()));
            let key = pem::key(&key).map_err(|error| Finding::error(Part::Key(index), error.to_string()));
            match (loaded, key) {
                (Ok(chain), Ok(key)) => match rustls::crypto::aws_lc_rs::sign::any_supported_type(&key) {
                    Ok(key) => all.push(Arc::new(CertifiedKey::new(chain, key))),
                    Err(error) => findings.push(Finding::error(Part::Key(index), error.to_string())),
                },
                (chain, key) => findings.extend([chain.err(), key.err()].into_iter().flatten()),
            }
        }
        Self { all }
    }

    /// What tells this set from another: all certificates, in their order.
    pub(super) fn identity(&self) -> Vec<u8> {
        self.all.iter().flat_map(|certified| &certified.cert).flat_map(|certificate| certificate.to_vec()).collect()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.all.first().cloned()
    }
}
