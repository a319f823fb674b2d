//! Whom a connection is from, as servers hear it: before everything else, anew at each try, and as whoever is believed said it.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::proxy::{binary, line};
use crate::harness::tls::{ask, connect_tls, ends_at_gate, handshake};
use crate::harness::{Authority, ByHand, Gate, Server, answer, connect, heard, hello, read, refusing, routes, said, within};

/// An upstream `web` with these servers and keys, and a listener that hands everything to it.
fn announcing(listen: &str, servers: &[SocketAddr], keys: &str) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    format!("[listener.https]\nlisten = \"{listen}\"\nupstream = \"web\"\n[upstream.web]\nservers = {servers:?}\n{keys}\n")
}

/// What a header of version 2 says, as another parser reads it, and how long it is.
fn parsed(bytes: &[u8]) -> (ppp::v2::Addresses, Vec<(u8, Vec<u8>)>, usize) {
    let header = ppp::v2::Header::try_from(bytes).unwrap();
    assert_eq!(header.command, ppp::v2::Command::Proxy);
    let fields = header.tlvs().map(|field| field.unwrap()).map(|field| (field.kind, field.value.to_vec()));
    (header.addresses, fields.collect(), header.len())
}

fn v4(addresses: ppp::v2::Addresses) -> (SocketAddr, SocketAddr) {
    let ppp::v2::Addresses::IPv4(all) = addresses else { panic!("{addresses:?}") };
    ((all.source_address, all.source_port).into(), (all.destination_address, all.destination_port).into())
}

fn ends(client: &TcpStream) -> (SocketAddr, SocketAddr) {
    (client.local_addr().unwrap(), client.peer_addr().unwrap())
}

fn line_of(client: &TcpStream) -> Vec<u8> {
    let (from, to) = ends(client);
    line(&from.to_string(), &to.to_string())
}

#[tokio::test]
async fn a_server_hears_a_line_before_all_that_the_client_says() {
    let server = Server::named("web").await;
    let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$bytes_received $upstream_bytes_sent\"\n";
    let gate = Gate::start(&(announcing("127.0.0.1:0", &[server.address], "send_proxy_protocol = \"v1\"") + log));
    let mut client = gate.connect().await;
    let line = line_of(&client);
    assert_eq!(answer(&mut client, b"question").await, "web");
    assert_eq!(server.received(0), [&line[..], b"question"].concat());
    assert_eq!(gate.lines("log", 1).await, ["8 8"], "it is no part of what is passed on");
}

#[tokio::test]
async fn what_a_server_is_told_of_a_wildcard_is_the_address_that_the_client_wrote_to() {
    let server = Server::named("web").await;
    let gate = Gate::start(&announcing("0.0.0.0:0", &[server.address], "send_proxy_protocol = \"v2\""));
    let port = gate.address("https").port();
    let mut client = connect(([127, 0, 0, 9], port).into()).await;
    let expected = ends(&client);
    assert_eq!(answer(&mut client, b"question").await, "web");
    let received = server.received(0);
    let (addresses, fields, length) = parsed(&received);
    assert_eq!((v4(addresses), fields.len()), (expected, 0));
    assert_eq!(&received[length..], b"question");
}

#[tokio::test]
async fn a_server_that_speaks_first_hears_the_header_first() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&announcing("127.0.0.1:0", &[by_hand.server.address], "send_proxy_protocol = \"v1\""));
    let mut client = gate.connect().await;
    let mut server = by_hand.accept().await;
    let line = line_of(&client);
    assert_eq!(read(&mut server, line.len()).await, line);
    server.write_all(b"220 ready").await.unwrap();
    assert_eq!(read(&mut client, 9).await, b"220 ready");
}

#[tokio::test]
async fn each_server_that_is_tried_hears_what_its_own_upstream_says() {
    let (silent, stands_in) = (refusing().await, Server::named("stands in").await);
    let fallback = format!("[upstream.other]\nservers = [\"{}\"]\nsend_proxy_protocol = \"v1\"\n", stands_in.address);
    let keys = format!("send_proxy_protocol = \"v2\"\nfallback = \"other\"\n{fallback}");
    let gate = Gate::start(&announcing("0.0.0.0:0", &[silent], &keys));
    let mut client = connect(([127, 0, 0, 1], gate.address("https").port()).into()).await;
    let line = line_of(&client);
    assert_eq!(answer(&mut client, b"question").await, "stands in");
    assert_eq!(stands_in.received(0), [&line[..], b"question"].concat());
}

