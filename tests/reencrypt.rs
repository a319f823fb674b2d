//! TLS towards servers: who is believed, what is done when one is not, and how it ends.

use std::fs;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::harness::tls::{ask, connect_tls};
use crate::harness::tls_server::{End, TlsServer};
use crate::harness::{Authority, Gate, Process, Server, answer, heard, hello, read, reset, until};

const LOG: &str = "[access_log.main]\nfile = \"{folder}/log\"\nformat = \"$close_reason $upstream_addr\"\n";

/// A listener that leads to servers over TLS, which trusts an authority; `more` are further keys of its `tls`.
fn routes(authority: &Authority, servers: &[&str], more: &str) -> String {
    format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n{LOG}[upstream.web]\nservers = {servers:?}\n\
         [upstream.web.tls]\nca = \"{}\"\n{more}\n",
        authority.file().display()
    )
}

fn of(server: &TlsServer) -> String {
    server.server.address.to_string()
}

fn addresses(servers: &[&TlsServer]) -> Vec<String> {
    servers.iter().map(|server| of(server)).collect()
}

async fn question(gate: &Gate) -> String {
    answer(&mut gate.connect().await, b"question").await
}

#[tokio::test]
async fn a_server_gets_over_tls_what_the_client_sent_in_the_clear_and_both_end_in_order() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
    assert_eq!(question(&gate).await, "web");
    assert_eq!(server.server.received(0), b"question");
    until(|| server.ends() == [End::InOrder]).await;
    assert_eq!(server.shaken()[0].name.as_deref(), Some("web.test"));
    assert_eq!(gate.lines("log", 1).await, [format!("client_closed {}", of(&server))]);
}

#[tokio::test]
async fn what_was_peeked_at_goes_over_tls_too() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let text = routes(&authority, &[&of(&server)], "server_name = \"web.test\"");
    let gate = Gate::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\npreread = \"tls\""));
    assert_eq!(gate.ask("api.test").await, "web");
    assert_eq!(server.server.received(0), hello("api.test"));
}

#[tokio::test]
async fn tls_that_ends_here_may_begin_anew() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let profile = authority.profile("public", &["site.test"], "");
    let text = routes(&authority, &[&of(&server)], "server_name = \"web.test\"");
    let gate = Gate::start(&(text.replace("upstream = \"web\"", "upstream = \"web\"\nterminate = \"public\"") + &profile));
    let mut client = connect_tls(gate.address("https"), "site.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "web");
    assert_eq!(server.server.received(0), b"question");
    until(|| server.ends() == [End::InOrder]).await;
}

#[tokio::test]
async fn a_server_with_another_name_is_left_alone_and_the_next_is_asked() {
    let authority = Authority::new();
    let (wrong, right) =
        (TlsServer::named("wrong", "other.test", &authority).await, TlsServer::named("right", "web.test", &authority).await);
    let both = addresses(&[&wrong, &right]);
    let gate = Process::start(&routes(&authority, &[&both[0], &both[1]], "server_name = \"web.test\"")).await;
    for _ in 0..4 {
        assert_eq!(answer(&mut gate.connect().await, b"question").await, "right");
    }
    gate.says(&format!("server {} is left alone for 10s: its certificate is for other.test, and not for web.test", of(&wrong))).await;
    assert_eq!(wrong.shaken(), [], "it was refused");
    assert!(right.shaken().len() == 4);
}

#[tokio::test]
async fn a_server_of_an_authority_that_is_not_trusted_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = TlsServer::named("web", "web.test", &stranger).await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
    assert_eq!(question(&gate).await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("no_server {}", of(&server))]);
    assert_eq!(server.server.received(0), b"", "not a byte of the client's");
}

#[tokio::test]
async fn unverified_any_server_is_good() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = TlsServer::named("web", "other.test", &stranger).await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "verify = false"));
    assert_eq!(question(&gate).await, "web");
    assert_eq!(server.shaken()[0].name, None);
}

