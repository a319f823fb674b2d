use std::collections::HashMap;
use std::time::Duration;

use super::*;

/// A line with an address and the defaults.
pub(super) fn line(written: &str) -> ServerLine {
    ServerLine {
        written: written.into(),
        address: Address::parse(written).unwrap(),
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        backup: false,
        down: false,
    }
}

pub(super) fn upstream(balance: Balance, lines: impl IntoIterator<Item = ServerLine>) -> Arc<Upstream> {
    Arc::new(Upstream::new("web".into(), balance, lines.into_iter().collect()))
}

fn weighted(written: &str, weight: u32) -> ServerLine {
    ServerLine { weight, ..line(written) }
}

/// The port of the server that a new session gets.
fn port(upstream: &Arc<Upstream>, now: Instant) -> Option<u16> {
    upstream.pick(b"", &mut Tried::default(), now).map(|lease| port_of(&lease))
}

fn ports(upstream: &Arc<Upstream>, sessions: usize, now: Instant) -> Vec<u16> {
    (0..sessions).filter_map(|_| port(upstream, now)).collect()
}

fn port_of(server: &Server) -> u16 {
    match server.endpoint() {
        Endpoint::Ip(address) => address.port(),
        Endpoint::Unix(_) => 0,
    }
}

/// Lets one session fail with every server that it meets; their ports in that order.
fn all_fail(upstream: &Arc<Upstream>, key: &[u8], now: Instant) -> Vec<u16> {
    let mut tried = Tried::default();
    let next = || {
        let lease = upstream.pick(key, &mut tried, now)?;
        lease.failed(now);
        Some(port_of(&lease))
    };
    std::iter::from_fn(next).collect()
}

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn weights_are_spread_smoothly() {
    let upstream = upstream(Balance::RoundRobin, [weighted("10.0.0.1:1", 5), line("10.0.0.1:2"), line("10.0.0.1:3")]);
    let now = Instant::now();
    for _ in 0..3 {
        assert_eq!(ports(&upstream, 7, now), [1, 1, 2, 1, 3, 1, 1]);
    }
}

#[test]
fn shares_are_exact_over_threads() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6).map(|_| scope.spawn(|| ports(&upstream, 5, now))).collect();
        let ports: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        assert_eq!([1, 2].map(|port| ports.iter().filter(|&&other| other == port).count()), [15, 15]);
    });
}

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
    early.connected();
    assert_eq!(upstream.status()[0].fails, 1, "a connection from before the failure proves nothing");
    let due = start + TIMEOUT + Duration::from_millis(1);
    let probe = lease_of(&upstream, 1, due);
    probe.connected();
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
    (0..3).for_each(|_| lease.failed(now));
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

#[test]
fn a_single_server_is_always_tried_unless_down() {
    let now = Instant::now();
    let alone = upstream(Balance::RoundRobin, [line("10.0.0.1:1")]);
    assert_eq!(all_fail(&alone, b"", now), [1], "once in a session");
    assert_eq!(all_fail(&alone, b"", now), [1], "and again in the next");
    assert_eq!((alone.status()[0].fails, alone.tries()), (0, 1));
    let down = upstream(Balance::RoundRobin, [ServerLine { down: true, ..line("10.0.0.1:1") }]);
    assert_eq!((port(&down, now), down.tries()), (None, 0));
    let with_backup = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), ServerLine { backup: true, ..line("10.0.0.1:2") }]);
    all_fail(&with_backup, b"", now);
    assert_eq!(port(&with_backup, now), None, "a server with a backup is not single");
}

#[test]
fn backups_are_for_when_no_other_is_left() {
    let backup = |written| ServerLine { backup: true, ..line(written) };
    let lines = [backup("10.0.0.1:8"), line("10.0.0.1:1"), backup("10.0.0.1:9"), ServerLine { down: true, ..line("10.0.0.1:3") }];
    let upstream = upstream(Balance::RoundRobin, lines);
    let now = Instant::now();
    assert_eq!(upstream.tries(), 3);
    assert_eq!(ports(&upstream, 3, now), [1, 1, 1]);
    fails_once(&upstream, 1, now);
    assert_eq!(ports(&upstream, 4, now), [8, 9, 8, 9]);
    assert_eq!(all_fail(&upstream, b"", now), [8, 9]);
}

#[test]
fn a_session_meets_each_server_once() {
    let lines = (1..=40).map(|port| ServerLine { max_fails: 0, ..line(&format!("10.0.0.1:{port}")) });
    let upstream = upstream(Balance::RoundRobin, lines);
    assert_eq!(all_fail(&upstream, b"", Instant::now()), (1..=40).collect::<Vec<_>>());
}

