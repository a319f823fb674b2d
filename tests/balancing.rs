//! Which server a session gets: exact shares over all workers, and the servers that nginx would pick.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::Instant;

use crate::harness::{Gate, Server, answer, compile, connect, hello, reply, within};

/// Two listeners, `https` with a socket for each worker and `shared` with one for both, that lead to one upstream.
fn gate(upstream: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [listener.shared]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\nreuse_port = false\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$remote_addr $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[upstream.pool]\n{upstream}"
    ))
}

async fn three() -> [Server; 3] {
    [Server::named("a").await, Server::named("b").await, Server::named("c").await]
}

/// `servers = [...]` with these, all alike.
fn list(servers: &[Server]) -> String {
    let all: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.address)).collect();
    format!("servers = [{}]", all.join(", "))
}

#[tokio::test]
async fn weights_are_spread_smoothly_over_all_workers_and_listeners() {
    let [a, b, c] = three().await;
    let gate = gate(&format!(
        "servers = [{{ address = \"{}\", weight = 5 }}, \"{}\", {{ address = \"{}\", weight = 1 }}]",
        a.address, b.address, c.address
    ));
    let mut order = String::new();
    for turn in 0..21 {
        let listener = if turn % 3 == 0 { "https" } else { "shared" };
        order += &answer(&mut connect(gate.address(listener)).await, &hello("any.test")).await;
    }
    assert_eq!(order, "aabacaa".repeat(3));
}

#[tokio::test]
async fn thirty_sessions_at_once_over_two_servers_are_fifteen_and_fifteen() {
    let [a, b, _c] = three().await;
    let gate = gate(&format!("servers = [\"{}\", \"{}\"]", a.address, b.address));
    let addresses = ["https", "shared"].map(|listener| gate.address(listener));
    let asked = (0..30).map(|turn| {
        let address = addresses[turn % 2];
        tokio::spawn(async move { answer(&mut connect(address).await, &hello("any.test")).await })
    });
    let mut shares = HashMap::new();
    for answer in asked.collect::<Vec<_>>() {
        *shares.entry(answer.await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(shares, HashMap::from([("a".to_owned(), 15), ("b".to_owned(), 15)]));
}

/// Where each client goes, and where it should, for both hashes by `$remote_addr`.
async fn clients_go_where_the_order_says(balance: &str) {
    let servers = three().await;
    let upstream = format!("balance = \"{balance}\"\n{}", list(&servers));
    let snapshot = compile(&format!("[listener.x]\nlisten = \"127.0.0.1:0\"\nupstream = \"pool\"\n[upstream.pool]\n{upstream}"));
    let first = |client: &str| {
        let order = snapshot.pools["pool"].upstream.order(client.as_bytes(), Instant::now());
        order[0].address_text().to_string()
    };
    let gate = gate(&upstream);
    let clients: Vec<_> = (1..=20).map(|last| format!("127.0.0.{last}")).collect();
    for client in clients.iter().chain(&clients) {
        gate.ask_from(client, "any.test").await;
    }
    let lines = gate.lines("log", 40).await;
    let expected: Vec<_> = clients.iter().chain(&clients).map(|client| format!("{client} {}", first(client))).collect();
    assert_eq!(lines, expected);
    let used: HashSet<_> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(used.len() > 1, "twenty clients are spread: {used:?}");
}

#[tokio::test]
async fn a_hash_sends_each_client_where_the_order_says() {
    clients_go_where_the_order_says("hash").await;
}

#[tokio::test]
async fn a_consistent_hash_sends_each_client_where_the_order_says() {
    clients_go_where_the_order_says("consistent_hash").await;
}

#[tokio::test]
async fn a_hash_goes_by_its_key() {
    let servers = three().await;
    let gate = gate(&format!("balance = \"consistent_hash\"\nhash_key = \"$ssl_preread_server_name\"\n{}", list(&servers)));
    let mut by_host = BTreeMap::<String, HashSet<String>>::new();
    for turn in 0..40 {
        let host = format!("h{}.test", turn % 10);
        let server = gate.ask_from(&format!("127.0.0.{}", 1 + turn), &host).await;
        by_host.entry(host).or_default().insert(server);
    }
    assert!(by_host.values().all(|servers| servers.len() == 1), "a host has one server, whoever asks: {by_host:?}");
    assert!(by_host.values().flatten().collect::<HashSet<_>>().len() > 1, "and hosts are spread: {by_host:?}");
}

/// nginx's observations of refusing servers, made again: nobody listens at these addresses here either.
#[tokio::test]
async fn refused_sessions_meet_the_servers_in_nginxs_order() {
    let equal = "servers = [\"127.0.0.1:9001\", \"127.0.0.1:9002\", \"127.0.0.1:9003\"]";
    let mixed = "servers = [\"127.0.0.1:9001\", { address = \"127.0.0.1:9002\", weight = 2 }, { address = \"127.0.0.1:9003\", weight = 5 }, \
                 \"[::1]:9004\", { address = \"unix:/run/u.sock\", weight = 2 }]";
    let rows: Vec<Vec<_>> = include_str!("data/nginx-hash-vectors.tsv")
        .lines()
        .filter(|row| !row.starts_with('#'))
        .map(|row| row.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 160);
    let (mut hosts, mut upstreams) = (String::new(), String::new());
    for (number, row) in rows.iter().enumerate() {
        let servers = if row[0].starts_with('A') { equal } else { mixed };
        let balance = if row[0].ends_with("plain") { "hash" } else { "consistent_hash" };
        hosts += &format!("\"h{number}.test\" = \"u{number}\"\n");
        upstreams += &format!("[upstream.u{number}]\nbalance = \"{balance}\"\nhash_key = \"{}\"\n{servers}\n", row[1]);
    }
    let gate = Gate::start(&format!(
        "[defaults.upstream]\nserver = {{ max_fails = 0 }}\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$upstream_addr\"\n[routes.map.hosts]\n{hosts}{upstreams}"
    ));
    for number in 0..rows.len() {
        assert_eq!(gate.ask(&format!("h{number}.test")).await, "");
    }
    let short = |address: &str| if address.starts_with("unix:") { 'u' } else { address.chars().last().unwrap() }.to_string();
    for (line, row) in gate.lines("log", rows.len()).await.iter().zip(&rows) {
        assert_eq!(line.split(", ").map(short).collect::<Vec<_>>().join(" "), row[3], "{row:?}");
    }
}

#[tokio::test]
async fn a_server_may_have_an_ipv6_address() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let server = Server::start_on(listener, |stream, _| async move { drop(reply(stream, "six").await) });
    let gate = gate(&format!("servers = [\"{}\"]", server.address));
    assert_eq!(gate.ask("any.test").await, "six");
    assert_eq!(gate.lines("log", 1).await, [format!("127.0.0.1 {}", server.address)]);
}

#[tokio::test]
async fn a_server_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        reply(stream, "unix").await
    });
    let gate = gate(&format!("servers = [\"unix:{}\"]", path.display()));
    assert_eq!(gate.ask("any.test").await, "unix");
    assert_eq!(within(serving).await.unwrap(), hello("any.test"));
    assert_eq!(gate.lines("log", 1).await, [format!("127.0.0.1 unix:{}", path.display())]);
}

