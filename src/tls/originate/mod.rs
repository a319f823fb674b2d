//! TLS towards the servers of an upstream: its files read, its rustls configuration made, and both made anew when the
//! files change. What a session resumes was made with the same server, for the same name, under the same files.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use moka::sync::Cache;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Duration;
use tokio_rustls::TlsConnector;

use super::certificates::Certificates;
use super::client_settings::{ClientSettings, Trust};
use super::handshake::{HandshakeError, Wire, within};
use super::passwords::FromPipes;
use super::pem;
use super::roots::SystemRoots;
use super::server_identity::{AnyServer, KnownServers};
use super::settings::{Finding, Part};
use super::stream::Layer;
use super::verify::{Trusted, Unusable};
use crate::host::Hostname;
use crate::net::Socket;

/// Speaks TLS to the servers of one upstream.
#[derive(Debug)]
pub struct Originator {
    settings: ClientSettings,
    pipes: FromPipes,
    current: ArcSwap<Current>,
}

/// What is made of the files as they were read last.
#[derive(Debug)]
struct Current {
    config: Arc<ClientConfig>,
    /// The same for each server, with the sessions that it alone may resume.
    per_server: Option<Cache<Arc<str>, Arc<ClientConfig>>>,
}

/// The name that a server must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedName(ServerName<'static>);

impl Originator {
    /// Reads the files. Warnings are among the findings when it succeeds.
    pub fn load(settings: ClientSettings, system: &SystemRoots, findings: &mut Vec<Finding>) -> Option<Self> {
        let pipes = FromPipes::default();
        let current = ArcSwap::from_pointee(Current::load(&settings, &pipes, system, findings)?);
        Some(Self { settings, pipes, current })
    }

    /// Reads the files anew, whole or not at all: with an error among the findings, everything stays as it was.
    pub fn reload(&self, system: &SystemRoots) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(current) = Current::load(&self.settings, &self.pipes, system, &mut findings) {
            self.current.store(Arc::new(current));
        }
        findings
    }

    /// What was said of it.
    #[must_use]
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Goes through the handshake with the server of this address, within the limit.
    ///
    /// # Errors
    /// When the server fails, breaks, ends or is too slow, or is not who it should be.
    pub async fn connect(&self, server: &Arc<str>, name: &ExpectedName, socket: &Socket, limit: Duration) -> Result<Layer, HandshakeError> {
        let handshake = TlsConnector::from(self.config(server)).connect(name.0.clone(), Wire::to(socket));
        let (_, connection) = within(limit, handshake).await?.into_inner();
        Ok(Layer::new(connection.into()))
    }

    fn config(&self, server: &Arc<str>) -> Arc<ClientConfig> {
        let current = self.current.load();
        let Some(per_server) = &current.per_server else { return current.config.clone() };
        per_server.get_with_by_ref(server, || {
            let mut own = ClientConfig::clone(&current.config);
            own.resumption = Resumption::in_memory_sessions(SESSIONS_OF_A_SERVER);
            Arc::new(own)
        })
    }
}

impl ExpectedName {
    /// Reads a name; an IP address is one that only the certificate is asked for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self(ServerName::from(ip)));
        }
        let name = Hostname::parse(text).ok()?;
        ServerName::try_from(name.as_str().to_owned()).ok().map(Self)
    }

    /// Where nobody verifies: no name is asked for.
    #[must_use]
    pub fn none() -> Self {
        Self(ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

impl Current {
    fn load(settings: &ClientSettings, pipes: &FromPipes, system: &SystemRoots, findings: &mut Vec<Finding>) -> Option<Self> {
        let verifier = verifier(&settings.trust, system).map_err(|finding| findings.push(finding)).ok();
        let identity = settings.identity.as_ref().map(|files| Certificates::load(std::slice::from_ref(files), pipes, findings));
        if findings.iter().any(Finding::is_error) {
            return None;
        }
        let identity = identity.as_ref().and_then(Certificates::first);
        let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()));
        let versions = builder.with_protocol_versions(&settings.versions);
        let versions = versions.map_err(|error| findings.push(Finding::error(Part::Whole, error.to_string()))).ok()?;
        let trusting = versions.dangerous().with_custom_certificate_verifier(verifier?);
        let mut config = match identity {
            Some(identity) => trusting.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&identity)))),
            None => trusting.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&settings.alpn);
        config.resumption = Resumption::disabled();
        let per_server = settings.session_reuse.then(|| Cache::new(MOST_SERVERS));
        Some(Self { config: Arc::new(config), per_server })
    }
}

fn verifier(trust: &Trust, system: &SystemRoots) -> Result<Arc<dyn ServerCertVerifier>, Finding> {
    let crypto = provider::default_provider();
    let algorithms = crypto.signature_verification_algorithms;
    let (roots, listed) = match trust {
        Trust::Anybody => return Ok(Arc::new(AnyServer(algorithms))),
        Trust::System => {
            let help = "ca = \"certs/servers-ca.pem\", or install the system's (on Debian the package ca-certificates)";
            (system.get().map_err(|why| Finding::error(Part::ServerCa, why).help(help))?, None)
        }
        Trust::File(file) => {
            let listed = pem::certificates(file).map_err(|error| Finding::error(Part::ServerCa, error.to_string()))?;
            let listed = Trusted::new(listed).map_err(|Unusable { number, reason }| {
                Finding::error(Part::ServerCa, format!("certificate {number} of {} can't be used: {reason}", file.display()))
            })?;
            (Arc::new(listed.roots().clone()), Some(listed))
        }
    };
    let webpki = (!roots.is_empty()).then(|| webpki(roots, crypto)).transpose()?;
    Ok(Arc::new(KnownServers::new(webpki, listed, algorithms)))
}

fn webpki(roots: Arc<RootCertStore>, crypto: CryptoProvider) -> Result<Arc<WebPkiServerVerifier>, Finding> {
    let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::new(crypto)).build();
    built.map_err(|error| Finding::error(Part::ServerCa, error.to_string()))
}

/// Of how many servers sessions are kept; those that are used least make room.
const MOST_SERVERS: u64 = 1024;
/// How many sessions of a server are kept, over all names that it is asked for.
const SESSIONS_OF_A_SERVER: usize = 256;
