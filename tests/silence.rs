//! Servers that fall silent: what the kernel is told to do about them, and that it is told nothing unless somebody asked.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::harness::{ByHand, Gate, fill, heard, until};

/// A gate that leads to the server, with more keys for its upstream.
fn gate(by_hand: &ByHand, defaults: &str, keys: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\ndefault = \"pool\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$close_reason\"\n\
         [defaults.upstream]\n{defaults}\n[upstream.pool]\nservers = [\"{}\"]\n{keys}\n",
        by_hand.server.address
    ))
}

/// Which timer runs on the other end of a connection, and in how many hundredths of a second it fires
/// (proc_net_tcp: 0 is none, 2 the one of keepalive).
fn timer(server: &TcpStream) -> (u8, u64) {
    let text = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()),
        SocketAddr::V6(_) => unreachable!("these tests are of IPv4"),
    };
    let ends = [text(server.peer_addr().unwrap()), text(server.local_addr().unwrap())];
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row[1..3] == ends).expect("it is connected");
    let (kind, when) = row[5].split_once(':').unwrap();
    (u8::from_str_radix(kind, 16).unwrap(), u64::from_str_radix(when, 16).unwrap())
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
    let (mut client, _server) = by_hand.join(gate.address("https")).await;
    fill(&client).await;
    assert!(heard(&mut client).await.is_err(), "a reset, for it did not end in order");
    assert_eq!(gate.lines("log", 1).await, ["server_reset"]);
}
