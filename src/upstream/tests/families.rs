//! One address family of a name is dead: sessions keep to the other.

use super::*;

/// A name with two addresses of each family, in this order: ports tell nothing here, so servers are known by addresses.
fn both(balance: Balance, written: ServerLine) -> Arc<Upstream> {
    let upstream = upstream(balance, [written]);
    answers(&upstream, &["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]);
    upstream
}

fn answers(upstream: &Upstream, addresses: &[&str]) {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    upstream.set_servers(0, of_name(&addresses, 443), Instant::now());
}

fn name() -> ServerLine {
    ServerLine { max_fails: 10, ..line("web.internal:443") }
}

fn address(lease: &Lease) -> String {
    match lease.endpoint() {
        Endpoint::Ip(address) => address.ip().to_string(),
        Endpoint::Unix(_) => "unix".into(),
    }
}

/// Lets a new session find that a server is silent, whichever it gets first of this family.
fn silent(upstream: &Arc<Upstream>, ipv6: bool, now: Instant) {
    let mut tried = Tried::default();
    let family = if ipv6 { "fd00::" } else { "10." };
    let lease = std::iter::from_fn(|| upstream.pick(b"", &mut tried, now)).find(|lease| address(lease).starts_with(family)).unwrap();
    lease.failed(now);
    lease.not_reached(&mut tried, now);
}

/// Where so many sessions go, each to one server.
fn picked(upstream: &Arc<Upstream>, sessions: usize, now: Instant) -> Vec<String> {
    (0..sessions).filter_map(|_| upstream.pick(b"", &mut Tried::default(), now)).map(|lease| address(&lease)).collect()
}

fn of_ipv6(upstream: &Arc<Upstream>, sessions: usize, now: Instant) -> usize {
    picked(upstream, sessions, now).iter().filter(|address| address.contains(':')).count()
}

const LATER: Duration = Duration::from_secs(11);

#[test]
fn a_session_that_meets_silence_tries_the_other_family_next() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    let mut tried = Tried::default();
    let first = upstream.pick(b"", &mut tried, now).unwrap();
    assert_eq!(address(&first), "10.0.0.1");
    first.not_reached(&mut tried, now);
    let mut next = || upstream.pick(b"", &mut tried, now);
    assert_eq!([next(), next()].map(|lease| address(&lease.unwrap())), ["fd00::1", "fd00::2"]);
    assert_eq!(next().map(|lease| address(&lease)).as_deref(), Some("10.0.0.2"), "when nobody else is left");
    assert!(next().is_none());
}

#[test]
fn a_family_that_refuses_is_not_dead() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    let mut tried = Tried::default();
    let mut next = || upstream.pick(b"", &mut tried, now).unwrap();
    next().failed(now);
    assert_eq!(address(&next()), "10.0.0.2");
}

#[test]
fn a_dead_family_is_passed_over_and_seen_to_by_one_session() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    silent(&upstream, true, now);
    assert_eq!(of_ipv6(&upstream, 20, now), 0);
    assert_eq!(of_ipv6(&upstream, 20, now + LATER), 1);
    assert_eq!(of_ipv6(&upstream, 20, now + 2 * LATER), 1);
}

#[test]
fn a_family_that_is_reached_again_has_its_turns() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    silent(&upstream, true, now);
    let mut tried = Tried::default();
    let probe = std::iter::from_fn(|| upstream.pick(b"", &mut tried, now + LATER)).find(|lease| address(lease).contains(':'));
    probe.unwrap().connected(now + LATER);
    assert_eq!(of_ipv6(&upstream, 20, now + LATER), 10);
}

#[test]
fn when_both_families_are_silent_neither_stands_back() {
    let (upstream, now) = (upstream(Balance::RoundRobin, [name(), line("192.0.2.1:443")]), Instant::now());
    answers(&upstream, &["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]);
    silent(&upstream, true, now);
    silent(&upstream, false, now);
    let picked = picked(&upstream, 20, now);
    for address in ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "192.0.2.1"] {
        assert!(picked.iter().any(|picked| picked == address), "{address}: {picked:?}");
    }
}

#[test]
fn a_key_of_a_dead_familys_server_goes_elsewhere() {
    let now = Instant::now();
    for balance in [Balance::Hash, Balance::ConsistentHash, Balance::LeastConn, Balance::Random, Balance::RandomTwo] {
        let upstream = both(balance, name());
        silent(&upstream, false, now);
        let leads = |key: u32| upstream.pick(&key.to_be_bytes(), &mut Tried::default(), now).unwrap();
        assert!((0..50).all(|key| address(&leads(key)).contains(':')), "{balance}");
    }
}

#[test]
fn a_family_without_the_other_never_stands_back() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    silent(&upstream, true, now);
    answers(&upstream, &["fd00::1", "fd00::2"]);
    assert_eq!(of_ipv6(&upstream, 4, now), 4);
}

