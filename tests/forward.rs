//! Where a client's own name may lead: to what the operator meant, never to the gateway itself.

use std::net::{Ipv4Addr, UdpSocket};

use tokio::io::AsyncWriteExt;

use crate::harness::hellos::{alpn, client_hello};
use crate::harness::{Gate, Process, Server, Spec, alert, heard, hello, reply};

const ACCESS_DENIED: u8 = 49;

/// A gate that forwards by this target; `more` stands behind.
fn gate(target: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $close_reason $upstream_addr\"\n[routes.map]\n{target}\n{more}"
    ))
}

fn by_pattern(pattern: &str, target: &str, more: &str) -> Gate {
    gate(&format!("[[routes.map.patterns]]\nhost = '{pattern}'\nupstream = \"{target}\""), more)
}

#[tokio::test]
async fn a_name_that_resolves_to_the_gateway_itself_is_refused() {
    let server = Server::named("secret").await;
    let gate = gate(&format!("default = \"$ssl_preread_server_name:{}\"", server.address.port()), "");
    for name in ["localhost", "LOCALHOST.", "deep.localhost"] {
        assert_eq!(gate.hears(&hello(name)).await, alert(ACCESS_DENIED), "{name}");
    }
    assert_eq!(gate.lines("log", 3).await, ["403 forward_refused -"; 3]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_networks_forward_allows_is_reached() {
    let server = Server::named("allowed").await;
    let target = format!("default = \"$ssl_preread_server_name:{}\"", server.address.port());
    let gate = gate(&target, "[networks]\nforward = [\"127.0.0.1\"]");
    assert_eq!(gate.ask("localhost").await, "allowed");
    assert_eq!(server.received(0), hello("localhost"));
    assert_eq!(gate.lines("log", 1).await, [format!("200 client_closed {}", server.address)]);
}

#[tokio::test]
async fn what_another_network_allows_is_not_allowed_here() {
    let server = Server::named("secret").await;
    let target = format!("default = \"$ssl_preread_server_name:{}\"", server.address.port());
    let gate = gate(&target, "[networks]\nforward = [\"127.0.0.2\", \"10.0.0.0/8\"]\noffice = [\"127.0.0.0/8\"]");
    assert_eq!(gate.hears(&hello("localhost")).await, alert(ACCESS_DENIED));
}

#[tokio::test]
async fn special_addresses_that_a_client_spells_are_refused() {
    let gate = by_pattern("(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.test", "$1.$2.$3.$4:443", "");
    for address in ["127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"] {
        assert_eq!(gate.hears(&hello(&format!("{}.ip.test", address.replace('.', "-")))).await, alert(ACCESS_DENIED), "{address}");
    }
}

#[tokio::test]
async fn special_ipv6_addresses_that_a_client_spells_are_refused() {
    let gate = by_pattern("([0-9a-f]+)-([0-9a-f]+)\\.ip\\.test", "[$1::$2]:443", "");
    for name in ["fe80-1", "0-1", "ff02-1"] {
        assert_eq!(gate.hears(&hello(&format!("{name}.ip.test"))).await, alert(ACCESS_DENIED), "{name}");
    }
}

#[tokio::test]
async fn the_machines_own_addresses_are_refused() {
    // Connecting a UDP socket sends nothing; the kernel only chooses the address it would send from.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_err() {
        eprintln!("left out: this machine has no address but loopback");
        return;
    }
    let own = socket.local_addr().unwrap().ip().to_string();
    let gate = by_pattern("(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.test", "$1.$2.$3.$4:443", "");
    assert_eq!(gate.hears(&hello(&format!("{}.ip.test", own.replace('.', "-")))).await, alert(ACCESS_DENIED), "{own}");
}

#[tokio::test]
async fn a_port_that_a_client_spells_is_guarded_as_an_address_is() {
    let server = Server::named("secret").await;
    let gate = by_pattern("p(?<port>\\d+)\\.test", "127.0.0.1:${port}", "");
    assert_eq!(gate.hears(&hello(&format!("p{}.test", server.address.port()))).await, alert(ACCESS_DENIED));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_may_choose_among_the_upstreams_that_are_written() {
    let (blue, green) = (Server::named("blue").await, Server::named("green").await);
    let more = format!("[upstream]\napp_blue.servers = [\"{}\"]\napp_green.servers = [\"{}\"]", blue.address, green.address);
    let gate = by_pattern("(?<tenant>[a-z]+)\\.apps\\.test", "app_${tenant}", &more);
    assert_eq!(gate.ask("blue.apps.test").await, "blue", "loopback or not: the operator wrote it");
    assert_eq!(gate.ask("green.apps.test").await, "green");
}

#[tokio::test]
async fn an_upstream_that_nobody_has_written_is_unresolved() {
    let gate = by_pattern("(?<tenant>[a-z]+)\\.apps\\.test", "app_${tenant}", "[upstream]\napp_blue.servers = [\"127.0.0.1:1\"]");
    assert_eq!(gate.hears(&hello("red.apps.test")).await, b"");
    assert_eq!(gate.lines("log", 1).await, ["500 unresolved -"]);
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_unresolved() {
    let gate = gate("default = \"$ssl_preread_server_name:443\"", "");
    assert_eq!(gate.hears(&hello("nowhere.invalid")).await, b"");
    assert_eq!(gate.lines("log", 1).await, ["500 unresolved -"]);
}

#[tokio::test]
async fn a_hello_without_a_name_leads_to_no_address() {
    let gate = gate("default = \"$ssl_preread_server_name:443\"", "");
    assert_eq!(gate.hears(&client_hello(&Spec::default())).await, b"");
    assert_eq!(gate.lines("log", 1).await, ["500 unresolved -"]);
}

#[tokio::test]
async fn a_socket_of_the_gateways_machine_that_a_client_spells_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    for (target, spelled) in [
        ("$ssl_preread_alpn_protocols", format!("unix:{}", path.display())),
        ("unix:/run/$ssl_preread_alpn_protocols", format!("..{}", path.display())),
    ] {
        let gate = gate(&format!("default = \"{target}\""), "");
        let said = client_hello(&Spec::named("api.test").with(alpn(&[&spelled])));
        assert_eq!(gate.hears(&said).await, alert(ACCESS_DENIED), "{spelled}");
        assert!(listener.accept().is_err());
    }
}

#[tokio::test]
async fn a_name_may_choose_among_the_sockets_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(folder.path().join("blue.sock")).unwrap();
    let gate = by_pattern("(?<tenant>[a-z]+)\\.apps\\.test", &format!("unix:{}/${{tenant}}.sock", folder.path().display()), "");
    let server = tokio::spawn(async move { reply(listener.accept().await.unwrap().0, "blue").await });
    assert_eq!(gate.ask("blue.apps.test").await, "blue");
    assert_eq!(server.await.unwrap(), hello("blue.apps.test"));
}

#[tokio::test]
async fn the_gateways_own_socket_in_that_folder_is_refused_under_any_name() {
    let target = "[[routes.map.patterns]]\nhost = '(?<door>[a-z]+)\\.door\\.test'\nupstream = \"unix:{folder}/${door}.sock\"";
    let own = "[listener.own]\nlisten = \"unix:{folder}/in.sock\"\nroutes = \"map\"";
    let gate = gate(target, own);
    std::os::unix::fs::symlink(gate.path("in.sock"), gate.path("link.sock")).unwrap();
    for door in ["in", "link"] {
        assert_eq!(gate.hears(&hello(&format!("{door}.door.test"))).await, alert(ACCESS_DENIED), "{door}");
    }
    assert_eq!(gate.totals().accepted, 2, "no session came back to the gateway");
}

#[tokio::test]
async fn a_look_up_that_is_not_answered_costs_a_session_its_connect_timeout() {
    // Takes questions and never answers: a name server that hangs.
    let silent = (1..255).find_map(|last| UdpSocket::bind((Ipv4Addr::new(127, 53, 0, last), 53)).ok()).unwrap();
    let routes = "[process]\nworkers = 1\n[defaults]\nconnect_timeout = \"100ms\"\n[resolver]\ntimeout = \"1h\"\n\
                  [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
                  [access_log.main]\nfile = \"{folder}/log\"\nformat = \"$status $close_reason\"\n\
                  [routes.map]\ndefault = \"$ssl_preread_server_name:443\"";
    let gate = Process::start_with_resolv_conf(&format!("nameserver {}\n", silent.local_addr().unwrap().ip()), routes).await;
    let mut client = gate.connect().await;
    client.write_all(&hello("name.example")).await.unwrap();
    // The resolver's own patience is longer than a test waits for anything.
    assert_eq!(heard(&mut client).await.unwrap(), b"");
    assert_eq!(std::fs::read_to_string(gate.path("log")).unwrap(), "500 unresolved\n");
}
