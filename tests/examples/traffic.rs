//! What the examples do with connections. Listeners and servers are put on loopback; a PROXY header says whom a connection is from,
//! so that the ranges of the files stay as they are.

use std::collections::BTreeMap;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use vestibule::config::{Action, Expect, Test};

use super::stage::{Stage, environment};
use crate::harness::hellos::{self, Spec, client_hello};
use crate::harness::tls::{ask, handshake};
use crate::harness::{Gate, Server, UdpClient, UdpServer, answer, connect, heard, proxy, said};

/// An example that runs, with a server for each upstream that answers with the upstream's name.
struct Running {
    stage: Stage,
    gate: Gate,
    servers: BTreeMap<String, Server>,
    datagrams: BTreeMap<String, UdpServer>,
}

impl Running {
    async fn start(name: &str) -> Self {
        let stage = Stage::of(name);
        let config = stage.load(&[]).config;
        let (mut servers, mut datagrams, mut sets) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for upstream in config.upstream.keys() {
            let address = if DATAGRAMS.contains(&upstream.as_str()) {
                let server = UdpServer::named(upstream).await;
                let address = server.address;
                datagrams.insert(upstream.clone(), server);
                address
            } else {
                servers.entry(upstream.clone()).or_insert(Server::named(upstream).await).address
            };
            sets.push(format!("upstream.{upstream}.servers=[\"{address}\"]"));
        }
        for listener in config.listener.keys() {
            sets.push(format!("listener.{listener}.listen=\"127.0.0.1:0\""));
            let reads_header = *listener != "upstreams" && *listener != "syslog";
            if reads_header {
                sets.push(format!("listener.{listener}.accept_proxy_protocol=\"require\""));
                sets.push(format!("listener.{listener}.trusted_proxies=[\"127.0.0.0/8\"]"));
            }
        }
        let gate = Gate::start_file(&stage.file(), &sets, environment());
        Self { stage, gate, servers, datagrams }
    }

    /// A connection to a listener that is said to be from this address.
    async fn from(&self, client: &str, listener: &str) -> TcpStream {
        let address = self.gate.address(listener);
        let mut stream = connect(address).await;
        stream.write_all(&proxy::line(&format!("{client}:4711"), &address.to_string())).await.unwrap();
        stream
    }

    /// What a client hears that sends a hello for this host: the name of an upstream, or an alert.
    async fn asks(&self, client: &str, host: &str) -> Vec<u8> {
        self.says(client, &hellos::client_hello(&Spec::named(host))).await
    }

    async fn says(&self, client: &str, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.from(client, "https").await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        heard(&mut stream).await.unwrap()
    }
}

#[tokio::test]
async fn traffic_goes_where_the_tests_of_the_examples_expect() {
    for name in ["bank", "saas", "pair", "edge"] {
        let running = Running::start(name).await;
        let config = running.stage.load(&[]).config;
        let tests: Vec<_> = config.routes.values().flat_map(|map| &map.tests).filter(|test| !needs_more(test)).collect();
        assert!(tests.len() >= 2, "{name} has tests");
        for test in tests {
            let heard = running.says(test.from.as_deref().unwrap_or("127.0.0.1"), &first_bytes(test)).await;
            assert_eq!(heard, expected(test), "{name}: {test:?}");
        }
    }
}

/// Whether its target ends TLS, or is a name that DNS would have to find.
fn needs_more(test: &Test) -> bool {
    matches!(&test.expect, Expect::Named(name) if ["shop", "portal"].contains(&name.as_str()) || name.contains(':'))
}

/// What the client hears then: the name of an upstream, or an alert.
fn expected(test: &Test) -> Vec<u8> {
    match &test.expect {
        Expect::Named(upstream) => upstream.clone().into_bytes(),
        Expect::Told { action: Some(Action::Reject(alert)), .. } => crate::harness::alert(match alert.as_str() {
            "access_denied" => ACCESS_DENIED,
            "unrecognized_name" => UNRECOGNIZED_NAME,
            other => panic!("no example expects {other}"),
        }),
        other => panic!("no example expects {other:?}"),
    }
}

fn first_bytes(test: &Test) -> Vec<u8> {
    let spec = test.sni.as_deref().map_or_else(Spec::default, Spec::named);
    client_hello(&if test.alpn.is_empty() { spec } else { spec.with(hellos::alpn(&test.alpn)) })
}

#[tokio::test]
async fn the_banks_partners_come_only_from_their_networks() {
    let bank = Running::start("bank").await;
    for (host, inside, upstream) in [
        ("cards.partner.bank.example", "192.0.2.63", "cards"),
        ("clearing.partner.bank.example", "203.0.113.7", "clearing"),
        ("claims.partner.bank.example", "10.20.0.1", "claims"),
        ("admin.bank.example", "10.20.255.255", "admin"),
    ] {
        assert_eq!(bank.asks(inside, host).await, upstream.as_bytes(), "{host}");
        assert_eq!(bank.asks("192.0.2.64", host).await, crate::harness::alert(ACCESS_DENIED), "{host}");
    }
}

