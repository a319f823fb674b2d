//! What holds whatever sessions do, held against a plain account of the same events.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What happens to an upstream.
#[derive(Clone, Debug)]
enum Event {
    /// A session tries servers; the bits say which tries are refused, the first that is not ends it.
    Session {
        key: u8,
        refused: u8,
    },
    Wait(Duration),
}

/// What is known of a server from the events alone.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    fails: u32,
    failed_at: Option<Instant>,
    checked_at: Option<Instant>,
}

impl Account {
    fn is_eligible(&self, line: &ServerLine, now: Instant) -> bool {
        let lies_low = self.checked_at.is_some_and(|checked| now <= checked + line.fail_timeout);
        !line.down && (line.max_fails == 0 || self.fails < line.max_fails || !lies_low)
    }

    fn chosen(&mut self, line: &ServerLine, now: Instant) {
        if self.checked_at.is_none_or(|checked| now > checked + line.fail_timeout) {
            self.checked_at = Some(now);
        }
    }

    fn refused(&mut self, now: Instant) {
        *self = Self { fails: self.fails + 1, failed_at: Some(now), checked_at: Some(now) };
    }

    fn answered(&mut self) {
        if self.failed_at < self.checked_at {
            self.fails = 0;
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let session = (any::<u8>(), any::<u8>()).prop_map(|(key, refused)| Event::Session { key, refused });
    prop_oneof![3 => session, 1 => (0..300u64).prop_map(|ms| Event::Wait(Duration::from_millis(ms)))]
}

fn balance() -> impl Strategy<Value = Balance> {
    prop_oneof![Just(Balance::RoundRobin), Just(Balance::Hash), Just(Balance::ConsistentHash)]
}

/// At least two primaries: a single server has rules of its own.
fn lines() -> impl Strategy<Value = Vec<ServerLine>> {
    let server = (1..6u32, 0..3u32, 1..200u64, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    vec(server, 2..7).prop_map(|servers| {
        let lines = servers.into_iter().enumerate();
        let line = |(place, (weight, max_fails, timeout, backup, down))| ServerLine {
            weight,
            max_fails,
            fail_timeout: Duration::from_millis(timeout),
            backup: backup && place > 1,
            down,
            ..line(&format!("10.0.0.1:{}", place + 1))
        };
        lines.map(line).collect()
    })
}

proptest! {
    #[test]
    fn an_eligible_server_is_chosen_if_there_is_one(balance in balance(), lines in lines(), events in vec(event(), 1..60)) {
        let upstream = upstream(balance, lines.clone());
        let mut accounts = vec![Account::default(); lines.len()];
        let mut now = Instant::now();
        for event in events {
            let (key, refused) = match event {
                Event::Wait(time) => { now += time; continue }
                Event::Session { key, refused } => (key, refused),
            };
            let mut tried = Tried::default();
            let mut met = Vec::new();
            loop {
                let open = |place: &usize| !met.contains(place) && accounts[*place].is_eligible(&lines[*place], now);
                let (backups, primaries): (Vec<_>, Vec<_>) = (0..lines.len()).filter(open).partition(|&place| lines[place].backup);
                let expected = if primaries.is_empty() { backups } else { primaries };
                let Some(lease) = upstream.pick(&[key], &mut tried, now) else {
                    prop_assert_eq!(expected, [0; 0]);
                    break;
                };
                let place = lease.line_number();
                prop_assert!(expected.contains(&place), "{} is not among {:?}", place, expected);
                accounts[place].chosen(&lines[place], now);
                met.push(place);
                if refused >> (met.len() - 1) & 1 == 0 {
                    lease.connected(now);
                    accounts[place].answered();
                    break;
                }
                lease.failed(now);
                accounts[place].refused(now);
            }
            prop_assert!(met.len() <= upstream.tries());
        }
        for server in upstream.status() {
            let place = lines.iter().position(|line| line.written == server.written).unwrap();
            prop_assert_eq!((server.sessions, server.fails), (0, accounts[place].fails));
        }
    }

    #[test]
    fn shares_follow_the_weights(weights in vec(1..20u32, 2..6), rounds in 1..4u32) {
        let lines = weights.iter().enumerate().map(|(place, &weight)| weighted(&format!("10.0.0.1:{}", place + 1), weight));
        let upstream = upstream(Balance::RoundRobin, lines);
        let sessions = rounds * weights.iter().sum::<u32>();
        let now = Instant::now();
        let leases: Vec<_> = (0..sessions).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
        prop_assert_eq!(leases.len(), sessions as usize);
        for (server, weight) in upstream.status().iter().zip(&weights) {
            prop_assert_eq!(server.sessions, (rounds * weight) as usize);
        }
        drop(leases);
        prop_assert!(upstream.status().iter().all(|server| server.sessions == 0));
    }

    #[test]
    fn when_a_server_leaves_only_its_own_keys_move(weights in vec(1..4u32, 2..6), leaver in any::<prop::sample::Index>()) {
        let lines: Vec<_> = weights.iter().enumerate().map(|(place, &weight)| weighted(&format!("10.0.0.1:{}", place + 1), weight)).collect();
        let leaver = lines[leaver.index(lines.len())].written.clone();
        let full = upstream(Balance::ConsistentHash, lines.clone());
        let less = upstream(Balance::ConsistentHash, lines.into_iter().filter(|line| line.written != leaver));
        let first = |upstream: &Arc<Upstream>, key: u16| upstream.order(&key.to_be_bytes(), Instant::now())[0].line().written.clone();
        let mut stayed = 0;
        for key in 0..200 {
            let before = first(&full, key);
            if before != leaver {
                prop_assert_eq!(first(&less, key), before);
                stayed += 1;
            }
        }
        prop_assert!(stayed > 0);
    }
}
