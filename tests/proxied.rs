//! Whom a connection is from, as a PROXY header says that comes first: read to the byte, believed of some, refused of others.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

use crate::harness::proxy::{binary, field, header, line};
use crate::harness::tls::{ask, ends_at_gate, handshake};
use crate::harness::{Authority, ByHand, Gate, Process, Server, answer, connect, heard, hello, kernel, read, reset, routes, said, until};

const CLIENT: &str = "192.0.2.7:5000";
const SERVICE: &str = "198.51.100.1:443";
const LOG: &str = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$remote_addr:$remote_port $status $close_reason\"\n";
const REQUIRE: &str = "accept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
const ALLOW: &str = "accept_proxy_protocol = \"allow\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
const ALLOW_NOBODY: &str = "accept_proxy_protocol = \"allow\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n";

/// A gate with these defaults that hands everything to a server, without a look at it.
fn plain(defaults: &str, server: &Server) -> Gate {
    let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n", server.address);
    Gate::start(&format!("[defaults]\n{defaults}{listener}{LOG}"))
}

/// The same that looks for the host `api.test`.
fn routed(defaults: &str, server: &Server) -> Gate {
    Gate::start(&routes(&[("api.test", server)], &format!("[defaults]\n{defaults}{LOG}")))
}

async fn question(gate: &Gate, bytes: &[u8]) -> String {
    answer(&mut gate.connect().await, bytes).await
}

fn headers() -> [Vec<u8>; 2] {
    [line(CLIENT, SERVICE), binary(CLIENT, SERVICE, &[(1, b"h2"), (5, b"id")])]
}

/// Waits until the gate has taken everything that a client has sent.
async fn taken(client: &TcpStream) {
    let (from, to): (SocketAddr, SocketAddr) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let is_empty = || kernel::connections().iter().any(|row| row.is_from(to) && row.is_to(from) && row.received == 0);
    until(is_empty).await;
}

/// What the log says of a single session whose client sends this and waits.
async fn ends(gate: &Gate, bytes: &[u8]) -> String {
    let mut client = gate.connect().await;
    // The gate may end it before all is sent.
    let _ = client.write_all(bytes).await;
    let _ = heard(&mut client).await;
    let line = gate.lines("log", 1).await.remove(0);
    line.split_once(' ').unwrap().1.to_owned()
}

#[tokio::test]
async fn whom_a_header_names_is_the_client_and_the_server_hears_nothing_of_the_header() {
    for header in headers() {
        let server = Server::named("server").await;
        let gate = plain(REQUIRE, &server);
        assert_eq!(question(&gate, &[&header[..], b"question"].concat()).await, "server");
        assert_eq!(server.received(0), b"question");
        assert_eq!(gate.lines("log", 1).await, [format!("{CLIENT} 200 client_closed")]);
    }
}

#[tokio::test]
async fn a_header_that_is_cut_at_any_place_is_the_same() {
    let hello = hello("api.test");
    for header in headers() {
        let server = Server::named("api").await;
        let gate = routed(REQUIRE, &server);
        let all = [&header[..], &hello].concat();
        for cut in 1..=header.len() + 1 {
            let mut client = gate.connect().await;
            client.write_all(&all[..cut]).await.unwrap();
            taken(&client).await;
            assert_eq!(answer(&mut client, &all[cut..]).await, "api", "cut after {cut} bytes");
            assert_eq!(server.received(cut - 1), hello, "cut after {cut} bytes");
        }
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    for header in headers() {
        let server = Server::named("api").await;
        let gate = routed(REQUIRE, &server);
        let mut client = gate.connect().await;
        for byte in header {
            client.write_all(&[byte]).await.unwrap();
        }
        assert_eq!(answer(&mut client, &hello("api.test")).await, "api");
        assert_eq!(server.received(0), hello("api.test"));
    }
}

#[tokio::test]
async fn tls_ends_behind_a_header_of_the_same_segment() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let gate = Gate::start(&routes(&[], &format!("{}[defaults]\n{REQUIRE}{LOG}", ends_at_gate(&authority, &server, ""))));
    let mut client = gate.connect().await;
    // Held back until the hello comes: both leave in one segment.
    SockRef::from(&client).set_tcp_cork(true).unwrap();
    client.write_all(&headers()[1]).await.unwrap();
    let mut client = handshake(client, "api.test", authority.trusted()).await.unwrap();
    assert_eq!(ask(&mut client, b"question").await, "api");
    assert_eq!(server.received(0), b"question");
    assert_eq!(gate.lines("log", 1).await, [format!("{CLIENT} 200 client_closed")]);
}