#[tokio::test]
async fn the_bank_asks_its_business_clients_for_certificates() {
    let bank = Running::start("bank").await;
    let client = bank.stage.client("customer.example", "DE");
    let shown = bank.stage.authority.showing(rustls::ALL_VERSIONS, &client);
    for (host, upstream) in [("ebics.business.bank.example", "ebics"), ("psd2.bank.example", "psd2")] {
        let stream = bank.from("192.0.2.200", "https").await;
        let mut tls = handshake(stream, host, shown.clone()).await.unwrap();
        assert_eq!(ask(&mut tls, b"question").await, upstream);
        let header = bank.servers[upstream].received(0);
        assert!(header.windows(16).any(|part| part == b"customer.example"), "the server is told whose certificate it was");
    }
}

#[tokio::test]
async fn the_bank_takes_certificates_of_its_countries_alone() {
    let bank = Running::start("bank").await;
    let strangers = [bank.stage.client("customer.example", "XX")];
    for stranger in strangers {
        let shown = bank.stage.authority.showing(&[&rustls::version::TLS12], &stranger);
        let stream = bank.from("192.0.2.200", "https").await;
        assert!(handshake(stream, "psd2.bank.example", shown).await.is_err());
    }
    assert_eq!(bank.servers["psd2"].connections(), 0);
}

#[tokio::test]
async fn one_client_in_twenty_meets_the_next_release() {
    let saas = Running::start("saas").await;
    let mut met = BTreeMap::new();
    for number in 0..200 {
        let answer = saas.asks(&format!("192.0.2.{number}"), "umbrella.saas.example").await;
        *met.entry(String::from_utf8(answer).unwrap()).or_insert(0) += 1;
    }
    // By the hash of the address, as nginx's split_clients has it, so these are the same for ever.
    assert_eq!(met, BTreeMap::from([("app".to_owned(), 184), ("app_next".to_owned(), 16)]));
}

#[tokio::test]
async fn databases_and_shells_are_for_those_who_work_with_them() {
    let services = Running::start("services").await;
    for (listener, inside, upstream) in
        [("mysql", "10.61.0.1", "mysql"), ("mysql_read", "10.62.9.9", "mysql_read"), ("ssh", "10.60.0.17", "ssh")]
    {
        let heard = answer(&mut services.from(inside, listener).await, b"question").await;
        assert_eq!(heard, upstream);
        let mut stranger = services.from("192.0.2.1", listener).await;
        assert_eq!(said(&mut stranger).await, "", "{listener}");
    }
    assert_eq!(services.servers["mysql"].connections(), 1);
}

#[tokio::test]
async fn questions_of_dns_are_answered_and_messages_of_syslog_are_not() {
    let services = Running::start("services").await;
    let header = proxy::header(0x21, 0x12, &[&[192, 0, 2, 7, 10, 60, 0, 10][..], &4711_u16.to_be_bytes(), &53_u16.to_be_bytes()].concat());
    let client = UdpClient::of(services.gate.address("dns")).await;
    assert_eq!(client.ask(&[&header[..], b"question"].concat()).await, b"dns");
    UdpClient::of(services.gate.address("syslog")).await.send(b"<13>a message").await;
    crate::harness::until(|| services.datagrams["collectors"].heard().iter().any(|(_, message)| message == b"<13>a message")).await;
}

#[tokio::test]
async fn both_of_a_pair_end_tls_under_the_same_keys() {
    let pair = Running::start("pair").await;
    let (trusted, meter) = (pair.stage.authority.trusted(), pair.stage.client("meter-4711", "DE"));
    let stream = pair.from("192.0.2.1", "https").await;
    let mut tls = handshake(stream, "portal.grid.example", trusted).await.unwrap();
    assert_eq!(ask(&mut tls, b"question").await, "portal");

    let shown = pair.stage.authority.showing(rustls::ALL_VERSIONS, &meter);
    let stream = pair.from("192.0.2.1", "mqtt").await;
    let mut tls = handshake(stream, "mqtt.grid.example", shown).await.unwrap();
    assert_eq!(ask(&mut tls, b"question").await, "brokers");
}

#[tokio::test]
async fn the_edge_does_not_hear_whom_it_has_blocked() {
    let edge = Running::start("edge").await;
    assert_eq!(edge.asks("203.0.113.63", "checkout.shop.example").await, b"checkout");
    for blocked in ["203.0.113.64", "203.0.113.127", "203.0.113.200"] {
        let mut stream = edge.from(blocked, "https").await;
        // It may be gone before it has said what it wants.
        let _ = stream.write_all(&client_hello(&Spec::named("checkout.shop.example"))).await;
        assert_eq!(heard(&mut stream).await.unwrap_or_default(), b"", "{blocked}");
    }
    assert_eq!(edge.servers["checkout"].connections(), 1);
}

#[tokio::test]
async fn the_edge_ends_tls_for_its_shops_and_tells_their_servers_of_it() {
    let edge = Running::start("edge").await;
    for (host, upstream) in [("shop.example", "shop"), ("www.boutique.example", "boutique")] {
        let stream = edge.from("198.51.100.9", "https").await;
        let mut tls = handshake(stream, host, edge.stage.authority.trusted()).await.unwrap();
        assert_eq!(ask(&mut tls, b"question").await, upstream);
        let header = edge.servers[upstream].received(0);
        assert!(header.windows(host.len()).any(|part| part == host.as_bytes()), "the server is told the host");
        assert!(header.windows(4).any(|part| part == [198, 51, 100, 9]), "and the client");
    }
}

/// The upstreams that are asked by datagrams.
const DATAGRAMS: [&str; 2] = ["dns", "collectors"];

const ACCESS_DENIED: u8 = 49;
const UNRECOGNIZED_NAME: u8 = 112;
