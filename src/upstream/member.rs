//! What is counted of one server of a group. The counts are nginx's (its failure accounting), with its seconds made
//! finer; that a probe is alone for as long as it takes, and that a server may start slowly, is not in the free nginx.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::response::ResponseTime;
use super::server::{Health, Server, ServerLine, ServerStatus};

/// A server, and how it stands among the others.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    weight: u32,
    /// The weight, less what failures took from it.
    pub(super) effective: i64,
    /// The greatest has the next turn.
    pub(super) current: i64,
    fails: u32,
    /// When the last failure was.
    accessed: Option<Instant>,
    /// When the last failure was, or since then the last probe.
    checked: Option<Instant>,
    /// Whether a session is finding out if it still fails.
    probing: bool,
    /// Since when it is left alone, but for probes.
    failed_since: Option<Instant>,
    /// When its slow start began, if it ever had one.
    slow_since: Option<Instant>,
    response: ResponseTime,
}

/// How much a server has to do, and the weight that carries it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    amount: u64,
    weight: u64,
}

/// What a pace is a part of: a server at its whole pace has its whole weight.
const WHOLE_PACE: u32 = 1000;

impl Member {
    pub(super) fn new(server: Server, weight: u32, slow_since: Option<Instant>) -> Self {
        Self {
            server: Arc::new(server),
            weight,
            effective: weight.into(),
            current: 0,
            fails: 0,
            accessed: None,
            checked: None,
            probing: false,
            failed_since: None,
            slow_since,
            response: ResponseTime::default(),
        }
    }

    pub(super) fn line(&self) -> &ServerLine {
        self.server.line()
    }

    /// The weight as written or found.
    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    /// The weight times the pace: less of it while the server starts slowly. Those of servers that do not all have the
    /// same factor, so that they choose as if there were none.
    pub(super) fn paced_weight(&self, now: Instant) -> u64 {
        u64::from(self.weight) * u64::from(self.pace(now))
    }

    /// What a turn adds to `current`, in the same measure.
    pub(super) fn turn(&self, now: Instant) -> i64 {
        self.effective * i64::from(self.pace(now))
    }

    /// How far a slow start has come; never nothing.
    fn pace(&self, now: Instant) -> u32 {
        let Some(since) = self.slow_since else { return WHOLE_PACE };
        let come = now.saturating_duration_since(since);
        if come >= self.line().slow_start {
            return WHOLE_PACE;
        }
        let pace = come.as_nanos() * u128::from(WHOLE_PACE) / self.line().slow_start.as_nanos();
        u32::try_from(pace).unwrap_or(WHOLE_PACE).max(1)
    }

    /// Its sessions for its weight.
    pub(super) fn load(&self, now: Instant) -> Load {
        Load { amount: self.server.sessions() as u64, weight: self.paced_weight(now) }
    }

    /// The time that one more session would take, as the averages have it, for its weight.
    pub(super) fn expected_time(&self, now: Instant) -> Load {
        let one = self.response.milliseconds(now, self.line().fail_timeout);
        Load { amount: one * (1 + self.server.sessions() as u64), weight: self.paced_weight(now) }
    }

    /// Whether it has all the sessions that it may have.
    pub(super) fn is_full(&self) -> bool {
        let most = self.line().max_conns;
        most > 0 && self.server.sessions() >= most as usize
    }

    /// Whether it is left alone: it failed too often, and its time is not over or somebody is with it to see.
    pub(super) fn is_failed(&self, now: Instant) -> bool {
        self.has_failed() && (self.probing || !self.is_due(now))
    }

    /// The same with another weight; what failures took of the one before stays taken.
    pub(super) fn weighing(self, weight: u32) -> Self {
        let effective = (self.effective + i64::from(weight) - i64::from(self.weight)).clamp(0, weight.into());
        Self { weight, effective, ..self }
    }

    /// A session goes to it. Says whether that is a probe: then the others wait, until it ends at least.
    pub(super) fn chosen(&mut self, now: Instant) -> bool {
        if self.is_due(now) {
            self.checked = Some(now);
        }
        self.response.used(now);
        let probes = self.has_failed() && !self.probing;
        self.probing |= probes;
        probes
    }

    /// It answered. Says how long it was left alone, if that is over by this.
    pub(super) fn connected(&mut self, now: Instant, took: Duration) -> Option<Duration> {
        let mut back = None;
        if self.accessed < self.checked {
            if self.has_failed() {
                self.slow_since = Some(now);
                back = self.failed_since.take().map(|since| now.saturating_duration_since(since));
            }
            self.fails = 0;
        }
        self.response.connected(now, took);
        back
    }

    pub(super) fn answered(&mut self, now: Instant, took: Duration) {
        self.response.answered(now, took);
    }

    /// Counts a failure, and says whether it was the one that has the server left alone.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.fails = self.fails.saturating_add(1);
        // Workers read their clocks before they take the lock, so one may come with an older time than the one before.
        let now = self.checked.map_or(now, |checked| checked.max(now));
        (self.accessed, self.checked) = (Some(now), Some(now));
        if let Some(loss) = self.weight.checked_div(self.line().max_fails) {
            self.effective = (self.effective - i64::from(loss)).max(0);
        }
        let is_last_straw = self.fails == self.line().max_fails;
        if is_last_straw {
            self.failed_since = Some(now);
        }
        is_last_straw
    }

    pub(super) fn probe_ends(&mut self) {
        self.probing = false;
    }

    pub(super) fn status(&self) -> ServerStatus {
        ServerStatus {
            written: Arc::clone(&self.line().written),
            address: Arc::clone(self.server.address_text()),
            backup: self.server.is_backup(),
            down: self.line().down,
            sessions: self.server.sessions(),
            max_conns: self.line().max_conns,
            health: self.health(),
            max_fails: self.line().max_fails,
            fail_timeout: self.line().fail_timeout,
            fails: self.fails,
            weight: self.weight,
            effective_weight: self.effective,
            slow_start_until: self.slow_since.map(|since| since + self.line().slow_start),
            response_time: self.response.measured(),
        }
    }

    fn health(&self) -> Health {
        match self.checked {
            Some(checked) if self.has_failed() && !self.probing => Health::Failed { until: checked + self.line().fail_timeout },
            _ if self.has_failed() => Health::Probed,
            _ => Health::Up,
        }
    }

    /// Whether so many failures count against it that it is left alone for a while.
    fn has_failed(&self) -> bool {
        let max_fails = self.line().max_fails;
        max_fails > 0 && self.fails >= max_fails
    }

    /// Whether its time is over: it may be tried again, by one session.
    fn is_due(&self, now: Instant) -> bool {
        self.checked.is_none_or(|checked| now.saturating_duration_since(checked) > self.line().fail_timeout)
    }
}

impl Load {
    /// Whether it is less for its weight than another for its own. Compared crosswise, so that nothing is rounded.
    pub(super) fn is_less(self, than: Self) -> bool {
        u128::from(self.amount) * u128::from(than.weight) < u128::from(than.amount) * u128::from(self.weight)
    }
}
