//! A plain account of what happens to an upstream, which knows nothing of how it is built: who may be picked, and what
//! counts against whom.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What happens to an upstream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A session tries servers; each outcome is that of one try, the first that is not a refusal ends the choosing.
    Session {
        key: u8,
        tries: Vec<Outcome>,
    },
    /// One of the sessions that go on goes on, or ends.
    Later {
        session: Index,
        outcome: Outcome,
    },
    Wait(Duration),
    /// What a look-up finds: addresses with their weights and sides.
    Answer(Vec<(u8, Option<u32>, bool)>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Refused,
    Connected,
    Hangs,
    GivenUp,
}

/// What is known of a server from the events alone.
#[derive(Clone, Debug)]
struct Account {
    line: ServerLine,
    number: usize,
    address: String,
    backup: bool,
    gone: bool,
    sessions: u32,
    fails: u32,
    failed_at: Option<Instant>,
    checked_at: Option<Instant>,
    prober: Option<u64>,
}

impl Account {
    fn new(number: usize, line: &ServerLine, address: String, backup: bool) -> Self {
        let line = line.clone();
        let (failed_at, checked_at, prober) = (None, None, None);
        Self { line, number, address, backup, gone: false, sessions: 0, fails: 0, failed_at, checked_at, prober }
    }

    fn has_failed(&self) -> bool {
        self.line.max_fails > 0 && self.fails >= self.line.max_fails
    }

    fn rests(&self, now: Instant) -> bool {
        self.checked_at.is_some_and(|checked| now <= checked + self.line.fail_timeout)
    }

    fn is_eligible(&self, now: Instant, alone: bool) -> bool {
        let has_room = self.line.max_conns == 0 || self.sessions < self.line.max_conns;
        let is_left_alone = self.has_failed() && (self.prober.is_some() || self.rests(now));
        !self.gone && !self.line.down && has_room && (alone || !is_left_alone)
    }
}

/// An upstream, what is known of it, and the sessions that go on.
pub(super) struct World {
    pub(super) upstream: Arc<Upstream>,
    accounts: Vec<Account>,
    open: Vec<(u64, usize, Lease)>,
    sessions: u64,
    now: Instant,
    /// Who was picked, one after the other.
    pub(super) picks: String,
}

impl World {
    pub(super) fn new(balance: Balance, lines: &[ServerLine], now: Instant) -> Self {
        let fixed = lines.iter().enumerate().filter(|(_, line)| !line.address.is_name());
        let accounts = fixed.map(|(number, line)| Account::new(number, line, line.written.to_string(), line.backup)).collect();
        let upstream = upstream(balance, lines.iter().cloned());
        Self { upstream, accounts, open: Vec::new(), sessions: 0, now, picks: String::new() }
    }

