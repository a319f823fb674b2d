//! What a map's entry leads to: guards that a session must fit, and what is done with it then.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Admission, ForwardRules, RateRules, SourceRule};
use ipnet::IpNet;

use crate::admit::RangeList;
use crate::hello::ClientHello;
use crate::relay::{DatagramLimits, RelayLimits};
use crate::tls::Terminator;
use crate::upstream::{ConnectLimits, Pool};
use crate::variables::Text;

/// One target of an entry. An entry may have several; the first whose guards fit is taken.
#[derive(Debug)]
pub struct Target {
    /// Who may take it.
    pub guards: Guards,
    /// Who of these may come in, besides what the listener says.
    pub admission: Admission,
    /// Ends TLS before that; absent passes it on as it came.
    pub terminate: Option<Arc<Terminator>>,
    /// What is done.
    pub action: Action,
    /// What the session keeps to.
    pub limits: TargetLimits,
    /// The address from which its servers are dialled, unless that is left to the kernel.
    pub source: Option<SourceRule>,
    /// What the operator wants to be reminded of.
    pub note: Option<Arc<str>>,
    /// Whether the action is that of `maintenance`, in place of the target's own.
    pub in_maintenance: bool,
    /// How fast a session may go, once joined.
    pub rates: RateRules,
}

/// The session keys of a target, as inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// Towards servers.
    pub connect: ConnectLimits,
    /// Once joined.
    pub relay: RelayLimits,
    /// The same for datagrams.
    pub datagrams: DatagramLimits,
}

/// What is done with a session.
#[derive(Debug)]
pub enum Action {
    /// Joined to a server.
    Forward(Destination),
    /// Refused, with this alert or silently.
    Reject(Option<u8>),
    /// Answered with a text.
    Respond(Text),
    /// Answered with how the upstreams stand.
    Show,
}

/// Where a session is forwarded to.
#[derive(Debug)]
pub enum Destination {
    /// To an upstream, named or made of a written address.
    Pool(Arc<Pool>),
    /// To what a template says: an upstream's name, or an address.
    Template(Text, Arc<ForwardRules>),
}

/// What a session must be for a target. An empty list of protocols or versions guards nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// One of these protocols is offered by ALPN.
    pub alpn: Vec<Box<str>>,
    /// The client's address is in one of these ranges; a network may be without any, and then nobody is in it.
    pub from: Option<RangeList>,
    /// The same as it is written: ranges and names of `[networks]`.
    pub from_written: Vec<Box<str>>,
    /// One of these TLS versions is offered, as their wire numbers.
    pub versions: Vec<u16>,
}

impl Guards {
    /// Whether a session fits. What there is no hello for, no guard on a hello lets through.
    #[must_use]
    pub fn fit(&self, client: Option<IpAddr>, hello: Option<&ClientHello>) -> bool {
        self.fits_from(client) && self.fits_alpn(hello) && self.fits_versions(hello)
    }

    /// The first guard that does not fit, by its key.
    #[must_use]
    pub fn misfit(&self, client: Option<IpAddr>, hello: Option<&ClientHello>) -> Option<&'static str> {
        let checks = [(self.fits_from(client), "from"), (self.fits_alpn(hello), "alpn"), (self.fits_versions(hello), "versions")];
        checks.into_iter().find(|(fits, _)| !fits).map(|(_, guard)| guard)
    }

    /// Whether the client's address fits.
    #[must_use]
    pub fn fits_from(&self, client: Option<IpAddr>) -> bool {
        let is_in = |ranges: &RangeList| client.is_some_and(|client| ranges.contains(client));
        self.from.as_ref().is_none_or(is_in)
    }

    /// The range that has a client's address.
    #[must_use]
    pub fn range_of(&self, client: IpAddr) -> Option<IpNet> {
        self.from.as_ref()?.range_of(client)
    }

    /// Whether the offered protocols fit.
    #[must_use]
    pub fn fits_alpn(&self, hello: Option<&ClientHello>) -> bool {
        let offered = |wanted: &str| hello.is_some_and(|hello| hello.alpn.iter().any(|protocol| **protocol == *wanted.as_bytes()));
        self.alpn.is_empty() || self.alpn.iter().any(|wanted| offered(wanted))
    }

    /// Whether the offered TLS versions fit.
    #[must_use]
    pub fn fits_versions(&self, hello: Option<&ClientHello>) -> bool {
        self.versions.is_empty() || hello.is_some_and(|hello| self.versions.iter().any(|&version| hello.offers(version)))
    }
}
