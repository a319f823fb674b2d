//! `random` and `random_two`.

use super::*;

fn seeded(balance: Balance, lines: impl IntoIterator<Item = ServerLine>) -> Arc<Upstream> {
    let upstream = upstream(balance, lines);
    upstream.group().seed(20_261_120);
    upstream
}

#[test]
fn chance_follows_the_weights() {
    let upstream = seeded(Balance::Random, [line("10.0.0.1:1"), weighted("10.0.0.1:2", 3), weighted("10.0.0.1:3", 6)]);
    let picked = ports(&upstream, 10_000, Instant::now());
    let count = |port| picked.iter().filter(|&&other| other == port).count();
    // Five standard deviations of a binomial are less than 250 here; the seed is fixed all the same.
    for (port, expected) in [(1, 1000), (2, 3000), (3, 6000)] {
        assert!(count(port).abs_diff(expected) < 250, "{port}: {}", count(port));
    }
    let pairs = picked.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(pairs.abs_diff(4600) < 250, "each draw is a new one: {pairs}");
}

#[test]
fn of_two_by_chance_the_one_with_fewer_sessions_is_taken() {
    let upstream = seeded(Balance::RandomTwo, (1..=10).map(|port| line(&format!("10.0.0.1:{port}"))));
    let by_one = seeded(Balance::Random, (1..=10).map(|port| line(&format!("10.0.0.1:{port}"))));
    let now = Instant::now();
    let spread = |upstream: &Arc<Upstream>| {
        let leases: Vec<_> = (0..1000).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
        assert_eq!(leases.len(), 1000);
        let sessions = upstream.status().into_iter().map(|server| server.sessions);
        sessions.clone().max().unwrap() - sessions.min().unwrap()
    };
    let (two, one) = (spread(&upstream), spread(&by_one));
    assert!(two <= 5 && one >= 20, "two choices keep the loads close: {two}, one does not: {one}");
}

#[test]
fn of_two_with_as_many_sessions_the_second_is_taken() {
    let upstream = seeded(Balance::RandomTwo, [line("10.0.0.1:1"), weighted("10.0.0.1:2", 3)]);
    let picked = ports(&upstream, 200, Instant::now());
    // Both are idle. The heavy one is drawn first three times of four; then only the other can be the second.
    assert!(picked.iter().filter(|&&port| port == 1).count() > 130, "{picked:?}");
    let held = lease_of(&upstream, 1, Instant::now());
    assert_eq!(ports(&upstream, 50, Instant::now()), [2; 50], "one session on the light one is much for it");
    drop(held);
}

#[test]
fn after_too_many_misses_they_take_turns() {
    let down = ServerLine { down: true, ..weighted("10.0.0.1:9", 60_000) };
    for balance in [Balance::Random, Balance::RandomTwo] {
        let upstream = seeded(balance, [line("10.0.0.1:1"), down.clone(), line("10.0.0.1:2")]);
        let now = Instant::now();
        assert_eq!(ports(&upstream, 20, now), [1, 2].repeat(10), "{balance}");
        let mut tried = Tried::default();
        assert!(upstream.pick(b"", &mut tried, now).is_some());
        assert_eq!(tried.cursor.misses, 21, "{balance}: the last of 21 misses is the last draw");
        assert!(upstream.pick(b"", &mut tried, now).is_some());
        assert_eq!(tried.cursor.misses, 21, "{balance}: and the session draws no more");
    }
}

#[test]
fn one_alone_and_the_last_one_left_are_found() {
    for balance in [Balance::Random, Balance::RandomTwo] {
        let alone = upstream(balance, [line("10.0.0.1:1")]);
        assert_eq!(ports(&alone, 2, Instant::now()), [1, 1], "{balance}");
        let two = upstream(balance, [ServerLine { down: true, ..line("10.0.0.1:1") }, line("10.0.0.1:2")]);
        assert_eq!(ports(&two, 5, Instant::now()), [2; 5], "{balance}");
        let many = upstream(balance, (1..=9).map(|port| line(&format!("10.0.0.1:{port}"))));
        let mut met = all_fail(&many, b"", Instant::now());
        met.sort_unstable();
        assert_eq!(met, (1..=9).collect::<Vec<_>>(), "{balance}: a session meets each server once");
    }
}
