//! A profile at work: its files read, its rustls configuration made, and both made anew when the files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs as provider;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use super::boundary::{Boundary, TicketKeys};
use super::certificates::Certificates;
use super::client_auth::Clients;
use super::clock::Clock;
use super::passwords::FromPipes;
use super::policy::Policy;
use super::resumption::Resumption;
use super::settings::{Finding, Part, ServerSettings, Tickets};
use super::tickets;

/// Ends TLS under one profile.
#[derive(Debug)]
pub struct Terminator {
    settings: ServerSettings,
    pipes: FromPipes,
    current: ArcSwap<Current>,
    pub(super) resumption: Arc<Resumption>,
}

/// What is made of the files as they were read last.
#[derive(Clone, Debug)]
pub(super) struct Current {
    certificates: Arc<Certificates>,
    clients: Option<Arc<Clients>>,
    ticket_keys: Arc<TicketKeys>,
    policy: Policy,
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
}

impl Terminator {
    /// Reads the files of a profile; nothing comes of it when one of the findings is an error. What the `previous` one of this
    /// name remembers of clients is carried over, as far as it fits.
    pub fn load(settings: ServerSettings, previous: Option<&Self>, findings: &mut Vec<Finding>) -> Option<Self> {
        let previous = previous.filter(|previous| previous.settings.name == settings.name);
        let resumption = Resumption::carried(&settings, previous.map(|previous| &previous.resumption));
        let pipes = FromPipes::default();
        let current = ArcSwap::from_pointee(Current::load(&settings, &pipes, findings)?);
        Some(Self { settings, pipes, current, resumption })
    }

    /// Reads the files anew, whole or not at all: with an error among the findings, everything stays as it was.
    pub fn reload(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(current) = Current::load(&self.settings, &self.pipes, &mut findings) {
            self.current.store(Arc::new(current));
        }
        findings
    }

    /// Sends OCSP answers no longer that have ended; the files of their certificates.
    pub(super) fn drop_ended_staples(&self, now: SystemTime) -> Vec<PathBuf> {
        let current = self.current.load_full();
        let Some((certificates, dropped)) = current.certificates.without_ended_staples(now) else { return Vec::new() };
        self.current.store(Arc::new(Current { certificates: Arc::new(certificates), ..Current::clone(&current) }));
        dropped
    }

    /// What the profile says.
    #[must_use]
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// The certificates as they were read last.
    #[must_use]
    pub fn certificates(&self) -> Arc<Certificates> {
        self.current.load().certificates.clone()
    }

    /// What the next handshake is made with: a configuration for it alone, and what watches over what it resumes.
    pub(super) fn handshake(&self) -> (Arc<ServerConfig>, Arc<Boundary>) {
        let current = self.current.load();
        let (keys, clients) = (current.ticket_keys.clone(), current.clients.clone());
        let boundary = Arc::new(Boundary::new(current.policy, self.resumption.clone(), keys, clients));
        (Arc::new(current.config(&self.settings, &boundary)), boundary)
    }
}

impl Current {
    fn load(settings: &ServerSettings, pipes: &FromPipes, findings: &mut Vec<Finding>) -> Option<Self> {
        let provider =
            CryptoProvider { cipher_suites: settings.ciphers.clone(), kx_groups: settings.groups.clone(), ..provider::default_provider() };
        let provider = Arc::new(provider);
        let certificates = Arc::new(Certificates::load(&settings.certificates, pipes, findings));
        let clients = settings.client_auth.as_ref().map(|auth| Clients::load(auth, &provider, findings).map(Arc::new));
        let ticket_keys = match &settings.tickets {
            Tickets::Off => TicketKeys::None,
            Tickets::OwnKeys => TicketKeys::Own,
            Tickets::KeyFiles(files) => TicketKeys::Files(tickets::read(files, findings)),
        };
        let builder = ServerConfig::builder_with_details(provider, Arc::new(Clock)).with_protocol_versions(&settings.versions);
        let builder = builder.map_err(|error| findings.push(Finding::error(Part::Whole, error.to_string()))).ok()?;
        if findings.iter().any(Finding::is_error) {
            return None;
        }
        let clients = match clients {
            None => None,
            Some(loaded) => Some(loaded?),
        };
        let policy = Policy::of(settings, &certificates.identity(), clients.as_deref());
        Some(Self { certificates, clients, ticket_keys: Arc::new(ticket_keys), policy, builder })
    }

    fn config(&self, settings: &ServerSettings, boundary: &Arc<Boundary>) -> ServerConfig {
        let builder = self.builder.clone().with_client_cert_verifier(boundary.clone());
        let mut config = builder.with_cert_resolver(self.certificates.clone());
        config.alpn_protocols.clone_from(&settings.alpn);
        config.session_storage = boundary.clone();
        config.ticketer = boundary.clone();
        config.ignore_client_order = settings.own_order;
        config.max_early_data_size = 0;
        config
    }
}
