//! TLS towards a real nginx: which of its certificates are good, what it sees of the gateway, and what is done when it is no good.

use std::fs;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::is_installed;
use super::nginx::Nginx;
use crate::harness::{Authority, Gate, Identity, Process, connect, heard, within};

/// nginx with the certificate of a host, which answers with what it saw of the handshake.
async fn nginx(authority: &Authority, host: &str, more: &str) -> Nginx {
    nginx_with(&authority.issue(host), more).await
}

async fn nginx_with(identity: &Identity, more: &str) -> Nginx {
    let (chain, key) = (identity.chain.display(), identity.key.display());
    Nginx::start(|port, folder| {
        let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|module| format!("{module}_temp_path {}/{module};\n", folder.display()))
            .concat();
        let page = "$ssl_protocol name=$ssl_server_name reused=$ssl_session_reused alpn=$ssl_alpn_protocol client=$ssl_client_s_dn";
        format!(
            "events {{}}\nhttp {{ {scratch} access_log off; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;\n\
             ssl_certificate {chain}; ssl_certificate_key {key}; {more}\n\
             server {{ listen 127.0.0.1:{port} ssl; root {}; location = / {{ return 200 \"{page}\"; }} }} }}",
            folder.display()
        )
    })
    .await
}

/// A listener that leads to these, over TLS; `keys` are those of its `tls`.
fn routes(servers: &[&Nginx], keys: &str) -> String {
    let servers: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n[upstream.web]\nservers = {servers:?}\n[upstream.web.tls]\n{keys}\n"
    )
}

fn trusting(authority: &Authority, name: &str) -> String {
    format!("ca = \"{}\"\nserver_name = \"{name}\"\n", authority.file().display())
}

/// What nginx saw, or nothing.
async fn seen(address: SocketAddr) -> String {
    let mut client = connect(address).await;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(heard(&mut client).await.unwrap()).unwrap();
    answer.split_once("\r\n\r\n").map(|(_, page)| page.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn nginx_is_verified_and_sees_its_name_and_the_protocol() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let server = nginx(&authority, "web.test", "").await;
    let gate = Gate::start(&routes(&[&server], &(trusting(&authority, "web.test") + "alpn = [\"http/1.1\"]")));
    assert_eq!(seen(gate.address("https")).await, "TLSv1.3 name=web.test reused=. alpn=http/1.1 client=");
}

#[tokio::test]
async fn nginx_resumes_the_gateways_sessions_in_both_versions() {
    if !is_installed("nginx") {
        return;
    }
    for (version, tickets) in [("1.2", "on"), ("1.2", "off"), ("1.3", "on"), ("1.3", "off")] {
        let authority = Authority::new();
        let server = nginx(&authority, "web.test", &format!("ssl_session_tickets {tickets};")).await;
        let gate = Gate::start(&routes(&[&server], &format!("{}versions = [\"{version}\"]", trusting(&authority, "web.test"))));
        let all = [seen(gate.address("https")).await, seen(gate.address("https")).await];
        let expected = ['.', 'r'].map(|reused| format!("TLSv{version} name=web.test reused={reused} alpn= client="));
        assert_eq!(all, expected, "{version}, tickets {tickets}");
    }
}

#[tokio::test]
async fn of_two_nginxes_the_one_with_the_wrong_name_is_passed_over() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let (wrong, right) = (nginx(&authority, "other.test", "").await, nginx(&authority, "web.test", "").await);
    let gate = Process::start(&routes(&[&wrong, &right], &trusting(&authority, "web.test"))).await;
    assert!(seen(gate.address()).await.starts_with("TLSv1.3 name=web.test"));
    gate.says("its certificate is for other.test, and not for web.test").await;
}

#[tokio::test]
async fn an_nginx_that_nobody_trusted_vouches_for_is_refused_and_taken_unverified() {
    if !is_installed("nginx") {
        return;
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = nginx(&stranger, "web.test", "").await;
    let gate = Process::start(&routes(&[&server], &trusting(&authority, "web.test"))).await;
    assert_eq!(seen(gate.address()).await, "");
    // Its authority has the name of the one that is trusted.
    gate.says("a signature does not fit: another authority of the same name has made its certificate").await;
    let gate = Gate::start(&routes(&[&server], "verify = false"));
    assert_eq!(seen(gate.address("https")).await, "TLSv1.3 name= reused=. alpn= client=");
}

#[tokio::test]
async fn nginx_that_demands_a_certificate_gets_it() {
    if !is_installed("nginx") {
        return;
    }
    let (authority, clients) = (Authority::new(), Authority::new());
    let demands = format!("ssl_verify_client on; ssl_client_certificate {};", clients.file().display());
    let server = nginx(&authority, "web.test", &demands).await;
    let own = clients.issue("gateway.test");
    let shown = format!("certificate = \"{}\"\nkey = \"{}\"\n", own.chain.display(), own.key.display());
    let gate = Gate::start(&routes(&[&server], &(trusting(&authority, "web.test") + &shown)));
    assert_eq!(seen(gate.address("https")).await, "TLSv1.3 name=web.test reused=. alpn= client=CN=gateway.test");
    let gate = Gate::start(&routes(&[&server], &trusting(&authority, "web.test")));
    assert!(!seen(gate.address("https")).await.contains("client="));
}

#[tokio::test]
async fn an_nginx_whose_certificate_has_expired_is_refused() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let expired = authority.issue_with("web.test", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let server = nginx_with(&expired, "").await;
    let gate = Process::start(&routes(&[&server], &trusting(&authority, "web.test"))).await;
    assert_eq!(seen(gate.address()).await, "");
    gate.says("its certificate has expired on 2020-01-01 00:00 UTC").await;
}

#[tokio::test]
async fn a_hundred_megabytes_come_from_nginx_as_it_has_them() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let server = nginx(&authority, "web.test", "").await;
    let block: Vec<u8> = (0..1 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(server.folder().join("bulk"), block.repeat(MEGABYTES)).unwrap();
    let gate = Gate::start(&routes(&[&server], &trusting(&authority, "web.test")));
    let mut client = gate.connect().await;
    client.write_all(b"GET /bulk HTTP/1.0\r\n\r\n").await.unwrap();
    let mut received = Vec::new();
    // Each part comes in time; how long all of it takes is the machine's affair.
    while within(client.read_buf(&mut received)).await.unwrap() > 0 {}
    let body = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(received.len() - body, block.len() * MEGABYTES);
    assert!(received[body..].chunks(block.len()).all(|chunk| chunk == block));
}

const MEGABYTES: usize = 100;
