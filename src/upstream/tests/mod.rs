//! What an upstream does for sessions, seen through what it lends them.

mod account;
mod chance;
mod circle;
mod failures;
mod families;
mod hashes;
mod least;
mod limits;
mod missing;
mod names;
mod properties;
mod shares;
mod slow_start;
mod waiting;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::address::Address;

/// A line with an address and the defaults.
pub(super) fn line(written: &str) -> ServerLine {
    ServerLine { written: written.into(), ..ServerLine::new(Address::parse(written).unwrap()) }
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

/// The servers that a look-up of a plain name finds.
fn of_name(addresses: &[IpAddr], port: u16) -> Vec<Found> {
    let addresses: std::collections::BTreeSet<_> = addresses.iter().collect();
    let found = |&ip| Found { address: SocketAddr::new(ip, port), weight: None, backup: false, text: None };
    addresses.into_iter().map(found).collect()
}

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
fn asking_for_the_order_changes_nothing() {
    for balance in [Balance::RoundRobin, Balance::LeastConn, Balance::LeastTime, Balance::Hash, Balance::ConsistentHash] {
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
