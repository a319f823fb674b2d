//! How many sessions of datagrams there may be, who makes room, and that nothing is left when they are gone.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{Gate, Process, Server, UdpClient, UdpServer, answer, connect, until};
use crate::idle_memory::raise_descriptor_limit;

/// A server that answers only those who ask for it.
async fn choosy() -> UdpServer {
    UdpServer::start("127.0.0.1:0", |datagram| if datagram == b"strange" { Vec::new() } else { vec![datagram.to_vec()] }).await
}

fn routes(server: &UdpServer, process: &str, listener: &str) -> String {
    format!(
        "[process]\nworkers = 1\n{process}\n[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{}\"\n{listener}\n\
         [access_log.a]\nfile = \"{{folder}}/access\"\nformat = \"$close_reason $remote_port\"",
        server.address
    )
}

async fn strangers(gate: &Gate, server: &UdpServer, count: usize) -> Vec<UdpClient> {
    let mut all = Vec::new();
    for _ in 0..count {
        let (client, before) = (UdpClient::of(gate.address("dns")).await, server.heard().len());
        client.send(b"strange").await;
        until(|| server.heard().len() > before).await;
        all.push(client);
    }
    all
}

#[tokio::test]
async fn when_full_the_oldest_without_an_answer_makes_room_and_nobody_who_is_served() {
    let server = choosy().await;
    let gate = Gate::start(&routes(&server, "max_connections = 4", ""));
    let served = UdpClient::of(gate.address("dns")).await;
    assert_eq!(served.asks("served").await, "served");
    let strangers = strangers(&gate, &server, 50).await;
    assert_eq!(gate.totals().open, 4);
    let evicted = gate.lines("access", 47).await;
    let port = |client: &UdpClient| client.socket.local_addr().unwrap().port();
    let expected: Vec<_> = strangers[..47].iter().map(|stranger| format!("evicted {}", port(stranger))).collect();
    assert_eq!(evicted, expected, "the oldest first");
    assert_eq!(gate.totals().refusals.get("evicted"), Some(&47), "of which the log tells the sum");
    let newcomer = UdpClient::of(gate.address("dns")).await;
    assert_eq!(newcomer.asks("let me in").await, "let me in");
    assert_eq!(served.asks("still here").await, "still here");
    let of_served: BTreeSet<_> =
        server.heard().into_iter().filter(|(_, datagram)| datagram.starts_with(b"s") && datagram != b"strange").collect();
    assert_eq!(of_served.iter().map(|(from, _)| from).collect::<BTreeSet<_>>().len(), 1, "it is the same session");
}

#[tokio::test]
async fn when_all_are_served_a_newcomer_is_not() {
    let server = choosy().await;
    // Who has had an answer is served; who has had an answer to the third question leaves.
    let gate = Gate::start(&routes(&server, "max_connections = 3", "requests = 3\nresponses = 1"));
    let mut served = Vec::new();
    for _ in 0..3 {
        let client = UdpClient::of(gate.address("dns")).await;
        assert_eq!(client.asks("served").await, "served");
        served.push(client);
    }
    let newcomer = UdpClient::of(gate.address("dns")).await;
    newcomer.send(b"me, too").await;
    for client in &served {
        assert_eq!(client.asks("served").await, "served");
    }
    assert!(server.heard().iter().all(|(_, datagram)| datagram != b"me, too"));
    assert_eq!(gate.totals().accepted, 3, "what is dropped is no session");
    for client in &served {
        assert_eq!(client.asks("served").await, "served");
    }
    gate.until(|totals| totals.open == 0).await;
    assert_eq!(newcomer.asks("now").await, "now");
}

#[tokio::test]
async fn a_listeners_own_number_holds_and_its_strangers_make_room_for_its_own() {
    let server = choosy().await;
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{0}\"\nmax_connections = 2\n\
         [listener.other]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{0}\"",
        server.address
    ));
    let elsewhere = UdpClient::of(gate.address("other")).await;
    elsewhere.send(b"strange").await;
    until(|| server.heard().len() == 1).await;
    let _strangers = strangers(&gate, &server, 10).await;
    assert_eq!(gate.totals().open, 3);
    elsewhere.send(b"strange").await;
    until(|| server.heard().len() == 12).await;
    assert_eq!(server.senders().values().filter(|count| **count == 2).count(), 1, "the other listener's session is left alone");
}

#[tokio::test]
async fn strangers_over_udp_hold_no_connection_up() {
    let (server, tcp) = (choosy().await, Server::named("over tcp").await);
    let gate = Gate::start(&format!(
        "{}\n[listener.tcp]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"",
        routes(&server, "max_connections = 5", ""),
        tcp.address
    ));
    let _strangers = strangers(&gate, &server, 5).await;
    assert_eq!(gate.totals().open, 5);
    assert_eq!(answer(&mut connect(gate.address("tcp")).await, b"?").await, "over tcp");
}

#[tokio::test]
async fn strangers_over_udp_hold_no_connection_of_another_worker_up() {
    let (server, tcp) = (choosy().await, Server::named("over tcp").await);
    // With one socket for each listener the first worker has all of UDP, and the second accepts.
    let gate = Gate::start(&format!(
        "{}\n[listener.tcp]\nlisten = \"127.0.0.1:0\"\nreuse_port = false\nupstream = \"{}\"",
        routes(&server, "max_connections = 5", "reuse_port = false").replace("workers = 1", "workers = 2"),
        tcp.address
    ));
    let _strangers = strangers(&gate, &server, 5).await;
    assert_eq!(gate.totals().open, 5);
    assert_eq!(answer(&mut connect(gate.address("tcp")).await, b"?").await, "over tcp");
    assert_eq!(gate.lines("access", 2).await.iter().filter(|line| line.starts_with("evicted")).count(), 1, "nobody more has to go");
}

