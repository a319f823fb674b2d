//! A port that stays the test's own while nobody listens there.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1, bound without listening: connecting is refused, and the system gives it to nobody else. Who
/// asks for it by its number gets it, as servers do that set SO_REUSEADDR.
pub struct OwnPort {
    pub address: SocketAddr,
    _socket: TcpSocket,
}

impl OwnPort {
    /// This one, or with 0 any.
    pub fn take(port: u16) -> Self {
        let socket = bound((Ipv4Addr::LOCALHOST, port).into());
        Self { address: socket.local_addr().unwrap(), _socket: socket }
    }

    /// A socket that is bound to it, and may listen if no other does.
    pub fn socket(&self) -> TcpSocket {
        bound(self.address)
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
