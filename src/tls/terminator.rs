//! A profile at work: its files read, its rustls configuration made, and both made anew when the files change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs as provider;

use super::certificates::Certificates;
use super::passwords::FromPipes;
use super::settings::{Finding, Part, ServerSettings};

/// Ends TLS under one profile.
#[derive(Debug)]
pub struct Terminator {
    settings: ServerSettings,
    pipes: FromPipes,
    current: ArcSwap<Current>,
}

/// What is made of the files as they were read last.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificates: Arc<Certificates>,
}

impl Terminator {
    /// Reads the files of a profile. Warnings are among the findings when it succeeds.
    ///
    /// # Errors
    /// When the profile cannot be used; the findings say why.
    pub fn load(settings: ServerSettings, findings: &mut Vec<Finding>) -> Option<Self> {
        let pipes = FromPipes::default();
        let current = ArcSwap::from_pointee(Current::load(&settings, &pipes, findings)?);
        Some(Self { settings, pipes, current })
    }

    /// Reads the files anew, whole or not at all: with an error among the findings, everything stays as it was.
    pub fn reload(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(current) = Current::load(&self.settings, &self.pipes, &mut findings) {
            self.current.store(Arc::new(current));
        }
        findings
    }

    /// What the profile says.
    #[must_use]
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// The certificates as they were read last.
    #[must_use]
    pub fn certificates(&self) -> Arc<Certificates> {
        self.current().certificates.clone()
    }

    /// What serves the next handshake.
    pub(super) fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }
}

impl Current {
    fn load(settings: &ServerSettings, pipes: &FromPipes, findings: &mut Vec<Finding>) -> Option<Self> {
        let certificates = Arc::new(Certificates::load(&settings.certificates, pipes, findings));
        if findings.iter().any(Finding::is_error) {
            return None;
        }
        let provider =
            CryptoProvider { cipher_suites: settings.ciphers.clone(), kx_groups: settings.groups.clone(), ..provider::default_provider() };
        let versions = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&settings.versions);
        let versions = versions.map_err(|error| findings.push(Finding::error(Part::Whole, error.to_string()))).ok()?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(certificates.clone());
        config.alpn_protocols.clone_from(&settings.alpn);
        config.max_early_data_size = 0;
        Some(Self { config: Arc::new(config), certificates })
    }
}
