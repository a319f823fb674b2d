//! Both hashes, held against what nginx was seen to do.

use std::collections::HashMap;

use super::*;

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
    let vectors = include_str!("../../../tests/data/nginx-hash-vectors.tsv");
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

fn named(ports: Vec<u16>) -> String {
    let names: Vec<_> = ports.into_iter().map(|port| if port == 0 { "u".into() } else { (port % 10).to_string() }).collect();
    names.join(" ")
}
