//! `vestibule demo`: the gateway on the example `routes.toml`, real HTTPS servers behind it, and what to try.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::demo_certificates::Certificates;
use super::{Failure, print, run};
use crate::config;
use crate::gateway::Gateway;
use crate::log;
use crate::net::{ListenOptions, bind};
use crate::snapshot::Snapshot;

pub(super) fn demo() -> Result<(), Failure> {
    let loaded = config::parse("routes.toml", EXAMPLE, &[], []).map_err(Failure::Configuration)?;
    let snapshot = Snapshot::compile(loaded).map_err(Failure::Configuration)?;
    let own_log = log::start(&snapshot.log).map_err(Failure::run)?;
    let certificates = Certificates::in_folder(Path::new(CERTIFICATES)).map_err(Failure::run)?;
    certificates.make(SERVERS).map_err(Failure::run)?;
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(Failure::run)?;
    servers.block_on(start_servers(&snapshot, &certificates))?;
    run::serve(&snapshot, &own_log, |gateway| greet(gateway, &certificates.ca()))
}

/// Starts a server on each address that the example's upstreams name.
async fn start_servers(snapshot: &Snapshot, certificates: &Certificates) -> Result<(), Failure> {
    for upstream in snapshot.upstreams() {
        let (chain, key) = certificates.load(upstream.name()).map_err(Failure::run)?;
        let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(Failure::run)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        for address in upstream.lines().iter().filter_map(|line| line.address.socket_address()) {
            let listener = listen(address)?;
            tokio::spawn(serve(listener, acceptor.clone(), format!("{} ({address})", upstream.name())));
        }
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let options = ListenOptions { backlog: 128, ..ListenOptions::default() };
    let sockets = bind(&crate::address::ListenAddress::Ip(address), &options).map_err(Failure::run)?;
    let socket = sockets.into_iter().next().ok_or_else(|| Failure::run("no socket was bound"))?;
    TcpListener::from_std(socket.into()).map_err(Failure::run)
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, name: String) {
    let name: Arc<str> = name.into();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, tls.clone(), name.clone()));
    }
}

/// Answers a request with the server's own name and closes, so that the session's line is there at once. A client that
/// misbehaves is let go.
async fn answer(stream: TcpStream, tls: TlsAcceptor, name: Arc<str>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(page(&request, &name))));
    let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    let Ok(served) = connection.without_shutdown().await else { return };
    let mut stream = served.io.into_inner();
    // Closing before the client has said its last would be a reset.
    let end = async { stream.shutdown().await.and(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await) };
    let _ = timeout(LINGER, end).await;
}

fn page(request: &Request<Incoming>, name: &str) -> Response<Full<Bytes>> {
    let host = request.headers().get(hyper::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("no host");
    let text = format!("You asked for {host}. This is {name}.\n");
    Response::new(Full::new(text.into()))
}

/// Says where the gateway is and what can be pasted.
fn greet(gateway: &Gateway, ca: &Path) -> Result<(), Failure> {
    let port = gateway.addresses("https").find_map(|address| address.port()).unwrap_or_default();
    let ca = ca.display();
    let secure = TRY.map(|(host, what)| (format!("curl --cacert {ca} https://{host}:{port}/"), what));
    let plain = (format!("curl -i http://127.0.0.1:{port}/"), "not TLS: told where to go");
    let all: Vec<_> = secure.into_iter().chain([plain]).collect();
    let width = all.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
    let lines: String = all.iter().map(|(line, what)| format!("  {line:width$}  # {what}\n")).collect();
    print(&format!(
        "vestibule stands before 7 HTTPS servers. In another terminal, in this folder:\n\n{lines}\n\
         One line per session follows; Ctrl-C ends it.\n\n"
    ))
}

/// What to try, and what it shows.
const TRY: [(&str, &str); 6] = [
    ("shop.demo.localhost", "an exact name"),
    ("a.shop.demo.localhost", "a wildcard"),
    ("api.demo.localhost", "a guard on the client's address"),
    ("blue.apps.demo.localhost", "a pattern with a capture"),
    ("else.demo.localhost", "the default"),
    ("old.demo.localhost", "refused with a TLS alert"),
];

/// Where the demo keeps its certificates. Not `certs/` itself, where people have their own.
const CERTIFICATES: &str = "certs/demo";

/// How long a client may take to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// The servers' certificates, by upstream, with the names each is good for.
const SERVERS: &[(&str, &[&str])] = &[
    ("shop", &["shop.demo.localhost", "*.shop.demo.localhost"]),
    ("api", &["api.demo.localhost"]),
    ("app_blue", &["blue.apps.demo.localhost"]),
    ("app_green", &["green.apps.demo.localhost"]),
    ("welcome", &["*.demo.localhost"]),
];

/// The top-level `routes.toml`.
const EXAMPLE: &str = include_str!("../../routes.toml");