#[tokio::test]
async fn strangers_over_udp_hold_no_connection_of_their_own_listener_up() {
    let (server, tcp) = (choosy().await, Server::named("over tcp").await);
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = [\"udp\", \"tcp\"]\nmax_connections = 3\n\
         upstream = \"$server\"\n[map.server]\nof = \"$protocol\"\nvalues = {{ UDP = \"{}\", TCP = \"{}\" }}\ndefault = \"\"",
        server.address, tcp.address
    ));
    let _strangers = strangers(&gate, &server, 3).await;
    assert_eq!(gate.totals().open, 3);
    assert_eq!(answer(&mut connect(gate.address("dns")).await, b"?").await, "over tcp");
}

#[tokio::test]
async fn who_is_kept_out_has_no_session_and_the_log_says_why() {
    let server = UdpServer::echo().await;
    let gate = Gate::start(&format!(
        "{}\n[limit.one]\nkey = \"$remote_addr\"\nconnections = 1",
        routes(&server, "", "access = [\"deny 127.0.0.2\"]\nlimits = [\"one\"]")
    ));
    let gate_address = gate.address("dns");
    let (denied, first, second) =
        (UdpClient::from("127.0.0.2:0", gate_address).await, UdpClient::of(gate_address).await, UdpClient::of(gate_address).await);
    assert_eq!(first.asks("first").await, "first");
    denied.send(b"denied").await;
    second.send(b"second").await;
    let lines = gate.lines("access", 2).await;
    assert!(lines[0].starts_with("access_denied") && lines[1].starts_with("limit_reached"), "{lines:?}");
    for _ in 0..3 {
        assert_eq!(first.asks("again").await, "again", "a datagram of a known session is never refused");
    }
    assert_eq!(server.senders().len(), 1);
}

#[tokio::test]
async fn an_upstream_that_leads_back_to_the_gateway_comes_to_an_end() {
    let server = UdpServer::echo().await;
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.a]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"127.0.0.1:$server_port\"\n\
         [listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{}\"",
        server.address
    ));
    let client = UdpClient::of(gate.address("a")).await;
    client.send(b"round and round").await;
    gate.until(|totals| totals.accepted >= 8).await;
    let beside = UdpClient::of(gate.address("dns")).await;
    for _ in 0..20 {
        assert_eq!(beside.asks("?").await, "?");
    }
    assert_eq!(gate.totals().accepted, 9, "eight times round, and one beside");
}

#[tokio::test]
async fn when_a_crowd_has_left_nothing_of_it_is_left() {
    crowd(1_000, 4, "3s", 1 << 20).await;
}

#[tokio::test]
#[ignore = "it takes minutes and most of the descriptors: tests/run has it as a step of its own"]
async fn when_ten_thousand_have_left_ten_times_over_nothing_of_them_is_left() {
    // What keeps the places of so many stays: some 300 bytes for each that was there at once.
    crowd(10_000, 10, "8s", 4 << 20).await;
}

/// So many clients at once, so many times over, and then silence: at most this many bytes are left of them.
async fn crowd(size: usize, rounds: usize, idle_timeout: &str, most_left: usize) {
    raise_descriptor_limit();
    let server = UdpServer::echo().await;
    let gate =
        Process::start(&routes(&server, "", &format!("idle_timeout = \"{idle_timeout}\"")).replace("[listener.dns]", "[listener.https]"))
            .await;
    let address = gate.address();
    assert_eq!(UdpClient::of(address).await.asks("first").await, "first");
    let before = gate.descriptors() - 1;
    let few = gate.private_memory();
    let mut memory = Vec::new();
    for _ in 0..rounds {
        let mut clients = Vec::new();
        // Some at a time, so that they are there at once on a slow machine, too, and no socket's buffer runs over.
        for _ in 0..size / AT_A_TIME {
            let mut some = Vec::new();
            for _ in 0..AT_A_TIME {
                let client = UdpClient::of(address).await;
                client.send(b"hello").await;
                some.push(client);
            }
            for client in &some {
                assert_eq!(client.hear().await, b"hello");
            }
            clients.extend(some);
        }
        assert!(gate.descriptors() > before + size / 2, "they are there at once");
        drop(clients);
        until(|| gate.descriptors() <= before).await;
        memory.push(gate.private_memory());
    }
    let (first, last) = (memory[1], memory[rounds - 1]);
    assert!(last < first + first / 5 + (4 << 20), "{memory:?}");
    // What was freed goes back to the system.
    until(|| gate.private_memory() < few + most_left).await;
    gate.rests().await;
    let lines = std::fs::read_to_string(gate.path("access")).unwrap().lines().count();
    // One of the crowd may have come from the first one's port, and so have gone on with its session.
    assert!(lines >= size * rounds, "{lines}");
}

const AT_A_TIME: usize = 50;

#[tokio::test]
async fn expiry_needs_no_traffic() {
    let server = UdpServer::echo().await;
    let gate = Gate::start(&routes(&server, "", "idle_timeout = \"50ms\""));
    let began = Instant::now();
    let client = UdpClient::of(gate.address("dns")).await;
    // It may be over before a loaded machine has brought the answer.
    client.send(b"?").await;
    gate.until(|totals| totals.ended == 1 && totals.open == 0).await;
    assert!(began.elapsed() >= Duration::from_millis(50), "and it is not early");
}
