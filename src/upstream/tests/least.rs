//! `least_conn` and `least_time`.

use super::*;

fn held(upstream: &Arc<Upstream>, sessions: usize, now: Instant) -> Vec<Lease> {
    (0..sessions).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect()
}

fn ports_of(leases: &[Lease]) -> Vec<u16> {
    leases.iter().map(|lease| port_of(lease)).collect()
}

#[test]
fn the_one_with_the_fewest_sessions_for_its_weight_is_next() {
    let upstream = upstream(Balance::LeastConn, [line("10.0.0.1:1"), weighted("10.0.0.1:2", 2), line("10.0.0.1:3")]);
    let now = Instant::now();
    let mut leases = held(&upstream, 8, now);
    let count = |port| upstream.status().iter().find(|server| server.address.ends_with(&format!(":{port}"))).unwrap().sessions;
    assert_eq!([1, 2, 3].map(count), [2, 4, 2]);
    leases.retain(|lease| port_of(lease) != 3);
    assert_eq!(ports_of(&held(&upstream, 2, now)), [3, 3]);
}

/// Worked out by hand from nginx's rule: with all idle the three tie, and take turns by their weights.
#[test]
fn those_that_tie_take_turns_by_their_weights() {
    let upstream = upstream(Balance::LeastConn, [weighted("10.0.0.1:1", 5), line("10.0.0.1:2"), line("10.0.0.1:3")]);
    assert_eq!(ports(&upstream, 7, Instant::now()), [1, 1, 2, 1, 3, 1, 1]);
}

#[test]
fn only_those_that_tie_take_part_in_the_turns() {
    let upstream = upstream(Balance::LeastConn, [line("10.0.0.1:1"), line("10.0.0.1:2"), line("10.0.0.1:3")]);
    let now = Instant::now();
    let busy = held(&upstream, 1, now);
    assert_eq!(ports_of(&busy), [1]);
    // The first has had its turn and does not wait for another: the two others alternate, however often.
    assert_eq!(ports(&upstream, 6, now), [2, 3, 2, 3, 2, 3]);
    drop(busy);
    // Each of the two has had as many turns as it was due among two, the first is where it was.
    assert_eq!(ports(&upstream, 3, now), [2, 3, 1]);
}

#[test]
fn a_failed_one_gets_its_weight_back_by_ties_alone() {
    let lines = [ServerLine { max_fails: 2, ..weighted("10.0.0.1:1", 4) }, weighted("10.0.0.1:2", 4)];
    let upstream = upstream(Balance::LeastConn, lines);
    let now = Instant::now();
    let failing = lease_of(&upstream, 1, now);
    failing.failed(now);
    let effective = || upstream.status()[0].effective_weight;
    assert_eq!(effective(), 2);
    assert_eq!(ports(&upstream, 3, now), [2, 2, 2], "no tie while the first has a session");
    assert_eq!(effective(), 2);
    let other = lease_of(&upstream, 2, now);
    drop(failing);
    let due = now + Duration::from_secs(11);
    assert_eq!(ports(&upstream, 3, due), [1, 1, 1], "nor while it alone has the least");
    assert_eq!(effective(), 2);
    drop(other);
    ports(&upstream, 1, due);
    assert_eq!(effective(), 3);
}

#[test]
fn backups_go_by_the_least_too() {
    let backup = |written, weight| ServerLine { backup: true, ..weighted(written, weight) };
    let lines = [ServerLine { down: true, ..line("10.0.0.1:1") }, backup("10.0.0.1:8", 1), backup("10.0.0.1:9", 3)];
    for balance in [Balance::LeastConn, Balance::LeastTime] {
        let upstream = upstream(balance, lines.clone());
        let now = Instant::now();
        let leases = held(&upstream, 8, now);
        let count = |port| leases.iter().filter(|lease| port_of(lease) == port).count();
        assert_eq!([8, 9].map(count), [2, 6], "{balance}");
        let kept: Vec<_> = leases.into_iter().filter(|lease| port_of(lease) == 8).collect();
        assert_eq!(ports_of(&held(&upstream, 6, now)), [9; 6], "{balance}");
        drop(kept);
    }
}

/// Lets a server take so long to connect and then to answer.
fn measure(lease: &Lease, picked: Instant, connect: u64, first_byte: u64) {
    let connected = picked + Duration::from_millis(connect);
    lease.connected(connected);
    lease.answered(connected + Duration::from_millis(first_byte));
}

#[test]
fn the_one_that_answers_soonest_is_next_until_it_has_too_much_to_do() {
    let upstream = upstream(Balance::LeastTime, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    let leases = held(&upstream, 2, now);
    assert_eq!(ports_of(&leases), [1, 2], "nothing is measured yet");
    measure(&leases[0], now, 10, 80);
    measure(&leases[1], now, 5, 5);
    drop(leases);
    // 100 against 20 for each session: the second has four before a fifth would take as long as the first one's.
    let leases = held(&upstream, 4, now);
    assert_eq!(ports_of(&leases), [2, 2, 2, 2]);
    let tied = held(&upstream, 2, now);
    let mut both = ports_of(&tied);
    both.sort_unstable();
    assert_eq!(both, [1, 2], "a fifth would take as long here as there");
    assert_eq!(upstream.status().iter().map(|server| server.response_time.unwrap().as_millis()).collect::<Vec<_>>(), [90, 10]);
}

#[test]
fn a_weight_makes_up_for_time() {
    let upstream = upstream(Balance::LeastTime, [weighted("10.0.0.1:1", 5), line("10.0.0.1:2")]);
    let now = Instant::now();
    for lease in held(&upstream, 6, now) {
        measure(&lease, now, 0, if port_of(&lease) == 1 { 70 } else { 30 });
    }
    assert_eq!(ports(&upstream, 3, now), [1; 3], "80 / 5 is less than 40");
}

#[test]
fn a_slow_server_that_was_left_alone_long_enough_is_asked_again() {
    let upstream = upstream(Balance::LeastTime, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let start = Instant::now();
    for lease in held(&upstream, 2, start) {
        measure(&lease, start, 0, if port_of(&lease) == 1 { 400 } else { 60 });
    }
    let measured = start + Duration::from_millis(400);
    let at = |seconds| measured + Duration::from_secs(seconds);
    for second in 0..=32 {
        assert_eq!(port(&upstream, at(second)), Some(2), "after {second} s");
    }
    assert_eq!(port(&upstream, at(33)), Some(1), "50 of 400 are left, less than 60");
    assert_eq!(port(&upstream, at(34)), Some(2), "it was used, so what was measured counts again");
}

#[test]
fn connects_alone_count_where_no_byte_has_come() {
    let upstream = upstream(Balance::LeastTime, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    for lease in held(&upstream, 2, now) {
        let took = if port_of(&lease) == 1 { 60 } else { 30 };
        lease.connected(now + Duration::from_millis(took));
    }
    assert_eq!(ports(&upstream, 4, now), [2; 4]);
}

#[test]
fn first_bytes_are_measured_where_they_count_alone() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    measure(&lease_of(&upstream, 1, now), now, 7, 500);
    assert_eq!(upstream.status()[0].response_time, Some(Duration::from_millis(7)));
}
