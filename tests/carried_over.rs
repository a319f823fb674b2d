//! What a gateway that goes on from another keeps of it.

use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind};

use crate::harness::tls::{ask, connect_tls};
use crate::harness::{Authority, Gate, Server};

/// Whether a client resumes what it has begun before.
async fn is_resumed(gate: &Gate, client: &Arc<ClientConfig>) -> bool {
    let mut tls = connect_tls(gate.address("https"), "site.test", client.clone()).await;
    // Behind the answer, there is a ticket.
    assert_eq!(ask(&mut tls, b"question").await, "plain");
    tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[tokio::test]
async fn clients_resume_after_a_reload_in_tls_1_2_and_1_3_by_id_and_by_ticket() {
    let (authority, server) = (Authority::new(), Server::named("plain").await);
    for tickets in [true, false] {
        let profile = authority.profile("public", &["site.test"], &format!("session_tickets = {tickets}"));
        let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n", server.address);
        let routes = listener + &profile;
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (before, client) = (Gate::start(&routes), authority.trusted_in(&[version]));
            assert!(!is_resumed(&before, &client).await);
            assert!(!is_resumed(&Gate::start(&routes), &client).await, "{version:?}, tickets {tickets}: at one of its own");
            assert!(!is_resumed(&before, &client).await, "{version:?}, tickets {tickets}: what another gave it");
            let after = Gate::start_after(&before, &routes);
            drop(before);
            assert!(is_resumed(&after, &client).await, "{version:?}, tickets {tickets}");
        }
    }
}