#[test]
fn sessions_are_counted_until_they_end() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    let leases: Vec<_> = (0..3).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
    let sessions = || upstream.status().iter().map(|server| server.sessions).collect::<Vec<_>>();
    assert_eq!(sessions(), [2, 1]);
    drop(leases);
    assert_eq!(sessions(), [0, 0]);
}

#[test]
fn both_hashes_try_the_servers_in_nginxs_order() {
    let free = |written: &str, weight| ServerLine { max_fails: 0, ..weighted(written, weight) };
    let equal = || [1, 2, 3].map(|n| free(&format!("127.0.0.1:900{n}"), 1));
    let mixed = || {
        [("127.0.0.1:9001", 1), ("127.0.0.1:9002", 2), ("127.0.0.1:9003", 5), ("[::1]:9004", 1), ("unix:/run/u.sock", 2)]
            .map(|(written, weight)| free(written, weight))
    };
    let groups = HashMap::from([
        ("A-plain", upstream(Balance::Hash, equal())),
        ("A-consistent", upstream(Balance::ConsistentHash, equal())),
        ("B-plain", upstream(Balance::Hash, mixed())),
        ("B-consistent", upstream(Balance::ConsistentHash, mixed())),
    ]);
    let vectors = include_str!("../../tests/data/nginx-hash-vectors.tsv");
    let mut seen = 0;
    for row in vectors.lines().filter(|row| !row.starts_with('#')) {
        let [group, key, crc, order] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        assert_eq!(format!("{:08x}", crc32fast::hash(key.as_bytes())), crc);
        assert_eq!(named(all_fail(&groups[group], key.as_bytes(), Instant::now())), order, "{row}");
        seen += 1;
    }
    assert_eq!(seen, 160);
}

#[test]
fn the_fixed_keys_meet_the_servers_in_nginxs_order() {
    let lines = || [1, 2, 3].map(|n| ServerLine { max_fails: 0, ..line(&format!("127.0.0.1:900{n}")) });
    let (plain, consistent) = (upstream(Balance::Hash, lines()), upstream(Balance::ConsistentHash, lines()));
    let cases = [("192.0.2.1", "2 3 1", "3 2 1"), ("127.0.0.1", "2 1 3", "1 2 3"), ("2001:db8::1", "2 3 1", "1 3 2")];
    for (key, by_ring, by_sum) in cases {
        let now = Instant::now();
        assert_eq!(named(all_fail(&consistent, key.as_bytes(), now)), by_ring, "{key}");
        assert_eq!(named(all_fail(&plain, key.as_bytes(), now)), by_sum, "{key}");
    }
    let two = upstream(Balance::Hash, lines().into_iter().take(2));
    assert_eq!(two.pick(b"127.0.0.1", &mut Tried::default(), Instant::now()).map(|lease| port_of(&lease)), Some(9002));
}