#[tokio::test]
async fn a_server_that_speaks_first_greets_behind_a_header() {
    for defaults in [REQUIRE, ALLOW] {
        let mut by_hand = ByHand::start().await;
        let gate = plain(defaults, &by_hand.server);
        let mut client = gate.connect().await;
        client.write_all(&headers()[0]).await.unwrap();
        let mut server = by_hand.accept().await;
        server.write_all(b"220 ready").await.unwrap();
        assert_eq!(read(&mut client, 9).await, b"220 ready");
    }
}

#[tokio::test]
async fn a_header_of_somebody_who_is_not_believed_is_read_and_changes_nothing() {
    let text = "[listener.https]\nlisten = \"127.0.0.1:0\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = []\n\
                respond = \"$remote_addr $realip_remote_addr $proxy_protocol_addr:$proxy_protocol_port\"\n";
    let gate = Gate::start(text);
    for header in headers() {
        let mut client = gate.connect().await;
        client.write_all(&header).await.unwrap();
        assert_eq!(said(&mut client).await, format!("127.0.0.1 127.0.0.1 {CLIENT}"));
    }
}

#[tokio::test]
async fn everything_that_a_header_says_can_be_told() {
    let text = "[listener.https]\nlisten = \"127.0.0.1:0\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
                respond = \"\"\"$remote_addr $remote_port $realip_remote_addr $realip_remote_port
$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port
$proxy_protocol_tlv_authority $proxy_protocol_tlv_0x02 $proxy_protocol_tlv_alpn $proxy_protocol_tlv_0xEA
$proxy_protocol_tlv_ssl_verify $proxy_protocol_tlv_ssl_version $proxy_protocol_tlv_ssl_cn<$proxy_protocol_tlv_netns>\"\"\"\n";
    let gate = Gate::start(text);
    let ssl = [&[7, 0, 0, 1, 2][..], &field(0x21, b"TLSv1.2"), &field(0x22, b"Jane")].concat();
    let mut client = gate.connect().await;
    let port = client.local_addr().unwrap().port();
    let fields: [(u8, &[u8]); 4] = [(2, b"a.example"), (1, b"h2"), (0xea, b"own"), (0x20, &ssl)];
    client.write_all(&binary(CLIENT, SERVICE, &fields)).await.unwrap();
    let expected =
        format!("192.0.2.7 5000 127.0.0.1 {port}\n192.0.2.7 5000 198.51.100.1 443\na.example a.example h2 own\n258 TLSv1.2 Jane<>");
    assert_eq!(said(&mut client).await, expected);
}

#[tokio::test]
async fn a_guard_and_a_hash_go_by_whom_the_header_names() {
    let (named, other) = (Server::named("named").await, Server::named("other").await);
    let hosts = format!(
        "[[routes.map.hosts.\"api.test\"]]\nfrom = [\"192.0.2.0/24\"]\nupstream = \"{}\"\n\
         [[routes.map.hosts.\"api.test\"]]\nupstream = \"{}\"\n[defaults]\n{ALLOW}",
        named.address, other.address
    );
    let gate = Gate::start(&routes(&[], &hosts));
    let hello = hello("api.test");
    assert_eq!(question(&gate, &[&headers()[0][..], &hello].concat()).await, "named");
    assert_eq!(question(&gate, &hello).await, "other");
}

#[tokio::test]
async fn who_names_nobody_is_the_client() {
    let own = header(0x20, 0, &[]);
    let datagrams = header(0x21, 0x12, &[192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 0, 2]);
    for header in [&b"PROXY UNKNOWN\r\n"[..], &own, &datagrams, &header(0x21, 0x31, &[b'/'; 216])] {
        let server = Server::named("server").await;
        let gate = plain(REQUIRE, &server);
        assert_eq!(question(&gate, &[header, b"question"].concat()).await, "server");
        assert_eq!(server.received(0), b"question");
        let log = gate.lines("log", 1).await;
        assert!(log[0].starts_with("127.0.0.1:") && log[0].ends_with(" 200 client_closed"), "{log:?}");
    }
}

