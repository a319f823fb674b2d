//! What one side says at its end is what the other hears: a FIN stays a FIN in its direction, a reset a reset.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixListener, UnixStream};

use crate::harness::{BlackHole, ByHand, Gate, fill, heard, hello, read, reset, routes, within};

async fn joined(keys: &str) -> (Gate, ByHand, TcpStream, TcpStream) {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], &format!("[defaults]\n{keys}")));
    let (client, server) = by_hand.join(gate.address("https")).await;
    (gate, by_hand, client, server)
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    matches!(heard(stream).await, Err(error) if error.kind() == ErrorKind::ConnectionReset)
}

/// Waits for a reset on a connection whose FIN was read already: reads go on saying that it ended in order.
async fn breaks(stream: &TcpStream) {
    within(stream.ready(Interest::ERROR)).await.unwrap();
}

#[tokio::test]
async fn a_clients_fin_reaches_the_server_while_answers_still_flow() {
    let (gate, _by_hand, mut client, mut server) = joined("").await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"question");
    server.write_all(b"late answer").await.unwrap();
    assert_eq!(read(&mut client, 11).await, b"late answer");
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn a_servers_fin_reaches_the_client_while_uploads_still_flow() {
    let (gate, _by_hand, mut client, mut server) = joined("").await;
    server.write_all(b"all I have").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"all I have");
    client.write_all(b"late upload").await.unwrap();
    assert_eq!(read(&mut server, 11).await, b"late upload");
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"");
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn without_half_close_a_clients_fin_ends_both_directions() {
    let (_gate, _by_hand, mut client, mut server) = joined("half_close = false").await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"question", "what was sent before is passed on");
    assert_eq!(heard(&mut client).await.unwrap(), b"", "although the server has not closed");
}

#[tokio::test]
async fn without_half_close_a_servers_fin_ends_both_directions() {
    let (_gate, _by_hand, mut client, mut server) = joined("half_close = false").await;
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"answer", "what was sent before is passed on");
    assert_eq!(heard(&mut server).await.unwrap(), b"", "although the client has not closed");
}

