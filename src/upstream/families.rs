//! The address families of names, of which one may be dead: a machine or a network without a working IPv6 (or IPv4) lets
//! every address of it time out. One that is not reached stands back for the other, as long as that one works. Only a line
//! with a DNS name has families, and only if it has both.

use tokio::time::Instant;

use super::server::{Endpoint, Server};

/// The lines that have both families, and how these stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Families(Vec<Both>);

/// The families of one line.
#[derive(Clone, Debug)]
struct Both {
    line: usize,
    ipv4: Standing,
    ipv6: Standing,
}

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// When a server of it was reached last.
    reached: Option<Instant>,
    /// While it is dead: when that was noticed, or since then the last session went there to see.
    checked: Option<Instant>,
}

/// A family of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    line: usize,
    ipv6: bool,
}

/// What it means that a family is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    /// It stands back for the other.
    StandsBack,
    /// The other is dead as well, so neither stands back.
    LikeTheOther,
}

impl Families {
    /// Whether none is dead, as far as is known.
    pub(super) fn are_well(&self) -> bool {
        self.0.iter().all(|both| both.ipv4.checked.is_none() && both.ipv6.checked.is_none())
    }

    /// Whether a server's family stands back: it is dead, the other is not, and it is not time to see again.
    pub(super) fn stand_back(&self, server: &Server, now: Instant) -> bool {
        let is_waiting = |checked: Instant| now.saturating_duration_since(checked) <= server.line().fail_timeout;
        let Some((own, other)) = self.of(server) else { return false };
        own.checked.is_some_and(is_waiting) && other.checked.is_none()
    }

    /// A session goes to a server. If its family is dead, the others wait for what becomes of that.
    pub(super) fn chosen(&mut self, server: &Server, now: Instant) {
        if !self.stand_back(server, now)
            && let Some(checked) = self.own(server).and_then(|own| own.checked.as_mut())
        {
            *checked = now;
        }
    }

    /// A server of it was reached: it works. Says whether it was dead until now.
    pub(super) fn reached(&mut self, server: &Server, now: Instant) -> bool {
        let Some(own) = self.own(server) else { return false };
        std::mem::replace(own, Standing { reached: Some(now), checked: None }).checked.is_some()
    }

    /// A server of it was silent, or there is no way there. While others of it are reached that is the server's own fault.
    /// Against one that is never left alone nothing is held. Says if that is new.
    pub(super) fn not_reached(&mut self, server: &Server, now: Instant) -> Option<Dead> {
        let is_recent = |reached: Instant| now.saturating_duration_since(reached) <= server.line().fail_timeout;
        let own = self.own(server).filter(|own| server.line().max_fails > 0 && !own.reached.is_some_and(is_recent))?;
        let is_new = own.checked.replace(now).is_none();
        let (_, other) = self.of(server).filter(|_| is_new)?;
        Some(if other.checked.is_some() { Dead::LikeTheOther } else { Dead::StandsBack })
    }

    /// Takes in which servers a line has now. A family that it had before stands as it stood.
    pub(super) fn set<'s>(&mut self, line: usize, servers: impl Iterator<Item = &'s Server> + Clone) {
        let has = |ipv6| servers.clone().any(|server| Family::of(server) == Some(Family { line, ipv6 }));
        let known = self.0.iter().position(|both| both.line == line);
        match (known, has(false) && has(true)) {
            (Some(known), false) => drop(self.0.swap_remove(known)),
            (None, true) => self.0.push(Both { line, ipv4: Standing::default(), ipv6: Standing::default() }),
            (Some(_), true) | (None, false) => {}
        }
    }

    /// How a server's family stands, and how the other.
    fn of(&self, server: &Server) -> Option<(Standing, Standing)> {
        let family = Family::of(server)?;
        let both = self.0.iter().find(|both| both.line == family.line)?;
        Some(if family.ipv6 { (both.ipv6, both.ipv4) } else { (both.ipv4, both.ipv6) })
    }

    fn own(&mut self, server: &Server) -> Option<&mut Standing> {
        let family = Family::of(server)?;
        let both = self.0.iter_mut().find(|both| both.line == family.line)?;
        Some(if family.ipv6 { &mut both.ipv6 } else { &mut both.ipv4 })
    }
}

impl Family {
    /// The family of a server that a DNS name led to.
    pub(super) fn of(server: &Server) -> Option<Self> {
        match server.endpoint() {
            Endpoint::Ip(address) if server.line().address.is_name() => Some(Self { line: server.line_number(), ipv6: address.is_ipv6() }),
            _ => None,
        }
    }
}
