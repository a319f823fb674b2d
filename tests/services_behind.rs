//! nginx configurations that people run for what is not HTTPS, moved over: databases, SSH, plain ports. Only their ports and
//! servers are put on loopback. `peers` has the same with real servers.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::UnixListener;
use vestibule::config;
use vestibule::snapshot::Snapshot;

use crate::harness::{Authority, ByHand, Gate, Server, UdpClient, UdpServer, answer, connect, connect_from, refusing, reply, said};

/// Its `routes.toml`.
macro_rules! configuration {
    ($name:literal) => {
        include_str!(concat!("data/configs/", $name, ".toml"))
    };
}

#[test]
fn each_configuration_is_usable_without_a_warning() {
    let authority = Authority::new();
    let identity = authority.issue("front.test");
    let certificates = [format!("terminate.front.certificates=[{}]", identity.written().trim_end_matches(", "))];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let sets: &[String] = if text.contains("[terminate.front]") { &certificates } else { &[] };
        let loaded = config::parse("routes.toml", &text, sets, []).unwrap_or_else(|wrong| panic!("{}", wrong.render(config::Paint::Plain)));
        let found = Snapshot::check(loaded);
        assert!(found.snapshot.is_some() && found.diagnostics.is_empty(), "{file:?}: {}", found.diagnostics.render(config::Paint::Plain));
    }
}

/// What a client hears that says something.
async fn asks(address: SocketAddr) -> String {
    answer(&mut connect(address).await, b"question").await
}

#[tokio::test]
async fn two_backends_take_turns() {
    let (first, second) = (Server::named("first").await, Server::named("second").await);
    let sets = ["listener.front.listen=\"127.0.0.1:0\"".to_owned(), servers("backend", &[&first.address, &second.address])];
    let gate = Gate::start_with(configuration!("two-backends"), &sets);
    for _ in 0..15 {
        assert_eq!(asks(gate.address("front")).await, "first");
        assert_eq!(asks(gate.address("front")).await, "second");
    }
}

#[tokio::test]
async fn each_port_leads_to_the_same_port_of_the_host() {
    let (http, https) = (Server::named("http").await, Server::named("https").await);
    let sets: Vec<_> = [("http", &http), ("https", &https)]
        .iter()
        .flat_map(|(name, server)| {
            [format!("listener.{name}.listen=\"127.0.0.1:0\""), format!("listener.{name}.upstream=\"{}\"", server.address)]
        })
        .collect();
    let gate = Gate::start_with(configuration!("intranet"), &sets);
    assert_eq!(asks(gate.address("http")).await, "http");
    assert_eq!(asks(gate.address("https")).await, "https");
}

#[tokio::test]
async fn sessions_of_mysql_go_where_there_are_fewer() {
    let servers_of_mysql = [ByHand::start().await, ByHand::start().await];
    let sets = [
        "listener.mysql.listen=\"127.0.0.1:0\"".to_owned(),
        servers("mysql_backend", &servers_of_mysql.each_ref().map(|by_hand| &by_hand.server.address)),
    ];
    let gate = Gate::start_with(configuration!("mysql-static"), &sets);
    let connections = || servers_of_mysql.each_ref().map(|by_hand| by_hand.server.connections());
    let mut sessions = Vec::new();
    for number in 1..=10 {
        sessions.push(connect(gate.address("mysql")).await);
        crate::harness::until(|| connections().iter().sum::<usize>() == number).await;
    }
    assert_eq!(connections(), [5, 5]);
}

#[tokio::test]
async fn a_client_of_ssh_stays_with_its_server_and_both_are_used() {
    let (first, second) = (Server::named("first").await, Server::named("second").await);
    let sets = ["listener.ssh.listen=\"127.0.0.1:0\"".to_owned(), servers("sshsrvs", &[&first.address, &second.address])];
    let gate = Gate::start_with(configuration!("ssh-pool"), &sets);
    let mut clients: BTreeMap<String, usize> = BTreeMap::new();
    for number in 1..=40 {
        let client = format!("127.0.{number}.1");
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(answer(&mut connect_from(&client, gate.address("ssh")).await, b"question").await);
        }
        assert_eq!(answers[0], answers[1], "{client}");
        *clients.entry(answers[0].clone()).or_default() += 1;
    }
    assert_eq!(clients.len(), 2, "forty clients are not all of one server: {clients:?}");
}

