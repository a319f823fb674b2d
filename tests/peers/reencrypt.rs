//! TLS towards a real nginx: which of its certificates are good, what it sees of the gateway, and what is done when it is no good.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::is_installed;
use super::nginx::Nginx;
use crate::harness::{Authority, Gate, Process, answer, until, within};

/// nginx with the certificate of a host, which answers with what it saw of the handshake.
async fn nginx(authority: &Authority, host: &str, more: &str) -> Nginx {
    let identity = authority.issue(host);
    let (chain, key) = (identity.chain.display().to_string(), identity.key.display().to_string());
    Nginx::start(|port, _| {
        format!(
            "events {{}}\nstream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};\n\
             ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; {more}\n\
             return \"$ssl_protocol name=$ssl_server_name reused=$ssl_session_reused alpn=$ssl_alpn_protocol client=$ssl_client_s_dn\"; }} }}"
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

async fn seen(gate: &Gate) -> String {
    answer(&mut gate.connect().await, b"").await
}

#[tokio::test]
async fn nginx_is_verified_and_sees_its_name_and_the_protocol() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let server = nginx(&authority, "web.test", "ssl_alpn h2 postgresql;").await;
    let gate = Gate::start(&routes(&[&server], &(trusting(&authority, "web.test") + "alpn = [\"postgresql\"]")));
    assert_eq!(seen(&gate).await, "TLSv1.3 name=web.test reused=. alpn=postgresql client=");
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
        let all = [seen(&gate).await, seen(&gate).await];
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
    assert!(answer(&mut gate.connect().await, b"").await.starts_with("TLSv1.3 name=web.test"));
    gate.says("its certificate is not good: ").await;
    gate.says("web.test").await;
}

#[tokio::test]
async fn an_nginx_that_nobody_trusted_vouches_for_is_refused_and_taken_unverified() {
    if !is_installed("nginx") {
        return;
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = nginx(&stranger, "web.test", "").await;
    let gate = Process::start(&routes(&[&server], &trusting(&authority, "web.test"))).await;
    assert_eq!(answer(&mut gate.connect().await, b"").await, "");
    gate.says("nobody that is trusted vouches for its certificate").await;
    let gate = Gate::start(&routes(&[&server], "verify = false"));
    assert_eq!(seen(&gate).await, "TLSv1.3 name= reused=. alpn= client=");
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
    assert_eq!(seen(&gate).await, "TLSv1.3 name=web.test reused=. alpn= client=CN=gateway.test");
    let gate = Gate::start(&routes(&[&server], &trusting(&authority, "web.test")));
    assert!(!seen(&gate).await.contains("client="));
}

#[tokio::test]
async fn an_nginx_whose_certificate_has_expired_is_refused() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let identity = authority.issue_with("web.test", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let (chain, key) = (identity.chain.display().to_string(), identity.key.display().to_string());
    let server = Nginx::start(|port, _| {
        format!("events {{}}\nstream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key}; return late; }} }}")
    })
    .await;
    let gate = Process::start(&routes(&[&server], &trusting(&authority, "web.test"))).await;
    assert_eq!(answer(&mut gate.connect().await, b"").await, "");
    gate.says("its certificate is not good: ").await;
    assert!(gate.log().contains("expired"), "{}", gate.log());
}

#[tokio::test]
async fn a_hundred_megabytes_come_back_from_an_nginx_over_tls_as_they_went() {
    if !is_installed("nginx") {
        return;
    }
    let authority = Authority::new();
    let echo = crate::harness::Server::echo().await;
    let identity = authority.issue("web.test");
    let (chain, key) = (identity.chain.display().to_string(), identity.key.display().to_string());
    let ends = Nginx::start(|port, _| {
        format!(
            "events {{}}\nstream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};\n\
             proxy_half_close on; proxy_pass {}; }} }}",
            echo.address
        )
    })
    .await;
    let gate = Gate::start(&routes(&[&ends], &trusting(&authority, "web.test")));
    let (mut reads, mut writes) = gate.connect().await.into_split();
    let block: Vec<u8> = (0..1 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let sent = block.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..MEGABYTES {
            writes.write_all(&sent).await.unwrap();
        }
        writes.shutdown().await.unwrap();
    });
    let mut received = vec![0; block.len()];
    for _ in 0..MEGABYTES {
        within(reads.read_exact(&mut received)).await.unwrap();
        assert!(received == block);
    }
    assert_eq!(within(reads.read(&mut received)).await.unwrap(), 0);
    within(sending).await.unwrap();
    gate.until(|totals| totals.ended == 1).await;
    until(|| echo.connections() == 1).await;
}

const MEGABYTES: usize = 100;
