//! The last that a client hears: an alert, an orderly end, or a reset. It is said after the session's line is written.

use tokio::time::{Duration, timeout};

use crate::net::{Socket, with_scratch};
use crate::session::{CloseReason, Farewell, Hello, Side, alert};

/// Tells the client how its session ended; what is left to do is to close the connection.
pub(super) async fn say(client: &Socket, reason: CloseReason, hello: Option<Hello>) {
    match reason.farewell() {
        // Who does not speak TLS, as far as anybody has looked, has no use for an alert.
        Farewell::Alert(_) if matches!(hello, None | Some(Hello::NotTls)) => end_in_order(client, &[]).await,
        Farewell::Alert(number) => end_in_order(client, &alert::record(number)).await,
        Farewell::Reset => client.reset_on_drop(),
        Farewell::Close if lingers(reason) => end_in_order(client, &[]).await,
        Farewell::Close => {}
    }
}

/// Whether the client may still be sending, as it may when its server ended first and there is no half close.
/// Closing on unread bytes would be a reset, which takes from the client what was sent to it last.
fn lingers(reason: CloseReason) -> bool {
    reason.side() != Side::Client || reason == CloseReason::NotTls
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

/// Reads and forgets what still comes, within bounds.
async fn drain(client: &Socket) -> std::io::Result<()> {
    let mut left = LINGER_BYTES;
    while left > 0 {
        let length = std::future::poll_fn(|cx| with_scratch(|scratch| client.poll_read(cx, scratch))).await?;
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
