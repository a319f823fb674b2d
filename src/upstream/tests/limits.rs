//! `max_conns`: a server never has more sessions than it may have.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn limited(written: &str, max_conns: u32) -> ServerLine {
    ServerLine { max_conns, ..line(written) }
}

#[test]
fn a_full_server_is_passed_over_until_a_session_ends() {
    let upstream = upstream(Balance::RoundRobin, [limited("10.0.0.1:1", 1), line("10.0.0.1:2")]);
    let now = Instant::now();
    let held = lease_of(&upstream, 1, now);
    assert_eq!(ports(&upstream, 4, now), [2; 4]);
    drop(held);
    assert!(ports(&upstream, 4, now).contains(&1));
}

#[test]
fn backups_take_what_full_servers_cannot_and_then_nobody_does() {
    let backup = ServerLine { backup: true, ..limited("10.0.0.1:9", 1) };
    for balance in [Balance::RoundRobin, Balance::LeastConn, Balance::LeastTime] {
        let upstream = upstream(balance, [limited("10.0.0.1:1", 2), backup.clone()]);
        let now = Instant::now();
        let leases: Vec<_> = (0..4).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
        assert_eq!(leases.iter().map(|lease| port_of(lease)).collect::<Vec<_>>(), [1, 1, 9], "{balance}");
    }
}

#[test]
fn a_single_server_may_be_full_too() {
    let upstream = upstream(Balance::RoundRobin, [limited("10.0.0.1:1", 1)]);
    let now = Instant::now();
    let held = upstream.pick(b"", &mut Tried::default(), now);
    assert!(held.is_some());
    assert_eq!(port(&upstream, now), None);
    drop(held);
    assert_eq!(port(&upstream, now), Some(1));
}

#[test]
fn two_lines_with_one_address_have_a_count_each() {
    let upstream = upstream(Balance::RoundRobin, [limited("10.0.0.1:1", 1), limited("10.0.0.1:1", 2)]);
    let now = Instant::now();
    let leases: Vec<_> = (0..5).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
    assert_eq!(leases.len(), 3);
    assert_eq!(upstream.status().iter().map(|server| server.sessions).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn each_address_of_a_name_has_a_count_of_its_own() {
    let upstream = upstream(Balance::RoundRobin, [limited("web.internal:443", 2)]);
    let now = Instant::now();
    upstream.set_servers(0, of_name(&[ip(1), ip(2)], 443), now);
    let leases: Vec<_> = (0..6).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
    assert_eq!(leases.len(), 4);
    upstream.set_servers(0, of_name(&[ip(1), ip(3)], 443), now);
    let more: Vec<_> = (0..6).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).collect();
    assert_eq!(more.len(), 2, "the one that stays is full, the new one is empty");
}

#[test]
fn a_full_server_is_a_miss_for_a_hash() {
    for balance in [Balance::Hash, Balance::ConsistentHash] {
        let free = upstream(balance, (1..=3).map(|port| line(&format!("10.0.0.1:{port}"))));
        let limited = upstream(balance, (1..=3).map(|port| limited(&format!("10.0.0.1:{port}"), 1)));
        let now = Instant::now();
        for key in 0..20 {
            let order: Vec<_> = free.order(&[key], now).iter().map(|server| port_of(server)).collect();
            let leases: Vec<_> = (0..3).filter_map(|_| limited.pick(&[key], &mut Tried::default(), now)).collect();
            assert_eq!(
                leases.iter().map(|lease| port_of(lease)).collect::<Vec<_>>(),
                order,
                "{balance}: as if the full ones had been tried"
            );
        }
    }
}

#[test]
fn many_threads_never_have_more_than_a_server_may_have() {
    let all = [Balance::RoundRobin, Balance::LeastConn, Balance::LeastTime, Balance::Random, Balance::RandomTwo, Balance::Hash];
    for balance in all {
        let upstream = upstream(balance, [limited("10.0.0.1:1", 3), limited("10.0.0.1:2", 1)]);
        let now = Instant::now();
        let held = [const { AtomicUsize::new(0) }; 2];
        let picked = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..6u8 {
                let (upstream, held, picked) = (&upstream, &held, &picked);
                scope.spawn(move || {
                    for turn in 0..300 {
                        let leases: Vec<_> =
                            (0..1 + turn % 3).filter_map(|_| upstream.pick(&[thread, turn as u8], &mut Tried::default(), now)).collect();
                        picked.fetch_add(leases.len(), Ordering::Relaxed);
                        for lease in leases {
                            let (held, most) = if port_of(&lease) == 1 { (&held[0], 3) } else { (&held[1], 1) };
                            assert!(held.fetch_add(1, Ordering::SeqCst) < most, "{balance}: {} has more", lease.address_text());
                            std::thread::yield_now();
                            held.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(picked.into_inner() > 100, "{balance}");
        assert!(upstream.status().iter().all(|server| server.sessions == 0));
    }
}
