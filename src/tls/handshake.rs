//! The handshake, on the very bytes that the peek has read: rustls is given them first, then what the socket has. One
//! deadline holds for all of it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::time::{Duration, timeout};

use super::stream::TlsStream;

/// Why there is no TLS with the other side.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It was not over in time.
    #[error("the TLS handshake was not over within {0:?}")]
    Timeout(Duration),
    /// The other side closed in the middle of it.
    #[error("closed in the middle of the TLS handshake")]
    Gone,
    /// The connection broke.
    #[error("broken in the middle of the TLS handshake: {0}")]
    Broken(#[source] io::Error),
    /// The client's certificate is not good.
    #[error("{0}")]
    Certificate(Box<str>),
    /// The two sides did not come to terms, or the other one broke the rules.
    #[error("{0}")]
    Failed(#[source] rustls::Error),
}

impl TlsStream<'_> {
    /// Goes through the handshake; `first` was read from the socket before. When it fails, the alert that says so is sent
    /// already, as far as the other side takes it.
    ///
    /// # Errors
    /// When the other side fails, breaks, ends or is too slow.
    pub async fn handshake(&self, first: &[u8], limit: Duration) -> Result<(), HandshakeError> {
        if !first.is_empty() {
            self.state().take_in(first, &mut []);
        }
        let done = timeout(limit, poll_fn(|cx| self.poll_handshake(cx)));
        done.await.unwrap_or(Err(HandshakeError::Timeout(limit)))
    }

    fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        let state = &mut *self.state();
        loop {
            let sent = ready!(self.poll_send(cx, state, &mut false));
            // The better reason, also where nobody takes the alert any more.
            if let Some(error) = &state.failed {
                let refusal = state.boundary.as_ref().and_then(|boundary| boundary.refusal());
                return Poll::Ready(Err(match refusal {
                    Some(whose) => HandshakeError::Certificate(whose.into()),
                    None => HandshakeError::Failed(error.clone()),
                }));
            }
            sent.map_err(HandshakeError::Broken)?;
            if !state.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let (length, _) = ready!(self.poll_take_in(cx, state, READ, &mut [])).map_err(HandshakeError::Broken)?;
            if length == 0 {
                return Poll::Ready(Err(HandshakeError::Gone));
            }
        }
    }
}

/// How much is read at once: what stands behind the handshake's last message then fits into what rustls keeps.
const READ: usize = 16 * 1024;
