//! Chromium without a window. It takes a certificate only when it holds the very key it was told to expect.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// The document at `https://host:port/`, at 127.0.0.1, as it stands once the page is loaded; or why there is none.
pub(crate) async fn page(host: &str, port: u16, pin: &str) -> Result<String, String> {
    browse(host, port, pin, &["--dump-dom".to_owned()]).await
}

/// The same over no later version of TLS than this (`tls1.2`, `tls1.3`), with what the browser notes of its connections.
pub(crate) async fn page_and_connections(host: &str, port: u16, pin: &str, version: &str) -> Result<(String, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("net-log.json");
    let what = ["--dump-dom".to_owned(), format!("--ssl-version-max={version}"), format!("--log-net-log={}", notes.display())];
    let page = browse(host, port, pin, &what).await?;
    Ok((page, std::fs::read_to_string(notes).unwrap()))
}

/// A picture of the same page, for somebody to look at.
pub(crate) async fn screenshot(host: &str, port: u16, pin: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{host}.png"));
    // Or the picture of an earlier run would do.
    let _ = std::fs::remove_file(&file);
    browse(host, port, pin, &[format!("--screenshot={}", file.display()), "--window-size=640,320".to_owned()]).await.unwrap();
    let picture = std::fs::read(&file).unwrap();
    assert!(picture.starts_with(b"\x89PNG"), "{} is no picture", file.display());
    file
}

async fn browse(host: &str, port: u16, pin: &str, what: &[String]) -> Result<String, String> {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--ignore-certificate-errors-spki-list={pin}"))
        .arg("--host-resolver-rules=MAP * 127.0.0.1")
        .args(what)
        .arg(format!("https://{host}:{port}/"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("a browser is done within its time").unwrap();
    let [document, complaints] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // Its exit status is 0 for a page that it refused to load.
    let loaded = output.status.success() && !complaints.contains("Page load failed");
    if loaded { Ok(document) } else { Err(complaints) }
}

const PATIENCE: Duration = Duration::from_secs(60);
