//! Addresses as users write them: where to listen, where servers are, which clients a range means.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::host::{Hostname, HostnameError};

/// Where a server is: `10.0.0.1:443`, `[::1]:443`, `web.internal:443` or `unix:/run/web.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A DNS name and a port; it stands for all the name's addresses.
    Name(Hostname, u16),
    /// A DNS name whose SRV records say where servers are. It is not written as such, but made of two keys.
    Service(Hostname),
    /// The path of a unix stream socket.
    Unix(PathBuf),
}

/// Where a listener listens. One that is written `":443"` or with a port range stands for several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 lets the kernel choose.
    Ip(SocketAddr),
    /// The path of a unix stream socket.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `:port` at the end.
    #[error("a port is missing")]
    NoPort,
    /// The port is not a number from 1 (for a server) to 65535.
    #[error("{0:?} is not a port (1 to 65535)")]
    Port(String),
    /// A port range whose end lies before its start.
    #[error("the port range runs backwards")]
    Backwards(u16, u16),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address stands in brackets before its port")]
    Brackets,
    /// What stands before the port looks like an IP address, but is none. No host name ends in a number.
    #[error("{0:?} is no IP address")]
    NotIp(String),
    /// What stands before the port is neither an IP address nor a host name.
    #[error("{0:?} is neither an IP address nor a host name: {1}")]
    Host(String, HostnameError),
    /// A listener needs an IP address of this machine, not a name.
    #[error("a listener needs an IP address of this machine, not the name {0:?}")]
    ListenName(String),
    /// `unix:` with a path that is not absolute, or is too long.
    #[error("a unix socket needs an absolute path of at most 107 bytes")]
    UnixPath,
    /// A scheme such as `https://` stands in front.
    #[error("an address has no scheme and no path")]
    Url,
}

impl AddressError {
    /// What to write instead, given what was written.
    #[must_use]
    pub fn instead(&self, written: &str) -> String {
        match self {
            Self::NoPort if written.parse::<u16>().is_ok() => format!("\"10.0.0.1:{written}\""),
            Self::NoPort if written.bytes().all(|b| b.is_ascii_digit()) => FORMS.into(),
            Self::NoPort if !written.contains(':') || written.starts_with('[') => format!("\"{written}:443\""),
            Self::Backwards(first, last) => format!("\"{}:{last}-{first}\"", written.rsplit_once(':').map_or("", |(host, _)| host)),
            Self::Brackets => in_brackets(written),
            Self::Url if written.starts_with('/') => format!("\"unix:{written}\""),
            Self::Url => {
                let (scheme, bare) = written.split_once("://").unwrap_or(("", written));
                let bare = bare.split('/').next().unwrap_or(bare);
                let port = if scheme == "http" { 80 } else { 443 };
                if bare.contains(':') { format!("\"{bare}\"") } else { format!("\"{bare}:{port}\"") }
            }
            Self::UnixPath => "\"unix:/run/name.sock\"".into(),
            Self::ListenName(_) => LISTEN_FORMS.into(),
            Self::NoPort | Self::Port(_) | Self::NotIp(_) | Self::Host(..) => FORMS.into(),
        }
    }
}

impl AddressError {
    /// What a listener would take instead, given what was written: no names.
    #[must_use]
    pub fn instead_to_listen(&self, written: &str) -> String {
        let instead = self.instead(written);
        let is_taken = matches!(self, Self::Brackets) || ListenAddress::parse(instead.trim_matches('"')).is_ok();
        if is_taken { instead } else { LISTEN_FORMS.into() }
    }
}

impl Address {
    /// Reads a server's address.
    ///
    /// # Errors
    /// When it is none of the forms above.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = unix_path(text) {
            return path.map(Self::Unix);
        }
        let (host, port) = host_and_port(text)?;
        let port = port.parse::<u16>().ok().filter(|&port| port > 0 && digits(text)).ok_or_else(|| AddressError::Port(port.into()))?;
        match ip(host)? {
            Some(ip) => Ok(Self::Ip(SocketAddr::new(ip, port))),
            None if ends_in_a_number(host) => Err(AddressError::NotIp(host.into())),
            None => Ok(Self::Name(Hostname::parse(host).map_err(|error| AddressError::Host(host.into(), error))?, port)),
        }
    }
}

