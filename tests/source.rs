//! The address that servers see, and that no connection goes out from another one than was asked for.

use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixListener};

use crate::harness::{Gate, Process, Server, hello, read, reply};

/// A server that answers with the address it sees.
async fn mirror() -> Server {
    mirror_on("127.0.0.1:0").await
}

async fn mirror_on(address: &str) -> Server {
    Server::start_on(TcpListener::bind(address).await.unwrap(), |mut stream, _| async move {
        let seen = stream.peer_addr().unwrap().to_string();
        stream.write_all(seen.as_bytes()).await.unwrap();
        drop(reply(stream, "").await);
    })
}

/// A gate whose listener, with these keys, leads to servers at these addresses.
fn gate(keys: &str, servers: &[String]) -> Gate {
    let servers: Vec<_> = servers.iter().map(|server| format!("\"{server}\"")).collect();
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{keys}\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $close_reason $upstream_addr\"\n\
         [access_log.json]\nfile = \"{{folder}}/json\"\nformat = \"json\"\n\
         [routes.map]\ndefault = \"pool\"\n[routes.map.hosts]\n\"none.test\" = {{ upstream = \"pool\", source = \"\" }}\n\
         \"own.test\" = {{ upstream = \"pool\", source = \"127.0.0.3\" }}\n\
         [[routes.map.patterns]]\nhost = '(?<last>[0-9]+)\\.net\\.test'\nupstream = \"pool\"\nsource = \"127.0.1.$last\"\n\
         [upstream.pool]\nservers = [{}]\n",
        servers.join(", ")
    ))
}

/// The address that the server saw.
async fn seen(gate: &Gate, host: &str) -> SocketAddr {
    let answer = gate.ask(host).await;
    answer.parse().unwrap_or_else(|_| panic!("the server says {answer:?}"))
}

#[tokio::test]
async fn a_server_sees_the_address_of_the_source() {
    let server = mirror().await;
    let gate = gate("source = \"127.0.0.2\"", &[server.address.to_string()]);
    assert_eq!(seen(&gate, "any.test").await.ip().to_string(), "127.0.0.2");
}

#[tokio::test]
async fn a_targets_source_comes_before_its_listeners() {
    let server = mirror().await;
    let gate = gate("source = \"127.0.0.2\"", &[server.address.to_string()]);
    assert_eq!(seen(&gate, "own.test").await.ip().to_string(), "127.0.0.3");
    assert_eq!(seen(&gate, "none.test").await.ip().to_string(), "127.0.0.1", "an empty one is none");
    assert_eq!(seen(&gate, "77.net.test").await.ip().to_string(), "127.0.1.77", "and may be made of what a pattern took");
}

#[tokio::test]
async fn a_server_sees_the_address_of_a_template() {
    let server = mirror().await;
    let gate = gate("source = \"$remote_addr\"", &[server.address.to_string()]);
    for client in ["127.0.0.5", "127.0.0.6"] {
        let seen: SocketAddr = gate.ask_from(client, "any.test").await.parse().unwrap();
        assert_eq!(seen.ip().to_string(), client);
    }
}

#[tokio::test]
async fn a_source_may_have_a_port() {
    // Nobody else in this network of a machine's own has it: its address is this test's alone.
    let port = StdListener::bind("127.0.7.1:0").unwrap().local_addr().unwrap().port();
    let (one, other) = (mirror().await, mirror().await);
    let gate = gate(&format!("source = \"127.0.7.1:{port}\""), &[one.address.to_string(), other.address.to_string()]);
    for _ in 0..2 {
        assert_eq!(seen(&gate, "any.test").await, format!("127.0.7.1:{port}").parse().unwrap());
    }
}

#[tokio::test]
async fn a_port_that_is_taken_towards_a_server_is_no_failure_of_it() {
    let port = StdListener::bind("127.0.7.2:0").unwrap().local_addr().unwrap().port();
    let servers = [mirror().await, mirror().await];
    let gate = gate(&format!("source = \"127.0.7.2:{port}\""), &servers.each_ref().map(|server| server.address.to_string()));
    let mut open = [gate.connect().await, gate.connect().await];
    for client in &mut open {
        client.write_all(&hello("any.test")).await.unwrap();
        assert_eq!(read(client, 9).await, b"127.0.7.2");
    }
    assert_eq!(gate.ask("any.test").await, "", "each server has its connection from there");
    let [one, other] = servers.each_ref().map(|server| server.address);
    assert_eq!(gate.lines("log", 1).await, [format!("500 no_source {one}, {other}")]);
    assert!(gate.lines("json", 1).await[0].contains("has no port left for this server"), "{:?}", gate.lines("json", 1).await);
    for _ in 0..2 {
        assert_eq!(seen(&gate, "none.test").await.ip().to_string(), "127.0.0.1", "neither is blamed");
    }
    assert_eq!(servers.map(|server| server.connections()), [2, 2]);
}

