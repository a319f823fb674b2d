//! A UDP socket that is connected to one server, for one session: it hears nobody else, and it hears when the server's
//! machine says that nobody is there.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use socket2::SockRef;

use super::send::{Destination, is_of_other_side, send_behind, send_some};
use super::{Offload, Run, slots};
use crate::net::reactor::{Ready, Registration};
use crate::net::{DialError, Source, SourceError};

/// A connected socket on a worker's thread.
#[derive(Debug)]
pub struct UdpLink {
    // In this order, as in `Socket`.
    descriptor: OwnedFd,
    registration: Registration,
    server: SocketAddr,
    offload: Offload,
    /// Whether the kernel hands over bursts in one piece.
    coalesces: Cell<bool>,
    /// How much one call takes.
    at_once: Cell<usize>,
    /// What each datagram to the server begins with.
    header: Box<[u8]>,
}

/// Opens a socket for a server. Nothing is sent by this, so that nobody knows yet if it is there.
///
/// # Errors
/// When there is no way to the server, the source cannot be used, or the machine has no socket or port to spare.
pub fn dial_udp(server: SocketAddr, source: Option<Source>) -> Result<OwnedFd, DialError> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::DGRAM, flags, None).map_err(io::Error::from)?;
    if let Some(source) = source {
        source.bind(&socket, server)?;
    }
    match connect(&socket, &server) {
        Ok(()) => Ok(socket),
        // No port is left to send from, to whomever.
        Err(Errno::AGAIN | Errno::ADDRINUSE) => {
            let any = if server.is_ipv4() { SocketAddr::from(([0; 4], 0)) } else { SocketAddr::from(([0_u16; 8], 0)) };
            Err(SourceError::NoPort(source.map_or(any, |source| source.address)).into())
        }
        Err(error) => Err(io::Error::from(error).into()),
    }
}

impl UdpLink {
    /// Takes a socket that was dialled for this server onto this thread.
    ///
    /// # Errors
    /// When one more descriptor cannot be watched, or it is not connected.
    pub fn new(descriptor: OwnedFd, server: SocketAddr, offload: Offload) -> io::Result<Self> {
        // Who is connected to any address is so to one, and hears from that.
        let is_any = server.ip().is_unspecified();
        let connected = if is_any { SockRef::from(&descriptor).peer_addr()?.as_socket() } else { None };
        let server = connected.unwrap_or(server);
        let registration = Registration::new(&descriptor, &[Ready::Write])?;
        Ok(Self {
            descriptor,
            registration,
            server,
            offload,
            coalesces: Cell::new(false),
            at_once: Cell::new(usize::MAX),
            header: Box::default(),
        })
    }

    /// The same, with something that each datagram to the server begins with.
    #[must_use]
    pub fn beginning_with(self, header: Vec<u8>) -> Self {
        Self { header: header.into(), ..self }
    }

    /// From now on datagrams are received one by one.
    pub fn receive_singly(&self) {
        self.at_once.set(1);
    }

    /// The port that it sends from.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        Some(SockRef::from(&self.descriptor).local_addr().ok()?.as_socket()?.port())
    }

    /// Whether an error is word that datagrams do not arrive, rather than something about a single one.
    #[must_use]
    pub fn is_refusal(error: &io::Error) -> bool {
        is_of_other_side(error)
    }

    /// Shows what the server has sent, as much as one call takes, and is ready if there is likely more. If not, all is shown by then.
    ///
    /// # Errors
    /// When word came that an earlier datagram did not arrive.
    pub fn poll_receive(&self, cx: &mut Context<'_>, mut each: impl FnMut(Run<'_>)) -> Poll<io::Result<()>> {
        let mut came = 0;
        loop {
            ready!(self.registration.poll(Ready::Read, cx));
            let received = slots::receive(
                self.at_once.get(),
                |slots, facts| self.offload.0.recv((&self.descriptor).into(), slots, facts),
                |bytes, facts| {
                    came += 1;
                    // One from somebody else may have come before the socket was connected.
                    if facts.addr == self.server {
                        each(Run::new(bytes, facts.stride));
                    }
                },
            );
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.blocked(),
                Ok(is_full) => {
                    if came >= BURST && !self.coalesces.replace(true) {
                        // Not for each socket: it takes a dozen calls, and most sessions see a few datagrams.
                        let _ = Offload::enable(&self.descriptor);
                    }
                    match is_full {
                        true => return Poll::Ready(Ok(())),
                        false => self.registration.drained(),
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends datagrams to the server. What was sent is taken off the run, also while there is no room for the rest.
    ///
    /// # Errors
    /// When the first that is left cannot be sent, or word came that an earlier one did not arrive.
    pub fn poll_send(&self, cx: &mut Context<'_>, run: &mut Run<'_>) -> Poll<io::Result<()>> {
        let destination = Destination { to: self.server, from: None, is_connected: true };
        while run.count() > 0 {
            // What has been received goes on in the same turn: a client's datagrams are lost otherwise.
            ready!(self.registration.poll_uncounted(Ready::Write, cx));
            let sent = match &*self.header {
                [] => send_some(&self.descriptor, &self.offload, run, destination),
                header => send_behind(&self.descriptor, header, run),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.refused(&self.descriptor)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other?,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// So many at once are worth being told in one piece.
const BURST: usize = 8;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn a_burst_of_any_length_goes_in_one_turn_of_a_task() {
        let (server, sender) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let offload = Offload::enable(&sender.into()).unwrap();
        let to = server.local_addr().unwrap();
        let link = UdpLink::new(dial_udp(to, None).unwrap(), to, offload).unwrap().beginning_with(b"from ".to_vec());
        let bytes = [0; 10_000];
        let mut run = Run::new(&bytes, 1);
        let sent = poll_fn(|cx| Poll::Ready(link.poll_send(cx, &mut run))).await;
        assert!(sent.is_ready(), "what is not sent at once is lost, and {} datagrams are left", run.count());
    }
}
