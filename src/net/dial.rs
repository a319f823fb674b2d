//! Connecting to servers. A deadline is the caller's business.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, ipproto, send, socket_with, sockopt};

use super::{Silence, Socket, Source, SourceError};
use crate::session::Peer;

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The source that was asked for cannot be used for this server, which was not dialled from another one.
    #[error("the source {0}")]
    Source(#[from] SourceError),
    /// The server refuses or cannot be reached, or the machine has no socket to spare.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// Connects to a server over TCP, small writes not held back, and sends it the first bytes as soon as it is
/// connected. Returns how many of them it took: maybe none, never an error once there is a connection.
///
/// # Errors
/// When the server refuses or cannot be reached, the source cannot be used, or the machine has no socket to spare.
pub async fn dial_tcp(address: SocketAddr, first: &[u8], silence: &Silence, source: Option<Source>) -> Result<(Socket, usize), DialError> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, FLAGS, Some(ipproto::TCP)).map_err(io::Error::from)?;
    sockopt::set_tcp_nodelay(&socket, true).map_err(io::Error::from)?;
    silence.ask(&socket)?;
    if let Some(source) = source {
        source.bind(&socket, address)?;
    }
    let connected = match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => finish(socket, Peer::Ip(address), first).await.and_then(|connected| {
            silence.give_up(&connected.0)?;
            Ok(connected)
        }),
        Err(error) => Err(error.into()),
    };
    connected.map_err(|error| match source.and_then(|source| source.is_to_blame(&error)) {
        Some(no_port) => no_port.into(),
        None => error.into(),
    })
}

/// Connects to a server on this machine over a unix socket.
///
/// # Errors
/// When nothing listens there, or its queue is full.
pub async fn dial_unix(path: &Path, first: &[u8]) -> io::Result<(Socket, usize)> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    finish(socket, Peer::Unix, first).await
}

/// Whether a call failed because the process or the machine has no descriptor left, or may watch no more of them
/// (epoll_ctl(2)): our fault, not the server's.
#[must_use]
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSPC))
}

/// Waits for the connection, and sends the first bytes.
async fn finish(socket: OwnedFd, other: Peer, first: &[u8]) -> io::Result<(Socket, usize)> {
    let socket = Socket::connecting(socket, other)?;
    socket.connected().await;
    // A connect that failed says so to the first write, which saves the call that would ask for it.
    let sent = match first {
        [] => sockopt::socket_error(&socket)?.map(|()| 0),
        first => send(&socket, first, SendFlags::NOSIGNAL),
    };
    match sent {
        Ok(length) => Ok((socket, length)),
        // There was a connection, and the server reset it at once: what becomes of that is found out later.
        Err(Errno::CONNRESET | Errno::PIPE | Errno::AGAIN) => Ok((socket, 0)),
        Err(error) => Err(error.into()),
    }
}

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
