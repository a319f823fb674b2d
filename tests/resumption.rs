//! A client's TLS is resumed within a profile and a name, wherever it listens and whoever else has its keys; and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};
use tokio::time::sleep;

use crate::harness::tls::{ask, connect_tls};
use crate::harness::{Authority, Gate, Server};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const LOG: &str = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$ssl_session_reused\"\n";
/// What a profile says so that a session is kept in one way alone.
const WAYS: [&str; 2] = ["session_tickets = false", "session_cache = \"off\""];

struct Stage {
    authority: Authority,
    server: Server,
}

impl Stage {
    async fn set() -> Self {
        Self { authority: Authority::new(), server: Server::named("plain").await }
    }

    /// A listener of this name, and its profile.
    fn listener(&self, name: &str, profile: &str) -> String {
        let upstream = self.server.address;
        format!("[listener.{name}]\nlisten = \"127.0.0.1:0\"\nterminate = \"{profile}\"\nupstream = \"{upstream}\"\n")
    }

    /// One listener with a profile that says this, too.
    fn gate(&self, more: &str) -> Gate {
        let profile = self.authority.profile("public", &["api.test"], more);
        Gate::start(&format!("{}{profile}{LOG}", self.listener("https", "public")))
    }

    /// A key for tickets, as a line of a profile.
    fn key_file(&self, seed: u8) -> String {
        let file = self.authority.file().with_file_name(format!("{seed}.key"));
        fs::write(&file, (0..80).map(|index| index ^ seed).collect::<Vec<u8>>()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!("session_cache = \"off\"\nsession_tickets = {{ keys = [\"{}\"] }}", file.display())
    }
}

/// Whether the client resumed a session; the gateway says the same.
async fn resumes(gate: &Gate, listener: &str, host: &str, client: &Arc<ClientConfig>) -> bool {
    let before = gate.lines("log", 0).await.len();
    let mut tls = connect_tls(gate.address(listener), host, client.clone()).await;
    assert_eq!(ask(&mut tls, b"question").await, "plain");
    let is_resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    let lines = gate.lines("log", before + 1).await;
    assert_eq!(lines[before], if is_resumed { "r" } else { "." });
    is_resumed
}

#[tokio::test]
async fn a_client_that_comes_again_resumes() {
    let stage = Stage::set().await;
    for way in WAYS {
        let gate = stage.gate(way);
        for version in VERSIONS {
            let client = stage.authority.trusted_in(&[version]);
            assert!(!resumes(&gate, "https", "api.test", &client).await, "{way}, {version:?}");
            for _ in 0..3 {
                assert!(resumes(&gate, "https", "api.test", &client).await, "{way}, {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn another_listener_with_the_same_profile_resumes_and_one_with_another_profile_does_not() {
    let stage = Stage::set().await;
    for way in WAYS {
        let profiles = ["public", "other"].map(|name| stage.authority.profile(name, &["api.test"], way)).concat();
        let listeners = [("one", "public"), ("two", "public"), ("three", "other")].map(|(name, profile)| stage.listener(name, profile));
        let gate = Gate::start(&format!("{}{profiles}{LOG}", listeners.concat()));
        for version in VERSIONS {
            let client = stage.authority.trusted_in(&[version]);
            assert!(!resumes(&gate, "one", "api.test", &client).await, "{way}, {version:?}");
            assert!(resumes(&gate, "two", "api.test", &client).await, "{way}, {version:?}");
            assert!(!resumes(&gate, "three", "api.test", &client).await, "{way}, {version:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_resumed_once_session_timeout_has_passed() {
    let stage = Stage::set().await;
    for way in WAYS {
        let gate = stage.gate(&format!("{way}\nsession_timeout = \"1s\""));
        let clients = VERSIONS.map(|version| stage.authority.trusted_in(&[version]));
        for client in &clients {
            assert!(!resumes(&gate, "https", "api.test", client).await, "{way}");
        }
        // It is time itself that has to pass.
        sleep(Duration::from_millis(1100)).await;
        for client in &clients {
            assert!(!resumes(&gate, "https", "api.test", client).await, "{way}");
        }
    }
}

#[tokio::test]
async fn nothing_is_resumed_with_cache_and_tickets_off() {
    let stage = Stage::set().await;
    let gate = stage.gate("session_cache = \"off\"\nsession_tickets = false");
    for version in VERSIONS {
        let client = stage.authority.trusted_in(&[version]);
        for _ in 0..2 {
            assert!(!resumes(&gate, "https", "api.test", &client).await, "{version:?}");
        }
    }
}

#[tokio::test]
async fn gateways_with_the_same_key_files_resume_each_others_sessions() {
    let stage = Stage::set().await;
    let (same, other) = (stage.key_file(1), stage.key_file(2));
    // Of the same certificate, which is part of the policy.
    let profile = |more: &str| format!("[terminate.public]\ncertificates = [{}]\n{more}\n", stage.authority.issued("api.test").written());
    stage.authority.issue("api.test");
    let start = |more: &str| Gate::start(&format!("{}{}{LOG}", stage.listener("https", "public"), profile(more)));
    let (one, two) = (start(&same), start(&same));
    let (stranger, another_policy) = (start(&other), start(&format!("{same}\nalpn = [\"h2\"]")));
    for version in VERSIONS {
        let client = stage.authority.trusted_in(&[version]);
        assert!(!resumes(&one, "https", "api.test", &client).await, "{version:?}");
        assert!(resumes(&two, "https", "api.test", &client).await, "{version:?}");
        assert!(resumes(&one, "https", "api.test", &client).await, "{version:?}");
        assert!(!resumes(&another_policy, "https", "api.test", &client).await, "{version:?}");
        assert!(resumes(&another_policy, "https", "api.test", &client).await, "{version:?}");
        assert!(!resumes(&stranger, "https", "api.test", &client).await, "{version:?}");
    }
}
