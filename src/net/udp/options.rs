//! What quinn-udp sets on a socket, less what only QUIC wants.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use quinn_udp::UdpSocketState;
use rustix::net::sockopt;
use socket2::SockRef;

use crate::sys::allow_ipv6_fragments;

/// What is known of how the kernel takes several datagrams at once (GSO). It may be shared by sockets.
#[derive(Clone, Debug)]
pub struct Offload(pub(super) Arc<UdpSocketState>);

impl Offload {
    /// Has the kernel hand over datagrams that come in bursts in one piece (GRO), with the address that each was sent to.
    ///
    /// # Errors
    /// When the socket is none of UDP.
    pub(super) fn enable(socket: &OwnedFd) -> io::Result<Self> {
        let is_ipv6 = matches!(SockRef::from(socket).local_addr()?.as_socket(), Some(SocketAddr::V6(_)));
        let before = sockopt::ip_mtu_discover(socket)?;
        let before_ipv6 = if is_ipv6 { Some(sockopt::ipv6_mtu_discover(socket)?) } else { None };
        let state = UdpSocketState::new(socket.into())?;
        // QUIC refuses fragments. Here a datagram that is too large for the way is cut, as by any router.
        sockopt::set_ip_mtu_discover(socket, before)?;
        if let Some(before) = before_ipv6 {
            sockopt::set_ipv6_mtu_discover(socket, before)?;
            allow_ipv6_fragments(socket.as_fd())?;
        }
        Ok(Self(Arc::new(state)))
    }
}
