use proptest::prelude::*;
use tokio::time::Duration;

use super::*;
use crate::admit::Ranges;

fn limit(connections: Option<u32>, pace: Option<Pace>) -> Limit {
    Limit::new(settings(connections, pace))
}

fn settings(connections: Option<u32>, pace: Option<Pace>) -> LimitSettings {
    let rate = pace.map(|_| "a rate".into());
    LimitSettings { name: "a".into(), key: "$remote_addr".into(), connections, pace, rate, exempt: RangeList::default(), dry_run: false }
}

fn pace(milliseconds: u64, burst: u32) -> Option<Pace> {
    Some(Pace { interval: Duration::from_millis(milliseconds), burst })
}

/// A session of this key; none if it is refused.
fn take(limit: &Limit, key: &[u8], now: Instant) -> Option<Permits> {
    let mut permits = Permits::default();
    limit.take(None, key, now, &mut permits).ok().map(|_| permits)
}

#[test]
fn a_session_that_ends_makes_room_for_another_of_its_key() {
    let (limit, now) = (limit(Some(2), None), Instant::now());
    let first = take(&limit, b"a", now).unwrap();
    let _second = take(&limit, b"a", now).unwrap();
    let refused = limit.take(None, b"a", now, &mut Permits::default()).unwrap_err();
    assert_eq!(refused.to_string(), "[limit.a]: connections = 2 is reached");
    assert!(take(&limit, b"b", now).is_some(), "another key has room of its own");
    drop(first);
    assert!(take(&limit, b"a", now).is_some());
}

#[test]
fn a_rate_lets_a_burst_in_and_then_one_after_the_other() {
    let (limit, start) = (limit(None, pace(100, 2)), Instant::now());
    let at = |milliseconds| take(&limit, b"a", start + Duration::from_millis(milliseconds)).is_some();
    assert_eq!([at(0), at(0), at(0), at(0)], [true, true, true, false]);
    assert_eq!([at(99), at(100), at(150), at(200)], [false, true, false, true]);
    assert_eq!([at(10_000), at(10_000), at(10_000), at(10_000)], [true, true, true, false], "no more is saved up than the burst");
    let refused = limit.take(None, b"a", start + Duration::from_secs(10), &mut Permits::default()).unwrap_err();
    assert_eq!(refused.to_string(), "[limit.a]: rate = \"a rate\" is reached");
}

#[test]
fn what_is_taken_back_has_never_come() {
    let (limit, now) = (limit(Some(1), pace(100, 0)), Instant::now());
    take(&limit, b"a", now).unwrap().take_back();
    let again = take(&limit, b"a", now).expect("neither the connection nor the rate is used up");
    drop(again);
    assert!(take(&limit, b"a", now).is_none(), "one that ended has used up the rate");
}

#[test]
fn an_empty_key_a_long_one_and_an_exempt_client_are_not_counted() {
    let office = RangeList::new([Arc::new(Ranges::new(&["10.0.0.0/8".parse().unwrap()]))]);
    let limit = Limit::new(LimitSettings { exempt: office, ..settings(Some(0), None) });
    let (now, mut permits) = (Instant::now(), Permits::default());
    let mut taken = |client: &str, key: &[u8]| limit.take(client.parse().ok(), key, now, &mut permits).ok();
    assert_eq!(taken("192.0.2.1", b""), Some(Taken::Exempt));
    assert_eq!(taken("192.0.2.1", &[b'a'; MOST_KEY + 1]), Some(Taken::LongKey));
    assert_eq!(taken("10.1.2.3", b"a"), Some(Taken::Exempt));
    assert_eq!(taken("192.0.2.1", &[b'a'; MOST_KEY]), None);
    assert_eq!(taken("unix:", b"a"), None);
    assert!(permits.is_empty());
    assert_eq!(limit.keys(), 0);
}

#[test]
fn one_that_succeeds_another_goes_on_from_its_counts() {
    let (first, now) = (limit(Some(1), None), Instant::now());
    let _open = take(&first, b"a", now).unwrap();
    let second = Limit::succeeding(settings(Some(2), None), &first);
    let _another = take(&second, b"a", now).unwrap();
    assert!(take(&second, b"a", now).is_none(), "the session that was open before is counted");
    let of_other_keys = Limit::succeeding(LimitSettings { key: "$listener".into(), ..settings(Some(1), None) }, &first);
    assert!(take(&of_other_keys, b"a", now).is_some());
}

