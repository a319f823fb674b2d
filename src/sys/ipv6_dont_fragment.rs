//! IPV6_DONTFRAG (RFC 3542 §11.2): whether a datagram that is too large for the way is refused. socket2 and rustix have
//! no call for it.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Lets the datagrams of an IPv6 socket be cut into fragments where they are too large.
///
/// # Errors
/// When it is no IPv6 socket.
pub fn allow_ipv6_fragments(socket: impl AsFd) -> io::Result<()> {
    let off: libc::c_int = 0;
    let length = size_of_val(&off) as libc::socklen_t;
    // SAFETY: the descriptor is open for the whole call since it is borrowed; `off` lives on this stack frame for the
    // whole call, and `length` is its very size; setsockopt(2) only reads from it.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, (&raw const off).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[test]
    fn only_ipv6_has_it() {
        let socket = |domain| Socket::new(domain, Type::DGRAM, None).unwrap();
        assert!(allow_ipv6_fragments(socket(Domain::IPV6)).is_ok());
        assert!(allow_ipv6_fragments(socket(Domain::UNIX)).is_err());
    }
}
