//! A real client that offers what it may resume where it may not: under another name, another profile, another policy.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::is_installed;
use super::tls_resumption::{WAYS, Way, said};
use crate::harness::{Authority, Gate, Identity, Server};

/// A gateway with a host for everybody, another one of the same profile, and one for partners only.
struct Stage {
    authority: Authority,
    /// Who vouches for partners, in a file that changes.
    partners: PathBuf,
    partner: Identity,
    gate: Gate,
    server: Server,
}

impl Stage {
    async fn set(way: &Way) -> Self {
        let server = Server::start(|mut stream, received| async move {
            let mut byte = [0];
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                match stream.read(&mut byte).await {
                    Ok(1..) => question.extend(byte),
                    _ => return,
                }
            }
            received.add(&question);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome").await;
        })
        .await;
        let authority = Authority::new();
        let partners = authority.file().with_file_name("partners.pem");
        std::fs::copy(authority.file(), &partners).unwrap();
        let client_auth = format!("client_auth = {{ ca = \"{}\", mode = \"require\" }}\n{}", partners.display(), way.profile);
        let profiles =
            [authority.profile("open", &["open.test"], way.profile), authority.profile("closed", &["closed.test"], &client_auth)];
        let target = |profile: &str| format!("{{ upstream = \"{}\", terminate = \"{profile}\" }}", server.address);
        let gate = Gate::start(&format!(
            "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\nno_sni = {open}\n[routes.map.hosts]\n\
             \"open.test\" = {open}\n\"other.test\" = {open}\n\"closed.test\" = {closed}\n{}\
             [access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$status $close_reason $ssl_session_reused\"\n",
            profiles.concat(),
            open = target("open"),
            closed = target("closed"),
        ));
        let partner = authority.issue("partner.test");
        Self { partners, partner, gate, server, authority }
    }

    /// What openssl says that asks this host, with what is said of it besides.
    async fn openssl(&self, way: &Way, host: &[&str], session: (&str, &Path), shows: Option<&Identity>) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-connect", &format!("127.0.0.1:{}", self.gate.address("https").port()), "-CAfile"]);
        command.arg(self.authority.file()).args(way.openssl).args(host).arg(session.0).arg(session.1);
        if let Some(Identity { chain, key }) = shows {
            command.arg("-cert").arg(chain).arg("-key").arg(key);
        }
        said(&mut command).await
    }

    /// A session of this host, fresh and ready to be resumed, in a file.
    async fn session_of(&self, way: &Way, host: &str, shows: Option<&Identity>) -> PathBuf {
        let file = self.gate.path("session.pem");
        let _ = std::fs::remove_file(&file);
        let said = self.openssl(way, &["-servername", host], ("-sess_out", &file), shows).await;
        assert!(said.contains("welcome") && file.exists(), "{} {:?} {host}: {said}", way.profile, way.openssl);
        file
    }
}

#[tokio::test]
async fn a_session_of_one_name_is_resumed_under_no_other_and_without_none() {
    if !is_installed("openssl") {
        return;
    }
    for way in &WAYS {
        let stage = Stage::set(way).await;
        for (host, is_resumed) in
            [(&["-servername", "open.test"][..], true), (&["-servername", "other.test"], false), (&["-noservername"], false)]
        {
            let session = stage.session_of(way, "open.test", None).await;
            let said = stage.openssl(way, host, ("-sess_in", &session), None).await;
            let expected = if is_resumed { "Reused, TLSv1" } else { "New, TLSv1" };
            assert!(said.contains("welcome") && said.contains(expected), "{} {:?} {host:?}: {said}", way.profile, way.openssl);
        }
    }
}

#[tokio::test]
async fn a_session_of_a_host_for_everybody_opens_none_for_partners() {
    if !is_installed("openssl") {
        return;
    }
    for way in &WAYS {
        let stage = Stage::set(way).await;
        let session = stage.session_of(way, "open.test", None).await;
        let said = stage.openssl(way, &["-servername", "closed.test"], ("-sess_in", &session), None).await;
        assert!(!said.contains("welcome") && !said.contains("Reused"), "{} {:?}: {said}", way.profile, way.openssl);
        assert_eq!(stage.gate.lines("log", 2).await[1], "500 tls_failed -", "{} {:?}", way.profile, way.openssl);
        assert_eq!(stage.server.connections(), 1, "only the session that was meant for everybody reached it");
    }
}

#[tokio::test]
async fn a_partners_session_ends_when_nobody_vouches_for_it_any_more() {
    if !is_installed("openssl") {
        return;
    }
    for way in &WAYS {
        let stage = Stage::set(way).await;
        let host = ["-servername", "closed.test"];
        let session = stage.session_of(way, "closed.test", Some(&stage.partner)).await;
        let said = stage.openssl(way, &host, ("-sess_in", &session), Some(&stage.partner)).await;
        assert!(said.contains("welcome") && said.contains("Reused, TLSv1"), "{} {:?}: {said}", way.profile, way.openssl);

        let session = stage.session_of(way, "closed.test", Some(&stage.partner)).await;
        std::fs::copy(Authority::named("another").file(), &stage.partners).unwrap();
        stage.gate.gateway().reread_certificates();
        let before = stage.server.connections();
        let said = stage.openssl(way, &host, ("-sess_in", &session), Some(&stage.partner)).await;
        assert!(!said.contains("welcome") && !said.contains("Reused"), "{} {:?}: {said}", way.profile, way.openssl);
        assert_eq!(stage.server.connections(), before);
    }
}
