//! TCP_DEFER_ACCEPT (tcp(7)): the kernel hands a connection over only when its first bytes are there.
//! socket2 and rustix have no safe call for it.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Makes a listening socket wait for data, for about as long as given (the kernel counts in retransmissions of
/// its SYN-ACK), before a connection can be accepted without.
///
/// # Errors
/// When the socket is not a TCP socket.
pub fn set_defer_accept(listener: impl AsFd, wait: Duration) -> io::Result<()> {
    let seconds = libc::c_int::try_from(wait.as_secs()).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&seconds) as libc::socklen_t;
    // SAFETY: the descriptor is open for the whole call since it is borrowed; `seconds` lives on this stack frame
    // for the whole call, and `length` is its very size; setsockopt(2) only reads from it.
    let result = unsafe {
        libc::setsockopt(listener.as_fd().as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, (&raw const seconds).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_tcp_listeners_can_defer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(set_defer_accept(&listener, Duration::from_secs(1)).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(set_defer_accept(&listener, Duration::from_secs(1)).is_err());
    }
}
