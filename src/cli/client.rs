//! A client's address as it is typed: with its port or without.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A client's address; port 0 is one that nobody said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) SocketAddr);

impl Client {
    /// Somebody on this machine.
    pub(super) const HERE: Self = Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
}

impl FromStr for Client {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alone = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0));
        text.parse().or_else(|_| alone()).map(Self).map_err(|_| "an IP address belongs here, such as 192.0.2.7 or 192.0.2.7:40000")
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.port() == 0 { self.0.ip().fmt(f) } else { self.0.fmt(f) }
    }
}
