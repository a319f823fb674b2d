//! The authorities that the system trusts, read once for all who want them at a time: they are many.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::RootCertStore;

/// The system's authorities, read when they are first asked for.
#[derive(Debug, Default)]
pub struct SystemRoots(OnceCell<Result<Arc<RootCertStore>, String>>);

impl SystemRoots {
    /// The authorities, or why there are none.
    pub(super) fn get(&self) -> Result<Arc<RootCertStore>, String> {
        self.0.get_or_init(read).clone()
    }
}

fn read() -> Result<Arc<RootCertStore>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's folder may hold some that are no good; who relies on one of them hears of an unknown issuer.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(Arc::new(roots));
    }
    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
    Err(format!("this system has no file of trusted authorities{why}"))
}
