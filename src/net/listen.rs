//! Binding listeners. An address gets one socket for each worker (SO_REUSEPORT), so that the kernel spreads the
//! connections and no worker waits for another; a unix socket, or `reuse_port = false`, gets a single one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use super::reactor::{Ready, Registration};
use crate::address::ListenAddress;
use crate::session::Peer;
use crate::sys::set_defer_accept;

/// How to bind the sockets of one address.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// How many sockets share the address: the number of workers, or one.
    pub sockets: usize,
    /// Connections that may wait to be accepted, per socket (nginx's `backlog`).
    pub backlog: u32,
    /// Whether an IPv6 wildcard leaves IPv4 alone (nginx's `ipv6only`).
    pub ipv6_only: bool,
    /// Whether the kernel holds a connection back until its first bytes are there (nginx's `deferred`).
    pub defer_accept: bool,
    /// Whether another listener of this gateway has the same port on a wildcard, so that the kernel must be told
    /// from the start that the port is shared.
    pub shares_port: bool,
}

/// A listening socket that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", explain(.source, .address))]
pub struct BindError {
    /// The address as written.
    pub address: ListenAddress,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Binds all sockets of one address. A taken port is noticed although the sockets share it among themselves.
///
/// # Errors
/// When the address is taken, is not this machine's, or may not be bound by this user.
pub fn bind(address: &ListenAddress, options: &ListenOptions) -> Result<Vec<OwnedFd>, BindError> {
    let bound = match address {
        ListenAddress::Ip(ip) => bind_tcp(*ip, options),
        ListenAddress::Unix(path) => bind_unix(path, options).map(|socket| vec![socket]),
    };
    bound.map_err(|source| BindError { address: address.clone(), source })
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Vec<OwnedFd>> {
    let first = tcp_socket(address, options)?;
    first.set_reuse_port(options.shares_port)?;
    first.bind(&address.into())?;
    // Only now: a port that another process has is noticed by the bind above, and the ones below can share it.
    first.set_reuse_port(options.sockets > 1 || options.shares_port)?;
    // Port 0 became a real one; the others must bind to that.
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..options.sockets {
        let socket = tcp_socket(options_address(&address)?, options)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address)?;
        sockets.push(socket);
    }
    for socket in &sockets {
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        if options.defer_accept {
            set_defer_accept(socket, DEFER)?;
        }
    }
    Ok(sockets.into_iter().map(OwnedFd::from).collect())
}

fn tcp_socket(address: SocketAddr, options: &ListenOptions) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(options.ipv6_only)?;
    }
    Ok(socket)
}

fn options_address(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::other("a TCP socket has an address of another family"))
}

/// A socket file that nobody listens on any more is left over from a process that died, and is replaced.
fn bind_unix(path: &Path, options: &ListenOptions) -> io::Result<OwnedFd> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && matches!(UnixStream::connect(path), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    // The standard library chose a backlog of its own; listening again only changes it.
    SockRef::from(&listener).listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(listener.into())
}

/// A listening socket on a worker's thread.
#[derive(Debug)]
pub struct Acceptor {
    // In this order, as in [`Socket`].
    descriptor: OwnedFd,
    registration: Registration,
}

impl Acceptor {
    /// Takes a bound socket onto this thread.
    ///
    /// # Errors
    /// When one more descriptor cannot be watched.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        Ok(Self { registration: Registration::new(&descriptor, &[Ready::Write])?, descriptor })
    }

    /// Waits for a connection. What comes is on no thread yet, so that any worker can have it.
    ///
    /// # Errors
    /// As accept(2): the machine or the process may be out of descriptors.
    pub async fn accept(&self) -> io::Result<(OwnedFd, Peer)> {
        loop {
            poll_fn(|cx| self.registration.poll(Ready::Read, cx)).await;
            match self.accept_now() {
                Err(Errno::AGAIN) => self.registration.blocked(),
                // The client was gone before it was accepted (accept(2)): the next one is meant.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                accepted => return Ok(accepted?),
            }
        }
    }

    /// A connection that waits already, if there is one: for the moment before the listener is closed.
    #[must_use]
    pub fn accept_waiting(&self) -> Option<(OwnedFd, Peer)> {
        self.accept_now().ok()
    }

    fn accept_now(&self) -> Result<(OwnedFd, Peer), Errno> {
        let (socket, address) = acceptfrom_with(&self.descriptor, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        Ok((socket, address.and_then(|address| SocketAddr::try_from(address).ok()).map_or(Peer::Unix, Peer::Ip)))
    }
}

