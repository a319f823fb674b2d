//! Sessions that clients keep themselves, sealed (RFC 5077, RFC 8446 §4.6.1). Each ticket has a key of its own, made from a secret, the
//! policy and what is random in the ticket: no number of tickets is too many for a secret, one of another policy does not
//! open, and gateways with the same files open each other's. A ticket is
//!
//!     name of the secret: 16 | salt: 16 | nonce: 12 | AES-256-GCM of the session, the policy and the above authenticated with it

mod files;
mod own;

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;

use super::policy::Policy;
pub(super) use files::read;
pub(super) use own::OwnKeys;

/// What keys for tickets are made from.
pub(super) struct Secret {
    prk: Prk,
    name: [u8; NAME_LENGTH],
}

/// A ticket's parts.
struct Ticket<'t> {
    /// Everything in clear: the parts below.
    head: &'t [u8],
    name: &'t [u8],
    salt: &'t [u8],
    nonce: [u8; NONCE_LEN],
    sealed: &'t [u8],
}

/// Opens a ticket with whichever of the secrets it was sealed with.
pub(super) fn open<'s>(mut secrets: impl Iterator<Item = &'s Secret>, policy: Policy, ticket: &[u8]) -> Option<Vec<u8>> {
    let ticket = Ticket::split(ticket)?;
    secrets.find(|secret| secret.name == ticket.name)?.open(policy, &ticket)
}

impl Secret {
    /// One that nobody else has.
    fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Some(Self::new(&bytes))
    }

    /// One that all who have these bytes have.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let prk = Salt::new(HKDF_SHA256, b"vestibule: keys for tickets, 1").extract(bytes);
        let mut name = [0; NAME_LENGTH];
        let whole = prk.expand(&[b"name"], HKDF_SHA256).and_then(|okm| {
            let mut whole = [0; 32];
            okm.fill(&mut whole).map(|()| whole)
        });
        let whole = whole.expect("one block is never too long for HKDF");
        name.copy_from_slice(&whole[..NAME_LENGTH]);
        Self { prk, name }
    }

    /// Whether both are made of the same bytes.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Seals a session.
    pub(super) fn seal(&self, policy: Policy, session: &[u8]) -> Option<Vec<u8>> {
        let mut random = [0; SALT_LENGTH + NONCE_LEN];
        rand::fill(&mut random).ok()?;
        let (salt, nonce) = random.split_first_chunk::<SALT_LENGTH>()?;
        let head = [&self.name[..], &random].concat();
        let mut sealed = session.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.key(policy, salt)?.seal_in_place_append_tag(nonce, aad(policy, &head), &mut sealed).ok()?;
        Some([head, sealed].concat())
    }

    fn open(&self, policy: Policy, ticket: &Ticket<'_>) -> Option<Vec<u8>> {
        let mut opened = ticket.sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(ticket.nonce);
        let length = self.key(policy, ticket.salt)?.open_in_place(nonce, aad(policy, ticket.head), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }

    fn key(&self, policy: Policy, salt: &[u8]) -> Option<LessSafeKey> {
        let info = [b"ticket", &policy.as_bytes()[..], salt];
        Some(LessSafeKey::new(self.prk.expand(&info, &AES_256_GCM).ok()?.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'t> Ticket<'t> {
    fn split(ticket: &'t [u8]) -> Option<Self> {
        let (head, sealed) = ticket.split_at_checked(NAME_LENGTH + SALT_LENGTH + NONCE_LEN)?;
        let (name, rest) = head.split_at_checked(NAME_LENGTH)?;
        let (salt, nonce) = rest.split_at_checked(SALT_LENGTH)?;
        Some(Self { head, name, salt, nonce: nonce.try_into().ok()?, sealed })
    }
}

fn aad(policy: Policy, head: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&policy.as_bytes()[..], head].concat())
}

const NAME_LENGTH: usize = 16;
const SALT_LENGTH: usize = 16;
