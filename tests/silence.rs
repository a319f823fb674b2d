//! Servers that fall silent: what the kernel is told to do about them, and that it is told nothing unless somebody asked.

use tokio::net::TcpStream;

use crate::harness::{BlackHole, ByHand, Gate, fill, kernel, until};

/// A gate that leads to the server, with more keys for its upstream.
fn gate(by_hand: &ByHand, defaults: &str, keys: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\ndefault = \"pool\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$close_reason\"\n\
         [defaults.upstream]\n{defaults}\n[upstream.pool]\nservers = [\"{}\"]\n{keys}\n",
        by_hand.server.address
    ))
}

/// Which timer runs on the other end of a connection, and in how many hundredths of a second it fires.
fn timer(server: &TcpStream) -> (u8, u64) {
    let (theirs, ours) = (server.peer_addr().unwrap(), server.local_addr().unwrap());
    let connections = kernel::connections();
    connections.iter().find(|row| row.is_from(theirs) && row.is_to(ours)).expect("it is connected").timer
}

const KEEPALIVE: u8 = 2;

#[tokio::test]
async fn by_default_nobody_asks_a_silent_server() {
    let mut by_hand = ByHand::start().await;
    let gate = gate(&by_hand, "", "");
    let (_client, server) = by_hand.join(gate.address("https")).await;
    // Until what was sent is acknowledged, another timer runs.
    until(|| timer(&server).0 == 0).await;
}

#[tokio::test]
async fn a_silent_server_is_asked_after_the_time_of_its_upstream() {
    for (defaults, keys, most) in [
        ("", "keepalive = { idle = \"100s\", interval = \"7s\", count = 3 }", 100),
        ("keepalive = { idle = \"50s\" }", "", 50),
        ("keepalive = { idle = \"50s\" }", "keepalive = { idle = \"300s\" }", 300),
    ] {
        let mut by_hand = ByHand::start().await;
        let gate = gate(&by_hand, defaults, keys);
        let (_client, server) = by_hand.join(gate.address("https")).await;
        until(|| timer(&server).0 == KEEPALIVE).await;
        let (_, hundredths) = timer(&server);
        // No test waits so long that less than this would be left.
        assert!(((most - 40) * 100..=most * 100).contains(&hundredths), "{hundredths} of {most} s, {defaults} {keys}");
    }
}

#[tokio::test]
async fn an_upstream_may_be_without_the_keepalive_of_the_defaults() {
    let mut by_hand = ByHand::start().await;
    let gate = gate(&by_hand, "keepalive = true", "keepalive = false");
    let (_client, server) = by_hand.join(gate.address("https")).await;
    until(|| timer(&server).0 == 0).await;
}

#[tokio::test]
async fn a_server_that_takes_nothing_for_its_user_timeout_is_given_up() {
    let mut by_hand = ByHand::start().await;
    let gate = gate(&by_hand, "", "user_timeout = \"300ms\"");
    let (client, _server) = by_hand.join(gate.address("https")).await;
    fill(&client).await;
    assert_eq!(gate.lines("log", 1).await, ["server_reset"]);
}

#[tokio::test]
async fn a_user_timeout_does_not_cut_a_connect() {
    let hole = BlackHole::open().await;
    // The kernel would give up when it repeats its SYN, a second after the first.
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"pool\"\nconnect_timeout = \"1500ms\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"json\"\n\
         [upstream.pool]\nservers = [\"{}\"]\nuser_timeout = \"100ms\"\n",
        hole.address
    ));
    let _client = gate.connect().await;
    let lines = gate.lines("log", 1).await;
    assert!(lines[0].contains("did not answer within 1.5s"), "{lines:?}");
}
