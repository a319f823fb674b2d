//! Binding UDP listeners. As with TCP an address gets one socket for each worker, and the kernel keeps each client with
//! one of them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Type};

use crate::address::ListenAddress;
use crate::net::listen::prepare;
use crate::net::{BindError, ListenOptions};

/// Binds all sockets of one address. A taken port is noticed although the sockets share it among themselves.
///
/// # Errors
/// When the address is taken, is not this machine's, or may not be bound by this user.
pub fn bind_udp(address: SocketAddr, options: &ListenOptions) -> Result<Vec<OwnedFd>, BindError> {
    let interface = options.interface.clone();
    bind_all(address, options).map_err(|source| BindError { address: ListenAddress::Ip(address), interface, source })
}

fn bind_all(address: SocketAddr, options: &ListenOptions) -> io::Result<Vec<OwnedFd>> {
    let first = udp_socket(address, options)?;
    first.set_reuse_port(options.shares_port)?;
    first.bind(&address.into())?;
    // Only now, as with TCP: who has the port already is noticed by the bind above.
    first.set_reuse_port(options.sockets > 1 || options.shares_port)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..options.sockets {
        let socket = udp_socket(address, options)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound)?;
        sockets.push(socket);
    }
    Ok(sockets.into_iter().map(OwnedFd::from).collect())
}

/// A socket without SO_REUSEADDR, which over UDP would let others take the port away.
fn udp_socket(address: SocketAddr, options: &ListenOptions) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(options.ipv6_only)?;
    }
    prepare(&socket, address, &ListenOptions { keepalive: None, ..options.clone() })?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::local;

    fn options(sockets: usize) -> ListenOptions {
        ListenOptions { sockets, ..ListenOptions::default() }
    }

    #[test]
    fn workers_share_a_port_that_nobody_else_can_take() {
        let first = bind_udp("127.0.0.1:0".parse().unwrap(), &options(3)).unwrap();
        assert_eq!(first.len(), 3);
        let taken = local(&first[0]).unwrap().socket_address().unwrap();
        for sockets in [1, 3] {
            let error = bind_udp(taken, &options(sockets)).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        }
    }
}