#[tokio::test]
async fn where_a_header_must_come_nobody_is_served_without() {
    for first in [&b"G"[..], b"\x16\x03\x01", b"PROXX", b"\r\n\r\n\0\r\nQUIZ"] {
        let server = Server::named("server").await;
        let gate = plain(REQUIRE, &server);
        assert_eq!(ends(&gate, first).await, "400 bad_proxy_header", "{first:?}");
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn where_a_header_may_come_whatever_is_none_is_the_client_s() {
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PUT / HTTP/1.1\r\n\r\n", b"PROXYS", b"\r\n\r\nQUIT", b"PROXY", b"P", b""] {
        let server = Server::start(|mut stream, received| async move {
            let said = heard(&mut stream).await.unwrap();
            received.add(&said);
            let _ = stream.write_all(b"server").await;
        })
        .await;
        let gate = plain(ALLOW_NOBODY, &server);
        assert_eq!(question(&gate, first).await, "server", "{first:?}");
        assert_eq!(server.received(0), first);
    }
}

#[tokio::test]
async fn the_first_whose_header_is_refused_is_told_with_why() {
    let gate = Process::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\n{REQUIRE}")).await;
    for _ in 0..3 {
        let mut client = gate.connect().await;
        client.write_all(b"GET / HTTP/1.1").await.unwrap();
        let _ = heard(&mut client).await;
    }
    gate.says("session ended: bad_proxy_header").await;
    let log = gate.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("bad_proxy_header")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        ["INFO", "listener=\"https\"", "client=127.0.0.1:", "it does not begin with a PROXY header"]
            .iter()
            .all(|word| told[0].contains(word))
    );
}

#[tokio::test]
async fn where_a_header_may_come_the_hello_of_one_who_sends_none_is_routed() {
    let server = Server::named("api").await;
    let gate = routed(ALLOW_NOBODY, &server);
    assert_eq!(gate.ask("api.test").await, "api");
    assert_eq!(server.received(0), hello("api.test"));
}

