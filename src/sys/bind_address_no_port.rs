//! IP_BIND_ADDRESS_NO_PORT (ip(7)): a bind to an address that leaves the choice of the port to the connect, so that
//! connections to different servers can share one. socket2 and rustix have no call for it.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Makes a bind to port 0 choose no port yet. It holds for both families.
///
/// # Errors
/// When it is no IP socket.
pub fn set_bind_address_no_port(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the descriptor is open for the whole call since it is borrowed; `on` lives on this stack frame for the
    // whole call, and `length` is its very size; setsockopt(2) only reads from it.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, (&raw const on).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::SocketAddr;

    #[test]
    fn a_bind_chooses_no_port() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            set_bind_address_no_port(&socket).unwrap();
            socket.bind(&address.into()).unwrap();
            assert_eq!(socket.local_addr().unwrap().as_socket().unwrap(), address);
        }
    }

    #[test]
    fn a_unix_socket_has_no_ports() {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        assert!(set_bind_address_no_port(&socket).is_err());
    }
}
