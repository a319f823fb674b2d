//! Which target takes a client. Traffic and a map's `tests` choose by the same few lines.

use std::net::IpAddr;

use super::{Target, Targets};
use crate::hello::{ClientHello, ServerName};
use crate::route::{FirstName, Match, RouteTable};
use crate::session::Session;

/// The entry that wins, and which of its targets is taken.
#[derive(Debug)]
pub struct Choice<'t> {
    /// The entry.
    pub found: Match<'t, Targets>,
    /// The first of its targets whose guards all fit, with its index; absent if none does.
    pub target: Option<(usize, &'t Target)>,
}

impl RouteTable<Targets> {
    /// Chooses for a client with this address and hello; nothing if no entry stands for what it asks.
    #[must_use]
    pub fn choose(&self, first: FirstName<'_>, client: Option<IpAddr>, hello: Option<&ClientHello>) -> Option<Choice<'_>> {
        let found = self.lookup(first)?;
        let target = found.entry.target.iter().enumerate().find(|(_, target)| target.guards.fit(client, hello));
        Some(Choice { found, target })
    }
}

impl Choice<'_> {
    /// Notes in the session which entry it was, and what a pattern took.
    pub fn note(&self, session: &mut Session) {
        session.route = Some(self.found.entry.written.clone());
        if let Some(captures) = &self.found.captures {
            session.captures = captures.groups().map(|(name, taken)| (name.map(Into::into), taken.into())).collect();
        }
    }
}

/// What a map is asked for; who has no hello does not speak TLS.
#[must_use]
pub fn first_name(hello: Option<&ClientHello>) -> FirstName<'_> {
    match hello.map(|hello| &hello.server_name) {
        None => FirstName::NotTls,
        Some(ServerName::None) => FirstName::NoName,
        Some(ServerName::Host { name, .. }) => FirstName::Name(name),
    }
}
