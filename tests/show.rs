//! `show = "upstreams"`: what the programs read that read nginx-upsync's.

use tokio::io::AsyncWriteExt;

use crate::harness::{Gate, connect, heard, said};

const ROUTES: &str = r#"
[listener.show]
listen = "127.0.0.1:0"
show = "upstreams"

[listener.mysql]
listen = "127.0.0.1:0"
upstream = "mysql"

[upstream.mysql]
servers = [
  { address = "192.168.175.201:3306", max_fails = 2 },
  { address = "192.168.175.202:3306", weight = 5, fail_timeout = "30s", down = true },
  { address = "[2001:db8::1]:3306", backup = true },
]

[upstream.dns]
servers = ["127.0.0.1:5353"]
"#;

const TEXT: &str = "Upstream name: dns; Backend server count: 1
        server 127.0.0.1:5353 weight=1 max_fails=1 fail_timeout=10s;

Upstream name: mysql; Backend server count: 3
        server 192.168.175.201:3306 weight=1 max_fails=2 fail_timeout=10s;
        server 192.168.175.202:3306 weight=5 max_fails=1 fail_timeout=30s down;
        server [2001:db8::1]:3306 weight=1 max_fails=1 fail_timeout=10s backup;

";

#[tokio::test]
async fn a_plain_connection_hears_the_upstreams_without_asking() {
    let gate = Gate::start(ROUTES);
    let heard = said(&mut connect(gate.address("show")).await).await;
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.contains("Content-Type: text/plain"), "{head}");
    assert_eq!(body, TEXT);
}

#[tokio::test]
async fn an_http_client_is_answered_in_order_whatever_it_asks_for() {
    let gate = Gate::start(ROUTES);
    for request in ["GET /upstream_show HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(8000))] {
        let mut client = connect(gate.address("show")).await;
        client.write_all(request.as_bytes()).await.unwrap();
        let heard = String::from_utf8(heard(&mut client).await.expect("an orderly end, not a reset")).unwrap();
        assert!(heard.ends_with(TEXT), "{heard}");
    }
}

#[tokio::test]
async fn without_upstreams_it_says_so() {
    let gate = Gate::start("[listener.show]\nlisten = \"127.0.0.1:0\"\nshow = \"upstreams\"");
    assert!(said(&mut connect(gate.address("show")).await).await.ends_with("\r\n\r\nNo upstreams defined\n"));
}
