//! The servers of an upstream, and the choice among them: who may be chosen is decided here, once, for every balance.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::balance::{Balance, Balancer, Ring};
use super::families::{Dead, Families, Family};
use super::found::Place;
use super::member::Member;
use super::missing::Missing;
use super::server::{Server, ServerLine, ServerStatus};
use super::tried::{Tried, TriedServers};

/// The servers that an upstream has now.
#[derive(Clone, Debug)]
pub(super) struct Group {
    balancer: Balancer,
    primaries: Vec<Member>,
    backups: Vec<Member>,
    families: Families,
    /// Whether another group stands in for this one.
    has_fallback: bool,
    next_id: u32,
}

/// A server that a session is to try.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) server: Arc<Server>,
    /// Whether it counts as failed, and this session finds out if it still is.
    pub(super) probes: bool,
}

/// What is over when a server was connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back {
    /// It was left alone, for so long.
    pub(super) server: Option<Duration>,
    /// Its family was dead.
    pub(super) family: bool,
}

impl Group {
    pub(super) fn new(balance: Balance) -> Self {
        Self {
            balancer: Balancer::new(balance),
            primaries: Vec::new(),
            backups: Vec::new(),
            families: Families::default(),
            has_fallback: false,
            next_id: 0,
        }
    }

    /// Chooses a server, and counts the session among its own, so that nobody else finds room where it took the last.
    pub(super) fn pick(&mut self, key: &[u8], tried: &mut Tried, now: Instant) -> Option<Chosen> {
        let chosen = self.choose(key, tried, now)?;
        chosen.server.session_begins();
        Some(chosen)
    }

    /// Chooses a server, and notes that this session has tried it.
    pub(super) fn choose(&mut self, key: &[u8], tried: &mut Tried, now: Instant) -> Option<Chosen> {
        let single = self.is_single();
        let Tried { servers, cursor, silent } = tried;
        let Self { balancer, primaries, backups, families, .. } = self;
        let eligible = |member: &Member| is_eligible(member, servers, now, single);
        // Those of a dead family, and of one that this session found silent, come after all others of their side.
        let any_dead = !silent.is_empty() || !families.are_well();
        let is_silent = |server: &Server| Family::of(server).is_some_and(|family| silent.contains(&family));
        let is_dead = |server: &Server| any_dead && (is_silent(server) || families.stand_back(server, now));
        let well = |member: &Member| eligible(member) && !is_dead(&member.server);
        let primary = balancer.pick(primaries, key, cursor, now, &well);
        let primary = primary.or_else(|| if any_dead { balancer.pick(primaries, key, cursor, now, &eligible) } else { None });
        let member = match primary {
            Some(primary) => primaries.get_mut(primary),
            None => {
                let backup = balancer.pick_backup(backups, now, &well);
                backup
                    .or_else(|| if any_dead { balancer.pick_backup(backups, now, &eligible) } else { None })
                    .and_then(|backup| backups.get_mut(backup))
            }
        }?;
        servers.add(member.server.id());
        if any_dead {
            families.chosen(&member.server, now);
        }
        Some(Chosen { probes: member.chosen(now), server: Arc::clone(&member.server) })
    }

    pub(super) fn ring(&self) -> Option<&Arc<Ring>> {
        self.balancer.ring()
    }

    /// Gives the consistent hash the circle of the primaries that are there now.
    pub(super) fn set_ring(&mut self, ring: Arc<Ring>) {
        self.balancer.set_ring(ring);
    }

    /// From now on another group stands in for this one.
    pub(super) fn falls_back(&mut self) {
        self.has_fallback = true;
    }

    /// Lets chance be the same each time.
    #[cfg(test)]
    pub(super) fn seed(&mut self, seed: u64) {
        self.balancer.seed(seed);
    }

    /// A server was connected, after so long. Says what is over by this.
    pub(super) fn connected(&mut self, server: &Arc<Server>, now: Instant, took: Duration) -> Back {
        let family = self.families.reached(server, now);
        Back { family, server: self.member(server).and_then(|member| member.connected(now, took)) }
    }

    /// The first byte of a server came, so long after it was connected.
    pub(super) fn answered(&mut self, server: &Arc<Server>, now: Instant, took: Duration) {
        if let Some(member) = self.member(server) {
            member.answered(now, took);
        }
    }

