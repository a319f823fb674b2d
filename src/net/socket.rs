//! A stream socket, TCP or unix, with what its ending needs: an orderly end per direction, a reset, and word of
//! the other side's death even while nobody reads.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown, sockopt};

use super::Stream;
use super::reactor::{Ready, Registration};
use crate::session::Peer;

/// Whether a client's first bytes are there when it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// They are, as a rule: the kernel has waited for them.
    Waiting,
    /// Nobody knows.
    ToCome,
}

/// A connected stream socket.
#[derive(Debug)]
pub struct Socket {
    // In this order: a row of the reactor may be used again only when its descriptor is closed.
    descriptor: OwnedFd,
    registration: Registration,
    is_tcp: bool,
}

impl Socket {
    /// Takes an accepted socket onto this thread, which is to [`drive`](super::drive) its sockets. The socket does not
    /// block. Where its first bytes are likely there already, they are asked for at once.
    ///
    /// # Errors
    /// When one more socket cannot be watched.
    pub fn accepted(descriptor: OwnedFd, client: Peer, first_bytes: FirstBytes) -> io::Result<Self> {
        let ready: &[Ready] = match first_bytes {
            FirstBytes::Waiting => &[Ready::Write, Ready::Read],
            FirstBytes::ToCome => &[Ready::Write],
        };
        Self::new(descriptor, client, ready)
    }

    /// Takes a socket onto this thread whose connect is under way.
    pub(super) fn connecting(descriptor: OwnedFd, server: Peer) -> io::Result<Self> {
        Self::new(descriptor, server, &[])
    }

    fn new(descriptor: OwnedFd, other: Peer, ready: &[Ready]) -> io::Result<Self> {
        let registration = Registration::new(&descriptor, ready)?;
        Ok(Self { descriptor, registration, is_tcp: other != Peer::Unix })
    }

    /// Reads what is there into the buffer; 0 is the other side's orderly end.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.registration.poll(Ready::Read, cx));
            match recv(&self.descriptor, &mut *buffer, RecvFlags::empty()) {
                Err(rustix::io::Errno::AGAIN) => self.registration.blocked(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok((_, length)) => {
                    // Drained: the next edge will tell of more, so no call is spent on asking.
                    if length < buffer.len() {
                        self.registration.drained();
                    }
                    return Poll::Ready(Ok(length));
                }
            }
        }
    }

    /// Has the next read ask the kernel, whether or not there was word of bytes.
    pub fn expect_bytes(&self) {
        self.registration.expect(Ready::Read);
    }

    /// Writes as much as the socket takes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes.len(), || send(&self.descriptor, bytes, SendFlags::NOSIGNAL))
    }

    /// The same with bytes that lie in several places.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_write_vectored(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|part| part.len()).sum();
        self.poll_send(cx, length, || sendmsg(&self.descriptor, bytes, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL))
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        length: usize,
        mut send: impl FnMut() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.registration.poll(Ready::Write, cx));
            match send() {
                Err(rustix::io::Errno::AGAIN) => self.registration.filled(&self.descriptor)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(sent) => {
                    if sent < length {
                        self.registration.filled(&self.descriptor)?;
                    }
                    return Poll::Ready(Ok(sent));
                }
            }
        }
    }

    /// Whether the other side has reset the connection or died, whether or not anybody reads.
    pub fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.registration.poll(Ready::Broken, cx)
    }

    /// Waits until the other side has reset the connection or died.
    pub async fn broken(&self) {
        poll_fn(|cx| self.poll_broken(cx)).await;
    }

    /// Waits until a connect under way has come to an end, good or bad.
    pub(super) async fn connected(&self) {
        poll_fn(|cx| self.registration.poll(Ready::Write, cx)).await;
    }

    /// Writes some of the bytes, as soon as the socket takes any.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write(cx, bytes)).await
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Passes a FIN on: nothing more will be written, reading goes on.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        Ok(shutdown(&self.descriptor, Shutdown::Write)?)
    }

    /// Makes the coming drop a reset, so that the other side cannot take it for an orderly end. A unix socket
    /// has no reset; its close is all there is.
    pub fn reset_on_drop(&self) {
        if self.is_tcp {
            // A socket that is gone already needs no reset.
            let _ = sockopt::set_socket_linger(&self.descriptor, Some(std::time::Duration::ZERO));
        }
    }

    /// The gateway's own address of this connection; nothing for a unix socket.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        rustix::net::getsockname(&self.descriptor).ok().and_then(|address| SocketAddr::try_from(address).ok())
    }
}

/// As it is: what was written is the kernel's to deliver.
impl Stream for Socket {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read(cx, buffer)
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bytes)
    }

    fn poll_flush(&self, _: &mut Context<'_>, _: &mut bool) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_write())
    }

    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_broken(cx)
    }

    fn expect_bytes(&self) {
        self.expect_bytes();
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::net::drive;

    #[tokio::test]
    async fn what_stands_behind_urgent_data_is_read_without_waiting_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, from) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let socket = Socket::accepted(accepted.into(), Peer::Ip(from), FirstBytes::ToCome).unwrap();
        let read = async || {
            let mut buffer = [0; 64];
            let length = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.unwrap();
            buffer[..length].to_vec()
        };
        let reading = async {
            other.write_all(b"first").unwrap();
            assert_eq!(read().await, b"first");
            other.write_all(b"before").unwrap();
            socket2::SockRef::from(&other).send_out_of_band(b"!").unwrap();
            other.write_all(b"behind").unwrap();
            assert_eq!([read().await, read().await], [b"before", b"behind"]);
        };
        tokio::select! {
            read = timeout(Duration::from_secs(20), reading) => read.expect("it is there already"),
            driven = drive() => panic!("{driven:?}"),
        }
    }
}
