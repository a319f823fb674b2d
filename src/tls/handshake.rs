//! The handshake, by tokio-rustls over a socket that stays whose it is. On a client's side rustls is given the very bytes that
//! the peek has read, then what the socket has. One deadline holds for all of it.

use std::cell::OnceCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, timeout};

use crate::net::Socket;

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

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        if let Some(failed) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::Failed(failed.clone());
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Gone,
            _ => Self::Broken(error),
        }
    }
}

/// A socket on loan to tokio-rustls, which gives it back with the connection.
pub(super) struct Wire<'s> {
    socket: &'s Socket,
    /// What was wrong with what was read before: there is nothing more to read then.
    failed: Option<&'s OnceCell<rustls::Error>>,
    /// What was sent first, as far as somebody may want to know it.
    pub(super) first_sent: Vec<u8>,
}

impl<'s> Wire<'s> {
    pub(super) fn to(socket: &'s Socket) -> Self {
        Self { socket, failed: None, first_sent: Vec::new() }
    }

    /// Of whom something was read before, in which something may be found to be wrong.
    pub(super) fn after(socket: &'s Socket, failed: &'s OnceCell<rustls::Error>) -> Self {
        Self { failed: Some(failed), ..Self::to(socket) }
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(failed) = self.failed.and_then(OnceCell::get) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, failed.clone())));
        }
        let length = ready!(self.socket.poll_read(cx, buffer.initialize_unfilled()))?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.as_mut().poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent = ready!(self.socket.poll_write_vectored(cx, bytes))?;
        let more = SEEN.saturating_sub(self.first_sent.len()).min(sent);
        self.first_sent.extend(bytes.iter().flat_map(|part| part.iter()).take(more));
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown_write())
    }
}

/// Gives a connection what was read of it before. When something is wrong with it, an alert waits to be sent.
pub(super) fn feed(connection: &mut ServerConnection, mut read: &[u8]) -> Result<(), rustls::Error> {
    while !read.is_empty() {
        // Reading from memory fails only where rustls will take no more.
        let taken = connection.read_tls(&mut read).map_err(|error| rustls::Error::General(error.to_string()))?;
        if taken == 0 {
            // Behind an end rustls takes no more, and would be asked for ever.
            return Ok(());
        }
        connection.process_new_packets()?;
    }
    Ok(())
}

/// What becomes of a handshake within its time.
pub(super) async fn within<T>(limit: Duration, handshake: impl Future<Output = io::Result<T>>) -> Result<T, HandshakeError> {
    Ok(timeout(limit, handshake).await.map_err(|_| HandshakeError::Timeout(limit))??)
}

/// How much of what is sent first somebody may want to know: a ServerHello up to its session id (RFC 5246 §7.4.1.3).
const SEEN: usize = 76;
