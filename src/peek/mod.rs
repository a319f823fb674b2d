//! Reads a connection's first bytes until they are a whole ClientHello, show that they are none, hit the cap, or
//! time is up. One absolute deadline counts; no byte that trickles in extends it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, timeout_at};

use crate::hello::{Assembler, ClientHello, Malformed, Parse, ServerName};
use crate::net::{Socket, with_scratch};

/// How long and how large a hello may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeekLimits {
    /// `preread_timeout`, from accept, or from the end of a PROXY header.
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

/// Reads until the first bytes can be told, which begin with what is in `read` already. All that was read is in there
/// afterwards, whatever the outcome, exactly as it came: what stands behind the hello too. The time counts from `began`.
///
/// # Errors
/// Whenever there is no answer: broken, too large, too slow, or gone.
pub async fn first_bytes(socket: &impl Source, limits: &PeekLimits, began: Instant, read: &mut Vec<u8>) -> Result<First, PeekError> {
    let mut assembler = Assembler::new(limits.size);
    let found = timeout_at(began + limits.timeout, assemble(socket, &mut assembler, read)).await;
    *read = assembler.into_raw();
    found.unwrap_or(Err(PeekError::Timeout))
}

async fn assemble(socket: &impl Source, assembler: &mut Assembler, before: &[u8]) -> Result<First, PeekError> {
    if let Some(told) = told(assembler, before) {
        return told;
    }
    poll_fn(|cx| {
        with_scratch(|scratch| {
            loop {
                let length = match socket.poll_read(cx, scratch) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(PeekError::Reset(error))),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(PeekError::Gone)),
                    Poll::Ready(Ok(length)) => length,
                };
                if let Some(told) = told(assembler, &scratch[..length]) {
                    return Poll::Ready(told);
                }
            }
        })
    })
    .await
}

/// What the first bytes are, if these tell it.
fn told(assembler: &mut Assembler, bytes: &[u8]) -> Option<Result<First, PeekError>> {
    Some(match assembler.push(bytes) {
        Parse::Incomplete => return None,
        Parse::Complete(hello) if hello.server_name == ServerName::None => Ok(First::Unnamed(hello)),
        Parse::Complete(hello) => Ok(First::Named(hello)),
        Parse::NotTls => Ok(First::NotTls),
        Parse::Malformed(malformed) => Err(PeekError::Malformed(malformed)),
        Parse::TooLarge => Err(PeekError::TooLarge),
    })
}

#[cfg(test)]
mod tests;