#[test]
fn permits_of_two_places_end_together() {
    let (one, two, now) = (limit(Some(1), None), limit(Some(1), None), Instant::now());
    let mut both = take(&one, b"a", now).unwrap();
    both.append(take(&two, b"a", now).unwrap());
    assert_eq!([one.keys(), two.keys()], [1, 1]);
    drop(both);
    assert_eq!([one.keys(), two.keys()], [0, 0]);
}

#[test]
fn a_flood_of_keys_is_forgotten_while_open_sessions_are_not() {
    let (limit, now) = (limit(Some(1), pace(3_600_000, 0)), Instant::now());
    let open: Vec<_> = (0..100u32).map(|number| take(&limit, format!("open {number}").as_bytes(), now).unwrap()).collect();
    for number in 0..400_000u32 {
        assert!(take(&limit, &number.to_be_bytes(), now).is_some());
    }
    assert!(limit.keys() < 300_000, "{} keys are known", limit.keys());
    assert!((0..100u32).all(|number| take(&limit, format!("open {number}").as_bytes(), now).is_none()));
    drop(open);
    limit.forget_idle(now + Duration::from_secs(3601));
    assert_eq!(limit.keys(), 0);
}

#[test]
fn a_key_whose_rate_is_whole_again_is_forgotten_as_others_come() {
    let (limit, start) = (limit(None, pace(1, 0)), Instant::now());
    for number in 0..100_000u32 {
        assert!(take(&limit, &number.to_be_bytes(), start + Duration::from_millis(u64::from(number))).is_some());
    }
    assert!(limit.keys() < 5_000, "{} keys are known", limit.keys());
}

/// What happens to a limit: after a pause, one of a few keys comes, or one of those that are open ends.
#[derive(Clone, Debug)]
enum Event {
    Comes(u8),
    Ends(prop::sample::Index),
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![(0u8..3).prop_map(Event::Comes), any::<prop::sample::Index>().prop_map(Event::Ends)];
    prop::collection::vec((0u64..40, event), 1..200)
}

proptest! {
    #[test]
    fn no_more_are_open_than_the_limit_says_and_all_that_end_leave_nothing(most in 1u32..5, events in events()) {
        let (limit, now) = (limit(Some(most), None), Instant::now());
        let mut open: Vec<(u8, Permits)> = Vec::new();
        for (_, event) in events {
            match event {
                Event::Comes(key) => {
                    let others = open.iter().filter(|(other, _)| *other == key).count();
                    let taken = take(&limit, &[key], now);
                    prop_assert_eq!(taken.is_some(), others < most as usize);
                    open.extend(taken.map(|permits| (key, permits)));
                }
                Event::Ends(which) if !open.is_empty() => drop(open.swap_remove(which.index(open.len()))),
                Event::Ends(_) => {}
            }
        }
        drop(open);
        prop_assert_eq!(limit.keys(), 0);
    }

    #[test]
    fn in_no_window_are_there_more_than_the_rate_and_the_burst(burst in 0u32..4, interval in 1u64..50, events in events()) {
        let (limit, start) = (limit(None, pace(interval, burst)), Instant::now());
        let (mut now, mut came) = (0, Vec::new());
        for (pause, event) in events {
            now += pause;
            let Event::Comes(key) = event else { continue };
            if take(&limit, &[key], start + Duration::from_millis(now)).is_some() {
                came.push((key, now));
            } else {
                // Refused rightly: the burst and what the rate gave since then are used up.
                let before = came.iter().filter(|(other, _)| *other == key).map(|&(_, at)| at);
                let fullest = before.clone().map(|from| {
                    let within = before.clone().filter(|at| *at >= from).count() as u64;
                    (within + 1).saturating_sub(u64::from(burst) + 1 + (now - from) / interval)
                });
                prop_assert!(fullest.max().unwrap_or(0) > 0, "key {} was refused at {}: {:?}", key, now, came);
            }
        }
        for (index, &(key, from)) in came.iter().enumerate() {
            let of_key = came[index..].iter().filter(|(other, _)| *other == key);
            for (count, &(_, to)) in (1..).zip(of_key) {
                let most = u64::from(burst) + 1 + (to - from) / interval;
                prop_assert!(count <= most, "{} came from {} to {}", count, from, to);
            }
        }
    }
}
