//! Clients that are slow, stop, or send too much before their hello is whole: one deadline, one cap, no server touched.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use crate::harness::hellos::{client_hello, padding};
use crate::harness::{Gate, PATIENCE, Server, Spec, connect, heard, hello, reset, routes, said, within};

/// A gate for the host `api.test`, with these keys of its listener.
async fn gate(keys: &str) -> (Gate, Server) {
    let server = Server::named("api").await;
    (Gate::start(&routes(&[("api.test", &server)], &format!("[defaults]\n{keys}"))), server)
}

const RECORD_OVERFLOW: [u8; 7] = [21, 3, 3, 0, 2, 2, 22];

#[tokio::test]
async fn bytes_that_trickle_in_do_not_extend_the_deadline() {
    let (gate, server) = gate("preread_timeout = \"300ms\"\ndefer_accept = false").await;
    let begun = Instant::now();
    let (mut from, mut to) = gate.connect().await.into_split();
    let trickle = async {
        for byte in hello("api.test") {
            if to.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        std::future::pending().await
    };
    let mut buffer = [0];
    let ended = tokio::select! {
        ended = within(tokio::io::AsyncReadExt::read(&mut from, &mut buffer)) => ended.unwrap_or(0),
        () = trickle => unreachable!(),
    };
    assert_eq!(ended, 0, "closed, not answered");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    gate.until(|totals| totals.refusals.get("hello_timeout") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_client_that_stalls_before_its_hello_is_whole_touches_no_server() {
    let (gate, server) = gate("preread_timeout = \"50ms\"").await;
    let hello = hello("api.test");
    let mut client = gate.connect().await;
    client.write_all(&hello[..hello.len() - 1]).await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    gate.until(|totals| totals.refusals.get("hello_timeout") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_client_that_ends_before_its_hello_is_whole_touches_no_server() {
    let (gate, server) = gate("").await;
    let hello = hello("api.test");
    let mut client = gate.connect().await;
    client.write_all(&hello[..hello.len() - 1]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    gate.until(|totals| totals.refusals.get("hello_gone") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_client_that_breaks_before_its_hello_is_whole_touches_no_server() {
    let (gate, server) = gate("").await;
    let mut client = gate.connect().await;
    client.write_all(&hello("api.test")[..50]).await.unwrap();
    gate.until(|totals| totals.open == 1).await;
    reset(client);
    gate.until(|totals| totals.ended == 1).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_broken_hello_touches_no_server() {
    let (gate, server) = gate("").await;
    let mut broken = hello("api.test");
    // The session id's length, larger than the hello.
    broken[5 + 4 + 2 + 32] = 0xff;
    let mut client = gate.connect().await;
    client.write_all(&broken).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap()[0], 21, "an alert");
    gate.until(|totals| totals.refusals.get("malformed_hello") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_is_not_tls_is_told_by_the_first_byte_that_shows_it() {
    let (gate, server) = gate(&format!("preread_timeout = \"{}s\"", PATIENCE.as_secs() * 2)).await;
    for (refused, first) in [&b"G"[..], &[0x80], &[21], &[22, 2]].into_iter().enumerate() {
        let mut client = gate.connect().await;
        client.write_all(first).await.unwrap();
        // Refused in order: the connection ends here although the client's side is open.
        assert_eq!(heard(&mut client).await.unwrap(), b"", "{first:?}");
        gate.until(|totals| totals.refusals.get("not_tls") == Some(&(refused as u64 + 1))).await;
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn one_byte_that_is_not_tls_reaches_the_server_for_it() {
    let (server, web) = (Server::named("api").await, Server::named("web").await);
    let keys = format!("[routes.map]\nnot_tls = \"{}\"\n[defaults]\npreread_timeout = \"{}s\"", web.address, PATIENCE.as_secs() * 2);
    let text = routes(&[("api.test", &server)], "").replace("[routes.map.hosts]", &format!("{keys}\n[routes.map.hosts]"));
    let gate = Gate::start(&text);
    let mut client = gate.connect().await;
    client.write_all(b"G").await.unwrap();
    assert_eq!(crate::harness::read(&mut client, 3).await, b"web");
    assert_eq!(web.received(0), b"G");
}

#[tokio::test]
async fn a_hello_of_exactly_preread_buffer_size_passes() {
    let hello = hello("api.test");
    let (gate, server) = gate(&format!("preread_buffer_size = {}", hello.len())).await;
    let sent = [&hello[..], b"what stands behind it does not count"].concat();
    let mut client = gate.connect().await;
    client.write_all(&sent).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    assert_eq!(server.received(0), sent);
}

#[tokio::test]
async fn a_hello_of_one_byte_more_is_refused() {
    let hello = hello("api.test");
    let (gate, server) = gate(&format!("preread_buffer_size = {}", hello.len() - 1)).await;
    let mut client = gate.connect().await;
    client.write_all(&hello).await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), RECORD_OVERFLOW);
    gate.until(|totals| totals.refusals.get("hello_too_large") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn by_default_a_hello_may_be_64_kilobytes_large() {
    let size = |length| client_hello(&Spec::named("api.test").with(padding(length))).len();
    let (gate, server) = gate("").await;
    let fits = 65_536 - size(60_000) + 60_000;
    assert_eq!(size(fits), 65_536);
    let sent = client_hello(&Spec::named("api.test").with(padding(fits)));
    let mut client = gate.connect().await;
    client.write_all(&sent).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    assert_eq!(server.received(0), sent);
    let mut client = gate.connect().await;
    client.write_all(&client_hello(&Spec::named("api.test").with(padding(fits + 1)))).await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), RECORD_OVERFLOW);
}

#[tokio::test]
async fn the_kernel_holds_a_silent_connection_back_before_the_deadline_starts() {
    let (gate, _server) = gate("preread_timeout = \"1ms\"\ndefer_accept = true").await;
    let begun = Instant::now();
    let mut client = gate.connect().await;
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_defer_accept_a_silent_connection_is_there_at_once() {
    let listener = |name, defer| format!("[listener.{name}]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\ndefer_accept = {defer}\n");
    let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$connection $listener\"";
    let rest = format!("[defaults]\npreread_timeout = \"1ms\"\n[routes.map]\nno_sni = {{ reject = \"access_denied\" }}\n{log}");
    let rounds = async {
        loop {
            let gate = Gate::start(&(listener("deferred", true) + &listener("prompt", false) + &rest));
            let begun = Instant::now();
            let _first = connect(gate.address("deferred")).await;
            // Were both held back alike, the first would be let in first.
            sleep(Duration::from_millis(200)).await;
            let _second = connect(gate.address("prompt")).await;
            gate.lines("log", 1).await;
            // On a machine that was asleep meanwhile nobody was held back long enough.
            if begun.elapsed() < Duration::from_millis(800) {
                return gate.lines("log", 2).await;
            }
        }
    };
    assert_eq!(within(rounds).await, ["1 prompt", "2 deferred"]);
}