#[tokio::test]
async fn an_upstream_inherits_the_header_unless_it_says_off() {
    let (told, untold) = (Server::named("told").await, Server::named("untold").await);
    let gate = Gate::start(&format!(
        "[defaults.upstream]\nsend_proxy_protocol = \"v1\"\n[upstream.told]\nservers = [\"{}\"]\n\
         [upstream.untold]\nservers = [\"{}\"]\nsend_proxy_protocol = \"off\"\n\
         [listener.told]\nlisten = \"127.0.0.1:0\"\nupstream = \"told\"\n[listener.untold]\nlisten = \"127.0.0.1:0\"\nupstream = \"untold\"\n",
        told.address, untold.address
    ));
    assert_eq!(answer(&mut connect(gate.address("told")).await, b"question").await, "told");
    assert_eq!(answer(&mut connect(gate.address("untold")).await, b"question").await, "untold");
    assert!(told.received(0).starts_with(b"PROXY TCP4 127.0.0.1 127.0.0.1 "));
    assert_eq!(untold.received(0), b"question");
}

#[tokio::test]
async fn the_header_stands_in_the_clear_before_tls_towards_the_server() {
    let authority = Authority::new();
    let acceptor = acceptor(&authority);
    let server = Server::start(move |mut stream, received| {
        let acceptor = acceptor.clone();
        async move {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(stream.read_u8().await.unwrap());
            }
            received.add(&line);
            let mut tls = acceptor.accept(stream).await.unwrap();
            received.add(&heard(&mut tls).await.unwrap());
            tls.write_all(b"web").await.unwrap();
            tls.shutdown().await.unwrap();
        }
    })
    .await;
    let tls = format!("[upstream.web.tls]\nca = \"{}\"\nserver_name = \"web.test\"\n", authority.file().display());
    let gate = Gate::start(&announcing("127.0.0.1:0", &[server.address], &format!("send_proxy_protocol = \"v1\"\n{tls}")));
    let mut client = gate.connect().await;
    let line = line_of(&client);
    assert_eq!(answer(&mut client, b"question").await, "web");
    assert_eq!(server.received(0), [&line[..], b"question"].concat());
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let identity = authority.issue("web.test");
    let chain = CertificateDer::pem_file_iter(identity.chain).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(identity.key).unwrap();
    TlsAcceptor::from(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

#[tokio::test]
async fn what_is_known_of_a_hello_that_passes_is_its_name() {
    let server = Server::named("api").await;
    let keys = "send_proxy_protocol = { version = \"v2\", tlvs = [\"authority\", \"alpn\", \"ssl\", \"crc32c\"] }";
    let text = announcing("127.0.0.1:0", &[server.address], keys);
    let gate = Gate::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\npreread = \"tls\""));
    assert_eq!(gate.ask("Api.test").await, "api");
    let (_, fields, length) = parsed(&server.received(0));
    assert_eq!(fields.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(fields[0].1, b"Api.test");
    assert_eq!(&server.received(0)[length..], hello("Api.test"));
    let header = &server.received(0)[..length];
    let (checksum, without) = (&header[length - 4..], [&header[..length - 4], &[0; 4]].concat());
    assert_eq!(checksum, crc32c::crc32c(&without).to_be_bytes());
}

