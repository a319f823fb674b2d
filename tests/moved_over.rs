//! `tls-termination.toml`: an nginx configuration that people run today, moved over. Only its port, its servers and its
//! certificate are put where a test may have them.

use std::sync::Arc;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use crate::harness::tls::{Tls, ask, handshake};
use crate::harness::{Authority, Gate, Server, connect_from};

const CONFIGURATION: &str = include_str!("data/configs/tls-termination.toml");

struct Stage {
    gate: Gate,
    authority: Authority,
    servers: [Server; 2],
}

impl Stage {
    async fn set() -> Self {
        let (authority, servers) = (Authority::new(), [Server::named("first").await, Server::named("second").await]);
        let identity = authority.issue("front.test");
        let sets = [
            "listener.front.listen=[\"127.0.0.1:0\"]".to_owned(),
            format!("upstream.backend.servers=[\"{}\", \"{}\"]", servers[0].address, servers[1].address),
            format!("terminate.front.certificates=[{}]", identity.written().trim_end_matches(", ")),
        ];
        Self { gate: Gate::start_with(CONFIGURATION, &sets), authority, servers }
    }

    async fn from(&self, client: &str) -> TcpStream {
        connect_from(client, self.gate.address("front")).await
    }
}

#[tokio::test]
async fn a_client_stays_with_its_server_and_both_are_used() {
    let stage = Stage::set().await;
    let trusted = stage.authority.trusted();
    for number in 1..=8 {
        let client = format!("127.0.{number}.1");
        let mut answers = Vec::new();
        for _ in 0..2 {
            let mut tls: Tls = handshake(stage.from(&client).await, "front.test", trusted.clone()).await.unwrap();
            answers.push(ask(&mut tls, b"question").await);
        }
        assert_eq!(answers[0], answers[1], "{client}");
    }
    assert_eq!(stage.servers.each_ref().map(Server::connections).iter().sum::<usize>(), 16);
    assert!(stage.servers.iter().all(|server| server.connections() > 0), "eight clients are not all of one server");
}

#[tokio::test]
async fn a_client_that_comes_again_resumes() {
    let stage = Stage::set().await;
    let trusted = stage.authority.trusted();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut tls = handshake(stage.from("127.0.0.1").await, "front.test", Arc::clone(&trusted)).await.unwrap();
        ask(&mut tls, b"question").await;
        kinds.push(tls.get_ref().1.handshake_kind());
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}
