//! Clients that mean no good, and a scanner, at a listener that ends TLS: the script beside this runs them and knows what
//! they may find.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Authority, Gate, is_installed};

#[tokio::test]
async fn scanners_find_nothing_that_is_not_allowed() {
    if !is_installed("testssl") || !is_installed("python3") {
        return;
    }
    let Some(tlslite) = std::env::var_os("TLSLITE") else {
        let required = std::env::var_os("VESTIBULE_TEST_PEERS").is_some_and(|value| value == "required");
        assert!(!required, "TLSLITE names no folder with tlslite-ng: tests/run makes one");
        return;
    };
    let authority = Authority::new();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(serve(server));
    let profile = authority.profile("public", &["localhost"], "alpn = [\"http/1.1\"]");
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [routes.map.hosts.localhost]\nupstream = \"{address}\"\nterminate = \"public\"\n{profile}"
    ));

    let reports = tempfile::tempdir().unwrap();
    let mut scan = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/scan/scan"));
    scan.args(["127.0.0.1", &gate.address("https").port().to_string(), "localhost"]).arg(authority.file()).arg(reports.path());
    scan.env("PYTHONPATH", tlslite).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).kill_on_drop(true);
    let scanned = timeout(PATIENCE, scan.output()).await.expect("a scan comes to its end").unwrap();
    let [found, complaints] = [scanned.stdout, scanned.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(scanned.status.success(), "{found}{complaints}");
    assert!(found.contains("testssl: cert_revocation"), "a scan that finds not even this has not looked: {found}");
}

/// Answers a request of HTTP, and any other line with itself.
async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that goes away is nothing to complain of.
        tokio::spawn(async { answer(stream).await.ok() });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut is_http = false;
    while reader.read_until(b'\n', &mut line).await? > 0 {
        is_http |= line.ends_with(b" HTTP/1.1\r\n") || line.ends_with(b" HTTP/1.0\r\n");
        if is_http && line == b"\r\n" {
            return writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n").await;
        }
        if !is_http {
            writer.write_all(&line).await?;
        }
        line.clear();
    }
    Ok(())
}

/// testssl.sh makes some 200 connections, with a process for each.
const PATIENCE: Duration = Duration::from_secs(900);
