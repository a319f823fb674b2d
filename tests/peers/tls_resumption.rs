//! Real clients that come again to a listener where TLS ends: each says itself that it has resumed, and the gateway says the same.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::is_installed;
use crate::harness::{Authority, Gate, Server, within};

/// How a session is kept: what the profile says, and what makes openssl and GnuTLS want it.
pub(super) struct Way {
    pub(super) profile: &'static str,
    pub(super) openssl: &'static [&'static str],
    gnutls: &'static str,
}

pub(super) const WAYS: [Way; 4] = [
    Way { profile: "session_tickets = false", openssl: &["-tls1_2", "-no_ticket"], gnutls: "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_TICKETS" },
    Way { profile: "session_cache = \"off\"", openssl: &["-tls1_2"], gnutls: "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
    Way { profile: "session_tickets = false", openssl: &["-tls1_3"], gnutls: "NORMAL:-VERS-ALL:+VERS-TLS1.3" },
    Way { profile: "session_cache = \"off\"", openssl: &["-tls1_3"], gnutls: "NORMAL:-VERS-ALL:+VERS-TLS1.3" },
];

const NEITHER: &str = "session_cache = \"off\"\nsession_tickets = false";

struct Stage {
    authority: Authority,
    gate: Gate,
    _server: Server,
}

impl Stage {
    async fn set(profile: &str) -> Self {
        let authority = Authority::new();
        let server = Server::start(|mut stream, received| async move {
            let mut bytes = [0; 1024];
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                match stream.read(&mut bytes).await {
                    Ok(length @ 1..) => question.extend(&bytes[..length]),
                    _ => return,
                }
            }
            received.add(&question);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome").await;
            let _ = stream.shutdown().await;
            // Whoever is still speaking is heard out, or a reset would overtake the answer.
            while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
        })
        .await;
        let profile = authority.profile("public", &["api.test"], profile);
        let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n", server.address);
        let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$status $ssl_session_reused\"\n";
        Self { gate: Gate::start(&format!("{listener}{profile}{log}")), authority, _server: server }
    }

    fn port(&self) -> u16 {
        self.gate.address("https").port()
    }

    async fn openssl(&self, words: &[&str], session: (&str, &Path)) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-verify_return_error", "-verify_hostname", "api.test", "-servername", "api.test"]);
        command.args(["-connect", &format!("127.0.0.1:{}", self.port()), "-CAfile"]).arg(self.authority.file());
        said(command.args(words).arg(session.0).arg(session.1)).await
    }
}

/// What a client says in all that gets this request to send.
pub(super) async fn said(command: &mut Command) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut words = process.stdin.take().unwrap();
    let _ = words.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").await;
    let output = within(process.wait_with_output()).await.unwrap();
    drop(words);
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[tokio::test]
async fn openssl_resumes_by_id_and_by_ticket() {
    if !is_installed("openssl") {
        return;
    }
    for way in &WAYS {
        let stage = Stage::set(way.profile).await;
        let session = stage.gate.path("session.pem");
        let first = stage.openssl(way.openssl, ("-sess_out", &session)).await;
        assert!(first.contains("welcome") && first.contains("New, TLSv1"), "{} {:?}: {first}", way.profile, way.openssl);
        // Its line is there before the next one begins.
        stage.gate.lines("log", 1).await;
        let second = stage.openssl(way.openssl, ("-sess_in", &session)).await;
        assert!(second.contains("welcome") && second.contains("Reused, TLSv1"), "{} {:?}: {second}", way.profile, way.openssl);
        assert_eq!(stage.gate.lines("log", 2).await, ["200 .", "200 r"]);
    }
}

#[tokio::test]
async fn openssl_does_not_resume_with_cache_and_tickets_off() {
    if !is_installed("openssl") {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let stage = Stage::set(NEITHER).await;
        let session = stage.gate.path("session.pem");
        let first = stage.openssl(&[version], ("-sess_out", &session)).await;
        assert!(first.contains("welcome"), "{first}");
        if !session.exists() {
            continue; // It was given none.
        }
        let second = stage.openssl(&[version], ("-sess_in", &session)).await;
        assert!(second.contains("welcome") && second.contains("New, TLSv1"), "{second}");
        assert_eq!(stage.gate.lines("log", 2).await, ["200 .", "200 ."]);
    }
}

#[tokio::test]
async fn gnutls_resumes_by_id_and_by_ticket() {
    if !is_installed("gnutls-cli") {
        return;
    }
    for way in &WAYS {
        let stage = Stage::set(way.profile).await;
        let mut command = Command::new("gnutls-cli");
        command.args(["--resume", "--waitresumption", "--priority", way.gnutls, "--sni-hostname", "api.test"]);
        command.args(["--verify-hostname", "api.test", "--port", &stage.port().to_string(), "--x509cafile"]).arg(stage.authority.file());
        let said = said(command.arg("127.0.0.1")).await;
        assert!(said.contains("This is a resumed session") && said.contains("welcome"), "{} {}: {said}", way.profile, way.gnutls);
        let lines = stage.gate.lines("log", 2).await;
        assert_eq!(lines.iter().filter(|line| line.ends_with(" r")).count(), 1, "{lines:?}");
    }
}

#[tokio::test]
async fn curl_resumes() {
    if !is_installed("curl") {
        return;
    }
    let by_id = "session_tickets = false";
    // In TLS 1.2 curl wants no tickets.
    let ways = [(by_id, "1.2"), (by_id, "1.3"), ("session_cache = \"off\"", "1.3")];
    for (profile, version) in ways {
        let stage = Stage::set(profile).await;
        let (port, page) = (stage.port(), format!("https://api.test:{}/", stage.port()));
        let mut command = Command::new("curl");
        command.args(["--verbose", "--noproxy", "*", "--resolve", &format!("api.test:{port}:127.0.0.1"), "--cacert"]);
        let said = said(command.arg(stage.authority.file()).args([&format!("--tlsv{version}"), "--tls-max", version, &page, &page])).await;
        assert_eq!(said.matches("welcome").count(), 2, "{said}");
        assert!(said.contains("re-using session ID") || said.contains("reusing session"), "{said}");
        // The first connection ends while the second begins: whose line comes first is left open.
        let mut lines = stage.gate.lines("log", 2).await;
        lines.sort();
        assert_eq!(lines, ["200 .", "200 r"], "{said}");
    }
}
