//! Failures are counted and forgiven as nginx does it.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_failed_server_is_left_alone_and_then_probed_once() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    fails_once(&upstream, 1, start);
    assert_eq!(ports(&upstream, 5, start + TIMEOUT), [2; 5]);
    let due = start + TIMEOUT + Duration::from_millis(1);
    assert_eq!(ports(&upstream, 9, due).iter().filter(|&&port| port == 1).count(), 1, "one session probes");
    let due_again = due + TIMEOUT + Duration::from_millis(1);
    assert_eq!(ports(&upstream, 9, due_again).iter().filter(|&&port| port == 1).count(), 1, "and one more a timeout later");
}

#[test]
fn one_thread_of_many_probes() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    fails_once(&upstream, 1, start);
    let due = start + TIMEOUT + Duration::from_millis(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| ports(&upstream, 50, due))).collect();
        let ports: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        assert_eq!([1, 2].map(|port| ports.iter().filter(|&&other| other == port).count()), [1, 399]);
    });
}

#[test]
fn a_probe_that_connects_makes_the_server_live_at_once() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    let early = lease_of(&upstream, 1, start);
    fails_once(&upstream, 1, start);
    early.connected(start);
    assert_eq!(upstream.status()[0].fails, 1, "a connection from before the failure proves nothing");
    let due = start + TIMEOUT + Duration::from_millis(1);
    let probe = lease_of(&upstream, 1, due);
    probe.connected(due);
    assert_eq!(upstream.status()[0].fails, 0);
    assert_eq!(ports(&upstream, 10, due).iter().filter(|&&port| port == 1).count(), 5);
}

#[test]
fn failures_take_weight_that_comes_back() {
    let lines = [ServerLine { max_fails: 2, ..weighted("10.0.0.1:1", 10) }, weighted("10.0.0.1:2", 10)];
    let upstream = upstream(Balance::RoundRobin, lines);
    let now = Instant::now();
    let effective = || upstream.status()[0].effective_weight;
    lease_of(&upstream, 1, now).failed(now);
    assert_eq!(effective(), 5);
    port(&upstream, now);
    assert_eq!(effective(), 6, "a turn gives one back");
    let lease = lease_of(&upstream, 1, now);
    for _ in 0..3 {
        lease.failed(now);
    }
    assert_eq!(effective(), 0, "never below nothing");
}

#[test]
fn without_max_fails_nothing_is_held_against_a_server() {
    let lines = [ServerLine { max_fails: 0, ..line("10.0.0.1:1") }, line("10.0.0.1:2")];
    let upstream = upstream(Balance::RoundRobin, lines);
    let now = Instant::now();
    fails_once(&upstream, 1, now);
    assert_eq!(upstream.status()[0].effective_weight, 1);
    assert!(ports(&upstream, 4, now).contains(&1));
}

#[test]
fn a_clock_that_is_behind_does_not_cut_the_pause() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let early = Instant::now();
    let late = early + Duration::from_secs(5);
    let (first, second) = (lease_of(&upstream, 1, early), lease_of(&upstream, 1, early));
    first.failed(late);
    second.failed(early);
    assert_eq!(ports(&upstream, 4, early + Duration::from_secs(12)), [2; 4]);
}

/// A lease of the one session that probes the first server, long after it failed.
fn probe(upstream: &Arc<Upstream>, now: Instant) -> Lease {
    let probe = lease_of(upstream, 1, now);
    assert_eq!(upstream.status()[0].health, Health::Probed);
    probe
}

#[test]
fn nobody_else_probes_while_a_probe_hangs() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    fails_once(&upstream, 1, start);
    assert_eq!(upstream.status()[0].health, Health::Failed { until: start + TIMEOUT });
    let due = start + 2 * TIMEOUT;
    let hanging = probe(&upstream, due);
    for later in 1..20 {
        assert_eq!(ports(&upstream, 4, due + later * TIMEOUT), [2; 4]);
    }
    let over = due + 20 * TIMEOUT;
    hanging.failed(over);
    assert_eq!(ports(&upstream, 4, over + TIMEOUT), [2; 4], "it failed: a whole timeout again");
    assert_eq!(ports(&upstream, 9, over + 2 * TIMEOUT).iter().filter(|&&port| port == 1).count(), 1);
}

#[test]
fn a_probe_that_is_given_up_makes_room_for_the_next() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    fails_once(&upstream, 1, start);
    let due = start + 2 * TIMEOUT;
    drop(probe(&upstream, due));
    assert_eq!(ports(&upstream, 4, due + TIMEOUT), [2; 4], "one for each timeout all the same");
    drop(probe(&upstream, due + 2 * TIMEOUT));
}

#[test]
fn a_probe_ends_as_it_connects_though_its_session_goes_on() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    fails_once(&upstream, 1, start);
    let due = start + 2 * TIMEOUT;
    let session = probe(&upstream, due);
    session.connected(due);
    assert_eq!(upstream.status()[0].health, Health::Up);
    fails_once(&upstream, 1, due);
    let next = probe(&upstream, due + 2 * TIMEOUT);
    drop(session);
    assert_eq!(upstream.status()[0].health, Health::Probed, "the end of an old probe is not that of the new one");
    assert_eq!(ports(&upstream, 4, due + 9 * TIMEOUT), [2; 4]);
    drop(next);
}
