//! A stream socket, TCP or unix, with what its ending needs: an orderly end per direction, a reset, and word of
//! the other side's death even while nobody reads.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::session::Peer;

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Reads what is there into the buffer; 0 is the other side's orderly end.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_readable(cx))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(length) if length > 0 && length < buffer.len() => {
                    // The socket is drained: edge-triggered epoll will tell of more, so no call is spent on asking.
                    self.forget_readiness(Interest::READABLE);
                    return Poll::Ready(Ok(length));
                }
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes as much as the socket takes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_writable(cx))?;
            match self.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(length) if length < bytes.len() => {
                    self.forget_readiness(Interest::WRITABLE);
                    return Poll::Ready(Ok(length));
                }
                done => return Poll::Ready(done),
            }
        }
    }

    /// Reads once, as [`Socket::poll_read`].
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Passes a FIN on: nothing more will be written, reading goes on.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }

    /// Makes the coming drop a reset, so that the other side cannot take it for an orderly end. A unix socket
    /// has no reset; its close is all there is.
    pub fn reset_on_drop(&self) {
        if let Self::Tcp(_) = self {
            // A socket that is gone already needs no reset.
            let _ = SockRef::from(self).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Waits until the other side has reset the connection or died, whether or not anybody reads.
    pub async fn broken(&self) {
        let waited = match self {
            Self::Tcp(stream) => stream.ready(Interest::ERROR).await,
            Self::Unix(stream) => stream.ready(Interest::ERROR).await,
        };
        // An error means that the runtime is going away, and the session with it.
        drop(waited);
    }

    /// Takes a socket that another worker accepted into the current runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch one more descriptor.
    pub fn from_descriptor(socket: OwnedFd, client: Peer) -> io::Result<Self> {
        Ok(match client {
            Peer::Ip(_) => Self::Tcp(TcpStream::from_std(socket.into())?),
            Peer::Unix => Self::Unix(UnixStream::from_std(socket.into())?),
        })
    }

    /// Takes the socket out of its runtime, so that another worker can have it.
    ///
    /// # Errors
    /// When the runtime will not let go of it.
    pub fn into_descriptor(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(stream) => stream.into_std()?.into(),
            Self::Unix(stream) => stream.into_std()?.into(),
        })
    }

    /// The gateway's own address of this connection; nothing for a unix socket.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl Socket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Tells the runtime what is known already: the next attempt would block. A worker's runtime takes events in
    /// on the very thread that runs this, so none can fall in between.
    fn forget_readiness(&self, interest: Interest) {
        let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let forgotten = match self {
            Self::Tcp(stream) => stream.try_io(interest, would_block),
            Self::Unix(stream) => stream.try_io(interest, would_block),
        };
        drop(forgotten);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
