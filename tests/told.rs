//! What the gateway's own log says of servers and of sessions without one: each change once, however many sessions meet it.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use rustls::version::TLS12;

use crate::harness::tls::handshake;
use crate::harness::{
    Authority, BlackHole, Fickle, Gate, NameServer, Process, Server, TlsByHand, answer, connect, heard, hello, reply, until,
};

async fn ask(gate: &Process) -> String {
    answer(&mut gate.connect().await, &hello("any.test")).await
}

fn access_log(gate: &Process) -> String {
    std::fs::read_to_string(gate.path("access")).unwrap_or_default()
}

const ACCESS_LOG: &str = "[access_log.main]\nfile = \"{folder}/access\"\nformat = \"$listener $close_reason $upstream_addr\"\n";

#[tokio::test]
async fn a_server_that_is_left_alone_is_told_once_and_that_it_is_back_once() {
    let (mut fickle, server) = (Fickle::new(), Server::named("good").await);
    let address = fickle.address;
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n{ACCESS_LOG}\
         [upstream.web]\nservers = [{{ address = \"{address}\", fail_timeout = \"50ms\" }}, \"{}\"]\n",
        server.address
    ))
    .await;
    while access_log(&gate).matches(&address.to_string()).count() < 3 {
        assert_eq!(ask(&gate).await, "good");
    }
    fickle.listen();
    while !gate.log().contains(" is back") {
        let mut client = gate.connect().await;
        client.write_all(&hello("any.test")).await.unwrap();
        client.shutdown().await.unwrap();
        let _ = heard(&mut client).await;
    }
    let log = gate.log();
    let told = format!("server {address} is left alone for 50ms: Connection refused (os error 111) upstream=\"web\"");
    assert_eq!((log.matches(&told).count(), log.matches("left alone").count()), (1, 1), "{log}");
    assert_eq!(log.matches(&format!("INFO server {address} is back after ")).count(), 1, "{log}");
}

#[tokio::test]
async fn how_many_failures_it_took_is_told() {
    let (fickle, server) = (Fickle::new(), Server::named("good").await);
    let address = fickle.address;
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n[upstream.web]\n\
         servers = [{{ address = \"{address}\", max_fails = 3, fail_timeout = \"1h\" }}, \"{}\"]\n",
        server.address
    ))
    .await;
    while !gate.log().contains("left alone") {
        assert_eq!(ask(&gate).await, "good");
    }
    gate.says(&format!("server {address} is left alone for 3600s after 3 failures, the last: Connection refused")).await;
}

#[tokio::test]
async fn a_family_that_is_not_reached_is_told() {
    let (hole, listener) = loop {
        let hole = BlackHole::open().await;
        // Its port may be another's in the other family.
        if let Ok(listener) = TcpListener::bind(("::1", hole.address.port())).await {
            break (hole, listener);
        }
    };
    let _server = Server::start_on(listener, |stream, _| async move { drop(reply(stream, "six").await) });
    let names = NameServer::start().await;
    names.leads("web.test", 3600, &["127.0.0.1", "::1"]);
    let gate = Process::start(&format!(
        "[resolver]\nnameservers = [\"{}\"]\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\nconnect_timeout = \"100ms\"\n\
         [upstream.web]\nservers = [{{ address = \"web.test:{}\", fail_timeout = \"1h\" }}]\n",
        names.address,
        hole.address.port()
    ))
    .await;
    gate.says("web.test: ::1 joined").await;
    gate.says("127.0.0.1 joined").await;
    while !gate.log().contains("stand back") {
        assert_eq!(ask(&gate).await, "six");
    }
    gate.says("WARN IPv4 of web.test is not reached: its addresses stand back for IPv6 upstream=\"web\"").await;
}

#[tokio::test]
async fn sessions_without_a_server_are_told_once_for_each_upstream_and_counted() {
    let gate = Process::start(&format!(
        "[process]\nworkers = 1\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{ACCESS_LOG}\
         [routes.map.hosts]\n\"web.test\" = \"web\"\n\"spare.test\" = \"spare\"\n\
         [upstream.web]\nservers = [{{ address = \"127.0.0.1:1\", down = true }}]\n\
         [upstream.spare]\nservers = [{{ address = \"127.0.0.1:1\", down = true }}]\n"
    ))
    .await;
    for _ in 0..5 {
        for host in ["web.test", "spare.test"] {
            assert_eq!(answer(&mut gate.connect().await, &hello(host)).await, "");
        }
    }
    until(|| access_log(&gate).matches("no_server").count() == 10).await;
    gate.says("connections turned away in the last 10 s: no_server").await;
    let log = gate.log();
    for upstream in ["web", "spare"] {
        let of = |line: &&str| line.contains("WARN session ended: no_server") && line.contains(&format!("upstream=\"{upstream}\""));
        let lines: Vec<_> = log.lines().filter(of).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].contains(&format!("upstream {upstream}: no server is left to try (1 down)")), "{log}");
    }
}

