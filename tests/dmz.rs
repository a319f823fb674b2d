//! `dmz.toml`: an nginx configuration that people run today, moved over. Only its ports and servers are put on loopback.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, Instant};
use vestibule::address::ListenAddress;

use crate::harness::{BlackHole, Gate, Server, answer, connect, heard, hello, read, refusing};

const CONFIGURATION: &str = include_str!("data/configs/dmz.toml");
const LOG: &str = "\n[access_log.main]\nfile = \"{folder}/log\"\nformat = \"$close_reason $status $upstream $upstream_addr\"\n";
const REDIRECT: &str =
    "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://test.isrm.going-link.com/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The gate, and its two addresses.
fn start(csrzic: SocketAddr, public: SocketAddr) -> (Gate, [SocketAddr; 2]) {
    let sets = [
        "listener.front.listen=[\"127.0.0.1:0\", \"127.0.0.2:0\"]".to_owned(),
        format!("upstream.csrzic.servers=[\"{csrzic}\"]"),
        format!("upstream.isrm_dev_public.servers=[\"{public}\"]"),
    ];
    let gate = Gate::start_with(&format!("{CONFIGURATION}{LOG}"), &sets);
    let addresses: Vec<_> = gate.gateway().addresses("front").cloned().collect();
    let [ListenAddress::Ip(http), ListenAddress::Ip(https)] = addresses[..] else { panic!("two ports: {addresses:?}") };
    (gate, [http, https])
}

#[tokio::test]
async fn each_name_reaches_its_upstream_on_both_ports() {
    let (csrzic, public) = (Server::named("csrzic").await, Server::named("public").await);
    let (_gate, ports) = start(csrzic.address, public.address);
    for port in ports {
        let ask = async |host: &str| answer(&mut connect(port).await, &hello(host)).await;
        assert_eq!(ask("isrm-dev-public.obs.cn-east-2.myhuaweicloud.com").await, "public");
        assert_eq!(ask("csrzic.test.isrm.going-link.com").await, "csrzic");
        assert_eq!(ask("test.isrm.going-link.com").await, "csrzic");
    }
    assert_eq!((csrzic.connections(), public.connections()), (4, 2));
}

#[tokio::test]
async fn an_unknown_name_reaches_the_default() {
    let (csrzic, public) = (Server::named("csrzic").await, Server::named("public").await);
    let (_gate, ports) = start(csrzic.address, public.address);
    for port in ports {
        assert_eq!(answer(&mut connect(port).await, &hello("nobody.knows.example")).await, "csrzic");
    }
    assert_eq!(csrzic.received(0), hello("nobody.knows.example"));
}

#[tokio::test]
async fn plain_http_is_redirected_as_not_tls_says() {
    let (csrzic, public) = (Server::named("csrzic").await, Server::named("public").await);
    let (_gate, [http, _]) = start(csrzic.address, public.address);
    let heard = answer(&mut connect(http).await, b"GET / HTTP/1.1\r\nHost: test.isrm.going-link.com\r\n\r\n").await;
    assert_eq!(heard, REDIRECT);
    assert_eq!((csrzic.connections(), public.connections()), (0, 0));
}

#[tokio::test]
async fn a_server_that_refuses_is_a_502_at_once() {
    let public = Server::named("public").await;
    let gone = refusing().await;
    let (gate, [_, https]) = start(gone, public.address);
    assert_eq!(answer(&mut connect(https).await, &hello("test.isrm.going-link.com")).await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("no_server 502 csrzic {gone}")]);
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_one_second_to_accept() {
    let (hole, public) = (BlackHole::open().await, Server::named("public").await);
    let (gate, [_, https]) = start(hole.address, public.address);
    let begun = Instant::now();
    assert_eq!(answer(&mut connect(https).await, &hello("test.isrm.going-link.com")).await, "");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(gate.lines("log", 1).await, [format!("no_server 502 csrzic {}", hole.address)]);
}

#[tokio::test]
async fn a_session_that_is_silent_for_ten_seconds_ends() {
    let (csrzic, public) = (Server::named("csrzic").await, Server::named("public").await);
    let (gate, [_, https]) = start(csrzic.address, public.address);
    let mut client = connect(https).await;
    client.write_all(&hello("test.isrm.going-link.com")).await.unwrap();
    assert_eq!(read(&mut client, 6).await, b"csrzic");
    let silent = Instant::now();
    assert!(heard(&mut client).await.is_err(), "a session that is cut off does not end as if it were complete");
    // The gateway counts from the server's answer on, which came a little before the client had read it.
    assert!(silent.elapsed() >= Duration::from_secs(9), "{:?}", silent.elapsed());
    assert_eq!(gate.lines("log", 1).await, [format!("idle_timeout 200 csrzic {}", csrzic.address)]);
}
