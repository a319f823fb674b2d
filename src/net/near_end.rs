//! The gateway's end of a connection to a server, made ready: its address, and what the kernel does
//! when the server falls silent. Nothing of it is on unless it was asked for, and then costs no call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt;
use socket2::{SockRef, TcpKeepalive};
use tokio::time::Duration;

use crate::sys::set_bind_address_no_port;

/// What the kernel does about a server that falls silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// It asks whether the server is still there.
    pub keepalive: Option<Keepalive>,
    /// It gives the connection up when what was sent stays unacknowledged for so long (TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
}

/// When it asks; each number is the kernel's own where it is absent (tcp(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// After how long a silence it begins.
    pub idle: Option<Duration>,
    /// How long it waits between two questions.
    pub interval: Option<Duration>,
    /// After how many unanswered ones the connection is dead.
    pub count: Option<u32>,
}

/// The address from which a server is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address; with port 0 the kernel chooses one.
    pub address: SocketAddr,
    /// Whether the address may be one that this machine does not have (IP_TRANSPARENT).
    pub transparent: bool,
}

/// Why a server was not dialled from a source. The server has no part in it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The text that was to say it does not.
    #[error("{0:?} is no address")]
    NoAddress(Box<str>),
    /// The server's address is of the other family.
    #[error("{0} is of another family")]
    Family(SocketAddr),
    /// No port of the source is left for this very server.
    #[error("{0} has no port left for this server")]
    NoPort(SocketAddr),
    /// The source cannot be bound to, or not without a privilege.
    #[error("{address} cannot be bound to: {source}")]
    Bind {
        /// The source.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Silence {
    /// Before the connect: whether the kernel asks.
    pub(super) fn ask(&self, socket: &OwnedFd) -> io::Result<()> {
        self.keepalive.map_or(Ok(()), |keepalive| keepalive.apply(socket))
    }

    /// Once connected: when the kernel gives up. Before, it would give the connect up, for which there is another limit.
    pub(super) fn give_up(&self, socket: impl AsFd) -> io::Result<()> {
        if let Some(limit) = self.user_timeout {
            // To the kernel 0 is its own limit, which nobody asked for, and more than 24 days are none.
            let milliseconds = limit.as_millis().clamp(1, i32::MAX as u128);
            sockopt::set_tcp_user_timeout(socket, u32::try_from(milliseconds).unwrap_or(u32::MAX))?;
        }
        Ok(())
    }
}

impl Keepalive {
    /// Has the kernel ask on this socket, and on those that are accepted from it.
    pub(super) fn apply(self, socket: &impl AsFd) -> io::Result<()> {
        let Self { idle, interval, count } = self;
        let times = idle.into_iter().fold(TcpKeepalive::new(), TcpKeepalive::with_time);
        let times = interval.into_iter().fold(times, TcpKeepalive::with_interval);
        // Turns it on, too.
        SockRef::from(socket).set_tcp_keepalive(&count.into_iter().fold(times, TcpKeepalive::with_retries))
    }
}

impl Source {
    /// Binds a socket that is to connect to this server.
    pub(super) fn bind(self, socket: &OwnedFd, server: SocketAddr) -> Result<(), SourceError> {
        if self.address.is_ipv4() != server.is_ipv4() {
            return Err(SourceError::Family(self.address));
        }
        self.try_bind(socket).map_err(|source| SourceError::Bind { address: self.address, source })
    }

    fn try_bind(self, socket: &OwnedFd) -> io::Result<()> {
        if self.transparent {
            set_transparent(socket, self.address.ip())?;
        }
        match self.address.port() {
            0 => set_bind_address_no_port(socket)?,
            // The same port may go to several servers at once, and again to one whose last connection has just ended.
            _ => sockopt::set_socket_reuseaddr(socket, true)?,
        }
        Ok(rustix::net::bind(socket, &self.address)?)
    }

    /// The error of a connect from here that the source is to blame for.
    pub(super) fn is_to_blame(self, error: &io::Error) -> Option<SourceError> {
        matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE)).then_some(SourceError::NoPort(self.address))
    }
}

/// Whether this process may use addresses that the machine does not have; asked with sockets of no further use.
///
/// # Errors
/// When it may not.
pub fn may_be_transparent() -> io::Result<()> {
    for any in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
        let domain = socket2::Domain::for_address((any, 0).into());
        match socket2::Socket::new(domain, socket2::Type::STREAM, None) {
            Ok(socket) => set_transparent(&socket, any)?,
            // A machine without IPv6 has no IPv6 sessions either.
            Err(error) if any.is_ipv6() && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn set_transparent(socket: &impl AsFd, address: IpAddr) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if address.is_ipv4() { socket.set_ip_transparent_v4(true) } else { socket.set_ip_transparent_v6(true) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    fn socket() -> OwnedFd {
        Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().into()
    }

    const SERVER: &str = "127.0.0.1:1";

    #[test]
    fn a_source_without_a_port_leaves_it_to_the_connect() {
        let source = Source { address: "127.0.0.1:0".parse().unwrap(), transparent: false };
        let socket = socket();
        source.bind(&socket, SERVER.parse().unwrap()).unwrap();
        assert_eq!(
            SockRef::from(&socket).local_addr().unwrap().as_socket(),
            Some(source.address),
            "a port is chosen: others cannot share it"
        );
    }

    #[test]
    fn a_port_may_be_bound_to_for_several_servers() {
        let free = Source { address: "127.0.9.1:0".parse().unwrap(), transparent: false };
        let port = std::net::TcpListener::bind(free.address).unwrap().local_addr().unwrap().port();
        let source = Source { address: SocketAddr::new(free.address.ip(), port), ..free };
        let sockets = [socket(), socket()];
        for socket in &sockets {
            source.bind(socket, SERVER.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn no_more_is_set_than_was_asked_for() {
        let numbers = |silence: Silence| {
            let socket = socket();
            silence.ask(&socket).unwrap();
            silence.give_up(&socket).unwrap();
            let set = SockRef::from(&socket);
            let idle_interval = (set.tcp_keepalive_time().unwrap().as_secs(), set.tcp_keepalive_interval().unwrap().as_secs());
            (set.keepalive().unwrap(), idle_interval, set.tcp_keepalive_retries().unwrap(), sockopt::tcp_user_timeout(&socket).unwrap())
        };
        let untouched = numbers(Silence::default());
        assert_eq!((untouched.0, untouched.3), (false, 0));
        let on = Silence { keepalive: Some(Keepalive::default()), ..Silence::default() };
        assert_eq!(numbers(on), (true, untouched.1, untouched.2, 0));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let all = Keepalive { idle: seconds(11), interval: seconds(3), count: Some(4) };
        let silence = Silence { keepalive: Some(all), user_timeout: Some(Duration::from_micros(10)) };
        assert_eq!(numbers(silence), (true, (11, 3), 4, 1), "the shortest time is no time, not the kernel's own");
        let long = Silence { user_timeout: Some(Duration::from_secs(3_000_000)), ..Silence::default() };
        assert_eq!(numbers(long).3, i32::MAX.unsigned_abs());
    }
}
