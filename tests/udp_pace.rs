//! How fast datagrams go, and whom they are from when a PROXY header says so.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{Gate, UdpClient, UdpServer, until};

fn gate(server: &UdpServer, listener: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"dns\"\n{listener}\n\
         [access_log.a]\nfile = \"{{folder}}/access\"\nformat = \"$status $close_reason $remote_addr\"\n\
         [upstream.dns]\nservers = [\"{}\"]\n{more}",
        server.address
    ))
}

#[tokio::test]
async fn answers_beyond_the_download_rate_wait_and_none_is_lost_or_cut() {
    let server = UdpServer::start("127.0.0.1:0", |_| (0..10_u8).map(|number| vec![number; 1000]).collect()).await;
    let gate = gate(&server, "download_rate = 10000\nidle_timeout = \"300ms\"", "");
    let client = UdpClient::of(gate.address("dns")).await;
    client.send(b"?").await;
    let began = Instant::now();
    for number in 0..10 {
        assert_eq!(client.hear().await, vec![number; 1000]);
    }
    // A tenth of a second's worth may come at once, and a datagram more.
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
}

#[tokio::test]
async fn datagrams_beyond_the_upload_rate_are_dropped() {
    let server = UdpServer::echo().await;
    // So slow that however long a loaded machine takes to send them, not all are due.
    let gate = gate(&server, "upload_rate = 1000", "");
    let client = UdpClient::of(gate.address("dns")).await;
    for _ in 0..20 {
        client.send(&[7; 900]).await;
    }
    // A byte is due soon, and comes after all that has been let through.
    let heard = || server.heard().iter().filter(|(_, datagram)| datagram.len() == 900).count();
    crate::harness::within(async {
        while !server.heard().iter().any(|(_, datagram)| datagram == b"x") {
            client.send(b"x").await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!((1..20).contains(&heard()), "{} of 20 came through", heard());
}

/// A PROXY header of version 2 about datagrams (proxy-protocol.txt), from one IPv4 address to another.
fn header(source: &str, destination: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c".to_vec();
    let source: SocketAddr = source.parse().unwrap();
    for end in [source, destination] {
        let SocketAddr::V4(end) = end else { panic!("it is of IPv4") };
        header.extend_from_slice(&end.ip().octets());
    }
    header.extend_from_slice(&source.port().to_be_bytes());
    header.extend_from_slice(&destination.port().to_be_bytes());
    header
}

#[tokio::test]
async fn a_server_hears_of_each_datagram_whom_it_is_from() {
    let server = UdpServer::start("127.0.0.1:0", |datagram| vec![datagram[28..].to_vec()]).await;
    let gate = gate(&server, "", "send_proxy_protocol = \"v2\"");
    let client = UdpClient::of(gate.address("dns")).await;
    let header = header(&client.socket.local_addr().unwrap().to_string(), gate.address("dns"));
    for datagram in [&b"first"[..], b"", b"third"] {
        assert_eq!(client.ask(datagram).await, datagram);
        assert_eq!(server.heard().last().unwrap().1, [&header, datagram].concat());
    }
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_a_session_of_its_own() {
    let server = UdpServer::echo().await;
    let gate = gate(&server, "accept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]\nresponses = 1", "");
    let proxy = UdpClient::of(gate.address("dns")).await;
    let from = |client: &str, datagram: &[u8]| [&header(client, gate.address("dns")), datagram].concat();
    assert_eq!(proxy.ask(&from("192.0.2.1:5000", b"one")).await, b"one");
    assert_eq!(proxy.ask(&from("192.0.2.2:5000", b"")).await, b"");
    assert_eq!(gate.lines("access", 2).await, ["200 finished 192.0.2.1", "200 finished 192.0.2.2"]);
    assert_eq!(server.senders().len(), 2);
}

#[tokio::test]
async fn a_header_about_a_connection_names_nobody_where_datagrams_are_spoken() {
    let server = UdpServer::echo().await;
    let gate = gate(&server, "accept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]\nrequests = 2\nresponses = 1", "");
    let proxy = UdpClient::of(gate.address("dns")).await;
    for client in ["192.0.2.1:5000", "192.0.2.2:5000"] {
        let mut header = header(client, gate.address("dns"));
        // IPv4, and a connection.
        header[13] = 0x11;
        assert_eq!(proxy.ask(&[&header[..], b"one"].concat()).await, b"one");
    }
    assert_eq!(gate.lines("access", 1).await, ["200 finished 127.0.0.1"]);
    assert_eq!(server.senders().len(), 1, "whoever they are said to be, both are the proxy's");
}

#[tokio::test]
async fn a_header_that_is_none_or_is_not_believed_brings_no_datagram_in() {
    let server = UdpServer::echo().await;
    let strict = gate(&server, "accept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]", "");
    let proxy = UdpClient::of(strict.address("dns")).await;
    let whole = header("192.0.2.1:5000", strict.address("dns"));
    proxy.send(b"no header").await;
    proxy.send(&whole[..whole.len() - 1]).await;
    assert_eq!(strict.lines("access", 2).await, ["400 bad_proxy_header 127.0.0.1"; 2]);
    let open = gate(&server, "accept_proxy_protocol = \"allow\"\ntrusted_proxies = [\"10.0.0.0/8\"]", "");
    let client = UdpClient::of(open.address("dns")).await;
    client.send(&whole).await;
    assert_eq!(open.lines("access", 1).await, ["403 untrusted_proxy 127.0.0.1"]);
    assert_eq!(client.asks("without").await, "without");
    client.send(&[&whole[..], b"later"].concat()).await;
    open.lines("access", 2).await;
    until(|| server.heard().len() == 1).await;
}
