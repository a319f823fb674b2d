//! A group of servers with all that a session needs to know of it: how it is picked from, how its servers are
//! connected, and who stands in for it.

use std::sync::{Arc, OnceLock};

use super::{Announcement, Encryption, ResolverSettings, Upstream};
use crate::net::Silence;
use crate::session::Session;
use crate::variables::{Text, render};

/// An upstream as sessions use it.
#[derive(Debug)]
pub struct Pool {
    /// The group.
    pub upstream: Arc<Upstream>,
    /// `hash_key`; absent where the balancer needs none.
    pub hash_key: Option<Text>,
    /// What the kernel does about a server that falls silent.
    pub silence: Silence,
    /// Who is asked for the names of its servers.
    pub resolver: Arc<ResolverSettings>,
    /// TLS towards its servers; absent is none.
    pub encryption: Option<Encryption>,
    /// Whether and how its servers are told whom a connection is from.
    pub announcement: Option<Announcement>,
    /// Whether a text that is filled in for a session may name it.
    pub is_for_texts: bool,
    fallback: OnceLock<Arc<Pool>>,
}

impl Pool {
    /// A pool with nothing but servers, and who is asked where they are.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>, resolver: Arc<ResolverSettings>) -> Self {
        Self {
            upstream,
            hash_key: None,
            silence: Silence::default(),
            resolver,
            encryption: None,
            announcement: None,
            is_for_texts: true,
            fallback: OnceLock::new(),
        }
    }

    /// The same with a hash key, where the balancer needs one, and with what the kernel does about silent servers.
    #[must_use]
    pub fn with(self, hash_key: Option<Text>, silence: Silence) -> Self {
        Self { hash_key, silence, ..self }
    }

    /// The same with TLS towards its servers, or none.
    #[must_use]
    pub fn encrypted(self, encryption: Option<Encryption>) -> Self {
        Self { encryption, ..self }
    }

    /// The same with word to its servers of whom a connection is from, or none.
    #[must_use]
    pub fn announcing(self, announcement: Option<Announcement>) -> Self {
        Self { announcement, ..self }
    }

    /// The same for texts that are filled in for a session, or for none of them.
    #[must_use]
    pub fn for_texts(self, is_for_texts: bool) -> Self {
        Self { is_for_texts, ..self }
    }

    /// Whether servers are told whom a connection is from, of this pool or of one that stands in for it.
    #[must_use]
    pub fn announces(&self) -> bool {
        std::iter::successors(Some(self), |pool| pool.fallback()).any(|pool| pool.announcement.is_some())
    }

    /// Has sessions go on with another pool when none of its servers is left. Pools are made before they know one
    /// another, so this is said afterwards, once; the first word counts. It is the caller's part that no pool stands in for
    /// itself, by however many others.
    pub fn fall_back_on(&self, fallback: Arc<Self>) {
        self.fallback.get_or_init(|| fallback);
        self.upstream.group().falls_back();
    }

    /// The pool that sessions go on with when none of its servers is left.
    #[must_use]
    pub fn fallback(&self) -> Option<&Self> {
        self.fallback.get().map(|pool| &**pool)
    }

    /// The key of a session, empty where the balancer needs none.
    #[must_use]
    pub fn key(&self, session: &Session) -> Vec<u8> {
        let mut key = Vec::new();
        if let Some(template) = &self.hash_key {
            render(template, session, &mut key);
        }
        key
    }
}