#[tokio::test]
async fn without_half_close_a_servers_end_stays_in_order_though_the_client_has_more_to_send() {
    let (gate, _by_hand, mut client, mut server) = joined("half_close = false").await;
    assert!(fill(&client).await > 0);
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    gate.until(|totals| totals.ended == 1).await;
    assert_eq!(heard(&mut client).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_clients_reset_reaches_the_server_as_a_reset() {
    let (_gate, _by_hand, client, mut server) = joined("").await;
    reset(client);
    assert!(is_reset(&mut server).await);
}

#[tokio::test]
async fn a_servers_reset_reaches_the_client_as_a_reset() {
    let (_gate, _by_hand, mut client, server) = joined("").await;
    reset(server);
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_client_that_dies_is_noticed_while_the_server_does_not_read() {
    let (gate, _by_hand, client, mut server) = joined("").await;
    assert!(fill(&client).await > 0);
    reset(client);
    gate.until(|totals| totals.open == 0).await;
    assert!(is_reset(&mut server).await);
}

#[tokio::test]
async fn a_server_that_dies_is_noticed_while_the_client_does_not_read() {
    let (gate, _by_hand, mut client, server) = joined("").await;
    assert!(fill(&server).await > 0);
    reset(server);
    gate.until(|totals| totals.open == 0).await;
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_client_that_vanishes_after_its_fin_is_noticed_while_the_server_thinks() {
    let (gate, _by_hand, mut client, mut server) = joined("").await;
    client.shutdown().await.unwrap();
    assert_eq!(within(server.read(&mut [0])).await.unwrap(), 0, "its FIN has come through");
    reset(client);
    gate.until(|totals| totals.open == 0).await;
    breaks(&server).await;
}

#[tokio::test]
async fn a_server_that_vanishes_after_its_fin_is_noticed_while_the_client_thinks() {
    let (gate, _by_hand, mut client, mut server) = joined("").await;
    server.shutdown().await.unwrap();
    assert_eq!(within(client.read(&mut [0])).await.unwrap(), 0, "its FIN has come through");
    reset(server);
    gate.until(|totals| totals.open == 0).await;
    breaks(&client).await;
}

#[tokio::test]
async fn a_client_that_gives_up_ends_the_session_while_a_server_is_being_connected() {
    let hole = BlackHole::open().await;
    let address = hole.address;
    let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$close_reason $upstream_addr\"";
    let gate =
        Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{address}\"\nconnect_timeout = \"1h\"\n{log}"));
    let client = gate.connect().await;
    gate.until(|totals| totals.open == 1).await;
    reset(client);
    assert_eq!(gate.lines("log", 1).await, [format!("client_reset {address}")]);
}

#[tokio::test]
async fn silence_in_both_directions_ends_in_a_reset_of_both() {
    let begun = tokio::time::Instant::now();
    let (gate, _by_hand, mut client, mut server) = joined("idle_timeout = \"300ms\"").await;
    assert!(is_reset(&mut client).await);
    assert!(is_reset(&mut server).await);
    assert!(begun.elapsed().as_millis() >= 300);
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn bytes_in_one_direction_keep_the_other_alive() {
    let (gate, _by_hand, mut client, mut server) = joined("idle_timeout = \"2s\"").await;
    let begun = tokio::time::Instant::now();
    while begun.elapsed().as_millis() < 3000 {
        server.write_all(b"tick").await.unwrap();
        assert_eq!(read(&mut client, 4).await, b"tick");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.write_all(b"still here").await.unwrap();
    assert_eq!(read(&mut server, 10).await, b"still here");
    assert_eq!(gate.totals().open, 1);
}

/// Both ends of a session that comes in over a unix socket and goes out over another.
async fn joined_over_unix_sockets() -> (Gate, UnixStream, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let servers = UnixListener::bind(folder.path().join("server")).unwrap();
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"unix:{{folder}}/gate\"\nroutes = \"map\"\n[routes.map.hosts]\n\"api.test\" = \"unix:{}/server\"\n",
        folder.path().display()
    ));
    let mut client = within(UnixStream::connect(gate.path("gate"))).await.unwrap();
    let hello = hello("api.test");
    client.write_all(&hello).await.unwrap();
    let (mut server, _) = within(servers.accept()).await.unwrap();
    let mut first = vec![0; hello.len()];
    within(server.read_exact(&mut first)).await.unwrap();
    assert_eq!(first, hello);
    (gate, client, server)
}

async fn heard_over_unix(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_fin_stays_a_fin_in_its_direction_over_unix_sockets() {
    let (gate, mut client, mut server) = joined_over_unix_sockets().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard_over_unix(&mut server).await, b"question");
    server.write_all(b"late answer").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(heard_over_unix(&mut client).await, b"late answer");
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn what_a_unix_client_sent_before_it_closed_reaches_a_slow_server_whole() {
    let (gate, mut client, mut server) = joined_over_unix_sockets().await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n >> 7) as u8).collect();
    let sender = tokio::spawn({
        let sent = sent.clone();
        async move {
            client.write_all(&sent).await.unwrap();
            drop(client);
        }
    });
    let mut heard = vec![0; sent.len()];
    within(server.read_exact(&mut heard)).await.unwrap();
    sender.await.unwrap();
    assert!(heard == sent);
    assert_eq!(heard_over_unix(&mut server).await, b"");
    drop(server);
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn a_unix_client_that_is_gone_ends_the_session_when_the_server_answers() {
    let (gate, client, mut server) = joined_over_unix_sockets().await;
    drop(client);
    assert_eq!(within(server.read(&mut [0])).await.unwrap(), 0, "its end has come through");
    server.write_all(b"late answer").await.unwrap();
    gate.until(|totals| totals.open == 0).await;
}
