//! What one side says at its end is what the other hears, where TLS ends in between: `close_notify` and a FIN stand for
//! each other in their direction, and what is cut off never looks whole.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::harness::tls::{Tls, connect_tls, ends_at_gate, handshake, reset_tls, truncate};
use crate::harness::{Authority, ByHand, Gate, connect_narrow, fill, heard, read, reset, routes, within};

/// A gateway that ends TLS in front of a server whose every word a test says.
struct Stage {
    gate: Gate,
    by_hand: ByHand,
    authority: Authority,
}

impl Stage {
    async fn set(keys: &str) -> Self {
        let (authority, by_hand) = (Authority::new(), ByHand::start().await);
        let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$close_reason\"\n";
        let target = ends_at_gate(&authority, &by_hand.server, "");
        let gate = Gate::start(&routes(&[], &format!("{target}{log}[defaults]\n{keys}")));
        Self { gate, by_hand, authority }
    }

    async fn joined(keys: &str) -> (Self, Tls, TcpStream) {
        let stage = Self::set(keys).await;
        let config = stage.authority.trusted();
        stage.join(config).await
    }

    async fn join(mut self, config: Arc<ClientConfig>) -> (Self, Tls, TcpStream) {
        let client = connect_tls(self.gate.address("https"), "api.test", config).await;
        let server = self.by_hand.accept().await;
        (self, client, server)
    }

    /// How the only session ended.
    async fn reason(&self) -> String {
        self.gate.lines("log", 1).await.concat()
    }
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    matches!(heard(stream).await, Err(error) if error.kind() == ErrorKind::ConnectionReset)
}

/// Waits for a reset on a connection whose FIN was read already.
async fn breaks(stream: &TcpStream) {
    within(stream.ready(Interest::ERROR)).await.unwrap();
}

/// Whether the client sees that this is not all. An end in order would be a success.
async fn is_cut(client: &mut Tls) -> bool {
    matches!(heard(client).await, Err(error) if [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof].contains(&error.kind()))
}

#[tokio::test]
async fn a_clients_close_notify_reaches_the_server_while_answers_still_flow() {
    for version in [&TLS12, &TLS13] {
        let stage = Stage::set("").await;
        let config = stage.authority.trusted_in(&[version]);
        let (stage, mut client, mut server) = stage.join(config).await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(heard(&mut server).await.unwrap(), b"question");
        server.write_all(b"late answer").await.unwrap();
        let mut answer = [0; 11];
        within(client.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"late answer");
        server.shutdown().await.unwrap();
        assert_eq!(heard(&mut client).await.unwrap(), b"", "an end in order");
        assert_eq!(stage.reason().await, "client_closed");
    }
}

#[tokio::test]
async fn a_close_notify_ends_the_direction_though_the_connection_beneath_stays_open() {
    let (stage, client, mut server) = Stage::joined("").await;
    let (mut beneath, mut tls) = client.into_inner();
    tls.send_close_notify();
    let mut words = Vec::new();
    tls.write_tls(&mut words).unwrap();
    beneath.write_all(&words).await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"");
    drop(server);
    assert_eq!(stage.reason().await, "client_closed");
}

#[tokio::test]
async fn a_servers_fin_reaches_the_client_as_close_notify_while_uploads_still_flow() {
    for version in [&TLS12, &TLS13] {
        let stage = Stage::set("").await;
        let config = stage.authority.trusted_in(&[version]);
        let (stage, mut client, mut server) = stage.join(config).await;
        server.write_all(b"all I have").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(heard(&mut client).await.unwrap(), b"all I have", "and an end in order");
        client.write_all(b"late upload").await.unwrap();
        assert_eq!(read(&mut server, 11).await, b"late upload");
        client.shutdown().await.unwrap();
        assert_eq!(heard(&mut server).await.unwrap(), b"");
        assert_eq!(stage.reason().await, "server_closed");
    }
}

#[tokio::test]
async fn without_half_close_a_clients_close_notify_ends_both_directions() {
    let (stage, mut client, mut server) = Stage::joined("half_close = false").await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"question", "what was sent before is passed on");
    assert_eq!(heard(&mut client).await.unwrap(), b"", "in order, although the server has not closed");
    assert_eq!(stage.reason().await, "client_closed");
}

#[tokio::test]
async fn without_half_close_a_servers_fin_ends_both_directions() {
    let (stage, mut client, mut server) = Stage::joined("half_close = false").await;
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"answer", "in order, with what was sent before");
    assert_eq!(heard(&mut server).await.unwrap(), b"", "although the client has not closed");
    assert_eq!(stage.reason().await, "server_closed");
}

#[tokio::test]
async fn a_client_that_ends_without_close_notify_is_no_end_in_order_for_the_server() {
    for keys in ["", "half_close = false"] {
        let (stage, mut client, mut server) = Stage::joined(keys).await;
        client.write_all(b"half a ques").await.unwrap();
        assert_eq!(read(&mut server, 11).await, b"half a ques", "what came before is passed on");
        truncate(&mut client).await;
        assert!(is_reset(&mut server).await, "{keys}");
        assert_eq!(stage.reason().await, "client_truncated", "{keys}");
    }
}

#[tokio::test]
async fn a_client_that_ends_without_close_notify_resets_a_server_that_has_ended_already() {
    let (stage, mut client, mut server) = Stage::joined("").await;
    server.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    truncate(&mut client).await;
    assert!(is_reset(&mut server).await);
    assert_eq!(stage.reason().await, "client_truncated");
}

