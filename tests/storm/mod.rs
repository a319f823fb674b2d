//! A thousand sessions a second for a minute over five servers: one refuses, one is a black hole, one falls and comes
//! back. Nobody is to lose a session but those that were with a server as it fell, and who does not meet the black
//! hole is to wait for nothing. What is asserted are counts and where sessions were; times are printed.
//!
//! It takes more than a minute, so `tests/run` has it as a step of its own. VESTIBULE_STORM_SECONDS shortens it, to
//! ten or so: the server falls every few seconds.

mod load;
mod report;
mod weather;

use std::collections::HashSet;
use std::time::Duration;

use load::Ended;
use report::{Percentiles, Told};
use weather::{Addresses, CONNECT_TIMEOUT, FAIL_TIMEOUT, Weather};

/// Sessions a second.
const RATE: u32 = 1000;
/// How long all five servers are well before the storm, for comparison.
const CALM: Duration = Duration::from_secs(10);
/// Of a hundred sessions, how many go by each balance.
const SHARES: [(&str, u32); 3] = [("round_robin", 80), ("least_conn", 10), ("consistent_hash", 10)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes more than a minute: tests/run has it as a step of its own"]
async fn only_sessions_whose_server_fell_are_lost_in_a_storm() {
    let seconds = std::env::var("VESTIBULE_STORM_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let calm = told(Weather::calm().await, CALM.min(Duration::from_secs(seconds))).await;
    print("all servers well", &calm);
    assert_eq!(calm.lost().count(), 0, "in calm weather nothing is lost: {:?}", calm.lost().next());

    let storm = told(Weather::storm().await, Duration::from_secs(seconds)).await;
    print("one refuses, one is a black hole, one falls and comes back", &storm);
    every_loss_was_with_a_server_that_fell(&storm);
    every_answer_was_of_a_server_that_could(&storm);
    no_server_was_tried_twice_by_a_session(&storm);
    who_came_back_was_found(&storm);
    the_black_hole_was_one(&storm);
    dead_servers_were_left_alone(&storm);
}

async fn told(weather: Weather, duration: Duration) -> Told {
    let ended = load::thousands(weather.gate.address("https"), duration).await;
    weather.tell(ended).await
}

fn every_loss_was_with_a_server_that_fell(storm: &Told) {
    assert!(storm.lost().next().is_some(), "a server that falls {} times takes sessions with it", storm.falls.len());
    for lost in storm.lost() {
        let fell = storm.falls.iter().any(|fall| lost.began <= fall.over && fall.begins <= lost.over);
        let was_there = lost.status == "200" && lost.tries.last() == Some(&storm.servers.fickle);
        assert!(fell && was_there, "lost, and no server fell with it: {lost:?}; {:?}", storm.servers);
    }
}

fn every_answer_was_of_a_server_that_could(storm: &Told) {
    let served: HashSet<_> = storm.whole().map(|(_, answer)| &answer.server).collect();
    let able: HashSet<_> = storm.servers.well.iter().chain([&storm.servers.fickle]).collect();
    assert_eq!(served, able, "each that could serve did, and no other");
    for (session, answer) in storm.whole() {
        assert_eq!((&*session.status, session.tries.last()), ("200", Some(&answer.server)), "the log tells it as it was: {session:?}");
    }
}

fn no_server_was_tried_twice_by_a_session(storm: &Told) {
    for session in &storm.sessions {
        let tried: HashSet<_> = session.tries.iter().collect();
        assert_eq!(tried.len(), session.tries.len(), "{session:?}");
    }
}

/// One that comes back has its share again, which is more than the probes that find it.
fn who_came_back_was_found(storm: &Told) {
    let first = storm.falls.first().expect("it falls within seconds").over;
    let served = storm.whole().filter(|(session, answer)| session.began > first && answer.server == storm.servers.fickle).count();
    let probes = SHARES.len() as u128 * (storm.over.duration_since(first).as_millis() / FAIL_TIMEOUT.as_millis() + 1);
    assert!(served as u128 > probes, "it came back for {served} sessions, of which {probes} may have been probes");
}

fn the_black_hole_was_one(storm: &Told) {
    let mut met = storm.whole().filter(|(session, _)| session.tries.contains(&storm.servers.hole));
    assert!(met.any(|(_, answer)| answer.took >= CONNECT_TIMEOUT), "who found it out waited for it");
}

/// Once it is known that a server is dead, one session meets it per `fail_timeout`, whatever it does to that session.
fn dead_servers_were_left_alone(storm: &Told) {
    for dead in [&storm.servers.refusing, &storm.servers.hole] {
        for (balance, _) in SHARES {
            let met = || storm.sessions.iter().filter(|session| session.balance == balance && session.tries.contains(dead));
            // By then the gateway has counted the failure, since it went on to another server.
            let known = met().map(|session| session.over).min().expect("somebody has to find out");
            let later = met().filter(|session| session.began > known).count();
            let most = storm.over.duration_since(known).as_millis() / FAIL_TIMEOUT.as_millis() + 1;
            assert!(later as u128 <= most, "{balance}: {later} sessions met {dead} after it was known, {most} may");
        }
    }
}

fn print(weather: &str, told: &Told) {
    eprintln!("{weather}: {}", told.summary());
    let line = |what: &str, fits: &dyn Fn(&Ended) -> bool| {
        let times = told.whole().filter(|(session, _)| fits(session)).map(|(_, answer)| answer.took);
        eprintln!("  {what:<36}{}", Percentiles::of(times));
    };
    line("all", &|_| true);
    if !told.falls.is_empty() {
        let Addresses { hole, .. } = &told.servers;
        line("who met the black hole", &|session| session.tries.contains(hole));
        line("who did not", &|session| !session.tries.contains(hole));
        line("who met others that refused", &|session| session.tries.len() > 1 && !session.tries.contains(hole));
    }
}