impl Address {
    /// The IP address and port, if it is one.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name(..) | Self::Service(_) | Self::Unix(_) => None,
        }
    }

    /// Whether it stands for whatever addresses DNS says.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Name(..) | Self::Service(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Service(name) => name.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ListenAddress {
    /// Reads where to listen: `"0.0.0.0:443"`, `"[::1]:443"`, `":443"` or `"*:443"` for both families, `"127.0.0.1:7000-7009"`, `"unix:/path"`.
    ///
    /// # Errors
    /// When it is none of these, or a port range runs backwards.
    pub fn parse(text: &str) -> Result<Vec<Self>, AddressError> {
        if let Some(path) = unix_path(text) {
            return path.map(|path| vec![Self::Unix(path)]);
        }
        let (host, ports) = host_and_port(text)?;
        let port = |text: &str| text.parse::<u16>().ok().filter(|_| digits(text)).ok_or_else(|| AddressError::Port(text.into()));
        let (first, last) = match ports.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(ports)?, port(ports)?),
        };
        if last < first {
            return Err(AddressError::Backwards(first, last));
        }
        let ips = match host {
            "" | "*" => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            _ => vec![ip(host)?.ok_or_else(|| AddressError::ListenName(host.into()))?],
        };
        Ok((first..=last).flat_map(|port| ips.iter().map(move |&ip| Self::Ip(SocketAddr::new(ip, port)))).collect())
    }
}

impl ListenAddress {
    /// The port, if it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads a range of client addresses: `"10.0.0.0/8"`, `"fd00::/8"`, or one address.
#[must_use]
pub fn range(text: &str) -> Option<IpNet> {
    range_as_written(text).map(|net| net.trunc())
}

/// The same with the bits behind its length that mean nothing, if it has any: `10.1.2.3/8`.
#[must_use]
pub fn range_as_written(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn unix_path(text: &str) -> Option<Result<PathBuf, AddressError>> {
    let path = text.strip_prefix("unix:")?;
    // sockaddr_un holds 108 bytes with its NUL.
    let fits = Path::new(path).is_absolute() && path.len() <= 107 && !path.contains('\0');
    Some(if fits { Ok(path.into()) } else { Err(AddressError::UnixPath) })
}

fn host_and_port(text: &str) -> Result<(&str, &str), AddressError> {
    if text.contains("://") || text.contains('/') {
        return Err(AddressError::Url);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Brackets);
    }
    if text.starts_with('[') && text.ends_with(']') {
        return Err(AddressError::NoPort);
    }
    text.rsplit_once(':').ok_or(AddressError::NoPort)
}

/// The IP address that stands before a port, or `None` if it must be a name.
fn ip(host: &str) -> Result<Option<IpAddr>, AddressError> {
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inside.parse::<Ipv6Addr>().map_err(|_| AddressError::Host(host.into(), HostnameError::Character('[')))?;
        return Ok(Some(address.into()));
    }
    if host.contains(':') {
        return Err(AddressError::Brackets);
    }
    Ok(host.parse::<Ipv4Addr>().ok().map(IpAddr::from))
}

/// `10.0.0.300` and `127.1`: resolvers of other programs take some of these for addresses.
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rsplit('.').next().is_some_and(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()))
}

/// An IPv6 address as it should have been written. Whether its last part is the port is anybody's guess.
fn in_brackets(written: &str) -> String {
    let with_port = written.rsplit_once(':').filter(|(host, port)| host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok());
    let with_port = with_port.map(|(host, port)| format!("\"[{host}]:{port}\""));
    let without = written.parse::<Ipv6Addr>().is_ok().then(|| format!("\"[{written}]:443\""));
    let both: Vec<_> = with_port.into_iter().chain(without).collect();
    if both.is_empty() { "\"[::1]:443\"".into() } else { both.join(" or ") }
}