#[tokio::test]
async fn a_clients_reset_reaches_the_server_as_a_reset() {
    let (stage, client, mut server) = Stage::joined("").await;
    reset_tls(client);
    assert!(is_reset(&mut server).await);
    assert_eq!(stage.reason().await, "client_reset");
}

#[tokio::test]
async fn a_clients_reset_behind_its_close_notify_reaches_the_server_as_a_reset() {
    let (stage, mut client, mut server) = Stage::joined("").await;
    client.shutdown().await.unwrap();
    assert_eq!(within(server.read(&mut [0])).await.unwrap(), 0, "its end has come through");
    reset_tls(client);
    assert_eq!(stage.reason().await, "client_reset");
    breaks(&server).await;
}

#[tokio::test]
async fn a_servers_reset_is_no_end_in_order_for_the_client() {
    for keys in ["", "half_close = false"] {
        let (stage, mut client, mut server) = Stage::joined(keys).await;
        server.write_all(b"half an ans").await.unwrap();
        let mut answer = [0; 11];
        within(client.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"half an ans", "what came before is passed on");
        reset(server);
        assert!(is_cut(&mut client).await, "{keys}");
        assert_eq!(stage.reason().await, "server_reset", "{keys}");
    }
}

#[tokio::test]
async fn a_servers_reset_behind_the_clients_close_notify_is_no_end_in_order_either() {
    let (stage, mut client, mut server) = Stage::joined("").await;
    client.shutdown().await.unwrap();
    assert_eq!(within(server.read(&mut [0])).await.unwrap(), 0, "its end has come through");
    reset(server);
    assert!(is_cut(&mut client).await);
    assert_eq!(stage.reason().await, "server_reset");
}

#[tokio::test]
async fn silence_in_both_directions_is_no_end_in_order_for_either() {
    let (stage, mut client, mut server) = Stage::joined("idle_timeout = \"300ms\"").await;
    assert!(is_cut(&mut client).await);
    assert!(is_reset(&mut server).await);
    assert_eq!(stage.reason().await, "idle_timeout");
}

#[tokio::test]
async fn a_broken_record_is_told_to_the_client_and_resets_the_server() {
    let (stage, mut client, mut server) = Stage::joined("").await;
    client.write_all(b"sound").await.unwrap();
    assert_eq!(read(&mut server, 5).await, b"sound");
    let mut record = vec![23, 3, 3, 0, 32];
    record.extend([7; 32]);
    client.get_mut().0.write_all(&record).await.unwrap();
    let alert = heard(&mut client).await.unwrap_err();
    assert!(alert.to_string().contains("BadRecordMac"), "{alert}");
    assert!(is_reset(&mut server).await);
    assert_eq!(stage.reason().await, "client_tls_error");
}

#[tokio::test]
async fn a_session_without_a_server_ends_in_order_and_not_in_the_clear() {
    let authority = Authority::new();
    let closed = crate::harness::refusing().await;
    let profile = authority.profile("public", &["api.test"], "");
    let target = format!("[routes.map.hosts.\"api.test\"]\nupstream = \"{}\"\nterminate = \"public\"\n{profile}", closed);
    let gate = Gate::start(&routes(&[], &target));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(heard(&mut client).await.unwrap(), b"");
}

#[tokio::test]
async fn an_answer_of_the_gateways_own_ends_in_order() {
    let authority = Authority::new();
    let profile = authority.profile("public", &["api.test"], "");
    let target = "[routes.map.hosts.\"api.test\"]\nrespond = \"$ssl_server_name by $ssl_protocol\"\nterminate = \"public\"\n";
    let gate = Gate::start(&routes(&[], &format!("{target}{profile}")));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(heard(&mut client).await.unwrap(), b"api.test by TLSv1.3");
}

#[tokio::test]
async fn a_client_that_is_slow_to_take_the_last_bytes_hears_the_end_behind_them() {
    const BYTES: usize = 8 << 20;
    let mut stage = Stage::set("").await;
    let beneath = connect_narrow(stage.gate.address("https")).await;
    let mut client = handshake(beneath, "api.test", stage.authority.trusted()).await.unwrap();
    let mut server = stage.by_hand.accept().await;
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"");
    let sending = tokio::spawn(async move { server.write_all(&vec![b'x'; BYTES]).await.unwrap() });
    // Reads until the gateway has nothing left but the end to say, and then a while later goes on.
    let mut heard_so_far = 0;
    let mut buffer = vec![0; 64 * 1024];
    while stage.gate.totals().ended == 0 {
        match within(client.read(&mut buffer)).await.unwrap() {
            // Only where the kernels of both sides had room for everything.
            0 => break,
            length => heard_so_far += length,
        }
    }
    // Nothing is waited for here: longer than a client may take that is only told that it was refused.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    heard_so_far += heard(&mut client).await.unwrap().len();
    assert_eq!(heard_so_far, BYTES);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_client_that_has_ended_may_be_slow_to_take_what_is_on_its_way_and_the_end_behind_it() {
    let mut stage = Stage::set("half_close = false").await;
    let beneath = connect_narrow(stage.gate.address("https")).await;
    let mut client = handshake(beneath, "api.test", stage.authority.trusted()).await.unwrap();
    let server = stage.by_hand.accept().await;
    // Now there is no room for the end, not even for all of a record.
    assert!(fill(&server).await > 0);
    client.shutdown().await.unwrap();
    assert_eq!(stage.reason().await, "client_closed");
    // Nothing is waited for here: longer than a client may take that is only told that it was refused.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!heard(&mut client).await.expect("an end in order").is_empty());
}
