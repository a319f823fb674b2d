//! A port that stays the test's own while nobody listens there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

/// A port of an address, bound without listening: connecting is refused, and the system gives it to nobody else. Who
/// asks for it by its number gets it, as servers do that set SO_REUSEADDR.
pub struct OwnPort {
    pub address: SocketAddr,
    sockets: Vec<Socket>,
}

impl OwnPort {
    /// This one of 127.0.0.1, or with 0 any.
    pub fn take(port: u16) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, port).into()).unwrap()
    }

    /// The same of any address of this machine; an error if it is taken.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address, Type::STREAM)?;
        Ok(Self { address: address_of(&socket)?, sockets: vec![socket] })
    }

    /// Any of 127.0.0.1 over TCP and over UDP, where questions are refused too.
    pub fn of_both() -> Self {
        loop {
            let mut both = Self::take(0);
            // The same port may be another's over UDP.
            if let Ok(udp) = bound(both.address, Type::DGRAM) {
                // Connected to itself, it leaves whatever comes to the server that has the port too, if there is one.
                udp.connect(&both.address.into()).unwrap();
                both.sockets.push(udp);
                return both;
            }
        }
    }

    /// Listens there; an error if another does.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address, Type::STREAM)?;
        TcpSocket::from_std_stream(socket.into()).listen(1024)
    }

    /// Takes datagrams there. What comes goes to this one: ours over UDP, if there is one, hears only itself.
    pub fn receive(&self) -> UdpSocket {
        UdpSocket::from_std(bound(self.address, Type::DGRAM).unwrap().into()).unwrap()
    }

    /// Nobody gets it until all tests are over.
    pub fn keep(self) -> SocketAddr {
        let address = self.address;
        std::mem::forget(self);
        address
    }
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn address_of(socket: &Socket) -> io::Result<SocketAddr> {
    Ok(socket.local_addr()?.as_socket().expect("it is one of IP"))
}