/// Whether the text ends in digits alone: `parse` would let a `+` through.
fn digits(text: &str) -> bool {
    text.rsplit([':', '-']).next().is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// What there is to choose from.
const FORMS: &str = "\"10.0.0.1:443\", \"[::1]:443\", \"name:443\" or \"unix:/path\"";
const LISTEN_FORMS: &str = "\"127.0.0.1:443\", \"[::1]:443\", \":443\" or \"unix:/path\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_three_forms() {
        assert_eq!(Address::parse("10.0.0.1:443"), Ok(Address::Ip("10.0.0.1:443".parse().unwrap())));
        assert_eq!(Address::parse("[::1]:443"), Ok(Address::Ip("[::1]:443".parse().unwrap())));
        assert_eq!(Address::parse("Web.internal:443").unwrap().to_string(), "web.internal:443");
        assert_eq!(Address::parse("unix:/run/a.sock"), Ok(Address::Unix("/run/a.sock".into())));
    }

    #[test]
    fn what_is_no_server_says_what_to_write() {
        let cases = [
            ("web.internal", "\"web.internal:443\""),
            ("::1", "\"[::1]:443\""),
            ("[::1]", "\"[::1]:443\""),
            ("fe80::1:44443", "\"[fe80::1]:44443\""),
            ("2001:db8::1:443", "\"[2001:db8::1]:443\" or \"[2001:db8::1:443]:443\""),
            ("https://web.internal/", "\"web.internal:443\""),
            ("http://web.internal", "\"web.internal:80\""),
            ("https://web.internal:8443/a", "\"web.internal:8443\""),
            ("/run/a.sock", "\"unix:/run/a.sock\""),
            ("443", "\"10.0.0.1:443\""),
            ("unix:run/a.sock", "\"unix:/run/name.sock\""),
        ];
        for (text, instead) in cases {
            assert_eq!(Address::parse(text).unwrap_err().instead(text), instead, "{text}");
        }
        for text in ["a:0", "a:65536", "a:+1", "a:", "a b:1", "[::1:443", "10.0.0.300:443", "127.1:443", "1:443", "a.1.:443"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_listen_may_stand_for_many() {
        let all = |text| ListenAddress::parse(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(all(":443"), ["0.0.0.0:443", "[::]:443"]);
        assert_eq!(all("*:443"), all(":443"));
        assert_eq!(all("127.0.0.1:7000-7002"), ["127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"]);
        assert_eq!(all("unix:/run/v.sock"), ["unix:/run/v.sock"]);
        assert_eq!(ListenAddress::parse("1.2.3.4:9-8"), Err(AddressError::Backwards(9, 8)));
        assert!(matches!(ListenAddress::parse("localhost:80"), Err(AddressError::ListenName(_))));
        assert!(matches!(ListenAddress::parse("443"), Err(AddressError::NoPort)));
        assert_eq!(AddressError::Backwards(9, 8).instead("1.2.3.4:9-8"), "\"1.2.3.4:8-9\"");
    }

    #[test]
    fn a_listener_is_offered_no_name() {
        let forms = "\"127.0.0.1:443\", \"[::1]:443\", \":443\" or \"unix:/path\"";
        let cases = [
            ("localhost", forms),
            ("localhost:443", forms),
            ("https://localhost", forms),
            ("10.0.0.1:http", forms),
            ("10.0.0.1", "\"10.0.0.1:443\""),
            ("::1", "\"[::1]:443\""),
            ("2001:db8::1:443", "\"[2001:db8::1]:443\" or \"[2001:db8::1:443]:443\""),
            ("http://10.0.0.1/", "\"10.0.0.1:80\""),
            ("10.0.0.1:9-8", "\"10.0.0.1:8-9\""),
            ("unix:run/a.sock", "\"unix:/run/name.sock\""),
        ];
        for (text, instead) in cases {
            assert_eq!(ListenAddress::parse(text).unwrap_err().instead_to_listen(text), instead, "{text}");
        }
    }

    #[test]
    fn a_single_address_is_a_range_of_one() {
        assert_eq!(range("10.1.2.3"), range("10.1.2.3/32"));
        assert_eq!(range("10.1.2.3/8"), range("10.0.0.0/8"));
        assert_eq!(range("::1"), range("::1/128"));
        assert_eq!(range("10.0.0.0/33"), None);
    }
}
