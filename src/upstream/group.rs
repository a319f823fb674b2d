//! The servers of an upstream and what is counted of them: who may be chosen is decided here, once, for every balance.
//! The counts are nginx's (its failure accounting and its notion of a single server), with its seconds made finer.

use std::sync::Arc;

use tokio::time::Instant;

use super::balance::Balancer;
use super::server::{Endpoint, Server, ServerLine, ServerStatus};
use super::tried::{Tried, TriedServers};

/// The servers that an upstream has now.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    primaries: Vec<Member>,
    backups: Vec<Member>,
    next_id: u32,
}

/// A server, and how it stands among the others.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    /// What a turn adds to `current`: the weight, less what failures took from it.
    pub(super) effective: i64,
    /// The greatest has the next turn.
    pub(super) current: i64,
    fails: u32,
    /// When the last failure was.
    accessed: Option<Instant>,
    /// When the last failure was, or since then the last probe.
    checked: Option<Instant>,
}

impl Group {
    /// Chooses a server, and notes that this session has tried it.
    pub(super) fn pick(&mut self, balancer: &Balancer, key: &[u8], tried: &mut Tried, now: Instant) -> Option<Arc<Server>> {
        let single = self.is_single();
        let Tried { servers, cursor } = tried;
        let eligible = |member: &Member| member.is_eligible(servers, now, single);
        let member = match balancer.pick(&mut self.primaries, key, cursor, &eligible) {
            Some(primary) => self.primaries.get_mut(primary),
            None => Balancer::RoundRobin.pick(&mut self.backups, key, cursor, &eligible).and_then(|backup| self.backups.get_mut(backup)),
        }?;
        member.probe(now);
        servers.add(member.server.id());
        Some(Arc::clone(&member.server))
    }

    pub(super) fn connected(&mut self, server: &Arc<Server>) {
        if let Some(member) = self.member(server) {
            member.connected();
        }
    }

    /// Counts a failure, and says whether it was the one that has the server left alone.
    pub(super) fn failed(&mut self, server: &Arc<Server>, now: Instant) -> bool {
        // There is nobody else to go to, so nothing is held against it.
        if self.is_single() {
            return false;
        }
        self.member(server).is_some_and(|member| {
            member.failed(now);
            member.fails == member.line().max_fails
        })
    }

    pub(super) fn tries(&self) -> usize {
        self.members().filter(|member| !member.line().down).count()
    }

    pub(super) fn status(&self) -> Vec<ServerStatus> {
        self.members().map(Member::status).collect()
    }

    /// Puts a line's servers in place of those it had; one that was there before stays as it is.
    pub(super) fn set(&mut self, line_number: usize, line: &Arc<ServerLine>, endpoints: impl IntoIterator<Item = Endpoint>) {
        let members = if line.backup { &mut self.backups } else { &mut self.primaries };
        let start = members.partition_point(|member| member.server.line_number() < line_number);
        let end = members.partition_point(|member| member.server.line_number() <= line_number);
        let mut before: Vec<_> = members.drain(start..end).collect();
        let next_id = &mut self.next_id;
        let after = endpoints.into_iter().map(|endpoint| match before.iter().position(|member| *member.server.endpoint() == endpoint) {
            Some(stays) => before.swap_remove(stays),
            None => {
                *next_id = next_id.wrapping_add(1);
                Member::new(Server::new(*next_id, line_number, line, endpoint))
            }
        });
        members.splice(start..start, after);
    }

    /// Whether there is one server and nobody to stand in for it.
    fn is_single(&self) -> bool {
        self.primaries.len() == 1 && self.backups.is_empty()
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.primaries.iter().chain(&self.backups)
    }

    /// A server that is no longer in the group has no place there, though sessions still run over it.
    fn member(&mut self, server: &Arc<Server>) -> Option<&mut Member> {
        self.primaries.iter_mut().chain(&mut self.backups).find(|member| Arc::ptr_eq(&member.server, server))
    }
}

impl Member {
    pub(super) fn new(server: Server) -> Self {
        let weight = i64::from(server.line().weight);
        Self { server: Arc::new(server), effective: weight, current: 0, fails: 0, accessed: None, checked: None }
    }

    pub(super) fn weight(&self) -> i64 {
        i64::from(self.line().weight)
    }

    fn line(&self) -> &ServerLine {
        self.server.line()
    }

    fn is_eligible(&self, tried: &TriedServers, now: Instant, single: bool) -> bool {
        !self.line().down && !tried.contains(self.server.id()) && (single || !self.is_failed(now))
    }

    fn is_failed(&self, now: Instant) -> bool {
        let max_fails = self.line().max_fails;
        max_fails > 0 && self.fails >= max_fails && !self.is_due(now)
    }

    /// Whether its time is over: it may be tried again, by one session.
    fn is_due(&self, now: Instant) -> bool {
        self.checked.is_none_or(|checked| now.saturating_duration_since(checked) > self.line().fail_timeout)
    }

    /// A session goes to it. If its time was over, it is the one that probes, and the others wait anew.
    fn probe(&mut self, now: Instant) {
        if self.is_due(now) {
            self.checked = Some(now);
        }
    }

    fn connected(&mut self) {
        if self.accessed < self.checked {
            self.fails = 0;
        }
    }

    fn failed(&mut self, now: Instant) {
        self.fails = self.fails.saturating_add(1);
        // Workers read their clocks before they take the lock, so one may come with an older time than the one before.
        let now = self.checked.map_or(now, |checked| checked.max(now));
        (self.accessed, self.checked) = (Some(now), Some(now));
        if let Some(loss) = self.line().weight.checked_div(self.line().max_fails) {
            self.effective = (self.effective - i64::from(loss)).max(0);
        }
    }

    fn status(&self) -> ServerStatus {
        ServerStatus {
            written: Arc::clone(&self.line().written),
            address: Arc::clone(self.server.address_text()),
            backup: self.line().backup,
            down: self.line().down,
            sessions: self.server.sessions(),
            fails: self.fails,
            effective_weight: self.effective,
        }
    }
}
