//! Reads a connection's first bytes until they are a whole ClientHello, show that they are none, hit the cap, or
//! time is up. One absolute deadline counts from accept; no byte that trickles in extends it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, timeout_at};

use crate::hello::{Assembler, ClientHello, Malformed, Parse, ServerName};
use crate::net::{Socket, with_scratch};

/// How long and how large a hello may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeekLimits {
    /// `preread_timeout`, from accept.
    pub timeout: Duration,
    /// `preread_buffer_size`: raw bytes, record headers included.
    pub size: usize,
}

/// What the first bytes are: three answers, each routed differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// A hello with a host name.
    Named(ClientHello),
    /// A hello without one, or with an IP address as its name.
    Unnamed(ClientHello),
    /// Not TLS.
    NotTls,
}

/// Why nothing can be routed.
#[derive(Debug, thiserror::Error)]
pub enum PeekError {
    /// The hello is broken.
    #[error("{0}")]
    Malformed(Malformed),
    /// The hello is larger than the cap.
    #[error("larger than preread_buffer_size")]
    TooLarge,
    /// The hello was not whole in time.
    #[error("not whole within preread_timeout")]
    Timeout,
    /// The client closed first.
    #[error("closed before it was whole")]
    Gone,
    /// The client reset the connection.
    #[error("reset before it was whole")]
    Reset(#[source] io::Error),
}

/// Something that first bytes can be read from.
pub trait Source {
    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// When the connection is broken.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;
}

impl Source for Socket {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read(cx, buffer)
    }
}

/// Reads until the first bytes can be told. All that was read is in `read`, whatever the outcome, exactly as it
/// came: what stands behind the hello too.
///
/// # Errors
/// Whenever there is no answer: broken, too large, too slow, or gone.
pub async fn first_bytes(socket: &impl Source, limits: &PeekLimits, accepted: Instant, read: &mut Vec<u8>) -> Result<First, PeekError> {
    let mut assembler = Assembler::new(limits.size);
    let found = timeout_at(accepted + limits.timeout, assemble(socket, &mut assembler)).await;
    *read = assembler.into_raw();
    found.unwrap_or(Err(PeekError::Timeout))
}

async fn assemble(socket: &impl Source, assembler: &mut Assembler) -> Result<First, PeekError> {
    poll_fn(|cx| {
        with_scratch(|scratch| {
            loop {
                let length = match socket.poll_read(cx, scratch) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(PeekError::Reset(error))),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(PeekError::Gone)),
                    Poll::Ready(Ok(length)) => length,
                };
                match assembler.push(&scratch[..length]) {
                    Parse::Incomplete => {}
                    Parse::Complete(hello) if hello.server_name == ServerName::None => return Poll::Ready(Ok(First::Unnamed(hello))),
                    Parse::Complete(hello) => return Poll::Ready(Ok(First::Named(hello))),
                    Parse::NotTls => return Poll::Ready(Ok(First::NotTls)),
                    Parse::Malformed(malformed) => return Poll::Ready(Err(PeekError::Malformed(malformed))),
                    Parse::TooLarge => return Poll::Ready(Err(PeekError::TooLarge)),
                }
            }
        })
    })
    .await
}

#[cfg(test)]
mod tests;
