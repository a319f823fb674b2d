//! A client that offers whatever session it has, to whoever it speaks with.

use std::io;
use std::sync::{Arc, Mutex};

use rustls::client::{
    ClientSessionStore, ResolvesClientCert, Resumption, Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore, ServerConnection, SignatureScheme, SupportedProtocolVersion,
};

use super::site::{Identity, Site};
use crate::tls::Terminator;

/// A client with its memory.
#[derive(Clone)]
pub(super) struct Peer {
    config: ClientConfig,
    pub(super) memory: Arc<Memory>,
}

/// What came of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Full,
    Resumed,
    /// The server's word of it.
    Refused(String),
}

impl Peer {
    /// A client that speaks this version alone.
    pub(super) fn new(site: &Site, version: &'static SupportedProtocolVersion, shows: Option<Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(site.authority()).unwrap();
        let builder = ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots);
        let mut config = match shows {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Shown::new(identity))),
            None => builder.with_no_client_auth(),
        };
        let memory = Arc::new(Memory::default());
        config.resumption = Resumption::store(memory.clone());
        Self { config, memory }
    }

    /// One that has no use for tickets.
    pub(super) fn by_id(mut self) -> Self {
        self.config.resumption = Resumption::store(self.memory.clone()).tls12_resumption(Tls12Resumption::SessionIdOnly);
        self
    }

    /// One that offers these protocols.
    pub(super) fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Speaks with a profile, under a name or under none.
    pub(super) fn meet(&self, terminator: &Terminator, name: Option<&str>) -> Outcome {
        let mut config = self.config.clone();
        config.enable_sni = name.is_some();
        let host = ServerName::try_from(name.unwrap_or("a.test").to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), host).unwrap();
        let (config, boundary) = terminator.handshake();
        let mut server = ServerConnection::new(config).unwrap();
        if let Err(error) = exchange(&mut client, &mut server) {
            return Outcome::Refused(boundary.refusal().map_or_else(|| error.to_string(), str::to_owned));
        }
        assert_eq!(client.handshake_kind() == Some(HandshakeKind::Resumed), server.handshake_kind() == Some(HandshakeKind::Resumed));
        match server.handshake_kind() {
            Some(HandshakeKind::Resumed) => Outcome::Resumed,
            _ => Outcome::Full,
        }
    }
}

/// A certificate that is shown to whoever asks, fit or not; its key need not be its own.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl Shown {
    fn new((chain, key): Identity) -> Self {
        Self(Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap())))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Carries all that either side has to say to the other, tickets behind the handshake too.
fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), rustls::Error> {
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        carry(|to| client.write_tls(to), |from| server.read_tls(from));
        server.process_new_packets()?;
        carry(|to| server.write_tls(to), |from| client.read_tls(from));
        client.process_new_packets()?;
    }
    Ok(())
}

fn carry(from: impl FnOnce(&mut Vec<u8>) -> io::Result<usize>, mut to: impl FnMut(&mut &[u8]) -> io::Result<usize>) {
    let mut bytes = Vec::new();
    from(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        to(&mut rest).unwrap();
    }
}

/// Sessions of whatever server; the last one is offered to the next, whoever that is.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    tls12: Option<Tls12ClientSessionValue>,
    tls13: Vec<Tls13ClientSessionValue>,
}

impl Memory {
    pub(super) fn is_empty(&self) -> bool {
        let sessions = self.0.lock().unwrap();
        sessions.tls12.is_none() && sessions.tls13.is_empty()
    }
}

impl ClientSessionStore for Memory {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.0.lock().unwrap().tls12 = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.lock().unwrap().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, session: Tls13ClientSessionValue) {
        self.0.lock().unwrap().tls13.push(session);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().tls13.pop()
    }
}
