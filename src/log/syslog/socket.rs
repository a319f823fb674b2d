//! A socket to a syslog. Nothing here waits.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

/// Connected to a syslog.
#[derive(Debug)]
pub(super) enum Socket {
    Udp(UdpSocket, SocketAddr),
    Datagram(UnixDatagram),
    /// Some listen for these instead, with a newline behind each message.
    Stream(UnixStream),
}

impl Socket {
    /// To another machine.
    pub(super) fn udp(server: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Udp(socket, server))
    }

    /// To a socket of this machine, of whichever sort it is.
    pub(super) fn local(path: &Path) -> io::Result<Self> {
        let datagram = UnixDatagram::unbound()?;
        datagram.set_nonblocking(true)?;
        match datagram.connect(path) {
            Ok(()) => Ok(Self::Datagram(datagram)),
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Ok(Self::Stream(stream))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Udp(..))
    }

    /// Sends a message, whole or not at all.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket, _) => socket.send(message).map(drop),
            Self::Datagram(socket) => socket.send(message).map(drop),
            Self::Stream(stream) => {
                let framed = [message, b"\n"].concat();
                // Of half a message nothing more is said: the stream ends, and the next one begins anew.
                match { stream }.write(&framed)? {
                    length if length == framed.len() => Ok(()),
                    _ => Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
        }
    }
}
