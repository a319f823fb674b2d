//! What holds whatever sessions and look-ups do, held against a plain account of the same events.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::account::{Event, Outcome, World};
use super::*;

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
        world.ends();
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
