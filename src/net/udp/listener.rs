//! A UDP socket that listens: datagrams of many clients, each with the address that it was sent to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use socket2::SockRef;

use super::send::{Destination, send_some};
use super::{Offload, Run, slots};
use crate::net::reactor::{Ready, Registration};

/// A listening socket on a worker's thread.
#[derive(Debug)]
pub struct UdpListener {
    // In this order, as in `Socket`.
    descriptor: OwnedFd,
    registration: Registration,
    offload: Offload,
    local: SocketAddr,
}

/// What a client sent.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'b> {
    /// The datagrams.
    pub run: Run<'b>,
    /// The client.
    pub client: SocketAddr,
    /// The address that it wrote to, where the socket has several.
    pub local: Option<IpAddr>,
}

impl UdpListener {
    /// Takes a bound socket onto this thread.
    ///
    /// # Errors
    /// When one more descriptor cannot be watched.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let local = SockRef::from(&descriptor).local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let offload = Offload::enable(&descriptor)?;
        Ok(Self { registration: Registration::new(&descriptor, &[Ready::Write])?, descriptor, offload, local })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What is known of sending several datagrams at once.
    #[must_use]
    pub fn offload(&self) -> &Offload {
        &self.offload
    }

    /// Shows what has come, as much as one call takes, and is ready if there is likely more. If not, all is shown by then.
    ///
    /// # Errors
    /// When the kernel has no memory, and the like. What a client does is none.
    pub fn poll_receive(&self, cx: &mut Context<'_>, mut each: impl FnMut(Arrival<'_>)) -> Poll<io::Result<()>> {
        let is_wildcard = self.local.ip().is_unspecified();
        loop {
            ready!(self.registration.poll(Ready::Read, cx));
            let received = slots::receive(
                usize::MAX,
                |slots, facts| self.offload.0.recv((&self.descriptor).into(), slots, facts),
                |bytes, facts| {
                    let local = facts.dst_ip.filter(|_| is_wildcard);
                    each(Arrival { run: Run::new(bytes, facts.stride), client: facts.addr, local });
                },
            );
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.blocked(),
                Ok(false) => self.registration.drained(),
                Ok(true) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends datagrams to a client, from the address that it wrote to. What was sent is taken off the run, also
    /// while there is no room for the rest.
    ///
    /// # Errors
    /// When the first that is left cannot be sent, however long one waits.
    pub fn poll_send(&self, cx: &mut Context<'_>, run: &mut Run<'_>, to: SocketAddr, from: Option<IpAddr>) -> Poll<io::Result<()>> {
        if to.port() == 0 {
            // There nobody hears (RFC 768), and the kernel's refusal would pass for one of whole bursts, to anybody.
            run.take(run.count());
        }
        // Who wrote to all hears from whom the kernel chooses.
        let from = from.filter(|ip| !ip.is_multicast() && *ip != IpAddr::from([255; 4]));
        let destination = Destination { to, from, is_connected: false };
        while run.count() > 0 {
            // What has been received goes on in the same turn, or would have to be kept.
            ready!(self.registration.poll_uncounted(Ready::Write, cx));
            match send_some(&self.descriptor, &self.offload, run, destination) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.refused(&self.descriptor)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other?,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn who_sends_from_no_port_takes_bursts_from_nobody() {
        let listener = UdpListener::new(UdpSocket::bind("127.0.0.1:0").unwrap().into()).unwrap();
        let before = listener.offload().0.max_gso_segments();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut run = Run::new(b"aabb", 2);
        poll_fn(|cx| listener.poll_send(cx, &mut run, nowhere, None)).await.unwrap();
        assert_eq!((run.count(), listener.offload().0.max_gso_segments()), (0, before));
    }
}
