//! What decides who may enter and under what, as one digest. TLS is resumed under the very policy it was made under, and under no
//! other. rustls itself looks at the version, the cipher suite and the server name, and at nothing else.

use aws_lc_rs::digest::{Context, SHA256};

use super::client_auth::Clients;
use super::settings::ServerSettings;

/// A profile's policy, as its files were read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy([u8; 32]);

impl Policy {
    /// The policy of a profile with these certificates and clients.
    pub(super) fn of(settings: &ServerSettings, certificates: &[u8], clients: Option<&Clients>) -> Self {
        #[cfg(test)]
        if test::IS_ONE_FOR_ALL.get() {
            return Self([0; 32]);
        }
        let mut digest = Digest::new("vestibule: the policy of a TLS profile, 1");
        digest.text(settings.name.as_bytes());
        digest.text(certificates);
        digest.list(settings.alpn.iter().map(Vec::as_slice));
        // Without clients that show certificates the list of what is known of them is empty, and else never.
        let (settings, trusted) = (settings.client_auth.as_slice(), clients.as_slice());
        digest.list(settings.iter().map(|auth| if auth.is_required { &b"require"[..] } else { b"request" }));
        digest.list(trusted.iter().flat_map(|clients| clients.authorities()).map(AsRef::as_ref));
        digest.list(trusted.iter().flat_map(|clients| clients.crls()).map(AsRef::as_ref));
        digest.list(settings.iter().flat_map(|auth| &auth.subjects).map(|subject| subject.as_bytes()));
        digest.finish()
    }

    /// As bytes, for keys.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Policy {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

/// SHA-256 over texts of known lengths: no two lists of texts give it the same bytes.
struct Digest(Context);

impl Digest {
    fn new(domain: &str) -> Self {
        let mut digest = Self(Context::new(&SHA256));
        digest.text(domain.as_bytes());
        digest
    }

    fn text(&mut self, text: &[u8]) {
        self.0.update(&(text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    fn list<'t>(&mut self, texts: impl Iterator<Item = &'t [u8]>) {
        let texts: Vec<_> = texts.collect();
        self.0.update(&(texts.len() as u64).to_be_bytes());
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn finish(self) -> Policy {
        let digest = self.0.finish();
        Policy(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// The switch with which the boundary's own tests must fail.
#[cfg(test)]
pub(super) mod test {
    use std::cell::Cell;

    thread_local! {
        /// Whether all profiles of this thread have the same policy.
        pub(in crate::tls) static IS_ONE_FOR_ALL: Cell<bool> = const { Cell::new(false) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(lists: &[&[&str]]) -> Policy {
        let mut digest = Digest::new("test");
        lists.iter().for_each(|list| digest.list(list.iter().map(|text| text.as_bytes())));
        digest.finish()
    }

    #[test]
    fn what_is_cut_in_other_places_is_another_policy() {
        let one = digest(&[&["ab", "c"], &[]]);
        for other in
            [&[&["a", "bc"][..], &[]], &[&["abc"][..], &[]], &[&["ab"][..], &["c"]], &[&[][..], &["ab", "c"]], &[&["ab", "c", ""][..], &[]]]
        {
            assert_ne!(one, digest(other), "{other:?}");
        }
        assert_eq!(one, digest(&[&["ab", "c"], &[]]));
    }
}
