//! A profile at work: its files read, its rustls configuration made, and both made anew when the files change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs as provider;

use super::certificates::Certificates;
use super::resumption::Resumption;
use super::settings::{Finding, Part, ServerSettings};

/// Ends TLS under one profile.
#[derive(Debug)]
pub struct Terminator {
    settings: ServerSettings,
    current: ArcSwap<Current>,
    resumption: Arc<Resumption>,
}

/// What is made of the files as they were read last.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
}

impl Terminator {
    /// Reads the files of a profile; nothing comes of it when one of the findings is an error. What the `previous` one of this
    /// name remembers of clients is carried over, as far as it fits.
    pub fn load(settings: ServerSettings, previous: Option<&Self>, findings: &mut Vec<Finding>) -> Option<Self> {
        let previous = previous.filter(|previous| previous.settings.name == settings.name);
        let resumption = Resumption::carried(&settings, previous.map(|previous| &previous.resumption));
        let current = ArcSwap::from_pointee(Current::load(&settings, findings)?);
        Some(Self { settings, current, resumption })
    }

    /// Reads the files anew, whole or not at all: with an error among the findings, everything stays as it was.
    pub fn reload(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(current) = Current::load(&self.settings, &mut findings) {
            self.current.store(Arc::new(current));
        }
        findings
    }

    /// What the profile says.
    #[must_use]
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// What serves the next handshake.
    pub(super) fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }
}

impl Current {
    fn load(settings: &ServerSettings, findings: &mut Vec<Finding>) -> Option<Self> {
        let certificates = Arc::new(Certificates::load(&settings.certificates, findings));
        if findings.iter().any(Finding::is_error) {
            return None;
        }
        let provider =
            CryptoProvider { cipher_suites: settings.ciphers.clone(), kx_groups: settings.groups.clone(), ..provider::default_provider() };
        let versions = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&settings.versions);
        let versions = versions.map_err(|error| findings.push(Finding::error(Part::Whole, error.to_string()))).ok()?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(certificates);
        config.alpn_protocols.clone_from(&settings.alpn);
        config.max_early_data_size = 0;
        Some(Self { config: Arc::new(config) })
    }
}