    /// Counts a failure, and says whether it was the one that has the server left alone.
    pub(super) fn failed(&mut self, server: &Arc<Server>, now: Instant) -> bool {
        // There is nobody else to go to, so nothing is held against it.
        if self.is_single() {
            return false;
        }
        self.member(server).is_some_and(|member| member.failed(now))
    }

    /// A server was silent, or there is no way there. Says whether its family counts as dead by this.
    pub(super) fn not_reached(&mut self, server: &Arc<Server>, now: Instant) -> Option<Dead> {
        self.member(server)?;
        self.families.not_reached(server, now)
    }

    /// Whoever probed a failed server knows, or will not.
    pub(super) fn probe_ends(&mut self, server: &Arc<Server>) {
        if let Some(member) = self.member(server) {
            member.probe_ends();
        }
    }

    pub(super) fn tries(&self) -> usize {
        self.members().filter(|member| !member.line().down).count()
    }

    /// After how many sessions the turns of servers with different weights begin anew.
    pub(super) fn turns(&self) -> Option<usize> {
        let weights = || self.primaries.iter().filter(|member| !member.line().down).map(|member| u64::from(member.weight()));
        let (least, most) = (weights().min()?, weights().max()?);
        let common = weights().fold(0, common_divisor);
        (least != most).then(|| weights().sum::<u64>() / common).and_then(|turns| usize::try_from(turns).ok())
    }

    /// How many are not to be had.
    pub(super) fn missing(&self, now: Instant) -> Missing {
        let mut missing = Missing::default();
        for member in self.members() {
            match member {
                _ if member.line().down => missing.down += 1,
                _ if !self.is_single() && member.is_failed(now) => missing.left_alone += 1,
                _ if member.is_full() => missing.full += 1,
                _ => {}
            }
        }
        missing
    }

    /// Whether a line stands for any server.
    pub(super) fn has_line(&self, line_number: usize) -> bool {
        self.members().any(|member| member.server.line_number() == line_number)
    }

    pub(super) fn status(&self) -> Vec<ServerStatus> {
        self.members().map(Member::status).collect()
    }

    /// Puts a line's servers in place of those it had; one that was there before, on the same side, keeps its state.
    /// Those that join start slowly if they join `late`, while others are at work already.
    pub(super) fn set(&mut self, line_number: usize, line: &Arc<ServerLine>, places: Vec<Place>, late: Option<Instant>) {
        let (backups, primaries): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| place.backup);
        let next_id = &mut self.next_id;
        for (members, places) in [(&mut self.primaries, primaries), (&mut self.backups, backups)] {
            let start = members.partition_point(|member| member.server.line_number() < line_number);
            let end = members.partition_point(|member| member.server.line_number() <= line_number);
            let mut before: Vec<_> = members.drain(start..end).collect();
            let after =
                places.into_iter().map(|place| match before.iter().position(|member| *member.server.endpoint() == place.endpoint) {
                    Some(stays) => before.swap_remove(stays).weighing(place.weight),
                    None => {
                        *next_id = next_id.wrapping_add(1);
                        Member::new(Server::new(*next_id, line_number, line, &place), place.weight, late)
                    }
                });
            members.splice(start..start, after);
        }
        let servers = self.primaries.iter().chain(&self.backups).map(|member| &*member.server);
        self.families.set(line_number, servers);
    }

    /// Whether there is one server and nobody to stand in for it.
    fn is_single(&self) -> bool {
        self.primaries.len() == 1 && self.backups.is_empty() && !self.has_fallback
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.primaries.iter().chain(&self.backups)
    }

    /// A server that is no longer in the group has no place there, though sessions still run over it.
    fn member(&mut self, server: &Arc<Server>) -> Option<&mut Member> {
        self.primaries.iter_mut().chain(&mut self.backups).find(|member| Arc::ptr_eq(&member.server, server))
    }
}

/// The greatest; one of them may be 0, and the other is it then.
fn common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

/// Whether a session may be sent to a server. One that is alone in its group is never left alone for its failures.
fn is_eligible(member: &Member, tried: &TriedServers, now: Instant, single: bool) -> bool {
    !member.line().down && !member.is_full() && !tried.contains(member.server.id()) && (single || !member.is_failed(now))
}
