//! Binding listeners. An address gets one socket for each worker (SO_REUSEPORT), so that the kernel spreads the
//! connections and no worker waits for another; a unix socket, or `reuse_port = false`, gets a single one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use super::Keepalive;
use super::explain::explain;
use super::reactor::{Ready, Registration};
use super::unix_listener::bind_unix;
use crate::address::ListenAddress;
use crate::session::Peer;
use crate::sys::set_defer_accept;

/// How to bind the sockets of one address.
#[derive(Clone, Debug)]
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
    /// When the kernel asks a silent client whether it is still there (nginx's `so_keepalive`).
    pub keepalive: Option<Keepalive>,
    /// Bytes that the kernel holds for us (nginx's `rcvbuf`); absent is its own choice.
    pub receive_buffer: Option<usize>,
    /// Bytes that the kernel holds for a client (nginx's `sndbuf`).
    pub send_buffer: Option<usize>,
    /// The permissions of a unix socket; absent is what the umask leaves.
    pub mode: Option<u32>,
    /// Whether the address may be one that this machine does not have (IP_FREEBIND).
    pub free_bind: bool,
    /// The only network interface that is listened on (SO_BINDTODEVICE).
    pub interface: Option<Arc<str>>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            sockets: 1,
            backlog: 511,
            ipv6_only: true,
            defer_accept: false,
            shares_port: false,
            keepalive: None,
            receive_buffer: None,
            send_buffer: None,
            mode: None,
            free_bind: false,
            interface: None,
        }
    }
}

/// A listening socket that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", explain(.source, .address, .interface.as_deref()))]
pub struct BindError {
    /// The address as written.
    pub address: ListenAddress,
    /// The only interface that it was to be listened on.
    pub interface: Option<Arc<str>>,
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
        ListenAddress::Unix(path) => bind_unix(path, backlog(options), options.mode).map(|socket| vec![socket]),
    };
    let interface = options.interface.clone().filter(|_| matches!(address, ListenAddress::Ip(_)));
    bound.map_err(|source| BindError { address: address.clone(), interface, source })
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
        socket.listen(backlog(options))?;
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
    prepare(&socket, address, options)?;
    Ok(socket)
}

/// What is to be set before a bind. Accepted sockets inherit what concerns them, which costs nothing for each.
pub(super) fn prepare(socket: &socket2::Socket, address: SocketAddr, options: &ListenOptions) -> io::Result<()> {
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(keepalive) = options.keepalive {
        keepalive.apply(socket)?;
    }
    match address {
        _ if !options.free_bind => {}
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    if let Some(interface) = &options.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    Ok(())
}

fn backlog(options: &ListenOptions) -> i32 {
    i32::try_from(options.backlog).unwrap_or(i32::MAX)
}

fn options_address(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::other("a TCP socket has an address of another family"))
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

/// How long the kernel may hold a silent connection back: about a second, since it counts in retransmissions.
const DEFER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn options(sockets: usize) -> ListenOptions {
        ListenOptions { sockets, backlog: 16, ..ListenOptions::default() }
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

    /// The accepted end of a connection to a listening socket with these options.
    fn accepted(options: &ListenOptions) -> TcpStream {
        let any = ListenAddress::Ip("127.0.0.1:0".parse().unwrap());
        let listening = bind(&any, options).unwrap();
        let _client = TcpStream::connect(address(&listening)).unwrap();
        let listener = TcpListener::from(listening.into_iter().next().unwrap());
        listener.set_nonblocking(false).unwrap();
        listener.accept().unwrap().0
    }

    #[test]
    fn accepted_connections_inherit_what_the_listening_socket_was_given() {
        let keepalive = Keepalive { idle: Some(Duration::from_secs(61)), interval: Some(Duration::from_secs(11)), count: Some(5) };
        let plain = accepted(&options(1));
        let set = ListenOptions { keepalive: Some(keepalive), receive_buffer: Some(40_000), send_buffer: Some(50_000), ..options(1) };
        let set = accepted(&set);
        let (plain, set) = (SockRef::from(&plain), SockRef::from(&set));
        assert!(!plain.keepalive().unwrap() && set.keepalive().unwrap());
        assert_eq!(set.tcp_keepalive_time().unwrap(), Duration::from_secs(61));
        assert_eq!(set.tcp_keepalive_interval().unwrap(), Duration::from_secs(11));
        assert_eq!(set.tcp_keepalive_retries().unwrap(), 5);
        // The kernel counts its own bookkeeping in, and so doubles what it is told (socket(7)).
        assert_eq!(set.recv_buffer_size().unwrap(), 80_000);
        assert_eq!(set.send_buffer_size().unwrap(), 100_000);
    }

    #[test]
    fn an_address_that_this_machine_does_not_have_can_be_bound_freely() {
        for written in ["192.0.2.77:0", "[2001:db8::77]:0"] {
            let address = ListenAddress::Ip(written.parse().unwrap());
            let error = bind(&address, &options(1)).unwrap_err().to_string();
            assert!(error.contains("`free_bind = true`"), "{error}");
            bind(&address, &ListenOptions { free_bind: true, ..options(2) }).unwrap();
        }
    }

    #[test]
    fn an_interface_that_is_not_there_is_told() {
        let any = ListenAddress::Ip("127.0.0.1:0".parse().unwrap());
        let error = bind(&any, &ListenOptions { interface: Some("nosuch0".into()), ..options(1) }).unwrap_err().to_string();
        // Newer kernels say so to everybody, older ones only to those who might bind to one.
        let known = ["this machine has no network interface \"nosuch0\"", "`interface` needs root or CAP_NET_RAW"];
        assert!(known.iter().any(|known| error.contains(known)), "{error}");
        let loopback = bind(&any, &ListenOptions { interface: Some("lo".into()), ..options(1) });
        if let Ok(sockets) = loopback {
            let bound = SockRef::from(&sockets[0]).device().unwrap();
            assert_eq!(bound.as_deref(), Some(&b"lo"[..]));
        }
    }
}