/// The address that a bound socket has; port 0 has become a real one.
///
/// # Errors
/// As getsockname(2).
pub fn local(socket: &OwnedFd) -> io::Result<Peer> {
    Ok(SockRef::from(socket).local_addr()?.as_socket().map_or(Peer::Unix, Peer::Ip))
}

/// One sentence with the way out, for the mistakes that are made at a first start.
fn explain(error: &io::Error, address: &ListenAddress) -> String {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => in_the_way(address),
        Some(libc::EACCES) => match address {
            ListenAddress::Ip(ip) => format!(
                "ports below 1024 need root or CAP_NET_BIND_SERVICE (sudo setcap cap_net_bind_service=+ep vestibule), or choose a port such as {}",
                u32::from(ip.port()) + 8000
            ),
            ListenAddress::Unix(path) => format!("this user may not create {}", path.display()),
        },
        Some(libc::EADDRNOTAVAIL) => "this machine has no such address (`ip address` lists those it has)".into(),
        Some(libc::EAFNOSUPPORT) => "this machine has no IPv6; write \"0.0.0.0:PORT\"".into(),
        Some(libc::EMFILE) => {
            "the descriptor limit is reached; raise it (`ulimit -n`, LimitNOFILE=), or set fewer workers: each has a socket of its own"
                .into()
        }
        Some(libc::ENOENT) => "its folder does not exist".into(),
        _ => error.to_string(),
    }
}

/// What has the address already. The kernel has one error for whatever stands at a unix socket's path.
fn in_the_way(address: &ListenAddress) -> String {
    let found = match address {
        ListenAddress::Unix(path) => std::fs::symlink_metadata(path).ok().map(|file| file.file_type()),
        ListenAddress::Ip(_) => None,
    };
    match found {
        Some(kind) if kind.is_dir() => "there is a folder; choose a path in it, or another one".into(),
        Some(kind) if !kind.is_socket() => "there is a file that is no socket; remove it, or choose another path".into(),
        _ => format!("another process listens there ({})", finder(address)),
    }
}

fn finder(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Ip(ip) => format!("`ss -ltnp 'sport = :{}'` shows which; stop it, or choose another port", ip.port()),
        ListenAddress::Unix(path) => format!("`ss -lxp src {}` shows which; stop it, or choose another path", path.display()),
    }
}

/// How long the kernel may hold a silent connection back: about a second, since it counts in retransmissions.
const DEFER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn options(sockets: usize) -> ListenOptions {
        ListenOptions { sockets, backlog: 16, ipv6_only: true, defer_accept: false, shares_port: false }
    }

    fn address(sockets: &[OwnedFd]) -> SocketAddr {
        local(&sockets[0]).unwrap().socket_address().unwrap()
    }

    #[test]
    fn workers_share_a_port_that_nobody_else_can_take() {
        let any = ListenAddress::Ip("127.0.0.1:0".parse().unwrap());
        let first = bind(&any, &options(3)).unwrap();
        assert_eq!(first.len(), 3);
        let taken = ListenAddress::Ip(address(&first));
        for sockets in [1, 3] {
            let error = bind(&taken, &options(sockets)).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains("another process listens there"), "{error}");
        }
    }

    #[test]
    fn a_dead_unix_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let address = ListenAddress::Unix(folder.path().join("gate.sock"));
        let live = bind(&address, &options(1)).unwrap();
        assert!(bind(&address, &options(1)).is_err());
        drop(live);
        assert!(bind(&address, &options(1)).is_ok());
    }

    #[test]
    fn a_file_in_the_way_of_a_unix_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "precious").unwrap();
        let error = bind(&ListenAddress::Unix(path.clone()), &options(1)).unwrap_err().to_string();
        assert!(error.ends_with(": there is a file that is no socket; remove it, or choose another path"), "{error}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
        let error = bind(&ListenAddress::Unix(folder.path().into()), &options(1)).unwrap_err().to_string();
        assert!(error.ends_with(": there is a folder; choose a path in it, or another one"), "{error}");
    }
}
