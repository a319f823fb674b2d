//! Connecting to servers. A deadline is the caller's business.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpStream, UnixStream};

use super::Socket;

/// Connects to a server over TCP, small writes not held back, and sends it the first bytes as soon as it is
/// connected. Returns how many of them it took: maybe none, never an error once there is a connection.
///
/// # Errors
/// When the server refuses or cannot be reached, or the machine has no socket to spare.
pub async fn dial_tcp(address: SocketAddr, first: &[u8]) -> io::Result<(Socket, usize)> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    if first.is_empty() {
        return match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok((Socket::Tcp(stream), 0)),
        };
    }
    loop {
        // A connect that failed says so to the first write, which saves the call that would ask for it.
        match stream.try_write(first) {
            Ok(length) => return Ok((Socket::Tcp(stream), length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) if was_reset(&error) => return Ok((Socket::Tcp(stream), 0)),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a first write failed although there was a connection, since the server reset it at once.
fn was_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Connects to a server on this machine over a unix socket.
///
/// # Errors
/// When nothing listens there, or its queue is full.
pub async fn dial_unix(path: &Path) -> io::Result<Socket> {
    Ok(Socket::Unix(UnixStream::connect(path).await?))
}

/// Whether a call failed because the process or the machine has no descriptor left: our fault, not the server's.
#[must_use]
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
