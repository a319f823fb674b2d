//! What rustls asks in one handshake: which session there is to be resumed, what to keep of this one, and whether a client's
//! certificate is good. Each handshake has a boundary of its own, since what is resumed must hand on when it began: however often it is
//! resumed, a session ends when its time has passed since the full handshake, or with the certificate that was shown there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tokio::time::Duration;

use super::client_auth::Clients;
use super::clock::Moment;
use super::policy::Policy;
use super::resumption::Resumption;
use super::tickets::{self, Secret};

/// What may be resumed in one handshake.
#[derive(Debug)]
pub(super) struct Boundary {
    policy: Policy,
    resumption: Arc<Resumption>,
    keys: Arc<TicketKeys>,
    clients: Option<Arc<Clients>>,
    born: AtomicU64,
    until: AtomicU64,
    refusal: OnceLock<String>,
}

/// The keys that tickets are sealed with.
#[derive(Debug)]
pub(super) enum TicketKeys {
    /// There are no tickets.
    None,
    /// Those of [`Resumption`].
    Own,
    /// Those of files.
    Files(Vec<Secret>),
}

impl Boundary {
    /// A boundary for one handshake, under this policy.
    pub(super) fn new(policy: Policy, resumption: Arc<Resumption>, keys: Arc<TicketKeys>, clients: Option<Arc<Clients>>) -> Self {
        let (born, until) = (Moment::now().0.into(), Moment::NEVER.0.into());
        Self { policy, resumption, keys, clients, born, until, refusal: OnceLock::new() }
    }

    /// Why the client's certificate was refused, and whose it was.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// What is kept of a session: its life, and what rustls knows of it. What would not fit into a ticket is not worth the cache either.
    fn packed(&self, session: &[u8]) -> Option<Vec<u8>> {
        let (born, until) = (self.born.load(Relaxed), self.until.load(Relaxed));
        (session.len() <= LARGEST).then(|| [&born.to_be_bytes()[..], &until.to_be_bytes(), session].concat())
    }

    /// What rustls knows of a session, if its time has not passed. This one goes on with its life.
    fn unpacked(&self, packed: &[u8]) -> Option<Vec<u8>> {
        let (born, rest) = packed.split_first_chunk()?;
        let (until, session) = rest.split_first_chunk()?;
        let (born, until) = (Moment(u64::from_be_bytes(*born)), Moment(u64::from_be_bytes(*until)));
        let now = Moment::now();
        let has_passed = now.since(born) >= self.resumption.lifetime() || now >= until;
        if has_passed || born > now.after(SKEW) {
            return None;
        }
        self.born.store(born.0, Relaxed);
        self.until.store(until.0, Relaxed);
        Some(session.to_vec())
    }

    fn left(&self) -> Duration {
        let now = Moment::now();
        let age = now.since(Moment(self.born.load(Relaxed)));
        let certificate = Moment(self.until.load(Relaxed)).since(now);
        self.resumption.lifetime().saturating_sub(age).min(certificate)
    }
}

impl StoresServerSessions for Boundary {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        self.packed(&session).is_some_and(|packed| self.resumption.keep(self.policy, &id, packed))
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.unpacked(&self.resumption.look_up(self.policy, id)?)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.unpacked(&self.resumption.take(self.policy, id)?)
    }

    fn can_cache(&self) -> bool {
        self.resumption.keeps_sessions()
    }
}

impl ProducesTickets for Boundary {
    fn enabled(&self) -> bool {
        !matches!(*self.keys, TicketKeys::None)
    }

    fn lifetime(&self) -> u32 {
        // A second that has begun counts: none would leave it to the client (RFC 5077, 3.3).
        u32::try_from(self.left().as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let packed = self.packed(session)?;
        match &*self.keys {
            TicketKeys::None => None,
            TicketKeys::Own => self.resumption.own_keys().at(Moment::now()).first()?.secret().seal(self.policy, &packed),
            TicketKeys::Files(secrets) => secrets.first()?.seal(self.policy, &packed),
        }
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let packed = match &*self.keys {
            TicketKeys::None => None,
            TicketKeys::Own => {
                let ring = self.resumption.own_keys().at(Moment::now());
                tickets::open(ring.iter().map(|dated| dated.secret()), self.policy, ticket)
            }
            TicketKeys::Files(secrets) => tickets::open(secrets.iter(), self.policy, ticket),
        };
        self.unpacked(&packed?)
    }
}

impl ClientCertVerifier for Boundary {
    fn offer_client_auth(&self) -> bool {
        self.clients.is_some()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.clients.as_ref().is_some_and(|clients| clients.are_required())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.as_ref().map_or(&[], |clients| clients.names())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let clients = self.clients.as_ref().ok_or_else(|| Error::General("no client was asked for a certificate".into()))?;
        match clients.verify(certificate, chain, now) {
            Ok(until) => {
                // A session that was offered, and not resumed, has no say in this one's life.
                self.born.store(Moment::now().0, Relaxed);
                self.until.store(until.0, Relaxed);
                Ok(ClientCertVerified::assertion())
            }
            Err(refused) => {
                // The first word stands; rustls asks once.
                let _ = self.refusal.set(refused.to_string());
                Err(refused.error)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        super::verify::verify_tls12_signature(message, certificate, signed, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        super::verify::verify_tls13_signature(message, certificate, signed, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    default_provider().signature_verification_algorithms
}

/// The largest session that is kept: a client's long chain would not fit into a ticket.
const LARGEST: usize = 16 << 10;

/// How far the clocks of a fleet may be apart.
const SKEW: Duration = Duration::from_secs(60);
