//! Sessions that clients keep themselves, sealed (RFC 5077, RFC 8446 §4.6.1). Each ticket has a key of its own, made from a secret, the
//! policy and what is random in the ticket: no number of tickets is too many for a secret, one of another policy does not
//! open, and gateways with the same files open each other's. A ticket is
//!
//! ```text
//! name of the secret: 16 | salt: 16 | nonce: 12 | AES-256-GCM of the session, the policy and the above authenticated with it
//! ```

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
pub struct Secret {
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
pub fn open<'s>(mut secrets: impl Iterator<Item = &'s Secret>, policy: Policy, ticket: &[u8]) -> Option<Vec<u8>> {
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
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
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

    /// Seals a session; nothing comes of it when there is nothing random to be had.
    #[must_use]
    pub fn seal(&self, policy: Policy, session: &[u8]) -> Option<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(profile: u8) -> Policy {
        Policy::from([profile; 32])
    }

    #[test]
    fn a_ticket_opens_under_its_policy_and_secret_and_under_no_other() {
        let (secret, other) = (Secret::new(&[1; 48]), Secret::new(&[2; 48]));
        let ticket = secret.seal(policy(1), b"session").unwrap();
        assert_eq!(open([&other, &secret].into_iter(), policy(1), &ticket).unwrap(), b"session");
        assert_eq!(open([&other].into_iter(), policy(1), &ticket), None);
        assert_eq!(open([&secret].into_iter(), policy(2), &ticket), None);
    }

    #[test]
    fn no_two_tickets_of_a_session_are_alike() {
        let secret = Secret::new(&[1; 48]);
        let [one, other] = [(); 2].map(|()| secret.seal(policy(1), b"session").unwrap());
        assert_eq!(one[..NAME_LENGTH], other[..NAME_LENGTH]);
        assert!(one[NAME_LENGTH..].iter().zip(&other[NAME_LENGTH..]).filter(|(one, other)| one == other).count() < 10);
    }

    #[test]
    fn every_bit_of_a_ticket_counts() {
        let secret = Secret::new(&[1; 48]);
        let ticket = secret.seal(policy(1), b"session").unwrap();
        for bit in 0..ticket.len() * 8 {
            let mut changed = ticket.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open([&secret].into_iter(), policy(1), &changed), None, "bit {bit}");
        }
        for length in 0..ticket.len() {
            assert_eq!(open([&secret].into_iter(), policy(1), &ticket[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_secret_is_not_told_by_its_name_or_its_debug_text() {
        let bytes: Vec<u8> = (100..180).collect();
        let secret = Secret::new(&bytes);
        assert!(bytes.windows(4).all(|four| !secret.name.windows(4).any(|of_name| of_name == four)));
        assert_eq!(format!("{secret:?}"), format!("Secret {{ name: {:?}, .. }}", secret.name));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(session in prop::collection::vec(any::<u8>(), 0..2000), bytes in any::<[u8; 48]>()) {
            let secret = Secret::new(&bytes);
            let ticket = secret.seal(policy(1), &session).unwrap();
            prop_assert_eq!(open([&secret].into_iter(), policy(1), &ticket), Some(session));
        }

        #[test]
        fn a_strangers_bytes_open_to_nothing(mut bytes in prop::collection::vec(any::<u8>(), 0..200), is_named: bool) {
            let secret = Secret::new(&[1; 48]);
            if is_named {
                bytes.splice(..bytes.len().min(NAME_LENGTH), secret.name);
            }
            prop_assert_eq!(open([&secret].into_iter(), policy(1), &bytes), None);
        }
    }
}
