//! DNS names, whose addresses come and go.

use super::*;

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
fn a_failed_server_that_is_the_last_one_left_is_tried() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443")]);
    upstream.set_addresses(0, &[ip(1), ip(2)]);
    let now = Instant::now();
    assert_eq!(all_fail(&upstream, b"", now).len(), 2);
    assert_eq!(port(&upstream, now), None);
    upstream.set_addresses(0, &[ip(2)]);
    assert_eq!(port(&upstream, now), Some(443));
}
