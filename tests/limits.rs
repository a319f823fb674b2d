//! At a limit the next client waits, costs nothing meanwhile, and is served at once when there is room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{ByHand, Gate, Process, Server, UdpClient, UdpServer, answer, hello, read, routes, until, within};

#[tokio::test]
async fn at_max_connections_the_next_is_served_when_one_ends() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], "[process]\nmax_connections = 1\nworkers = 1"));
    let first = by_hand.join(gate.address("https")).await;
    let mut next = gate.connect().await;
    next.write_all(&hello("api.test")).await.unwrap();
    assert_eq!(by_hand.server.connections(), 1);
    drop(first);
    let mut served = by_hand.accept().await;
    served.write_all(b"your turn").await.unwrap();
    assert_eq!(read(&mut next, 9).await, b"your turn");
    assert_eq!(gate.totals().open, 1);
}

#[tokio::test]
async fn no_more_sessions_than_max_connections_are_open_at_once() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (open.clone(), most.clone());
    let server = Server::start(move |mut stream, _| {
        let (open, most) = (now.clone(), peak.clone());
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            open.fetch_sub(1, Ordering::SeqCst);
            stream.write_all(b"served").await.unwrap();
        }
    })
    .await;
    let gate = Arc::new(Gate::start(&routes(&[("api.test", &server)], "[process]\nmax_connections = 3\nworkers = 2")));
    let clients: Vec<_> = (0..30)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.ask("api.test").await })
        })
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), "served");
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

const DESCRIPTORS: u64 = 90;

/// A gateway with fewer descriptors than it was started with, so that it counts on more sessions than fit.
async fn short_of_descriptors(server: &Server) -> Process {
    let more = "[process]\nworkers = 2\n[defaults]\ndefer_accept = false\n[access_log.a]\nfile = \"{folder}/access\"\nformat = \"$status $close_reason $hello\"";
    Process::start_with_descriptors(DESCRIPTORS, &routes(&[("api.test", server)], more)).await
}

/// Clients that say hello, more of them than the gateway has descriptors for.
async fn crowd(gate: &Process) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = gate.connect().await;
        client.write_all(&hello("api.test")).await.unwrap();
        clients.push(client);
    }
    gate.says("out of descriptors").await;
    clients
}

#[tokio::test]
async fn out_of_descriptors_the_gateway_neither_spins_nor_floods_its_log() {
    let mut by_hand = ByHand::start().await;
    let gate = short_of_descriptors(&by_hand.server).await;
    let clients = crowd(&gate).await;
    let held = by_hand.accept().await;
    gate.rests().await;
    let log = gate.log();
    assert!(log.lines().count() < 10, "{log}");
    drop((clients, held));
}

#[tokio::test]
async fn out_of_descriptors_the_next_is_served_when_one_is_free() {
    let server = Server::named("api").await;
    let gate = short_of_descriptors(&server).await;
    let clients = crowd(&gate).await;
    drop(clients);
    // Those who are gone still take descriptors until they have been seen off: who comes meanwhile may find none.
    let served = async { while answer(&mut gate.connect().await, &hello("api.test")).await != "api" {} };
    within(served).await;
}

#[tokio::test]
async fn out_of_descriptors_newcomers_over_udp_are_dropped_for_no_other_reason() {
    let (server, udp) = (Server::named("api").await, UdpServer::echo().await);
    let more = format!(
        "[process]\nworkers = 1\n[defaults]\ndefer_accept = false\n\
         [listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{}\"",
        udp.address
    );
    let gate = Process::start_with_descriptors(DESCRIPTORS, &routes(&[("api.test", &server)], &more)).await;
    let clients = crowd(&gate).await;
    let newcomer = UdpClient::of(gate.address_of("dns")).await;
    let dropped = async {
        while !gate.log().contains("out of descriptors: datagrams of new clients are dropped until a session ends") {
            newcomer.send(b"?").await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(dropped).await;
    assert!(!gate.log().contains("max_connections"), "{}", gate.log());
    drop(clients);
}

/// The clients stay silent until they hold every descriptor, so that none is left for a server whoever speaks first.
#[tokio::test]
async fn a_session_without_a_descriptor_for_its_server_ends_as_such() {
    let by_hand = ByHand::start().await;
    let gate = short_of_descriptors(&by_hand.server).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(gate.connect().await);
    }
    gate.says("out of descriptors").await;
    for client in &mut clients {
        client.write_all(&hello("api.test")).await.unwrap();
    }
    let lines = || std::fs::read_to_string(gate.path("access")).unwrap();
    until(|| lines().lines().any(|line| line == "500 no_descriptor named")).await;
    drop(clients);
}

#[tokio::test]
async fn with_many_workers_too_there_are_descriptors_for_as_many_sessions_as_are_let_in() {
    let mut by_hand = ByHand::start().await;
    let gate = Process::spawn(&["prlimit", "--nofile=300"], &routes(&[("api.test", &by_hand.server)], "[process]\nworkers = 12"));
    gate.says("listening on").await;
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = gate.connect().await;
        client.write_all(&hello("api.test")).await.unwrap();
        clients.push(client);
    }
    let mut servers = Vec::new();
    while let Ok(server) = timeout(Duration::from_secs(1), by_hand.accept()).await {
        servers.push(server);
    }
    assert!(servers.len() > 10 && servers.len() < clients.len(), "{}", servers.len());
    assert!(!gate.log().contains("out of descriptors"), "{}", gate.log());
}

#[tokio::test]
async fn more_connections_than_descriptors_allow_are_not_promised() {
    let server = Server::named("api").await;
    let routes = routes(&[("api.test", &server)], "[process]\nmax_connections = 1000000000\nworkers = 1");
    let gate = Process::start(&routes).await;
    assert!(gate.log().contains("max_connections = 1000000000 needs more descriptors"), "{}", gate.log());
}

#[tokio::test]
async fn at_max_connections_the_log_says_so_once() {
    let mut by_hand = ByHand::start().await;
    let gate = Process::start(&routes(&[("api.test", &by_hand.server)], "[process]\nmax_connections = 1\nworkers = 1")).await;
    let _first = by_hand.join(gate.address()).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = gate.connect().await;
        client.write_all(&hello("api.test")).await.unwrap();
        waiting.push(client);
    }
    gate.says("max_connections = 1 is reached: connections wait").await;
    assert_eq!(gate.log().matches("is reached").count(), 1, "{}", gate.log());
}