#[test]
fn a_family_that_comes_back_to_a_name_starts_anew() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    silent(&upstream, true, now);
    answers(&upstream, &["10.0.0.1", "10.0.0.2"]);
    answers(&upstream, &["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]);
    assert_eq!(of_ipv6(&upstream, 20, now), 10);
}

#[test]
fn one_silent_server_does_not_make_a_family_dead_that_was_reached_just_now() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    let reached = std::iter::from_fn(|| upstream.pick(b"", &mut Tried::default(), now)).find(|lease| address(lease).contains(':'));
    reached.unwrap().connected(now);
    silent(&upstream, true, now + LATER / 2);
    assert_eq!(of_ipv6(&upstream, 20, now + LATER / 2), 10);
    silent(&upstream, true, now + LATER);
    assert_eq!(of_ipv6(&upstream, 20, now + LATER), 0, "it was not for too long");
}

#[test]
fn a_session_that_meets_silence_turns_from_a_family_that_others_reach() {
    let (upstream, now) = (both(Balance::RoundRobin, name()), Instant::now());
    for _ in 0..4 {
        upstream.pick(b"", &mut Tried::default(), now).unwrap().connected(now);
    }
    let mut tried = Tried::default();
    let silent = upstream.pick(b"", &mut tried, now).unwrap();
    assert_eq!(address(&silent), "10.0.0.1");
    silent.not_reached(&mut tried, now);
    let mut next = || upstream.pick(b"", &mut tried, now);
    assert_eq!([next(), next()].map(|lease| address(&lease.unwrap())), ["fd00::1", "fd00::2"]);
    assert_eq!(next().map(|lease| address(&lease)).as_deref(), Some("10.0.0.2"));
    assert!((18..=22).contains(&of_ipv6(&upstream, 40, now)), "others feel nothing");
}

#[test]
fn a_silent_server_of_a_name_with_one_family_takes_no_key_from_the_others() {
    let (now, keys) = (Instant::now(), 0..200_u32);
    let lines = || ["web.internal:443", "10.9.9.1:443", "10.9.9.2:443"].map(|text| ServerLine { max_fails: 10, ..line(text) });
    let [before, after] = [(); 2].map(|()| {
        let upstream = upstream(Balance::ConsistentHash, lines());
        answers(&upstream, &["10.0.0.1"]);
        upstream
    });
    silent(&after, false, now);
    let leads = |upstream: &Arc<Upstream>, key: u32| address(&upstream.pick(&key.to_be_bytes(), &mut Tried::default(), now).unwrap());
    assert!(keys.clone().any(|key| leads(&before, key) == "10.0.0.1"));
    assert!(keys.into_iter().all(|key| leads(&before, key) == leads(&after, key)));
}

#[test]
fn lines_that_are_addresses_have_no_families() {
    let now = Instant::now();
    let upstream = upstream(Balance::RoundRobin, ["10.0.0.1:1", "10.0.0.2:1", "[fd00::1]:1", "[fd00::2]:1"].map(line));
    let silent = upstream.pick(b"", &mut Tried::default(), now).unwrap();
    silent.not_reached(&mut Tried::default(), now);
    assert_eq!(picked(&upstream, 4, now), ["10.0.0.2", "fd00::1", "fd00::2", "10.0.0.1"]);
}

#[test]
fn nothing_is_held_against_the_families_of_a_name_that_is_never_left_alone() {
    let now = Instant::now();
    let upstream = both(Balance::RoundRobin, ServerLine { max_fails: 0, ..name() });
    silent(&upstream, true, now);
    assert!((5..=15).contains(&of_ipv6(&upstream, 20, now)));
}
