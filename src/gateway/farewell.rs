//! The last that a client hears: an alert, an orderly end, or a reset. It is said after the session's line is written.

use std::future::poll_fn;
use std::pin::pin;

use tokio::time::{Duration, timeout};

use super::client::Client;
use super::worker::Worker;
use crate::net::{Socket, Stream, with_scratch};
use crate::session::{CloseReason, Farewell, Hello, Side, alert};
use crate::tls::{Layer, TlsStream};

/// Tells the client how its session ended; what is left to do is to close the connection.
pub(super) async fn say(client: &Client<'_>, reason: CloseReason, hello: Option<Hello>, worker: &Worker) {
    let socket = client.socket;
    match (reason.farewell(), client.tls()) {
        (Farewell::Reset, _) => socket.reset_on_drop(),
        // Where TLS ends here nothing more is said in the clear, and rustls has said what is wrong with a client.
        (_, Some(tls)) => Box::pin(end_tls(tls, socket, reason, worker)).await,
        // Who does not speak TLS, as far as anybody has looked, has no use for an alert.
        (Farewell::Alert(_), None) if matches!(hello, None | Some(Hello::NotTls)) => end_in_order(socket, &[]).await,
        (Farewell::Alert(number), None) => end_in_order(socket, &alert::record(number)).await,
        (Farewell::Close, None) if lingers(reason) => end_in_order(socket, &[]).await,
        (Farewell::Close, None) => {}
    }
}

/// Whether the client may still be sending, as it may when its server ended first and there is no half close, or in the
/// middle of a handshake that has failed. Closing on unread bytes would be a reset, which takes from the client what was
/// sent to it last.
fn lingers(reason: CloseReason) -> bool {
    reason.side() != Side::Client || matches!(reason, CloseReason::NotTls | CloseReason::TlsFailed(_) | CloseReason::CertificateRefused)
}

async fn end_in_order(client: &Socket, last_words: &[u8]) {
    let said = async {
        client.write_all(last_words).await?;
        client.shutdown_write()?;
        drain(client).await
    };
    // A client that is gone already hears nothing; that is no concern of ours any more.
    let _ = timeout(LINGER, said).await;
}

/// Ends TLS in order. The end stands behind all that the client has still to take, so it may be slow to take it; unlike
/// a FIN the kernel cannot send it when we are gone.
async fn end_tls(client: TlsStream<'_>, socket: &Socket, reason: CloseReason, worker: &Worker) {
    let told = pin!(timeout(SLOW, poll_fn(|cx| client.poll_end(cx))));
    if let Ok(Ok(Ok(()))) = worker.unless_stopped(told).await
        && reason != CloseReason::ClientClosed
    {
        let _ = timeout(LINGER, drain(socket)).await;
    }
}

/// Ends TLS with a server in order, which may be as slow to take it.
pub(super) async fn end_server(socket: &Socket, tls: &Layer, worker: &Worker) {
    let tls = tls.over(socket);
    // A server that is gone hears nothing, and one that takes nothing is told by the close of what it missed.
    let _ = worker.unless_stopped(pin!(timeout(SLOW, poll_fn(|cx| tls.poll_end(cx))))).await;
}

/// Reads and forgets what still comes, within bounds.
async fn drain(client: &Socket) -> std::io::Result<()> {
    let mut left = LINGER_BYTES;
    while left > 0 {
        let length = poll_fn(|cx| with_scratch(|scratch| client.poll_read(cx, scratch))).await?;
        if length == 0 {
            break;
        }
        left = left.saturating_sub(length);
    }
    Ok(())
}

/// How long a refused client may take to close its side.
const LINGER: Duration = Duration::from_secs(1);
/// How much it may still send.
const LINGER_BYTES: usize = 256 * 1024;
/// How long a client may take until there is room for the end of its TLS.
const SLOW: Duration = Duration::from_secs(60);
