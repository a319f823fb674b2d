//! What holds whatever sessions and look-ups do, held against a plain account of the same events.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What happens to an upstream.
#[derive(Clone, Debug)]
enum Event {
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
enum Outcome {
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
struct World {
    upstream: Arc<Upstream>,
    accounts: Vec<Account>,
    open: Vec<(u64, usize, Lease)>,
    sessions: u64,
    now: Instant,
    /// Who was picked, one after the other.
    picks: String,
}

impl World {
    fn new(balance: Balance, lines: &[ServerLine], now: Instant) -> Self {
        let fixed = lines.iter().enumerate().filter(|(_, line)| !line.address.is_name());
        let accounts = fixed.map(|(number, line)| Account::new(number, line, line.written.to_string(), line.backup)).collect();
        let upstream = upstream(balance, lines.iter().cloned());
        Self { upstream, accounts, open: Vec::new(), sessions: 0, now, picks: String::new() }
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
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

    /// What the upstream says of its servers is what is known of them.
    fn agrees(&self) -> Result<(), TestCaseError> {
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

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Refused), Just(Outcome::Connected), Just(Outcome::Hangs), Just(Outcome::GivenUp)]
}

fn event() -> impl Strategy<Value = Event> {
    let session = (0..20u8, vec(outcome(), 1..4)).prop_map(|(key, tries)| Event::Session { key, tries });
    let later = (any::<Index>(), outcome()).prop_map(|(session, outcome)| Event::Later { session, outcome });
    let found = vec((1..5u8, prop::option::of(1..5u32), prop::bool::weighted(0.2)), 0..5).prop_map(|mut found| {
        found.sort_by_key(|&(last, _, _)| last);
        found.dedup_by_key(|&mut (last, _, _)| last);
        Event::Answer(found)
    });
    prop_oneof![6 => session, 4 => later, 3 => (0..300u64).prop_map(|ms| Event::Wait(Duration::from_millis(ms))), 1 => found]
}

fn any_balance() -> impl Strategy<Value = Balance> {
    prop_oneof![2 => predictable_balance(), 1 => prop_oneof![Just(Balance::Random), Just(Balance::RandomTwo)]]
}

/// All but those that go by chance.
fn predictable_balance() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(Balance::RoundRobin),
        Just(Balance::LeastConn),
        Just(Balance::LeastTime),
        Just(Balance::Hash),
        Just(Balance::ConsistentHash)
    ]
}

/// Fixed addresses, two of them perhaps the same, and perhaps a name.
fn lines() -> impl Strategy<Value = Vec<ServerLine>> {
    let numbers = (1..6u32, 0..3u32, 1..200u64, 0..4u32, 0..300u64);
    let server = (numbers, prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let lines = vec(server, 1..6).prop_map(|servers| {
        let line = |(place, server)| {
            let ((weight, max_fails, timeout, max_conns, slow_start), backup, down, again): ((u32, u32, u64, u32, u64), bool, bool, bool) =
                server;
            ServerLine {
                weight,
                max_fails,
                fail_timeout: Duration::from_millis(timeout),
                max_conns,
                slow_start: Duration::from_millis(slow_start),
                backup,
                down,
                ..line(&format!("10.0.0.1:{}", if again { 1 } else { place + 1 }))
            }
        };
        servers.into_iter().enumerate().map(line).collect::<Vec<_>>()
    });
    (lines, prop::bool::weighted(0.6), any::<Index>()).prop_map(|(mut lines, has_name, place)| {
        if has_name {
            let place = place.index(lines.len());
            let line = &mut lines[place];
            (line.written, line.address) = ("web.internal:443".into(), Address::parse("web.internal:443").unwrap());
        }
        lines
    })
}

proptest! {
    #[test]
    fn an_eligible_server_is_chosen_if_there_is_one(balance in any_balance(), lines in lines(), events in vec(event(), 1..80)) {
        let mut world = World::new(balance, &lines, Instant::now());
        for event in &events {
            world.happens(event)?;
            world.agrees()?;
        }
        let open = std::mem::take(&mut world.open);
        for (session, place, lease) in open {
            world.becomes(session, place, lease, Outcome::GivenUp);
        }
        world.agrees()?;
        prop_assert!(world.upstream.status().iter().all(|server| server.sessions == 0), "counts return to zero");
    }

    #[test]
    fn two_gateways_with_one_file_pick_the_same_servers(
        balance in predictable_balance(),
        lines in lines(),
        events in vec(event(), 1..80),
        later in 0..10_000u64,
    ) {
        let now = Instant::now();
        let [mut one, mut other] = [now, now + Duration::from_millis(later)].map(|now| World::new(balance, &lines, now));
        for event in &events {
            one.happens(event)?;
            other.happens(event)?;
        }
        prop_assert_eq!(one.picks, other.picks);
    }
}
