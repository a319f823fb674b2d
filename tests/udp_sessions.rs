//! When a session of datagrams begins and ends, and what it says of its server.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::sleep;

use crate::harness::{Gate, NameServer, OwnPort, UdpClient, UdpServer, until, within};

/// A gateway with a listener `dns` over UDP, a log with status and reason, and these lines of the listener and of an upstream.
fn gate(listener: &str, upstream: &str) -> Gate {
    let protocol = if listener.contains("protocol") { "" } else { "protocol = \"udp\"\n" };
    Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.dns]\nlisten = \"127.0.0.1:0\"\n{protocol}upstream = \"dns\"\n{listener}\n\
         [upstream.dns]\n{upstream}\n\
         [access_log.a]\nfile = \"{{folder}}/access\"\nformat = \"$status $close_reason $upstream_addr\""
    ))
}

fn one(server: &UdpServer) -> String {
    format!("servers = [\"{}\"]", server.address)
}

/// The statuses and reasons of the log, once there are so many lines.
async fn endings(gate: &Gate, count: usize) -> Vec<String> {
    let lines = gate.lines("access", count).await;
    lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// An address where nobody is, and which says so.
fn nobody() -> (OwnPort, SocketAddr) {
    let port = OwnPort::of_both();
    let address = port.address;
    (port, address)
}

#[tokio::test]
async fn with_one_response_a_session_ends_with_its_answer() {
    let server = UdpServer::echo().await;
    let gate = gate("responses = 1", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    for question in ["first", "second"] {
        assert_eq!(client.asks(question).await, question);
        gate.until(|totals| totals.open == 0).await;
    }
    assert_eq!(endings(&gate, 2).await, ["200 finished"; 2]);
    assert_eq!(server.senders().len(), 2, "each has a session of its own");
}

#[tokio::test]
async fn with_several_responses_all_of_them_are_waited_for() {
    let server = UdpServer::start("127.0.0.1:0", |_| vec![b"one".to_vec(), b"two".to_vec(), b"too many".to_vec()]).await;
    let gate = gate("responses = 2", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("?").await, "one");
    assert_eq!(client.hear().await, b"two");
    gate.until(|totals| totals.open == 0).await;
    assert_eq!(endings(&gate, 1).await, ["200 finished"]);
    assert_eq!(client.waiting(), None);
}

#[tokio::test]
async fn without_responses_a_session_ends_when_its_datagram_is_sent_and_answers_are_dropped() {
    let server = UdpServer::echo().await;
    let gate = gate("responses = 0", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    client.send(b"a line of a log").await;
    client.send(b"another").await;
    until(|| server.heard().len() == 2).await;
    assert_eq!(endings(&gate, 2).await, ["200 finished"; 2]);
    // A session is gone when its line is written, and a moment later it is not counted.
    gate.until(|totals| totals.open == 0).await;
    assert_eq!(client.waiting(), None);
}

#[tokio::test]
async fn after_so_many_requests_the_next_begins_a_session_and_the_old_one_still_answers() {
    let server = UdpServer::start("127.0.0.1:0", |datagram| if datagram == b"3" { vec![b"late".to_vec()] } else { Vec::new() }).await;
    let slow = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let gate = gate("requests = 2", &format!("servers = [\"{}\"]", slow.local_addr().unwrap()));
    drop(server);
    let client = UdpClient::of(gate.address("dns")).await;
    let mut senders = Vec::new();
    for request in [b"1", b"2", b"3"] {
        client.send(request).await;
        let mut buffer = [0; 16];
        let (length, from) = within(slow.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(buffer[..length], request[..]);
        senders.push(from);
    }
    assert_eq!(senders[0], senders[1]);
    assert_ne!(senders[1], senders[2], "the third has another session");
    assert_eq!(gate.totals().open, 2);
    slow.send_to(b"to the old one", senders[0]).await.unwrap();
    slow.send_to(b"to the new one", senders[2]).await.unwrap();
    let mut heard = [client.hear().await, client.hear().await];
    heard.sort();
    assert_eq!(heard, [b"to the new one".to_vec(), b"to the old one".to_vec()]);
}

#[tokio::test]
async fn with_requests_and_responses_a_session_ends_when_all_have_come() {
    let server = UdpServer::echo().await;
    let gate = gate("requests = 2\nresponses = 1", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("one").await, "one");
    assert_eq!(gate.totals().ended, 0, "one more is to come");
    assert_eq!(client.asks("two").await, "two");
    gate.until(|totals| totals.open == 0).await;
    assert_eq!(endings(&gate, 1).await, ["200 finished"]);
    assert_eq!(server.senders().len(), 1);
}

#[tokio::test]
async fn too_few_responses_are_the_servers_failure_and_later_sessions_go_elsewhere() {
    let (silent, server) = (UdpServer::silent().await, UdpServer::named("alive").await);
    let gate = gate(
        "responses = 1\nidle_timeout = \"100ms\"",
        &format!(
            "servers = [{{ address = \"{}\", fail_timeout = \"1h\" }}, {{ address = \"{}\", max_fails = 0 }}]",
            silent.address, server.address
        ),
    );
    let client = UdpClient::of(gate.address("dns")).await;
    client.send(b"?").await;
    assert_eq!(endings(&gate, 1).await, ["502 no_response"]);
    // On a loaded machine an answer may be too late, too: what counts is whom they go to.
    for number in 1..=4 {
        client.send(b"?").await;
        until(|| server.heard().len() == number).await;
    }
    assert_eq!(silent.heard().len(), 1);
}

#[tokio::test]
async fn enough_responses_or_an_unknown_number_of_them_end_in_silence_as_they_should() {
    let server = UdpServer::echo().await;
    for listener in ["idle_timeout = \"1s\"", "requests = 2\nresponses = 1\nidle_timeout = \"1s\""] {
        let gate = gate(listener, &one(&server));
        let client = UdpClient::of(gate.address("dns")).await;
        assert_eq!(client.asks("?").await, "?");
        assert_eq!(endings(&gate, 1).await, ["200 idle_timeout"], "{listener}");
    }
}

#[tokio::test]
async fn a_refusal_counts_as_the_response_and_the_next_session_goes_elsewhere() {
    let (_port, gone) = nobody();
    let server = UdpServer::named("alive").await;
    let gate = gate("responses = 1", &format!("servers = [{{ address = \"{gone}\", fail_timeout = \"1h\" }}, \"{}\"]", server.address));
    let client = UdpClient::of(gate.address("dns")).await;
    client.send(b"?").await;
    assert_eq!(endings(&gate, 1).await, ["200 finished"]);
    for _ in 0..4 {
        assert_eq!(client.asks("?").await, "alive");
    }
    let lines = gate.lines("access", 5).await;
    let to_gone = lines.iter().filter(|line| line.ends_with(&gone.to_string())).count();
    assert_eq!(to_gone, 1, "{lines:?}");
}

#[tokio::test]
async fn a_refused_server_is_left_alone_at_once_by_those_that_follow() {
    let (_port, gone) = nobody();
    let server = UdpServer::named("alive").await;
    // The session that was refused goes on.
    let gate = gate("", &format!("servers = [{{ address = \"{gone}\", fail_timeout = \"1h\" }}, \"{}\"]", server.address));
    let refused = UdpClient::of(gate.address("dns")).await;
    refused.send(b"?").await;
    until(|| gate.upstream("dns").status()[0].fails == 1).await;
    for _ in 0..3 {
        let client = UdpClient::of(gate.address("dns")).await;
        assert_eq!(client.asks("?").await, "alive");
    }
    assert_eq!(gate.totals().open, 4);
}

#[tokio::test]
async fn a_server_may_go_and_come_back_in_the_middle_of_a_session() {
    let port = OwnPort::of_both();
    let server = UdpServer::named_at(&port, "before");
    let gate = gate("", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("?").await, "before");
    drop(server);
    // The port is refused as soon as its socket is gone; what is sent meanwhile is lost, and the session is not.
    let beside = UdpClient::of(port.address).await;
    within(async {
        // Each is told of the one before it.
        while !matches!(beside.socket.send(b"?").await, Err(error) if error.kind() == ErrorKind::ConnectionRefused) {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    for _ in 0..3 {
        client.send(b"?").await;
    }
    let server = port.receive();
    within(async {
        let mut buffer = [0; 16];
        let from = loop {
            client.send(b"again").await;
            tokio::select! {
                heard = server.recv_from(&mut buffer) => break heard.unwrap().1,
                () = sleep(Duration::from_millis(20)) => {}
            }
        };
        server.send_to(b"after", from).await.unwrap();
    })
    .await;
    loop {
        if client.hear().await == b"after" {
            break;
        }
    }
    assert_eq!(gate.totals().accepted, 1, "it is one session");
}

#[tokio::test]
async fn balances_count_sessions_and_hashes_keep_a_client_with_its_server() {
    let servers = [UdpServer::named("a").await, UdpServer::named("b").await];
    let all = format!("servers = [\"{}\", \"{}\"]", servers[0].address, servers[1].address);
    let spread = gate("responses = 1", &all);
    let client = UdpClient::of(spread.address("dns")).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(client.asks("?").await);
        spread.until(|totals| totals.open == 0).await;
    }
    assert_eq!(answers, ["a", "b"].repeat(5));
    // As nginx: of two servers the client 127.0.0.1 goes to the second.
    let hashed = gate("responses = 1", &format!("balance = \"hash\"\n{all}"));
    let client = UdpClient::of(hashed.address("dns")).await;
    for _ in 0..5 {
        assert_eq!(client.asks("?").await, "b");
    }
    let least = gate("", &format!("balance = \"least_conn\"\n{all}"));
    let mut counts = std::collections::BTreeMap::new();
    let mut clients = Vec::new();
    for _ in 0..10 {
        let client = UdpClient::of(least.address("dns")).await;
        *counts.entry(client.asks("?").await).or_insert(0) += 1;
        clients.push(client);
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [5, 5]);
}

#[tokio::test]
async fn a_session_without_a_server_is_written_down() {
    let gate = gate("", "servers = [{ address = \"127.0.0.1:9\", down = true }]");
    let client = UdpClient::of(gate.address("dns")).await;
    client.send(b"?").await;
    assert_eq!(gate.lines("access", 1).await, ["502 no_server dns"]);
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn what_a_refused_session_has_received_is_written_down() {
    let names = NameServer::start().await;
    names.pause();
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[resolver]\nnameservers = [\"{}\"]\ntimeout = \"1h\"\n\
         [listener.down]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"down\"\n\
         [listener.far]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"$listener.test:53\"\n\
         [listener.near]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nrespond = \"here\"\n\
         [upstream.down]\nservers = [{{ address = \"127.0.0.1:9\", down = true }}]\n\
         [access_log.a]\nfile = \"{{folder}}/access\"\nformat = \"$close_reason $bytes_received\"",
        names.address
    ));
    UdpClient::of(gate.address("down")).await.send(b"three").await;
    gate.lines("access", 1).await;
    let far = UdpClient::of(gate.address("far")).await;
    far.send(b"one").await;
    until(|| names.asked("far.test", RecordType::A) > 0).await;
    far.send(b"more").await;
    // The one worker has got as far with what came before.
    assert_eq!(UdpClient::of(gate.address("near")).await.asks("?").await, "here");
    names.go_on();
    assert_eq!(gate.lines("access", 3).await, ["no_server 5", "responded 1", "unresolved 7"]);
}

#[tokio::test]
async fn a_drain_lets_sessions_go_on_and_begins_none() {
    let server = UdpServer::echo().await;
    let gate = gate("protocol = [\"udp\", \"tcp\"]\nrequests = 2\nresponses = 1", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("before").await, "before");
    gate.gateway().drain();
    // From then on the worker knows.
    within(async { while TcpStream::connect(gate.address("dns")).await.is_ok() {} }).await;
    let newcomer = UdpClient::of(gate.address("dns")).await;
    newcomer.socket.send(b"too late").await.unwrap();
    assert_eq!(client.asks("after").await, "after");
    within(gate.gateway().ended()).await;
    // A connection may have come before the worker knew: it found no server.
    let over_udp: Vec<_> = endings(&gate, 1).await.into_iter().filter(|line| line != "502 no_server").collect();
    assert_eq!(over_udp, ["200 finished"]);
    assert!(server.heard().iter().all(|(_, datagram)| datagram != b"too late"));
}

#[tokio::test]
async fn a_stop_cuts_sessions() {
    let server = UdpServer::echo().await;
    let gate = gate("", &one(&server));
    let client = UdpClient::of(gate.address("dns")).await;
    assert_eq!(client.asks("before").await, "before");
    gate.gateway().stop();
    within(gate.gateway().ended()).await;
    assert_eq!(endings(&gate, 1).await, ["200 stopped"]);
}
