//! The same random histories with a real nginx and with the gateway, over the same servers: the same server each time.
//!
//! Sessions open and close, servers stop, fall and come back, step by step, so that nothing but the choice is open. A
//! history follows from its seed; one that parts the two is told whole, and VESTIBULE_HISTORY_SEED plays it again (and
//! VESTIBULE_HISTORY_PORTS, by which servers have their points on a circle). Besides those that are always played there is
//! a new one each time, or VESTIBULE_HISTORIES of them.
//!
//! SID_NGINX names the program, as `tests/run` sets it: nginx of Debian sid, which `tests/peers/sid` fetches.

mod history;
mod stage;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use history::{Balance, History};
use stage::{Outcome, Seen};
use tokio::task::JoinSet;

#[tokio::test]
async fn round_robin_takes_the_servers_that_nginx_takes() {
    same_as_nginx(Balance::RoundRobin).await;
}

#[tokio::test]
async fn least_conn_takes_the_servers_that_nginx_takes() {
    same_as_nginx(Balance::LeastConn).await;
}

#[tokio::test]
async fn hash_takes_the_servers_that_nginx_takes() {
    same_as_nginx(Balance::Hash).await;
}

#[tokio::test]
async fn consistent_hash_takes_the_servers_that_nginx_takes() {
    same_as_nginx(Balance::ConsistentHash).await;
}

/// Plays all histories of a balance at once; none, when there is no nginx and need not be.
async fn same_as_nginx(balance: Balance) {
    if nginx().is_none() {
        return;
    }
    let (seeds, are_all) = seeds();
    let mut plays = JoinSet::new();
    for seed in seeds {
        plays.spawn(outcome(balance, seed));
    }
    let seen = plays.join_all().await;
    let total = |count: fn(&Seen) -> usize| seen.iter().map(count).sum::<usize>();
    eprintln!("{balance:?}: {} sessions of {} histories went where nginx's went", total(|seen| seen.sessions), seen.len());
    let told = [
        ("no server was left", total(|seen| seen.nobody)),
        ("a server was full", total(|seen| seen.full)),
        ("a server refused", total(|seen| seen.refusing)),
        ("a server came back", total(|seen| seen.back)),
        ("a single server came back", total(|seen| seen.back_alone)),
        ("a backup served", if balance.hashes() { 1 } else { total(|seen| seen.backups) }),
    ];
    for (what, times) in told {
        assert!(times > 0 || !are_all, "these histories tell nothing of it that {what}: {seen:?}");
    }
}

/// Plays one history to its end, if need be with more patience.
async fn outcome(balance: Balance, seed: u64) -> Seen {
    let history = History::new(balance, seed);
    for doubled in 0..5 {
        match stage::play(&history, Duration::from_secs(1 << doubled)).await {
            Outcome::Alike(seen) => return seen,
            Outcome::Apart(told) => panic!("nginx and vestibule part:\n{told}"),
            Outcome::TooSlow => {}
        }
    }
    panic!("{history:?} takes too long")
}

/// The seeds to play, and whether they are all: those that are always the same, and one or more that nobody knows.
fn seeds() -> (Vec<u64>, bool) {
    if let Ok(seed) = std::env::var("VESTIBULE_HISTORY_SEED") {
        return (vec![seed.parse().expect("VESTIBULE_HISTORY_SEED is a number")], false);
    }
    let more = std::env::var("VESTIBULE_HISTORIES").map_or(1, |more| more.parse().expect("VESTIBULE_HISTORIES is a number"));
    let unknown = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    ((1..=10).chain(unknown..unknown + more).collect(), true)
}

/// `SID_NGINX`, as `tests/run` sets it. That it is not set is a failure where everything is required.
pub(crate) fn nginx() -> Option<String> {
    let program = std::env::var("SID_NGINX").ok();
    let required = std::env::var_os("VESTIBULE_TEST_PEERS").is_some_and(|value| value == "required");
    assert!(program.is_some() || !required, "SID_NGINX is not set: tests/run fetches it and sets it");
    if program.is_none() {
        eprintln!("left out, for SID_NGINX is not set");
    }
    program
}