#[tokio::test]
async fn a_server_of_the_other_family_is_passed_over_and_not_blamed() {
    let (six, four) = (mirror_on("[::1]:0").await, mirror().await);
    let gate = gate("source = \"127.0.0.2\"", &[six.address.to_string(), four.address.to_string()]);
    for _ in 0..4 {
        assert_eq!(seen(&gate, "any.test").await.ip().to_string(), "127.0.0.2");
    }
    let (six, four) = (six.address, four.address);
    // In turn, as if nothing had failed.
    let passed_over = format!("200 client_closed {six}, {four}");
    let lines = gate.lines("log", 4).await;
    assert_eq!(lines.iter().filter(|line| **line == passed_over).count(), 2, "{lines:?}");
    assert_eq!(seen(&gate, "none.test").await.ip().to_string(), "::1", "it was not blamed");
}

#[tokio::test]
async fn without_a_server_of_its_family_a_session_ends_for_want_of_a_source() {
    let six = mirror_on("[::1]:0").await;
    let gate = gate("source = \"127.0.0.2\"", &[six.address.to_string()]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("500 no_source {}", six.address)]);
    let detail = format!("upstream pool: {} is not dialled: the source 127.0.0.2:0 is of another family", six.address);
    assert!(gate.lines("json", 1).await[0].contains(&detail), "{:?}", gate.lines("json", 1).await);
    assert_eq!(six.connections(), 0);
}

#[tokio::test]
async fn a_source_that_this_machine_does_not_have_ends_the_session_and_nobody_is_dialled() {
    let servers = [mirror().await, mirror().await];
    // Of a network for documents (RFC 5737).
    let gate = gate("source = \"192.0.2.99\"", &servers.each_ref().map(|server| server.address.to_string()));
    assert_eq!(gate.ask("any.test").await, "");
    let lines = gate.lines("log", 1).await;
    assert_eq!(lines, [format!("500 no_source {}", servers[0].address)]);
    assert_eq!(servers.map(|server| server.connections()), [0, 0]);
    assert_eq!(gate.totals().refusals.get("no_source"), Some(&1));
}

#[tokio::test]
async fn a_text_that_is_no_address_ends_the_session_and_nobody_is_dialled() {
    let server = mirror().await;
    let gate = gate("source = \"$ssl_preread_server_name\"", &[server.address.to_string()]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("500 no_source {}", server.address)]);
    assert!(gate.lines("json", 1).await[0].contains(r#"the source \"any.test\" is no address"#), "{:?}", gate.lines("json", 1).await);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_source_that_fails_is_no_failure_of_the_server() {
    let (server, spare) = (mirror().await, mirror().await);
    let gate = gate("source = \"192.0.2.99\"", &[server.address.to_string(), spare.address.to_string()]);
    for _ in 0..4 {
        assert_eq!(gate.ask("any.test").await, "");
    }
    for _ in 0..4 {
        seen(&gate, "none.test").await;
    }
    assert_eq!((server.connections(), spare.connections()), (2, 2));
}

#[tokio::test]
async fn a_server_on_a_unix_socket_needs_no_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        reply(stream, "unix").await
    });
    let gate = gate("source = \"$ssl_preread_server_name\"", &[format!("unix:{}", path.display())]);
    assert_eq!(gate.ask("any.test").await, "unix");
    serving.await.unwrap();
}

const TRANSPARENT: &str = "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"127.0.0.1:1\"\n\
                           source = \"$remote_addr\"\ntransparent = true\n";

/// What takes the privilege away from who has it.
fn unprivileged() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["setpriv", "--bounding-set", "-net_admin,-net_raw"] } else { &[] }
}

#[tokio::test]
async fn transparency_without_the_privilege_is_refused_at_the_start() {
    let mut process = Process::spawn(unprivileged(), TRANSPARENT);
    assert_eq!(process.ended().await.code(), Some(1));
    assert!(process.log().contains("needs CAP_NET_ADMIN or CAP_NET_RAW"), "{}", process.log());
}

#[tokio::test]
async fn transparency_that_no_target_inherits_needs_no_privilege() {
    let defaults = "[defaults]\nsource = \"$remote_addr\"\ntransparent = true\n";
    let process = Process::spawn(unprivileged(), &(defaults.to_owned() + &TRANSPARENT.replace("= true", "= false")));
    process.says("listening on").await;
}

#[tokio::test]
async fn a_source_without_transparency_needs_no_privilege() {
    let process = Process::spawn(unprivileged(), &TRANSPARENT.replace("transparent = true", ""));
    process.says("listening on").await;
}
