//! Datagrams go both ways as they were sent, each client's by themselves.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::harness::{Gate, OwnPort, Process, Server, UdpClient, UdpServer, answer, connect, reply};

/// A gateway with a listener `dns` over UDP in front of this server; `more` is appended to its keys.
fn gate(server: &UdpServer, more: &str) -> Gate {
    Gate::start(&routes("127.0.0.1:0", server, more))
}

fn routes(listen: &str, server: &UdpServer, more: &str) -> String {
    format!("[listener.dns]\nlisten = \"{listen}\"\nprotocol = \"udp\"\nupstream = \"{}\"\n{more}", server.address)
}

/// Bytes in which any shift or loss shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ (at / 251) as u8).collect()
}

#[tokio::test]
async fn datagrams_of_any_size_arrive_as_they_were_sent() {
    let server = UdpServer::echo().await;
    let gate = gate(&server, "");
    let client = UdpClient::of(gate.address("dns")).await;
    for length in [0, 1, 1200, 1472, 9000, 65_507, 0, 7] {
        let sent = pattern(length);
        assert_eq!(client.ask(&sent).await, sent, "{length} bytes");
        assert_eq!(server.heard().last().unwrap().1, sent, "{length} bytes");
    }
    assert_eq!(server.senders().len(), 1, "a session has one socket");
}

#[tokio::test]
async fn answers_leave_from_the_address_that_was_written_to() {
    let server = UdpServer::echo().await;
    for (listen, addresses) in [("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.9.9.9"][..]), ("[::]:0", &["[::1]"])] {
        let gate = Gate::start(&routes(listen, &server, ""));
        let port = gate.address("dns").port();
        assert!(!addresses.is_empty());
        for address in addresses {
            // It is connected, and hears nobody else.
            let client = UdpClient::of(format!("{address}:{port}").parse().unwrap()).await;
            assert_eq!(client.ask(b"hello").await, b"hello", "{address}");
        }
    }
}

#[tokio::test]
async fn a_server_on_any_address_of_this_machine_is_heard_from_the_one_that_it_has() {
    let server = UdpServer::echo().await;
    let any = format!("0.0.0.0:{}", server.address.port());
    let gate = Gate::start(&routes("127.0.0.1:0", &server, "").replace(&server.address.to_string(), &any));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.ask(b"hello").await, b"hello");
}

#[tokio::test]
async fn clients_are_told_apart_by_port_address_and_the_address_they_wrote_to() {
    let server = UdpServer::start("127.0.0.1:0", |datagram| vec![datagram.to_vec()]).await;
    let gate = Gate::start(&routes("0.0.0.0:0", &server, ""));
    let port = gate.address("dns").port();
    let to = |address: &str| -> SocketAddr { format!("{address}:{port}").parse().unwrap() };
    let first = UdpClient::from("127.0.0.1:0", to("127.0.0.1")).await;
    let own_port = first.socket.local_addr().unwrap().port();
    let same_port = UdpClient::from(&format!("127.0.0.3:{own_port}"), to("127.0.0.1")).await;
    let other_port = UdpClient::from("127.0.0.1:0", to("127.0.0.1")).await;
    let all = [(&first, "first"), (&same_port, "same port"), (&other_port, "other port")];
    for _ in 0..3 {
        for (client, _) in all {
            client.send(b"").await;
        }
        for (client, name) in all {
            client.send(name.as_bytes()).await;
            assert_eq!(client.hear().await, b"");
            assert_eq!(client.hear().await, name.as_bytes());
        }
    }
    assert_eq!(server.senders().len(), 3);
    // The same client, to another address of the gateway.
    first.socket.connect(to("127.0.0.2")).await.unwrap();
    assert_eq!(first.asks("elsewhere").await, "elsewhere");
    assert_eq!(server.senders().len(), 4);
}

#[tokio::test]
async fn bursts_arrive_whole_and_in_order() {
    let server = UdpServer::echo().await;
    let gate = gate(&server, "");
    let client = UdpClient::of(gate.address("dns")).await;
    // Less than a socket's buffer holds, so that none may be lost.
    let sent: Vec<_> = (0..60_u8).map(|number| vec![number; 1000 + usize::from(number % 2)]).collect();
    for datagram in &sent {
        client.send(datagram).await;
    }
    for datagram in &sent {
        assert_eq!(client.hear().await, *datagram);
    }
}

#[tokio::test]
async fn every_worker_has_a_socket_and_a_client_stays_with_one() {
    let server = UdpServer::echo().await;
    let gate = Gate::start(&format!("[process]\nworkers = 4\n{}", routes("127.0.0.1:0", &server, "")));
    // They stay, or the next would be given the port of one before.
    let mut clients = Vec::new();
    for number in 0..32 {
        let client = UdpClient::of(gate.address("dns")).await;
        for _ in 0..3 {
            assert_eq!(client.asks(&format!("client {number}")).await, format!("client {number}"));
        }
        clients.push(client);
    }
    let senders = server.senders();
    assert_eq!(senders.len(), 32);
    assert!(senders.values().all(|&count| count == 3), "{senders:?}");
}

#[tokio::test]
async fn a_session_that_is_silent_for_its_time_ends() {
    let server = UdpServer::echo().await;
    let gate = gate(
        &server,
        "idle_timeout = \"1s\"\n[access_log.a]\nfile = \"{folder}/access\"\nformat = \"$protocol $status $close_reason $bytes_received $bytes_sent $upstream_bytes_sent $upstream_bytes_received\"",
    );
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("hello").await, "hello");
    gate.until(|totals| totals.open == 0).await;
    assert_eq!(gate.lines("access", 1).await, ["UDP 200 idle_timeout 5 5 5 5"]);
    assert_eq!(client.asks("again").await, "again");
    assert_eq!(server.senders().len(), 2, "it is another session");
}

#[tokio::test]
async fn one_port_may_speak_both_protocols() {
    // Behind it one address has both, as a name server's does.
    let port = OwnPort::of_both();
    let server = Server::start_on(port.listen().unwrap(), |stream, _| async { drop(reply(stream, "over tcp").await) });
    let _udp = UdpServer::named_at(&port, "over udp");
    let gate =
        Gate::start(&format!("[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = [\"udp\", \"tcp\"]\nupstream = \"{}\"", server.address));
    let addresses: BTreeSet<_> = gate.gateway().addresses("dns").map(ToString::to_string).collect();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("?").await, "over udp");
    let mut client = connect(gate.address("dns")).await;
    assert_eq!(answer(&mut client, b"?").await, "over tcp");
}

#[tokio::test]
async fn the_log_says_where_it_listens_for_datagrams() {
    let gate = Process::start("[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = [\"tcp\", \"udp\"]\nupstream = \"127.0.0.1:9\"").await;
    let address = gate.address_of("dns");
    let by = |protocol| format!("listening on {address}{protocol} listener=");
    gate.says(&by(" (UDP)")).await;
    gate.says(&by("")).await;
}

#[tokio::test]
async fn a_listener_may_answer_with_a_text() {
    let gate = Gate::start("[listener.who]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nrespond = \"$protocol $remote_addr\"");
    let client = UdpClient::of(gate.address("who")).await;
    for _ in 0..2 {
        assert_eq!(client.asks("?").await, "UDP 127.0.0.1");
    }
    gate.until(|totals| totals.ended == 2 && totals.open == 0).await;
}