#[tokio::test]
async fn a_server_that_hangs_in_its_handshake_is_given_up_and_the_next_is_asked() {
    let authority = Authority::new();
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let hanging = hangs.local_addr().unwrap().to_string();
    let text = routes(&authority, &[&hanging, &of(&server)], "server_name = \"web.test\"");
    let gate = Gate::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\nconnect_timeout = \"2s\""));
    assert_eq!(question(&gate).await, "web");
    assert_eq!(gate.lines("log", 1).await, [format!("client_closed {hanging}, {}", of(&server))]);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_refused_and_the_next_is_asked() {
    let authority = Authority::new();
    let (plain, server) = (Server::named("plain").await, TlsServer::named("web", "web.test", &authority).await);
    let gate = Process::start(&routes(&authority, &[&plain.address.to_string(), &of(&server)], "server_name = \"web.test\"")).await;
    assert_eq!(answer(&mut gate.connect().await, b"question").await, "web");
    gate.says("what it answers is no TLS").await;
}

#[tokio::test]
async fn a_server_that_drops_tls_without_an_end_is_no_clean_end_to_the_client() {
    let authority = Authority::new();
    let server = TlsServer::start("web.test", &authority, |mut tls, _, _| async move {
        tls.write_all(b"half of the ans").await.unwrap();
        tls.flush().await.unwrap();
        tls.get_mut().0.shutdown().await.unwrap();
    })
    .await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
    let mut client = gate.connect().await;
    heard(&mut client).await.expect_err("a reset");
    assert_eq!(gate.lines("log", 1).await, [format!("server_truncated {}", of(&server))]);
}

/// A server that answers, waits for the client's end, says `more` and ends without `close_notify`, as nginx does.
async fn ends_without_a_word(authority: &Authority, more: &'static [u8]) -> TlsServer {
    TlsServer::start("web.test", authority, move |mut tls, _, ends| async move {
        tls.write_all(b"the answer").await.unwrap();
        tls.flush().await.unwrap();
        let asked = heard(&mut tls).await;
        ends.lock().unwrap().push(if asked.is_ok() { End::InOrder } else { End::Broken });
        tls.write_all(more).await.unwrap();
        tls.flush().await.unwrap();
        tls.get_mut().0.shutdown().await.unwrap();
    })
    .await
}

#[tokio::test]
async fn a_server_that_drops_tls_behind_a_clients_end_is_no_truncation_unless_it_said_more() {
    for (more, reason) in [(&b""[..], "client_closed"), (b"half of what", "server_truncated")] {
        let authority = Authority::new();
        let server = ends_without_a_word(&authority, more).await;
        let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
        let mut client = gate.connect().await;
        client.write_all(b"question").await.unwrap();
        assert_eq!(read(&mut client, 10).await, b"the answer");
        client.shutdown().await.unwrap();
        heard(&mut client).await.expect_err("a reset: it may be a truncation all the same");
        assert_eq!(gate.lines("log", 1).await, [format!("{reason} {}", of(&server))]);
        assert_eq!(server.ends(), [End::InOrder]);
    }
}

#[tokio::test]
async fn a_clients_reset_is_no_clean_end_to_the_server() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
    let mut client = gate.connect().await;
    client.write_all(b"question").await.unwrap();
    until(|| server.server.connections() == 1 && server.server.received(0) == b"question").await;
    reset(client);
    until(|| server.ends().len() == 1).await;
    assert_ne!(server.ends(), [End::InOrder]);
}

#[tokio::test]
async fn where_no_direction_goes_on_without_the_other_the_server_hears_an_end_in_order_too() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "web.test", &authority).await;
    let text = routes(&authority, &[&of(&server)], "server_name = \"web.test\"");
    let gate = Gate::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\nhalf_close = false"));
    let mut client = gate.connect().await;
    client.write_all(b"question").await.unwrap();
    until(|| server.server.connections() == 1 && server.server.received(0) == b"question").await;
    client.shutdown().await.unwrap();
    until(|| server.ends() == [End::InOrder]).await;
}

#[tokio::test]
async fn a_client_that_ends_first_still_gets_all_that_the_server_has() {
    let authority = Authority::new();
    let server = TlsServer::start("web.test", &authority, |mut tls, _, ends| async move {
        let asked = heard(&mut tls).await;
        ends.lock().unwrap().push(if asked.is_ok() { End::InOrder } else { End::Broken });
        tls.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
        tls.shutdown().await.unwrap();
    })
    .await;
    let gate = Gate::start(&routes(&authority, &[&of(&server)], "server_name = \"web.test\""));
    assert_eq!(question(&gate).await.len(), 1 << 20);
    assert_eq!(server.ends(), [End::InOrder]);
}