#[tokio::test]
async fn what_is_known_of_tls_that_ends_here_is_told() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let keys = "send_proxy_protocol = { version = \"v2\", tlvs = [\"authority\", \"alpn\", \"ssl\"] }";
    let upstream = format!("[upstream.web]\nservers = [\"{}\"]\n{keys}\n", server.address);
    let profile = format!("alpn = [\"h2\"]\nclient_auth = {{ ca = \"{}\", mode = \"request\" }}", authority.file().display());
    let target = ends_at_gate(&authority, &server, &profile).replace(&server.address.to_string(), "web");
    let gate = Gate::start(&routes(&[], &format!("{target}{upstream}")));
    let address = gate.address("https");

    let mut config = (*authority.trusted()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(ask(&mut connect_tls(address, "api.test", Arc::new(config)).await, b"question").await, "api");
    let shows = authority.showing(&[&rustls::version::TLS12], &authority.issue("jane"));
    assert_eq!(ask(&mut connect_tls(address, "api.test", shows).await, b"question").await, "api");

    let all = |connection| {
        let received = server.received(connection);
        let (_, fields, length) = parsed(&received);
        assert_eq!(&received[length..], b"question");
        fields
    };
    let [(2, name), (1, alpn), (0x20, ssl)] = &all(0)[..] else { panic!("{:?}", all(0)) };
    assert_eq!((&name[..], &alpn[..]), (&b"api.test"[..], &b"h2"[..]));
    assert_eq!(ssl[..5], [1, 0, 0, 0, 1], "TLS, and no certificate");
    assert!(contains(ssl, b"\x21\0\x07TLSv1.3"));
    let [(2, _), (0x20, ssl)] = &all(1)[..] else { panic!("{:?}", all(1)) };
    assert_eq!(ssl[..5], [7, 0, 0, 0, 0], "TLS, with a good certificate in this very connection");
    assert!(contains(ssl, b"\x21\0\x07TLSv1.2") && contains(ssl, b"\x22\0\x04jane"));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn an_id_is_one_connection_s_own() {
    let server = Server::named("web").await;
    let keys = "send_proxy_protocol = { version = \"v2\", tlvs = [\"unique_id\"] }";
    let gate = Gate::start(&announcing("127.0.0.1:0", &[server.address], keys));
    for _ in 0..2 {
        assert_eq!(answer(&mut gate.connect().await, b"question").await, "web");
    }
    let [one, other] = [0, 1].map(|connection| parsed(&server.received(connection)).1.remove(0));
    assert_eq!((one.0, one.1.len()), (5, 32));
    assert_ne!(one, other);
}

#[tokio::test]
async fn what_a_believed_header_says_is_handed_on_and_what_another_says_is_not() {
    for (trusted, believed) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let server = Server::named("web").await;
        let listener = format!("[defaults]\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"{trusted}\"]\n");
        let keys = "send_proxy_protocol = { version = \"v2\", tlvs = [\"unique_id\"] }";
        let gate = Gate::start(&(announcing("127.0.0.1:0", &[server.address], keys) + &listener));
        let mut client = gate.connect().await;
        let own = ends(&client);
        let header = binary("192.0.2.7:5000", "198.51.100.1:443", &[(5, b"from in front")]);
        assert_eq!(answer(&mut client, &[&header[..], b"question"].concat()).await, "web");
        let (addresses, fields, length) = parsed(&server.received(0));
        let said = ("192.0.2.7:5000".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        assert_eq!(v4(addresses), if believed { said } else { own });
        assert_eq!(fields[0].1 == b"from in front", believed);
        assert_eq!(&server.received(0)[length..], b"question");
    }
}

#[tokio::test]
async fn a_client_of_two_families_is_told_in_ipv6() {
    let server = Server::named("web").await;
    let listener = "[defaults]\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let gate = Gate::start(&(announcing("127.0.0.1:0", &[server.address], "send_proxy_protocol = \"v1\"") + listener));
    let mixed = b"PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 5000 443\r\nquestion";
    assert_eq!(answer(&mut gate.connect().await, mixed).await, "web");
    assert_eq!(server.received(0), mixed);
}

#[tokio::test]
async fn clients_and_servers_may_be_on_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let gate = Gate::start(&format!(
        "[listener.local]\nlisten = \"unix:{{folder}}/gate.sock\"\nupstream = \"web\"\n\
         [upstream.web]\nservers = [\"unix:{}\"]\nsend_proxy_protocol = \"v1\"\n",
        path.display()
    ));
    let mut client = UnixStream::connect(gate.path("gate.sock")).await.unwrap();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut server, _) = within(listener.accept()).await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"PROXY UNKNOWN\r\nquestion");
    drop(server);
    assert_eq!(said(&mut client).await, "");
}

#[tokio::test]
async fn one_gate_believes_what_another_says_through_tls() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let behind = Gate::start(&routes(
        &[],
        &format!(
            "{}[defaults]\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$remote_addr:$remote_port $proxy_protocol_tlv_authority\"\n",
            ends_at_gate(&authority, &server, "")
        ),
    ));
    let forms = ["send_proxy_protocol = \"v1\"", "send_proxy_protocol = { version = \"v2\", tlvs = [\"authority\", \"crc32c\"] }"];
    for (keys, sessions) in forms.into_iter().zip(1..) {
        let text = announcing("127.0.0.1:0", &[behind.address("https")], keys);
        let front = Gate::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\npreread = \"tls\""));
        let client = connect(front.address("https")).await;
        let own = client.local_addr().unwrap();
        let mut client = handshake(client, "api.test", authority.trusted()).await.unwrap();
        assert_eq!(ask(&mut client, b"question").await, "api");
        let lines = behind.lines("log", sessions).await;
        let authority = if keys.contains("authority") { "api.test" } else { "-" };
        assert_eq!(lines[sessions - 1], format!("{own} {authority}"));
    }
}
