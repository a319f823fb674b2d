//! TLS clients by six hands, each told to ask 127.0.0.1 for a host's page and to verify the host's certificate.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::is_installed;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Curl,
    OpenSsl,
    GnuTls,
    Python,
    Go,
    Rustls,
}

impl Client {
    /// All of them, where everything is required; rustls at least.
    pub(crate) fn installed() -> impl Iterator<Item = Self> {
        [Self::Curl, Self::OpenSsl, Self::GnuTls, Self::Python, Self::Go, Self::Rustls]
            .into_iter()
            .filter(|client| client.program().is_none_or(|program| is_installed(&program)))
    }

    /// The body of `GET /` from `host`, found at a port of 127.0.0.1 and trusted for the sake of the authority in `ca`; or what
    /// the client said when it failed.
    pub(crate) async fn ask(self, host: &str, port: u16, ca: &Path) -> Result<String, String> {
        if matches!(self, Self::Go) {
            // It is built, with Go's library on a new machine, in a time of its own.
            go_client().await;
        }
        let asked = async {
            match self {
                Self::Curl => output_of(curl(host, port, ca)).await,
                Self::OpenSsl => talk(openssl(host, port, ca), host).await,
                Self::GnuTls => talk(gnutls(host, port, ca), host).await,
                Self::Python => output_of(python(host, port, ca)).await,
                Self::Go => body(&output_of(go(host, port, ca).await).await?),
                Self::Rustls => rustls(host, port, ca).await,
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }

    fn program(self) -> Option<String> {
        match self {
            Self::Curl => Some("curl".to_owned()),
            Self::OpenSsl => Some("openssl".to_owned()),
            Self::GnuTls => Some("gnutls-cli".to_owned()),
            Self::Python => Some("python3".to_owned()),
            Self::Go => Some(go_toolchain()),
            Self::Rustls => None,
        }
    }
}

fn curl(host: &str, port: u16, ca: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--resolve", &format!("{host}:{port}:127.0.0.1")]);
    command.arg("--cacert").arg(ca).arg(format!("https://{host}:{port}/"));
    command
}

fn openssl(host: &str, port: u16, ca: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", host, "-servername", host]);
    command.args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"]).arg(ca);
    command
}

fn gnutls(host: &str, port: u16, ca: &Path) -> Command {
    let mut command = Command::new("gnutls-cli");
    command.args(["--sni-hostname", host, "--verify-hostname", host, "--port", &port.to_string(), "--x509cafile"]).arg(ca);
    command.arg("127.0.0.1");
    command
}

fn python(host: &str, port: u16, ca: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(beside("client.py")).args([host, &port.to_string()]).arg(ca);
    command
}

async fn go(host: &str, port: u16, ca: &Path) -> Command {
    let mut command = Command::new(go_client().await);
    command.args([&format!("127.0.0.1:{port}"), host]).env("SSL_CERT_FILE", ca);
    command
}

async fn go_client() -> &'static Path {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    CLIENT.get_or_init(build_go_client).await
}

async fn build_go_client() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let client = scratch.join("go-client");
    let mut command = Command::new(go_toolchain());
    command.arg("build").arg("-o").arg(&client).current_dir(beside("go")).stdin(Stdio::null());
    // The standard library is enough: nothing is fetched, and nothing is kept outside of `target`.
    command.env("GOCACHE", scratch.join("go-cache")).env("GOPATH", scratch.join("go-path"));
    command.envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("CGO_ENABLED", "0")]);
    let output = timeout(BUILD_PATIENCE, command.kill_on_drop(true).output()).await.expect("go builds it in time").unwrap();
    assert!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
    client
}

/// `GO`, as `tests/run` sets it, or the one that is installed.
fn go_toolchain() -> String {
    std::env::var("GO").unwrap_or_else(|_| "go".to_owned())
}

async fn rustls(host: &str, port: u16, ca: &Path) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let told = |error: std::io::Error| error.to_string();

    let socket = TcpStream::connect(("127.0.0.1", port)).await.map_err(told)?;
    let mut session = TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(told)?;
    session.write_all(request(host).as_bytes()).await.map_err(told)?;
    let mut response = String::new();
    session.read_to_string(&mut response).await.map_err(told)?;
    body(&response)
}

async fn output_of(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    heard(output)
}

/// Lets a client that speaks only TLS say HTTP.
async fn talk(mut command: Command, host: &str) -> Result<String, String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    // Kept open until the end: with the end of what they read, these clients close.
    let mut words = process.stdin.take().expect("it was piped two lines above");
    // A client that has refused the certificate no longer reads, and says so itself.
    let _ = words.write_all(request(host).as_bytes()).await;
    let output = process.wait_with_output().await.unwrap();
    drop(words);
    body(&heard(output)?)
}

fn heard(output: std::process::Output) -> Result<String, String> {
    let [heard, complaint] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok(heard) } else { Err(format!("{}: {complaint}{heard}", output.status)) }
}

fn request(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// What follows the head of a response, whatever the client itself said before it.
fn body(heard: &str) -> Result<String, String> {
    let response = heard.find("HTTP/1.1 200").map(|start| &heard[start..]);
    let parts = response.and_then(|response| response.split_once("\r\n\r\n"));
    parts.map(|(_, body)| body.to_owned()).ok_or_else(|| format!("no response: {heard}"))
}

fn beside(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(file)
}

const PATIENCE: Duration = Duration::from_secs(30);
/// Go's own library is built too.
const BUILD_PATIENCE: Duration = Duration::from_secs(300);