#[tokio::test]
async fn sessions_are_resumed_unless_that_is_switched_off() {
    let authority = Authority::new();
    for (more, resumed) in [("", [false, true, true]), ("session_reuse = false", [false; 3])] {
        let server = TlsServer::named("web", "web.test", &authority).await;
        let gate = Gate::start(&routes(&authority, &[&of(&server)], &format!("server_name = \"web.test\"\n{more}")));
        for _ in resumed {
            // Answered is more than shaken: the tickets have come before.
            assert_eq!(question(&gate).await, "web");
        }
        let shaken: Vec<_> = server.shaken().iter().map(|shaken| shaken.is_resumed).collect();
        assert_eq!(shaken, resumed, "{more}");
    }
}

#[tokio::test]
async fn the_name_may_be_what_the_client_asked_for_and_strangers_take_no_server_from_others() {
    let authority = Authority::new();
    let (one, other) = (TlsServer::named("web", "api.test", &authority).await, TlsServer::named("web", "api.test", &authority).await);
    let both = addresses(&[&one, &other]);
    let text = routes(&authority, &[&both[0], &both[1]], "server_name = \"$ssl_preread_server_name\"");
    let gate = Process::start(&text.replace("upstream = \"web\"", "upstream = \"web\"\npreread = \"tls\"")).await;
    // With `max_fails = 1` one of them would be enough.
    for stranger in ["stranger.test", "another.test"] {
        assert_eq!(answer(&mut gate.connect().await, &hello(stranger)).await, "");
    }
    assert_eq!(answer(&mut gate.connect().await, &hello("api.test")).await, "web");
    let names: Vec<_> = [one.shaken(), other.shaken()].concat().into_iter().map(|shaken| shaken.name).collect();
    assert_eq!(names, [Some("api.test".to_owned())]);
    assert!(!gate.log().contains("left alone"), "{}", gate.log());
}

#[tokio::test]
async fn a_name_that_is_none_has_no_server_dialled() {
    let authority = Authority::new();
    let server = TlsServer::named("web", "api.test", &authority).await;
    let text = routes(&authority, &[&of(&server)], "server_name = \"$ssl_preread_server_name\"");
    let gate = Process::start(&text).await;
    assert_eq!(answer(&mut gate.connect().await, b"question").await, "");
    gate.says("is not dialled: `server_name` gives \\\"\\\", which is no host name").await;
    assert_eq!(server.server.connections(), 0);
}

#[tokio::test]
async fn one_that_stands_in_may_be_asked_in_the_clear() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (server, plain) = (TlsServer::named("web", "web.test", &stranger).await, Server::named("plain").await);
    let text = routes(&authority, &[&of(&server)], "server_name = \"web.test\"");
    let text = text.replace("[upstream.web]\n", "[upstream.web]\nfallback = \"spare\"\n");
    let gate = Gate::start(&format!("{text}[upstream.spare]\nservers = [\"{}\"]\n", plain.address));
    assert_eq!(question(&gate).await, "plain");
    assert_eq!(plain.received(0), b"question");
}

#[tokio::test]
async fn an_authority_that_is_exchanged_is_believed_from_then_on() {
    let (authority, next) = (Authority::new(), Authority::new());
    let server = TlsServer::named("web", "web.test", &next).await;
    let text = routes(&authority, &[&of(&server)], "server_name = \"web.test\"");
    let gate = Process::start(
        &text.replace("servers = [", "servers = [{ max_fails = 0, address = ").replace("]\n[upstream.web.tls]", "}]\n[upstream.web.tls]"),
    )
    .await;
    gate.watches(authority.file().parent().unwrap()).await;
    assert_eq!(answer(&mut gate.connect().await, b"question").await, "");
    fs::copy(next.file(), authority.file()).unwrap();
    gate.says("the files of [upstream.web.tls] have changed and are in use").await;
    assert_eq!(answer(&mut gate.connect().await, b"question").await, "web");
}
