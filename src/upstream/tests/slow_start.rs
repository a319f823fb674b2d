//! `slow_start`: who recovers or joins late has little weight at first.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_secs(100);

fn slow(written: &str) -> ServerLine {
    ServerLine { slow_start: SLOW, ..line(written) }
}

/// Fails the first server and lets it recover; says when.
fn recovers(upstream: &Arc<Upstream>, start: Instant) -> Instant {
    fails_once(upstream, 1, start);
    let due = start + TIMEOUT + Duration::from_millis(1);
    lease_of(upstream, 1, due).connected(due);
    due
}

fn share(upstream: &Arc<Upstream>, port: u16, sessions: usize, now: Instant) -> usize {
    ports(upstream, sessions, now).into_iter().filter(|&other| other == port).count()
}

#[test]
fn at_the_start_everybody_has_its_whole_weight() {
    let upstream = upstream(Balance::RoundRobin, [slow("10.0.0.1:1"), line("10.0.0.1:2")]);
    assert_eq!(share(&upstream, 1, 10, Instant::now()), 5);
    assert_eq!(upstream.status()[0].slow_start_until, None);
}

#[test]
fn a_server_that_recovers_gets_its_weight_back_little_by_little() {
    let upstream = upstream(Balance::RoundRobin, [slow("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = recovers(&upstream, Instant::now());
    assert_eq!(upstream.status()[0].slow_start_until, Some(start + SLOW));
    assert!(share(&upstream, 1, 500, start) <= 1, "a thousandth at first");
    // A quarter of a weight against a whole one is a fifth of all, half of one a third.
    assert!(share(&upstream, 1, 1000, start + SLOW / 4).abs_diff(200) <= 1);
    assert!(share(&upstream, 1, 999, start + SLOW / 2).abs_diff(333) <= 1);
    assert!(share(&upstream, 1, 1000, start + SLOW).abs_diff(500) <= 1);
    assert!(share(&upstream, 1, 1000, start + 10 * SLOW).abs_diff(500) <= 1);
}

#[test]
fn a_connect_that_clears_fewer_failures_than_it_takes_changes_nothing() {
    let upstream = upstream(Balance::RoundRobin, [ServerLine { max_fails: 2, ..slow("10.0.0.1:1") }, line("10.0.0.1:2")]);
    let now = recovers(&upstream, Instant::now());
    assert_eq!((upstream.status()[0].fails, upstream.status()[0].slow_start_until), (0, None), "it never counted as failed");
    ports(&upstream, 4, now);
    assert_eq!(share(&upstream, 1, 100, now), 50);
}

#[test]
fn addresses_start_slowly_if_they_join_after_the_first_answer() {
    let upstream = upstream(Balance::RoundRobin, [ServerLine { slow_start: SLOW, ..line("web.internal:443") }, line("10.0.0.9:9")]);
    let now = Instant::now();
    upstream.set_servers(0, of_name(&[ip(1)], 443), now);
    assert_eq!(share(&upstream, 9, 10, now), 5, "not those of the first answer");
    upstream.set_servers(0, of_name(&[ip(1), ip(2)], 443), now);
    let slow_starts: Vec<_> = upstream.status().iter().map(|server| server.slow_start_until).collect();
    assert_eq!(slow_starts, [None, Some(now + SLOW), None]);
    assert!(share(&upstream, 9, 1000, now).abs_diff(500) <= 1);
    assert!(share(&upstream, 9, 999, now + SLOW).abs_diff(333) <= 1);
}

#[test]
fn an_empty_first_answer_is_one() {
    let upstream = upstream(Balance::RoundRobin, [ServerLine { slow_start: SLOW, ..line("web.internal:443") }, line("10.0.0.9:9")]);
    let now = Instant::now();
    upstream.set_servers(0, Vec::new(), now);
    upstream.set_servers(0, of_name(&[ip(1)], 443), now);
    assert_eq!(upstream.status()[0].slow_start_until, Some(now + SLOW));
}

#[test]
fn the_least_ones_and_chance_go_by_it_too() {
    for balance in [Balance::LeastConn, Balance::LeastTime, Balance::Random] {
        let upstream = upstream(balance, [slow("10.0.0.1:1"), line("10.0.0.1:2")]);
        upstream.group().seed(7);
        let start = recovers(&upstream, Instant::now());
        let held = |now| -> Vec<_> { (0..300).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect() };
        let count = |leases: &[Lease]| leases.iter().filter(|lease| port_of(lease) == 1).count();
        assert!(count(&held(start)) <= 2, "{balance}");
        let half = count(&held(start + SLOW / 2));
        assert!(half.abs_diff(100) <= if balance == Balance::Random { 40 } else { 1 }, "{balance}: {half}");
    }
}

#[test]
fn a_server_that_is_alone_is_picked_however_slowly_it_starts() {
    let upstream = upstream(Balance::RoundRobin, [ServerLine { slow_start: SLOW, ..line("web.internal:443") }]);
    let now = Instant::now();
    upstream.set_servers(0, Vec::new(), now);
    upstream.set_servers(0, of_name(&[ip(1)], 443), now);
    assert_eq!(ports(&upstream, 20, now), [443; 20]);
}