#[tokio::test]
async fn names_that_strangers_choose_do_not_fill_the_log() {
    let names = NameServer::start().await;
    let gate = Process::start(&format!(
        "[resolver]\nnameservers = [\"{}\"]\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{ACCESS_LOG}\
         [routes.map]\ndefault = \"$ssl_preread_server_name:443\"\n",
        names.address
    ))
    .await;
    for turn in 0..5 {
        let mut client = connect(gate.address()).await;
        client.write_all(&hello(&format!("n{turn}.test"))).await.unwrap();
        let _ = heard(&mut client).await;
    }
    until(|| access_log(&gate).matches("unresolved").count() == 5).await;
    gate.says("WARN session ended: unresolved").await;
    assert_eq!(gate.log().matches("session ended").count(), 1, "{}", gate.log());
}

#[tokio::test]
async fn of_clients_whose_tls_fails_the_first_of_each_reason_is_told_with_its_words_and_the_others_are_counted() {
    let authority = Authority::new();
    let profile = authority.profile("public", &["api.test"], "handshake_timeout = \"3s\"\n");
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"127.0.0.1:1\"\n{ACCESS_LOG}{profile}"
    ))
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = gate.connect().await;
        clients.push(client.local_addr().unwrap());
        handshake(client, "api.test", Authority::named("another").trusted())
            .await
            .expect_err("it trusts nobody who vouches for the gateway");
        until(|| access_log(&gate).matches("tls_failed").count() == clients.len()).await;
    }
    let mut waits = TlsByHand::new(gate.connect().await, "api.test", authority.trusted());
    waits.speak().await;
    let _ = heard(&mut waits.beneath).await;
    gate.says("INFO session ended: handshake_timeout").await;
    gate.says("connections turned away in the last 10 s: ").await;
    let log = gate.log();
    assert!(log.lines().any(|line| line.contains("turned away") && line.contains("tls_failed ")), "{log}");
    let told: Vec<_> = log.lines().filter(|line| line.contains("session ended: tls_failed")).collect();
    assert_eq!(told.len(), 1, "{log}");
    let client = clients[0];
    for word in ["INFO ", "listener=\"https\"", &format!("client={client}"), "server_name=\"api.test\"", "the client does not trust"] {
        assert!(told[0].contains(word), "{word}: {}", told[0]);
    }
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_told_whatever_else_fails() {
    let authority = Authority::new();
    let client_auth = format!("client_auth = {{ ca = \"{}\", mode = \"require\" }}\n", authority.file().display());
    let profile = authority.profile("public", &["api.test"], &client_auth);
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"127.0.0.1:1\"\n{ACCESS_LOG}{profile}"
    ))
    .await;
    let another = Authority::named("another");
    handshake(gate.connect().await, "api.test", another.trusted()).await.expect_err("it does not trust the gateway");
    gate.says("the client does not trust").await;
    let foreign = another.issue("partner.test");
    // In TLS 1.3 a client would hear of it only when it reads on.
    handshake(gate.connect().await, "api.test", authority.showing(&[&TLS12], &foreign)).await.expect_err("nobody vouches for it");
    gate.says("CN=partner.test").await;
    assert_eq!(gate.log().matches("INFO session ended: tls_failed").count(), 2, "{}", gate.log());
}

#[tokio::test]
async fn those_without_a_server_count_as_turned_away() {
    let gate = Gate::start(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n[upstream.web]\nservers = [{ address = \"127.0.0.1:1\", down = true }]\n",
    );
    let _ = heard(&mut gate.connect().await).await;
    gate.until(|totals| totals.refusals.get("no_server") == Some(&1)).await;
}
