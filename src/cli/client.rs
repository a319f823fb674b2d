//! A client as it is typed: an address with its port or without, or a client of a unix socket.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::address::ListenAddress;
use crate::session::Peer;
use crate::snapshot::Listener;

/// A client; port 0 is one that nobody said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) Peer);

impl Client {
    /// Somebody on this machine, as the listener knows them.
    pub(super) fn of(listener: &Listener) -> Self {
        let is_unix = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self(if listener.addresses.iter().all(is_unix) { Peer::Unix } else { Peer::Ip(here) })
    }
}

impl FromStr for Client {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == UNIX {
            return Ok(Self(Peer::Unix));
        }
        let alone = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0));
        let address = text.parse().or_else(|_| alone());
        address
            .map(|address| Self(Peer::Ip(address)))
            .map_err(|_| "an IP address belongs here, such as 192.0.2.7 or 192.0.2.7:40000, or unix:")
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Peer::Unix => f.write_str(UNIX),
            Peer::Ip(address) if address.port() == 0 => address.ip().fmt(f),
            Peer::Ip(address) => address.fmt(f),
        }
    }
}

/// As `$remote_addr` and rules have it.
const UNIX: &str = "unix:";