#[tokio::test]
async fn a_server_may_have_a_name() {
    let server = Server::named("localhost").await;
    let gate = gate(&format!("servers = [\"localhost:{}\"]", server.address.port()));
    assert_eq!(gate.ask("any.test").await, "localhost");
}

#[tokio::test]
async fn clients_may_come_over_ipv6() {
    let server = Server::named("server").await;
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"[::1]:0\"\nupstream = \"{}\"", server.address));
    assert_eq!(gate.ask("any.test").await, "server");
}

#[tokio::test]
async fn clients_may_come_over_a_unix_socket() {
    let server = Server::named("server").await;
    let gate = Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.local]\nlisten = \"unix:{{folder}}/gate.sock\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$remote_addr $route\"\n[routes.map.hosts]\n\"api.test\" = \"{}\"",
        server.address
    ));
    for turn in 0..4 {
        let mut client = UnixStream::connect(gate.path("gate.sock")).await.unwrap();
        assert_eq!(answer(&mut client, &hello("api.test")).await, "server");
        assert_eq!(server.received(turn), hello("api.test"));
    }
    assert_eq!(gate.lines("log", 4).await, ["unix: api.test"; 4]);
}

#[tokio::test]
async fn a_wildcard_address_serves_both_families() {
    let server = Server::named("server").await;
    let gate = Gate::start(&format!("[listener.https]\nlisten = [\"0.0.0.0:0\", \"[::]:0\"]\nupstream = \"{}\"", server.address));
    let ports: Vec<_> = gate.gateway().addresses("https").map(|address| address.to_string()).collect();
    assert_eq!(ports.len(), 2);
    for address in ports {
        let loopback = address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
        assert_eq!(answer(&mut connect(loopback.parse().unwrap()).await, &hello("any.test")).await, "server", "{address}");
    }
}
