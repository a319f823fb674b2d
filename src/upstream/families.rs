//! The address families of names, of which one may be dead: a machine or a network without a working IPv6 (or IPv4) lets
//! every address of it time out. One that was not reached since stands back for the other, as long as that one works.

use tokio::time::Instant;

use super::server::{Endpoint, Server};

/// The families that were not reached, mostly none. Only lines with a DNS name have families.
#[derive(Clone, Debug, Default)]
pub(super) struct Families(Vec<Unreached>);

/// A family of a line that was not reached since it was last, if ever.
#[derive(Clone, Debug)]
struct Unreached {
    family: Family,
    /// When that was noticed, or since then the last session went there to see.
    checked: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Family {
    line: usize,
    ipv6: bool,
}

impl Families {
    /// Whether none is dead, as far as is known.
    pub(super) fn are_well(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a server's family stands back: it was not reached, the other was, and it is not time to see again.
    pub(super) fn stand_back(&self, server: &Server, now: Instant) -> bool {
        let Some(family) = Family::of(server) else { return false };
        let is_waiting = |checked: Instant| now.saturating_duration_since(checked) <= server.line().fail_timeout;
        self.unreached(family).is_some_and(|unreached| is_waiting(unreached.checked)) && self.unreached(family.other()).is_none()
    }

    /// A session goes to a server. If its family is dead, the others wait for what becomes of that.
    pub(super) fn chosen(&mut self, server: &Server, now: Instant) {
        if !self.are_well() && !self.stand_back(server, now) {
            let family = Family::of(server);
            if let Some(unreached) = self.0.iter_mut().find(|unreached| Some(unreached.family) == family) {
                unreached.checked = now;
            }
        }
    }

    /// A server of it was reached: it works.
    pub(super) fn reached(&mut self, server: &Server) {
        if !self.are_well() {
            let family = Family::of(server);
            self.0.retain(|unreached| Some(unreached.family) != family);
        }
    }

    /// A server of it was silent, or there is no way there. Against one that is never left alone nothing is held.
    pub(super) fn not_reached(&mut self, server: &Server, now: Instant) {
        let Some(family) = Family::of(server).filter(|_| server.line().max_fails > 0) else { return };
        self.0.retain(|unreached| unreached.family != family);
        self.0.push(Unreached { family, checked: now });
    }

    /// Forgets the families of a line of which no server is left.
    pub(super) fn keep<'s>(&mut self, line: usize, servers: impl Iterator<Item = &'s Server> + Clone) {
        let is_left = |family: Family| servers.clone().any(|server| Family::of(server) == Some(family));
        self.0.retain(|unreached| unreached.family.line != line || is_left(unreached.family));
    }

    fn unreached(&self, family: Family) -> Option<&Unreached> {
        self.0.iter().find(|unreached| unreached.family == family)
    }
}

impl Family {
    fn of(server: &Server) -> Option<Self> {
        match server.endpoint() {
            Endpoint::Ip(address) if server.line().address.is_name() => Some(Self { line: server.line_number(), ipv6: address.is_ipv6() }),
            _ => None,
        }
    }

    fn other(self) -> Self {
        Self { ipv6: !self.ipv6, ..self }
    }
}
