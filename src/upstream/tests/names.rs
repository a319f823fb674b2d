//! DNS names, whose addresses come and go.

use super::*;

fn answers(upstream: &Upstream, line: usize, addresses: &[IpAddr]) {
    upstream.set_servers(line, of_name(addresses, 443), Instant::now());
}

fn found(last: u8) -> Found {
    Found { address: (ip(last), 443).into(), weight: None, backup: false, text: None }
}

#[test]
fn a_dns_name_stands_for_all_its_addresses() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.9:9"), line("web.internal:443"), line("10.0.0.8:8")]);
    let now = Instant::now();
    assert_eq!((ports(&upstream, 2, now), upstream.tries()), (vec![9, 8], 2));
    answers(&upstream, 1, &[ip(2), ip(1), ip(2)]);
    answers(&upstream, 0, &[ip(7)]);
    answers(&upstream, 3, &[ip(7)]);
    let addresses: Vec<_> = upstream.status().iter().map(|server| server.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.9:9", "10.0.0.1:443", "10.0.0.2:443", "10.0.0.8:8"]);
    assert!(upstream.status()[1..3].iter().all(|server| &*server.written == "web.internal:443"));
}

#[test]
fn addresses_that_stay_keep_their_state() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443"), line("10.0.0.9:9")]);
    answers(&upstream, 0, &[ip(1), ip(2)]);
    let now = Instant::now();
    let held = lease_of(&upstream, 443, now);
    held.failed(now);
    lease_of(&upstream, 9, now).failed(now);
    let leaving = held.address_text().to_string();
    let standing = |address: &str| upstream.status().into_iter().find(|server| &*server.address == address);
    let (failed, other) = (standing(&leaving), standing("10.0.0.9:9"));
    assert_eq!((failed.as_ref().unwrap().fails, failed.as_ref().unwrap().sessions), (1, 1));

    answers(&upstream, 0, &[ip(3), ip(2), ip(1)]);
    assert_eq!((standing(&leaving), standing("10.0.0.9:9")), (failed, other));
    assert_eq!(standing("10.0.0.3:443").unwrap().fails, 0);

    answers(&upstream, 0, &[ip(3)]);
    held.failed(now);
    drop(held);
    assert_eq!(standing(&leaving), None);
    answers(&upstream, 0, &[ip(1)]);
    assert_eq!(standing("10.0.0.1:443").unwrap().fails, 0, "one that comes back starts anew");
}

#[test]
fn a_server_that_joins_during_a_session_may_be_tried() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443"), ServerLine { down: true, ..line("10.0.0.9:9") }]);
    answers(&upstream, 0, &[ip(1)]);
    let (mut tried, now) = (Tried::default(), Instant::now());
    assert!(upstream.pick(b"", &mut tried, now).is_some());
    assert!(upstream.pick(b"", &mut tried, now).is_none());
    answers(&upstream, 0, &[ip(2)]);
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
    answers(&upstream, 0, &[ip(1), ip(2)]);
    let now = Instant::now();
    assert_eq!(all_fail(&upstream, b"", now).len(), 2);
    assert_eq!(port(&upstream, now), None);
    answers(&upstream, 0, &[ip(2)]);
    assert_eq!(port(&upstream, now), Some(443));
}

#[test]
fn a_look_up_may_say_weights_ports_and_backups() {
    let upstream = upstream(Balance::RoundRobin, [weighted("web.internal:443", 2), line("10.0.0.9:9")]);
    let now = Instant::now();
    let heavy = Found { address: (ip(1), 81).into(), weight: Some(3), ..found(1) };
    let backup = Found { address: (ip(3), 83).into(), backup: true, ..found(3) };
    upstream.set_servers(0, vec![heavy, Found { address: (ip(2), 82).into(), ..found(2) }, backup], now);
    let mut shares = ports(&upstream, 6, now);
    shares.sort_unstable();
    assert_eq!(shares, [9, 81, 81, 81, 82, 82]);
    [9, 81, 82].into_iter().for_each(|port| fails_once(&upstream, port, now));
    assert_eq!(ports(&upstream, 2, now), [83, 83], "the backup of a look-up is one");
    let sides: Vec<_> = upstream.status().iter().map(|server| server.backup).collect();
    assert_eq!(sides, [false, false, false, true]);
}

#[test]
fn a_new_weight_of_one_that_stays_takes_nothing_from_its_state() {
    let name = ServerLine { max_fails: 2, ..line("web.internal:443") };
    let upstream = upstream(Balance::RoundRobin, [name, line("10.0.0.9:9")]);
    let now = Instant::now();
    upstream.set_servers(0, vec![Found { weight: Some(4), ..found(1) }], now);
    fails_once(&upstream, 443, now);
    let before = upstream.status()[0].clone();
    assert_eq!((before.fails, before.effective_weight), (1, 2));
    upstream.set_servers(0, vec![Found { weight: Some(8), ..found(1) }], now);
    let after = upstream.status()[0].clone();
    assert_eq!((after.fails, after.effective_weight), (1, 6), "what failures took stays taken");
    ports(&upstream, 90, now);
    let shares = ports(&upstream, 90, now);
    assert_eq!(shares.iter().filter(|&&port| port == 443).count(), 80);
}

#[test]
fn one_that_becomes_a_backup_starts_anew() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443"), line("10.0.0.9:9")]);
    let now = Instant::now();
    upstream.set_servers(0, vec![found(1)], now);
    fails_once(&upstream, 443, now);
    upstream.set_servers(0, vec![Found { backup: true, ..found(1) }], now);
    assert_eq!(upstream.status().iter().map(|server| (server.backup, server.fails)).collect::<Vec<_>>(), [(false, 0), (true, 0)]);
}

#[test]
fn the_circle_follows_texts_and_weights_of_a_look_up() {
    let by_name = upstream(Balance::ConsistentHash, [line("web.internal:443"), line("10.0.0.9:9")]);
    let by_hand = upstream(Balance::ConsistentHash, [weighted("10.0.0.1:443", 3), line("10.0.0.2:443"), line("10.0.0.9:9")]);
    let now = Instant::now();
    let texts = |weight| {
        [(1, weight), (2, None)].map(|(last, weight)| Found { weight, text: Some(format!("10.0.0.{last}:443").into()), ..found(last) })
    };
    let order =
        |upstream: &Upstream, key: u8| upstream.order(&[key], now).iter().map(|server| server.address_text().clone()).collect::<Vec<_>>();
    let differ = |upstream: &Upstream| (0..100).filter(|&key| order(upstream, key) != order(&by_hand, key)).count();
    by_name.set_servers(0, texts(None).into(), now);
    assert!(differ(&by_name) > 0, "the weight counts");
    by_name.set_servers(0, texts(Some(3)).into(), now);
    assert_eq!(differ(&by_name), 0);
}

#[test]
fn a_hash_goes_by_the_weights_of_a_look_up() {
    let by_name = upstream(Balance::Hash, [line("web.internal:443"), line("10.0.0.9:443")]);
    let by_hand = upstream(Balance::Hash, [weighted("10.0.0.1:443", 3), weighted("10.0.0.2:443", 5), line("10.0.0.9:443")]);
    let now = Instant::now();
    let weighing = |last, weight| Found { weight: Some(weight), ..found(last) };
    by_name.set_servers(0, vec![weighing(1, 3), weighing(2, 5)], now);
    let first = |upstream: &Upstream, key: u8| upstream.order(&[key], now)[0].address_text().clone();
    for key in 0..100 {
        assert_eq!(first(&by_name, key), first(&by_hand, key));
    }
}