    pub(super) fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Wait(time) => self.now += *time,
            Event::Answer(found) => self.answer(found),
            Event::Later { .. } if self.open.is_empty() => {}
            Event::Later { session, outcome } => {
                let (session, place, lease) = self.open.swap_remove(session.index(self.open.len()));
                self.becomes(session, place, lease, *outcome);
            }
            Event::Session { key, tries } => return self.session(*key, tries),
        }
        Ok(())
    }

    fn session(&mut self, key: u8, tries: &[Outcome]) -> Result<(), TestCaseError> {
        let mut tried = Tried::default();
        let mut met = Vec::new();
        let last = [Outcome::Refused];
        for outcome in tries.iter().chain(last.iter().cycle()) {
            let alone = self.is_alone();
            let open = |place: &usize| !met.contains(place) && self.accounts[*place].is_eligible(self.now, alone);
            let (backups, primaries): (Vec<_>, Vec<_>) =
                (0..self.accounts.len()).filter(open).partition(|&place| self.accounts[place].backup);
            let expected = if primaries.is_empty() { backups } else { primaries };
            let Some(lease) = self.upstream.pick(&[key], &mut tried, self.now) else {
                prop_assert_eq!(expected, [0; 0], "nobody was picked");
                self.picks += " none";
                break;
            };
            let place = expected.iter().copied().find(|&place| self.is(place, &lease));
            prop_assert!(place.is_some(), "{} is not among {:?}", lease.address_text(), expected);
            let place = place.unwrap();
            write!(self.picks, " {}", lease.address_text()).unwrap();
            met.push(place);
            self.sessions += 1;
            let session = self.sessions;
            self.chosen(session, place);
            self.becomes(session, place, lease, *outcome);
            if !matches!(outcome, Outcome::Refused) {
                break;
            }
        }
        Ok(())
    }

    fn is(&self, place: usize, lease: &Lease) -> bool {
        let account = &self.accounts[place];
        (account.number, &*account.address, account.backup) == (lease.line_number(), &**lease.address_text(), lease.is_backup())
    }

    fn is_alone(&self) -> bool {
        let mut there = self.accounts.iter().filter(|account| !account.gone);
        there.clone().count() == 1 && there.all(|account| !account.backup)
    }

    fn chosen(&mut self, session: u64, place: usize) {
        let now = self.now;
        let account = &mut self.accounts[place];
        account.sessions += 1;
        if !account.rests(now) {
            account.checked_at = Some(now);
        }
        if account.has_failed() {
            account.prober.get_or_insert(session);
        }
    }

    fn becomes(&mut self, session: u64, place: usize, lease: Lease, outcome: Outcome) {
        let (now, alone) = (self.now, self.is_alone());
        let account = &mut self.accounts[place];
        if account.prober == Some(session) && !matches!(outcome, Outcome::Hangs) {
            account.prober = None;
        }
        match outcome {
            Outcome::Refused => {
                lease.failed(now);
                if !alone && !account.gone {
                    (account.fails, account.failed_at, account.checked_at) = (account.fails + 1, Some(now), Some(now));
                }
            }
            Outcome::Connected => {
                lease.connected(now);
                lease.answered(now + Duration::from_millis(30 * place as u64));
                if account.failed_at < account.checked_at {
                    account.fails = 0;
                }
            }
            Outcome::Hangs | Outcome::GivenUp => {}
        }
        match outcome {
            Outcome::Refused | Outcome::GivenUp => account.sessions -= 1,
            Outcome::Connected | Outcome::Hangs => self.open.push((session, place, lease)),
        }
    }

    fn answer(&mut self, found: &[(u8, Option<u32>, bool)]) {
        let lines = self.upstream.lines().to_vec();
        let Some((number, line)) = lines.iter().enumerate().find(|(_, line)| line.address.is_name()) else { return };
        let found = found.iter().map(|&(last, weight, backup)| Found { address: (ip(last), 443).into(), weight, backup, text: None });
        let found: Vec<_> = found.collect();
        self.upstream.set_servers(number, found.clone(), self.now);
        let found: Vec<_> = found.iter().map(|found| (found.address.to_string(), line.backup || found.backup)).collect();
        let is_found = |account: &Account| found.iter().any(|(address, backup)| (address, *backup) == (&account.address, account.backup));
        for account in self.accounts.iter_mut().filter(|account| account.number == number) {
            account.gone |= !is_found(account);
        }
        for (address, backup) in found {
            let mut there = self.accounts.iter().filter(|account| account.number == number && !account.gone);
            if !there.any(|account| (&account.address, account.backup) == (&address, backup)) {
                self.accounts.push(Account::new(number, line, address, backup));
            }
        }
    }

    /// All sessions that go on end.
    pub(super) fn ends(&mut self) {
        for (session, place, lease) in std::mem::take(&mut self.open) {
            self.becomes(session, place, lease, Outcome::GivenUp);
        }
    }

    /// What the upstream says of its servers is what is known of them.
    pub(super) fn agrees(&self) -> Result<(), TestCaseError> {
        let status = self.upstream.status();
        let there: Vec<_> = self.accounts.iter().filter(|account| !account.gone).collect();
        prop_assert_eq!(status.len(), there.len());
        for account in there {
            let known = (account.sessions as usize, account.fails);
            let is_it = |server: &&ServerStatus| {
                (&*server.written, &*server.address, server.backup) == (&*account.line.written, &*account.address, account.backup)
            };
            // Of two lines with one address, either may be meant.
            let mut told = status.iter().filter(is_it).map(|server| (server.sessions, server.fails));
            prop_assert!(told.any(|told| told == known), "{} is not {:?} but {:?}", account.address, known, status);
        }
        Ok(())
    }
}