/// The stage of `four-layer.toml`: its name has no address here, so that server is one that refuses, and its weight with it.
async fn four_layer(folder: &Path, server: &Server) -> Gate {
    four_layer_with(folder, server, &[]).await
}

/// The same with more of it put elsewhere.
async fn four_layer_with(folder: &Path, server: &Server, more: &[String]) -> Gate {
    let sets = [
        "listener.front.listen=\"127.0.0.1:0\"".to_owned(),
        "listener.dns.listen=\"127.0.0.1:0\"".to_owned(),
        "listener.stream.listen=\"[::1]:0\"".to_owned(),
        format!("listener.stream.upstream=\"unix:{}/stream.socket\"", folder.display()),
        format!(
            "upstream.backend.servers=[{{ address = \"{}\", weight = 5 }}, {{ address = \"{}\", max_fails = 3, fail_timeout = \"30s\" }}, \"unix:{}/backend3\"]",
            refusing().await,
            server.address,
            folder.display()
        ),
    ];
    Gate::start_with(configuration!("four-layer"), &[&sets, more].concat())
}

#[tokio::test]
async fn datagrams_stand_beside_connections() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::named("address").await);
    let names = [UdpServer::named("first").await, UdpServer::named("second").await];
    let more = [servers("dns", &[&names[0].address, &names[1].address])];
    let gate = four_layer_with(folder.path(), &server, &more).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(UdpClient::of(gate.address("dns")).await.asks("question").await);
    }
    assert_eq!(answers, ["first", "second", "first", "second"]);
}

/// A server on a unix socket.
fn on_unix_socket(folder: &Path, name: &'static str) {
    let listener = UnixListener::bind(folder.join(name)).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(reply(stream, name));
        }
    });
}

#[tokio::test]
async fn an_ipv6_port_leads_to_a_unix_socket() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::named("address").await);
    on_unix_socket(folder.path(), "stream.socket");
    let gate = four_layer(folder.path(), &server).await;
    let address = gate.address("stream");
    assert!(address.is_ipv6());
    assert_eq!(asks(address).await, "stream.socket");
}

#[tokio::test]
async fn a_pool_of_an_address_and_a_unix_socket_is_used_whole_though_its_heaviest_server_is_gone() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::named("address").await);
    on_unix_socket(folder.path(), "backend3");
    let gate = four_layer(folder.path(), &server).await;
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for number in 1..=40 {
        let client = connect_from(&format!("127.0.{number}.1"), gate.address("front")).await;
        *answers.entry(answer(&mut { client }, b"question").await).or_default() += 1;
    }
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["address", "backend3"], "{answers:?}");
}

#[tokio::test]
async fn what_consul_will_name_is_reached_where_it_is_written_out() {
    let server = Server::named("mysql").await;
    let sets = [
        "listener.mysql.listen=\"127.0.0.1:0\"".to_owned(),
        "listener.upstreams.listen=\"127.0.0.1:0\"".to_owned(),
        servers("mysql_backend", &[&server.address]),
    ];
    let gate = Gate::start_with(configuration!("mysql-consul"), &sets);
    assert_eq!(asks(gate.address("mysql")).await, "mysql");
    let shown = said(&mut connect(gate.address("upstreams")).await).await;
    assert!(shown.contains("Upstream name: mysql_backend") && shown.contains(&format!("server {}", server.address)), "{shown}");
}

/// What puts an upstream's servers elsewhere.
fn servers(upstream: &str, addresses: &[&SocketAddr]) -> String {
    let written: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!("upstream.{upstream}.servers={written:?}")
}
