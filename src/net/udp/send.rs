//! Sending a run: a single datagram by the cheapest call there is, several by one call (GSO) where the kernel takes them.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use quinn_udp::Transmit;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg, sendto};

use super::{Offload, Run};

/// Where datagrams go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    pub(super) to: SocketAddr,
    /// The address that they leave from, where the socket has several.
    pub(super) from: Option<IpAddr>,
    /// Whether the socket is connected to them.
    pub(super) is_connected: bool,
}

/// Sends from the front of a run as many as one call takes, and takes them off.
///
/// # Errors
/// As sendmsg(2). Nothing has been taken off then.
pub(super) fn send_some(socket: &OwnedFd, offload: &Offload, run: &mut Run<'_>, destination: Destination) -> io::Result<()> {
    let most = offload.0.max_gso_segments();
    if run.count() > 1 && most > 1 && run.stride() <= SEGMENT {
        let several = run.clone().take(most);
        match transmit(socket, offload, several, destination) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock && !is_of_other_side(&error) => {
                // Not by one call, then; it may be the way to this one that is too narrow.
            }
            Err(error) => return Err(error),
            Ok(()) => {
                run.take(several.count());
                return Ok(());
            }
        }
    }
    let one = run.clone().take(1);
    match destination {
        Destination { is_connected: true, .. } => send(socket, one.bytes(), SendFlags::NOSIGNAL).map(drop).map_err(io::Error::from)?,
        Destination { from: None, to, .. } => sendto(socket, one.bytes(), SendFlags::NOSIGNAL, &to).map(drop).map_err(io::Error::from)?,
        _ => transmit(socket, offload, one, destination)?,
    }
    run.take(1);
    Ok(())
}

/// Sends the first of a run behind a header, to whom the socket is connected, and takes it off.
///
/// # Errors
/// As sendmsg(2). Nothing has been taken off then.
pub(super) fn send_behind(socket: &OwnedFd, header: &[u8], run: &mut Run<'_>) -> io::Result<()> {
    let one = run.clone().take(1);
    let parts = [IoSlice::new(header), IoSlice::new(one.bytes())];
    sendmsg(socket, &parts, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?;
    run.take(1);
    Ok(())
}

fn transmit(socket: &OwnedFd, offload: &Offload, run: Run<'_>, destination: Destination) -> io::Result<()> {
    let segment_size = (run.count() > 1).then_some(run.stride());
    let Destination { to, from, .. } = destination;
    let transmit = Transmit { destination: to, ecn: None, contents: run.bytes(), segment_size, src_ip: from };
    offload.0.try_send(socket.into(), &transmit)
}

/// Whether an error is word of an earlier datagram that did not arrive.
pub(super) fn is_of_other_side(error: &io::Error) -> bool {
    let told = [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::NETUNREACH, Errno::HOSTDOWN, Errno::NOPROTOOPT, Errno::PROTO];
    error.raw_os_error().is_some_and(|number| told.iter().any(|told| told.raw_os_error() == number))
}

/// Larger segments may be too large for the way: what is too large is cut into fragments, but no segment is.
const SEGMENT: usize = 1400;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use rustix::net::sockopt;

    use super::*;
    use crate::net::udp::slots;

    fn bound(address: &str) -> (OwnedFd, SocketAddr) {
        let socket = UdpSocket::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        (socket.into(), address)
    }

    #[test]
    fn a_burst_takes_one_call_on_either_side() {
        let ((sender, _), (receiver, to)) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        let offloads = [&sender, &receiver].map(|socket| Offload::enable(socket).unwrap());
        let bytes: Vec<_> = (0..10_500).map(|at| (at / 1000) as u8).collect();
        let mut run = Run::new(&bytes, 1000);
        send_some(&sender, &offloads[0], &mut run, Destination { to, from: None, is_connected: false }).unwrap();
        assert_eq!(run.count(), 0);
        let mut received = Vec::new();
        let receive = |slots: &mut [io::IoSliceMut<'_>], facts: &mut [_]| offloads[1].0.recv((&receiver).into(), slots, facts);
        slots::receive(usize::MAX, receive, |bytes, facts| received.push((bytes.to_vec(), Run::new(bytes, facts.stride).count()))).unwrap();
        assert_eq!(received, [(bytes, 11)]);
    }

    #[test]
    fn datagrams_that_are_too_large_for_the_way_may_be_cut() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let ((untouched, _), (socket, address)) = (bound(address), bound(address));
            Offload::enable(&socket).unwrap();
            assert_eq!(sockopt::ip_mtu_discover(&socket), sockopt::ip_mtu_discover(&untouched));
            if address.is_ipv6() {
                assert_eq!(sockopt::ipv6_mtu_discover(&socket), sockopt::ipv6_mtu_discover(&untouched));
            }
        }
    }
}