#[tokio::test]
async fn where_a_header_may_come_one_of_somebody_who_is_not_believed_is_refused() {
    for header in headers().iter().map(|header| &header[..]).chain([&b"PROXY UNKNOWN\r\n"[..]]) {
        let server = Server::named("server").await;
        let gate = plain(ALLOW_NOBODY, &server);
        let ended = ends(&gate, &[header, b"question"].concat()).await;
        assert_eq!(ended, "403 untrusted_proxy");
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn where_no_header_is_looked_for_it_is_the_client_s() {
    let server = Server::named("server").await;
    let gate = plain("", &server);
    assert_eq!(question(&gate, &headers()[0]).await, "server");
    assert_eq!(server.received(0), headers()[0]);
}

#[tokio::test]
async fn a_broken_header_is_refused_at_once() {
    let short = header(0x21, 0x11, &[192, 0, 2, 1]);
    let cut_off = binary(CLIENT, SERVICE, &[]).into_iter().chain([0]).collect::<Vec<_>>();
    let cut_off = [&cut_off[..15], &[13], &cut_off[16..]].concat();
    let huge = [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, 0x11, 0xff, 0xff][..]].concat();
    let checksum = binary(CLIENT, SERVICE, &[(3, &[1, 2, 3, 4])]);
    let long_line = [&b"PROXY UNKNOWN "[..], &[b'x'; 93]].concat();
    let broken: [&[u8]; 7] =
        [b"PROXY TCP4 192.0.2.7 198.51.100.1 +5000 443\r\n", b"PROXY TCP4 ::1", &long_line, &short, &cut_off, &huge, &checksum];
    for (defaults, bytes) in [REQUIRE, ALLOW].into_iter().flat_map(|defaults| broken.map(|bytes| (defaults, bytes))) {
        let server = Server::named("server").await;
        let gate = plain(defaults, &server);
        let begun = if bytes.ends_with(b"::1") { &[bytes, b" "].concat() } else { bytes };
        assert_eq!(ends(&gate, begun).await, "400 bad_proxy_header", "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn bytes_that_trickle_in_do_not_extend_the_deadline_of_a_header() {
    let server = Server::named("server").await;
    let gate = plain(&format!("{REQUIRE}proxy_protocol_timeout = \"300ms\"\ndefer_accept = false\n"), &server);
    let begun = Instant::now();
    let (mut from, mut to) = gate.connect().await.into_split();
    let trickle = async {
        for byte in &headers()[1] {
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = heard(&mut from) => assert!(ended.unwrap_or_default().is_empty(), "closed, not answered"),
        () = trickle => {}
    };
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let line = gate.lines("log", 1).await.remove(0);
    assert!(line.ends_with(" 200 proxy_header_timeout"), "{line}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn who_stalls_or_says_nothing_is_closed_at_the_deadline() {
    for (defaults, bytes) in [(REQUIRE, &headers()[0][..20]), (REQUIRE, b""), (ALLOW, b"PRO"), (ALLOW, b"")] {
        let server = Server::named("server").await;
        let gate = plain(&format!("{defaults}proxy_protocol_timeout = \"50ms\"\n"), &server);
        assert_eq!(ends(&gate, bytes).await, "200 proxy_header_timeout", "{defaults}{bytes:?}");
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn who_ends_or_breaks_before_the_header_is_whole_touches_no_server() {
    for (in_order, expected) in [(true, "200 proxy_header_gone"), (false, "200 client_reset")] {
        let server = Server::named("server").await;
        let gate = plain(REQUIRE, &server);
        let mut client = gate.connect().await;
        client.write_all(&headers()[1][..20]).await.unwrap();
        taken(&client).await;
        match in_order {
            true => assert_eq!(answer(&mut client, b"").await, ""),
            false => reset(client),
        }
        let line = gate.lines("log", 1).await.remove(0);
        assert!(line.ends_with(expected), "{line}");
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn the_time_for_the_hello_begins_behind_the_header() {
    let server = Server::named("api").await;
    let gate = routed(&format!("{REQUIRE}preread_timeout = \"5s\"\ndefer_accept = false\n"), &server);
    let mut client = gate.connect().await;
    // This is the time that the header takes: longer than a hello may.
    sleep(Duration::from_millis(5100)).await;
    client.write_all(&headers()[0]).await.unwrap();
    taken(&client).await;
    assert_eq!(answer(&mut client, &hello("api.test")).await, "api");
}

#[tokio::test]
async fn a_client_of_a_unix_socket_is_believed_where_it_says_so() {
    for (trusted, expected) in [("\"unix:\"", "192.0.2.7"), ("\"0.0.0.0/0\", \"::/0\"", "unix:")] {
        let gate = Gate::start(&format!(
            "[listener.local]\nlisten = \"unix:{{folder}}/gate.sock\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [{trusted}]\n\
             respond = \"$remote_addr $realip_remote_addr\"\n"
        ));
        let mut client = UnixStream::connect(gate.path("gate.sock")).await.unwrap();
        client.write_all(&headers()[1]).await.unwrap();
        assert_eq!(said(&mut client).await, format!("{expected} unix:"));
    }
}

#[tokio::test]
async fn bytes_are_counted_from_behind_the_header() {
    let server = Server::named("server").await;
    let log = "[access_log.b]\nfile = \"{folder}/bytes\"\nformat = \"$bytes_received $upstream_bytes_sent\"\n";
    let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n", server.address);
    let gate = Gate::start(&format!("[defaults]\n{REQUIRE}{listener}{log}"));
    assert_eq!(question(&gate, &[&headers()[1][..], b"question"].concat()).await, "server");
    assert_eq!(gate.lines("bytes", 1).await, ["8 8"]);
}

#[tokio::test]
async fn each_listener_of_a_gate_has_its_own_word() {
    let text = "[defaults]\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n\
                [listener.inherits]\nlisten = \"127.0.0.1:0\"\nrespond = \"$remote_addr\"\n\
                [listener.doubts]\nlisten = \"127.0.0.1:0\"\nrespond = \"$remote_addr\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
                [listener.off]\nlisten = \"127.0.0.1:0\"\nrespond = \"$remote_addr\"\naccept_proxy_protocol = \"off\"\n";
    let gate = Gate::start(text);
    for (listener, expected) in [("inherits", "192.0.2.7"), ("doubts", "127.0.0.1"), ("off", "127.0.0.1")] {
        let mut client = connect(gate.address(listener)).await;
        client.write_all(&headers()[0]).await.unwrap();
        // Where no header is looked for it stays unread, so the end may be a reset: what was said before it counts.
        let answer = read(&mut client, expected.len()).await;
        assert_eq!(String::from_utf8(answer).unwrap(), expected, "{listener}");
    }
}