#[test]
fn an_empty_key_takes_turns() {
    for balance in [Balance::Hash, Balance::ConsistentHash] {
        let upstream = upstream(balance, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
        assert_eq!(ports(&upstream, 4, Instant::now()), [1, 2, 1, 2]);
    }
}

#[test]
fn after_too_many_misses_a_hash_takes_turns() {
    let down = |port| ServerLine { down: true, weight: 100, ..line(&format!("10.0.0.1:{port}")) };
    for balance in [Balance::Hash, Balance::ConsistentHash] {
        let upstream = upstream(balance, [down(1), line("10.0.0.1:2"), down(3), line("10.0.0.1:4")]);
        let mut picked: Vec<_> = (0..50).map(|key: u8| upstream.order(&[key], Instant::now()).len()).collect();
        picked.dedup();
        assert_eq!(picked, [2], "{balance:?}");
    }
}

#[test]
fn lines_with_one_text_take_turns_at_its_points() {
    let upstream = upstream(Balance::ConsistentHash, [line("10.0.0.1:1"), line("10.0.0.1:1"), line("10.0.0.1:1")]);
    let now = Instant::now();
    for _ in 0..6 {
        let _ = upstream.pick(b"key", &mut Tried::default(), now);
    }
    let weights: Vec<_> = (0..3).map(|_| upstream.pick(b"key", &mut Tried::default(), now).unwrap().line_number()).collect();
    assert_eq!(weights, [0, 1, 2]);
}

#[test]
fn asking_for_the_order_changes_nothing() {
    for balance in [Balance::RoundRobin, Balance::Hash, Balance::ConsistentHash] {
        let upstream = upstream(balance, (1..=5).map(|port| weighted(&format!("10.0.0.1:{port}"), port)));
        let now = Instant::now();
        let before = format!("{:?}", upstream.group());
        let told: Vec<_> = upstream.order(b"192.0.2.1", now).iter().map(|server| port_of(server)).collect();
        assert_eq!(format!("{:?}", upstream.group()), before);
        assert_eq!(told.len(), 5);
        assert_eq!(all_fail(&upstream, b"192.0.2.1", now), told, "{balance:?}");
        assert_eq!(upstream.order(b"192.0.2.1", now).len(), 0, "failed servers are not met");
    }
}

#[test]
fn a_dns_name_stands_for_all_its_addresses() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.9:9"), line("web.internal:443"), line("10.0.0.8:8")]);
    let now = Instant::now();
    assert_eq!((ports(&upstream, 2, now), upstream.tries()), (vec![9, 8], 2));
    upstream.set_addresses(1, &[ip(2), ip(1), ip(2)]);
    upstream.set_addresses(0, &[ip(7)]);
    upstream.set_addresses(3, &[ip(7)]);
    let addresses: Vec<_> = upstream.status().iter().map(|server| server.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.9:9", "10.0.0.1:443", "10.0.0.2:443", "10.0.0.8:8"]);
    assert!(upstream.status()[1..3].iter().all(|server| &*server.written == "web.internal:443"));
}

#[test]
fn addresses_that_stay_keep_their_state() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443"), line("10.0.0.9:9")]);
    upstream.set_addresses(0, &[ip(1), ip(2)]);
    let now = Instant::now();
    let held = lease_of(&upstream, 443, now);
    held.failed(now);
    lease_of(&upstream, 9, now).failed(now);
    let leaving = held.address_text().to_string();
    let standing = |address: &str| upstream.status().into_iter().find(|server| &*server.address == address);
    let (failed, other) = (standing(&leaving), standing("10.0.0.9:9"));
    assert_eq!((failed.as_ref().unwrap().fails, failed.as_ref().unwrap().sessions), (1, 1));

    upstream.set_addresses(0, &[ip(3), ip(2), ip(1)]);
    assert_eq!((standing(&leaving), standing("10.0.0.9:9")), (failed, other));
    assert_eq!(standing("10.0.0.3:443").unwrap().fails, 0);

    upstream.set_addresses(0, &[ip(3)]);
    held.failed(now);
    drop(held);
    assert_eq!(standing(&leaving), None);
    upstream.set_addresses(0, &[ip(1)]);
    assert_eq!(standing("10.0.0.1:443").unwrap().fails, 0, "one that comes back starts anew");
}

#[test]
fn a_server_that_joins_during_a_session_may_be_tried() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443"), ServerLine { down: true, ..line("10.0.0.9:9") }]);
    upstream.set_addresses(0, &[ip(1)]);
    let (mut tried, now) = (Tried::default(), Instant::now());
    assert!(upstream.pick(b"", &mut tried, now).is_some());
    assert!(upstream.pick(b"", &mut tried, now).is_none());
    upstream.set_addresses(0, &[ip(2)]);
    assert_eq!(&**upstream.pick(b"", &mut tried, now).unwrap().address_text(), "10.0.0.2:443");
}

#[test]
fn a_name_without_addresses_is_not_on_the_circle() {
    let with = upstream(Balance::ConsistentHash, [line("10.0.0.1:1"), weighted("web.internal:443", 50), line("10.0.0.1:2")]);
    let without = upstream(Balance::ConsistentHash, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let order =
        |upstream: &Upstream, key: u8| upstream.order(&[key], Instant::now()).iter().map(|server| port_of(server)).collect::<Vec<_>>();
    for key in 0..100 {
        assert_eq!(order(&with, key), order(&without, key));
    }
}

#[test]
fn addresses_are_told_as_nginx_tells_them() {
    let upstream = upstream(Balance::RoundRobin, [line("[::1]:443"), line("unix:/run/a.sock")]);
    let told: Vec<_> = upstream.status().iter().map(|server| server.address.to_string()).collect();
    assert_eq!(told, ["[::1]:443", "unix:/run/a.sock"]);
}

/// A lease of the server with this port, which has a turn before long.
fn lease_of(upstream: &Arc<Upstream>, port: u16, now: Instant) -> Lease {
    let mut leases = (0..20).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now));
    leases.find(|lease| port_of(lease) == port).unwrap()
}

fn fails_once(upstream: &Arc<Upstream>, port: u16, now: Instant) {
    lease_of(upstream, port, now).failed(now);
}

fn named(ports: Vec<u16>) -> String {
    let names: Vec<_> = ports.into_iter().map(|port| if port == 0 { "u".into() } else { (port % 10).to_string() }).collect();
    names.join(" ")
}
