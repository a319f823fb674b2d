//! Real clients whose TLS ends at the gateway, in front of a server that speaks plain HTTP; and what they say of ends that
//! are none in order.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::client::Client;
use super::site::pin_of;
use super::{browser, is_installed};
use crate::harness::{Authority, ByHand, Gate, Identity, Server, heard, read, reset, routes, until};

const HOST: &str = "login.test";
/// Asks for more again and again, each time over a new connection. A browser makes the first few of them in advance, before it
/// has anything to resume.
const PAGE: &str = "<!doctype html><title>login.test</title><h1>plain behind the gateway</h1><script>
for (let times = 0; times < 8; times++) {
    const again = new XMLHttpRequest();
    again.open('GET', '/' + times, false);
    again.send();
}
</script>";

/// A gateway that ends TLS for the host.
struct Stage {
    gate: Gate,
    authority: Authority,
    identity: Identity,
}

impl Stage {
    fn set(server: &Server) -> Self {
        Self::set_with(server, "")
    }

    /// The same with further keys of the profile.
    fn set_with(server: &Server, more: &str) -> Self {
        let authority = Authority::new();
        let identity = authority.issue(HOST);
        let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$close_reason $upstream_addr $upstream_bytes_sent $upstream_bytes_received $ssl_protocol $ssl_session_reused\"\n";
        let profile = format!("[terminate.public]\ncertificates = [{}]\nalpn = [\"http/1.1\"]\n{more}\n", identity.written());
        let target = format!("[routes.map.hosts.\"{HOST}\"]\nupstream = \"{}\"\nterminate = \"public\"\n", server.address);
        Self { gate: Gate::start(&routes(&[], &format!("{target}{profile}{log}"))), authority, identity }
    }

    fn port(&self) -> u16 {
        self.gate.address("https").port()
    }

    /// How sessions have ended so far.
    fn log(&self) -> String {
        std::fs::read_to_string(self.gate.path("log")).unwrap_or_default()
    }

    /// `openssl s_client`, which says what becomes of its connection.
    fn openssl(&self, name: &[&str]) -> Child {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port()), "-CAfile"]).arg(self.authority.file()).args(name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
    }
}

/// A server that gives everybody the same page.
async fn site() -> Server {
    Server::start(|mut stream, _| async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PAGE.len());
        let _ = stream.write_all((head + PAGE).as_bytes()).await;
    })
    .await
}

/// What it said on both of its channels until it ended.
async fn said(client: Child) -> String {
    let output = tokio::time::timeout(Duration::from_secs(30), client.wait_with_output()).await.expect("it ends by itself").unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[tokio::test]
async fn every_client_gets_its_page_from_a_server_that_speaks_no_tls() {
    let server = site().await;
    let stage = Stage::set(&server);
    for client in Client::installed() {
        let page = client.ask(HOST, stage.port(), &stage.authority.file()).await;
        let page = page.unwrap_or_else(|complaint| panic!("{client:?} got no page: {complaint}; the gate says:\n{}", stage.log()));
        assert!(page.contains("plain behind the gateway"), "{client:?} got: {page}");
    }
}

#[tokio::test]
async fn a_browser_shows_a_page_of_a_server_that_speaks_no_tls() {
    if !is_installed("chromium") || !is_installed("openssl") {
        return;
    }
    let server = site().await;
    let stage = Stage::set(&server);
    let page = browser::page(HOST, stage.port(), &pin_of(&stage.identity.chain).await).await.unwrap();
    assert!(page.contains("plain behind the gateway"), "{page}");
}

#[tokio::test]
async fn a_browser_resumes_by_id_and_by_ticket() {
    if !is_installed("chromium") {
        return;
    }
    let kept = ["session_tickets = false", "session_cache = \"off\""];
    for (version, profile) in ["tls1.2", "tls1.3"].into_iter().flat_map(|version| kept.map(|profile| (version, profile))) {
        let server = site().await;
        let stage = Stage::set_with(&server, profile);
        let pin = pin_of(&stage.identity.chain).await;
        let (page, notes) = browser::page_and_connections(HOST, stage.port(), &pin, version).await.unwrap();
        assert!(page.contains("plain behind the gateway"), "{page}");
        assert!(notes.contains("\"is_resumed\":true"), "{version}, {profile}: the browser knows of none");
        let lines = stage.gate.lines("log", 2).await;
        let expected = format!("{} r", version.replace("tls", "TLSv"));
        assert!(lines.iter().any(|line| line.ends_with(&expected)), "{version}, {profile}: {lines:?}");
    }
}

#[tokio::test]
async fn openssl_hears_of_a_wrong_name_and_of_a_missing_one_by_their_alert() {
    if !is_installed("openssl") {
        return;
    }
    let server = site().await;
    let stage = Stage::set(&server);
    for name in [&["-servername", "other.test"][..], &["-noservername"]] {
        let heard = said(stage.openssl(name)).await;
        assert!(heard.contains("SSL alert number 112"), "{name:?}: {heard}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn openssl_that_speaks_only_what_is_old_hears_that_it_is_the_version() {
    if !is_installed("openssl") {
        return;
    }
    let server = site().await;
    let stage = Stage::set(&server);
    let heard = said(stage.openssl(&["-servername", HOST, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])).await;
    assert!(heard.contains("SSL alert number 70"), "{heard}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn openssl_tells_an_end_in_order_from_one_that_is_none() {
    if !is_installed("openssl") {
        return;
    }
    for in_order in [true, false] {
        let mut by_hand = ByHand::start().await;
        let stage = Stage::set(&by_hand.server);
        let mut client = stage.openssl(&["-servername", HOST]);
        // Held to the end: without it openssl is done by itself, maybe before it hears anything.
        let mut words = client.stdin.take().unwrap();
        words.write_all(b"question\n").await.unwrap();
        let mut server = by_hand.accept().await;
        assert_eq!(read(&mut server, 9).await, b"question\n");
        match in_order {
            true => server.shutdown().await.unwrap(),
            false => reset(server),
        }
        let heard = said(client).await;
        assert_eq!(heard.contains("\nclosed\n"), in_order, "{heard}");
        drop(words);
    }
}

#[tokio::test]
async fn a_client_that_is_killed_is_no_end_in_order_for_the_server() {
    if !is_installed("openssl") {
        return;
    }
    let mut by_hand = ByHand::start().await;
    let stage = Stage::set(&by_hand.server);
    let mut client = stage.openssl(&["-servername", HOST]);
    client.stdin.as_mut().unwrap().write_all(b"half a quest\n").await.unwrap();
    let mut server = by_hand.accept().await;
    assert_eq!(read(&mut server, 13).await, b"half a quest\n");
    client.kill().await.unwrap();
    assert!(heard(&mut server).await.is_err(), "a reset");
    until(|| stage.gate.totals().ended == 1).await;
}
