//! Clients that show a certificate: who gets in, what the log says of them, and what becomes of those who do not.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;

use crate::harness::tls::{ask, connect_tls, handshake};
use crate::harness::{Authority, Gate, Server, heard, until};

const LOG: &str = "[access_log.a]\nfile = \"{folder}/log\"\nformat = '$status $close_reason $ssl_session_reused $ssl_client_verify \"$ssl_client_s_dn\" \"$ssl_client_i_dn\"'\n";
const WHY: &str = "[access_log.json]\nfile = \"{folder}/json\"\nformat = \"json\"\n";

struct Stage {
    authority: Authority,
    server: Server,
    gate: Gate,
}

impl Stage {
    /// A listener that has this `client_auth`; `{ca}` stands for the file of the authority.
    async fn set(client_auth: &str, more: &str) -> Self {
        let (authority, server) = (Authority::new(), Server::named("plain").await);
        let client_auth = client_auth.replace("{ca}", authority.file().to_str().unwrap());
        let profile = authority.profile("public", &["api.test"], &format!("client_auth = {client_auth}\n{more}"));
        let upstream = server.address;
        let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{upstream}\"\n");
        let gate = Gate::start(&format!("{listener}{profile}{LOG}{WHY}"));
        Self { authority, server, gate }
    }

    async fn line(&self) -> String {
        self.gate.lines("log", 1).await.pop().unwrap()
    }

    /// Whoever comes with this gets nowhere: what the client hears, the line of the log, and its reason.
    async fn refuses(&self, client: Arc<ClientConfig>) -> (io::Error, String, String) {
        // TLS 1.3 tells a client only when it reads on.
        let error = match handshake(self.gate.connect().await, "api.test", client).await {
            Err(error) => error,
            Ok(mut tls) => {
                let _ = tls.write_all(b"question").await;
                heard(&mut tls).await.expect_err("it got in")
            }
        };
        let (line, json) = (self.line().await, self.gate.lines("json", 1).await.pop().unwrap());
        assert_eq!(self.server.connections(), 0, "{line}");
        (error, line, json)
    }
}

#[tokio::test]
async fn who_shows_a_good_certificate_gets_in_and_stands_in_the_log() {
    for version in [&TLS12, &TLS13] {
        let stage = Stage::set("{ ca = \"{ca}\", mode = \"require\" }", "").await;
        let client = stage.authority.showing(&[version], &stage.authority.issue("partner.test"));
        let seen = ["200 client_closed .", "200 client_closed r"];
        for (index, seen) in seen.into_iter().enumerate() {
            let mut tls = connect_tls(stage.gate.address("https"), "api.test", client.clone()).await;
            assert_eq!(ask(&mut tls, b"question").await, "plain");
            let line = stage.gate.lines("log", index + 1).await.pop().unwrap();
            assert_eq!(line, format!("{seen} SUCCESS \"CN=partner.test\" \"CN=an authority of the tests\""), "{version:?}");
        }
    }
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_in_where_one_is_required() {
    for version in [&TLS12, &TLS13] {
        let stage = Stage::set("{ ca = \"{ca}\", mode = \"require\" }", "").await;
        let (error, line, _) = stage.refuses(stage.authority.trusted_in(&[version])).await;
        assert!(line.starts_with("500 tls_failed"), "{line}");
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
    }
}

#[tokio::test]
async fn without_a_certificate_everybody_gets_in_where_one_is_asked_for() {
    let stage = Stage::set("{ ca = \"{ca}\", mode = \"request\" }", "").await;
    let mut tls = connect_tls(stage.gate.address("https"), "api.test", stage.authority.trusted()).await;
    assert_eq!(ask(&mut tls, b"question").await, "plain");
    assert_eq!(stage.line().await, "200 client_closed . NONE \"-\" \"-\"");
}

#[tokio::test]
async fn who_is_of_a_foreign_authority_is_refused_and_told_of() {
    for mode in ["require", "request"] {
        let stage = Stage::set(&format!("{{ ca = \"{{ca}}\", mode = \"{mode}\" }}"), "").await;
        let foreign = Authority::named("a foreign authority");
        let stranger = foreign.issue("stranger.test");
        let (error, line, json) = stage.refuses(stage.authority.showing(&[&TLS13], &stranger)).await;
        assert!(line.starts_with("500 tls_failed"), "{line}");
        assert!(error.to_string().contains("UnknownCA"), "{error}");
        assert!(json.contains("CN=stranger.test") && json.contains("CN=a foreign authority"), "{json}");
        assert!(json.contains("comes from nobody whom client_auth trusts"), "{json}");
    }
}

#[tokio::test]
async fn who_is_not_among_the_subjects_is_refused() {
    let stage = Stage::set("{ ca = \"{ca}\", mode = \"require\", subjects = [\"CN=*.partner.test,*\"] }", "").await;
    let other = stage.authority.issue("other.test");
    let (error, _, json) = stage.refuses(stage.authority.showing(&[&TLS13], &other)).await;
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert!(json.contains("is for none of the subjects"), "{json}");
    let partner = stage.authority.issue("a.partner.test");
    let mut tls = connect_tls(stage.gate.address("https"), "api.test", stage.authority.showing(&[&TLS13], &partner)).await;
    assert_eq!(ask(&mut tls, b"question").await, "plain");
    until(|| stage.server.connections() == 1).await;
}
