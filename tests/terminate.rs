//! TLS that ends at the gateway: plaintext goes on to the server, on the same address where other hosts pass through.

use crate::harness::tls::{ask, connect_tls};
use crate::harness::{Authority, Gate, Server, hello, routes};

#[tokio::test]
async fn the_server_gets_plaintext_and_the_client_its_answer() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let profile = authority.profile("public", &["api.test"], "");
    let target = format!("[routes.map.hosts.\"api.test\"]\nupstream = \"{}\"\nterminate = \"public\"\n{profile}", server.address);
    let gate = Gate::start(&routes(&[], &target));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "api");
    assert_eq!(server.received(0), b"question");
}

#[tokio::test]
async fn on_one_address_some_hosts_pass_through_and_others_terminate() {
    let (authority, plain, passed) = (Authority::new(), Server::named("plain").await, Server::named("passed").await);
    let profile = authority.profile("public", &["login.test"], "");
    let target = format!("[routes.map.hosts.\"login.test\"]\nupstream = \"{}\"\nterminate = \"public\"\n{profile}", plain.address);
    let gate = Gate::start(&routes(&[("api.test", &passed)], &target));
    assert_eq!(gate.ask("api.test").await, "passed");
    assert_eq!(passed.received(0), hello("api.test"));
    let mut client = connect_tls(gate.address("https"), "login.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "plain");
    assert_eq!(plain.received(0), b"question");
}

#[tokio::test]
async fn a_listener_terminates_for_whoever_comes() {
    let (authority, server) = (Authority::new(), Server::named("plain").await);
    let profile = authority.profile("public", &["login.test"], "");
    let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n", server.address);
    let gate = Gate::start(&format!("{listener}{profile}"));
    let mut client = connect_tls(gate.address("https"), "login.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "plain");
    assert_eq!(server.received(0), b"question");
}
