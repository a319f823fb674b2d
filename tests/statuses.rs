//! `$status` of each way in which a session ends: nginx's, where the reference does not say otherwise.

use tokio::io::AsyncWriteExt;

use crate::harness::hellos::{client_hello, padding};
use crate::harness::{Gate, NameServer, Server, Spec, answer, heard, hello, refusing};

const LOG: &str = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$status $close_reason\"\n";

/// A gate whose only listener looks names up in a map.
fn gate(keys: &str, map: &str, more: &str) -> Gate {
    Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{keys}\n[routes.map]\n{map}\n{LOG}{more}"))
}

/// The line of a client that sends this and then waits for the end.
async fn line(gate: &Gate, bytes: &[u8]) -> String {
    let mut client = gate.connect().await;
    client.write_all(bytes).await.unwrap();
    // An alert, an orderly end or a reset: how it hears of it is told elsewhere.
    let _ = heard(&mut client).await;
    gate.lines("log", 1).await[0].clone()
}

#[tokio::test]
async fn a_session_that_ends_in_order_is_a_200() {
    let server = Server::named("a").await;
    let gate = gate("", &format!("default = \"{}\"", server.address), "");
    assert_eq!(answer(&mut gate.connect().await, &hello("a.test")).await, "a");
    assert_eq!(gate.lines("log", 1).await, ["200 client_closed"]);
}

#[tokio::test]
async fn a_client_that_leaves_before_its_hello_is_whole_is_a_200() {
    let gate = gate("", "default = \"127.0.0.1:1\"", "");
    let mut client = gate.connect().await;
    client.write_all(&hello("a.test")[..20]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(gate.lines("log", 1).await, ["200 hello_gone"]);
}

#[tokio::test]
async fn a_client_that_is_silent_before_its_hello_is_whole_is_a_200() {
    let gate = gate("preread_timeout = \"50ms\"", "default = \"127.0.0.1:1\"", "");
    assert_eq!(line(&gate, &hello("a.test")[..20]).await, "200 hello_timeout");
}

#[tokio::test]
async fn a_session_in_which_nothing_moves_is_a_200() {
    let server = Server::echo().await;
    let gate = gate("idle_timeout = \"50ms\"", &format!("default = \"{}\"", server.address), "");
    assert_eq!(line(&gate, &hello("a.test")).await, "200 idle_timeout");
}

#[tokio::test]
async fn an_answer_of_our_own_is_a_200() {
    let gate = gate("", "not_tls = { respond = \"no\" }", "");
    assert_eq!(line(&gate, b"GET").await, "200 responded");
}

#[tokio::test]
async fn a_hello_that_is_too_large_or_broken_is_a_400() {
    let large = client_hello(&Spec::named("a.test").with(padding(2000)));
    let small = gate("preread_buffer_size = \"1k\"", "default = \"127.0.0.1:1\"", "");
    assert_eq!(line(&small, &large).await, "400 hello_too_large");
    let mut broken = hello("a.test");
    broken[5 + 4 + 2 + 32] = 200;
    let gate = gate("", "default = \"127.0.0.1:1\"", "");
    assert_eq!(line(&gate, &broken).await, "400 malformed_hello");
}

#[tokio::test]
async fn who_is_denied_is_a_403() {
    let by_listener = gate("access = [\"deny all\"]", "default = \"127.0.0.1:1\"", "");
    assert_eq!(heard(&mut by_listener.connect().await).await.unwrap(), b"");
    assert_eq!(by_listener.lines("log", 1).await, ["403 access_denied"]);
    let by_target = gate("", "default = { upstream = \"127.0.0.1:1\", access = [\"deny all\"] }", "");
    assert_eq!(line(&by_target, &hello("a.test")).await, "403 access_denied");
}

#[tokio::test]
async fn who_is_one_too_many_is_a_503() {
    let server = Server::named("a").await;
    let limit = "[limit.once]\nrate = \"1/h\"\nburst = 0\n";
    let gate = gate("", &format!("default = {{ upstream = \"{}\", limits = [\"once\"] }}", server.address), limit);
    assert_eq!(gate.ask("a.test").await, "a");
    let _ = gate.hears(&hello("a.test")).await;
    assert_eq!(gate.lines("log", 2).await, ["200 client_closed", "503 limit_reached"]);
}

#[tokio::test]
async fn an_address_without_a_port_and_a_name_that_nobody_knows_are_500s() {
    let networks = "[networks]\nforward = [\"127.0.0.0/8\"]\n";
    let upstream = "[upstream.\"other.test\"]\nservers = [\"127.0.0.1:1\"]\n";
    let no_port = gate("", "default = \"$ssl_preread_server_name\"", &format!("{networks}{upstream}"));
    assert_eq!(line(&no_port, &hello("a.test")).await, "500 unresolved");
    let names = NameServer::start().await;
    let unknown =
        gate("", "default = \"$ssl_preread_server_name:443\"", &format!("{networks}[resolver]\nnameservers = [\"{}\"]\n", names.address));
    assert_eq!(line(&unknown, &hello("nobody.test")).await, "500 unresolved");
}

#[tokio::test]
async fn a_name_for_which_nothing_stands_is_a_500() {
    let gate = gate("", "not_tls = \"127.0.0.1:1\"", "");
    assert_eq!(line(&gate, &hello("a.test")).await, "500 no_route");
}

#[tokio::test]
async fn an_upstream_without_a_server_that_answers_is_a_502() {
    let address = refusing().await;
    let gate = gate("", &format!("default = \"{address}\""), "");
    assert_eq!(line(&gate, &hello("a.test")).await, "502 no_server");
}

#[tokio::test]
async fn an_upstream_whose_servers_are_all_down_is_a_502() {
    let down = "[upstream.down]\nservers = [{ address = \"127.0.0.1:1\", down = true }]\n";
    let gate = gate("", "default = \"down\"", down);
    assert_eq!(line(&gate, &hello("a.test")).await, "502 no_server");
}
