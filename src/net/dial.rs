//! Connecting to servers. A deadline is the caller's business.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::{TcpSocket, UnixStream};

use super::Socket;

/// Connects to a server over TCP, small writes not held back.
///
/// # Errors
/// When the server refuses or cannot be reached, or the machine has no socket to spare.
pub async fn dial_tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    Ok(Socket::Tcp(socket.connect(address).await?))
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
