//! Why nobody is left, in words, and what changes about a family.

use super::*;
use crate::upstream::families::Dead;

#[test]
fn each_that_is_missing_has_its_cause() {
    let lines = [
        line("10.0.0.1:1"),
        ServerLine { max_conns: 1, ..line("10.0.0.1:2") },
        ServerLine { down: true, ..line("10.0.0.1:3") },
        line("web.internal:443"),
    ];
    let upstream = upstream(Balance::RoundRobin, lines);
    let now = Instant::now();
    let _taken = lease_of(&upstream, 2, now);
    fails_once(&upstream, 1, now);
    assert_eq!(upstream.missing(now), "1 left alone, 1 full, 1 down, web.internal is not looked up yet");
    let later = now + Duration::from_secs(11);
    assert_eq!(upstream.missing(later), "1 full, 1 down, web.internal is not looked up yet");
}

#[test]
fn what_is_there_again_is_not_missing() {
    assert_eq!(upstream(Balance::RoundRobin, [line("10.0.0.1:1")]).missing(Instant::now()), "one is free by now");
}

#[test]
fn only_so_many_names_are_told() {
    let upstream = upstream(Balance::RoundRobin, (0..9).map(|number| line(&format!("n{number}.internal:443"))));
    let told = upstream.missing(Instant::now());
    assert!(told.ends_with("n3.internal is not looked up yet, 5 more names"), "{told}");
}

#[test]
fn a_family_dies_once_and_comes_back_once() {
    let upstream = upstream(Balance::RoundRobin, [line("web.internal:443")]);
    upstream.set_servers(0, of_name(&[ip(1), "fd00::1".parse().unwrap()], 443), Instant::now());
    let now = Instant::now();
    let [four, six] = [(); 2].map(|()| upstream.pick(b"", &mut Tried::default(), now).unwrap());
    let dies = |lease: &Lease| upstream.group().not_reached(&lease.server(), now);
    assert_eq!([dies(&six), dies(&six), dies(&four)], [Some(Dead::StandsBack), None, Some(Dead::LikeTheOther)]);
    let back = || upstream.group().connected(&six.server(), now, Duration::ZERO).family;
    assert_eq!([back(), back()], [true, false]);
}
