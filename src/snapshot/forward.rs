//! Where the client's name may lead. A template over the server name is a forward to where the client says, and a
//! stranger would say "the loopback interface", "the cloud's metadata service" or "the container engine's socket".

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::address::{Address, AddressError};
use crate::admit::Ranges;

/// Which addresses a template may yield.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardRules {
    /// Whether the client decides any part of the address.
    pub decided_by_client: bool,
    /// Whether unix sockets may be yielded nevertheless: the operator wrote their folder, and the client cannot leave it.
    pub within_a_folder: bool,
    /// The unix sockets on which the gateway itself listens.
    pub own_sockets: Vec<PathBuf>,
    /// `[networks] forward`: what is allowed although it would be refused.
    pub allowed: Arc<Ranges>,
}

/// Why what a template yields is no place to go to.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// It is neither an upstream's name nor an address.
    #[error("{text:?} is no upstream and no address: {source}")]
    NoAddress {
        /// What the template yields.
        text: String,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// It is an address that strangers may not choose.
    #[error("{text} is not to be forwarded to{}", way_out(.text, *.address))]
    Refused {
        /// What the template yields.
        text: String,
        /// The address that is refused; absent for a unix socket.
        address: Option<IpAddr>,
    },
}

impl ForwardRules {
    /// The address that a template yields. A name is still to be judged by what it resolves to.
    ///
    /// # Errors
    /// When it is no address, or one that is refused.
    pub fn address(&self, text: &str) -> Result<Address, ForwardError> {
        match Address::parse(text) {
            Err(source) => Err(ForwardError::NoAddress { text: text.into(), source }),
            Ok(Address::Ip(ip)) if !self.allow(ip.ip()) => Err(ForwardError::Refused { text: text.into(), address: Some(ip.ip()) }),
            Ok(Address::Unix(path)) if !self.allow_socket(&path) => Err(ForwardError::Refused { text: text.into(), address: None }),
            Ok(address) => Ok(address),
        }
    }

    /// Whether a session may be forwarded to this address: not to the gateway itself, its links, or nobody in
    /// particular, unless that is allowed by name.
    #[must_use]
    pub fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_refused = |address| is_special(address) || is_own(address);
        !self.decided_by_client || self.allowed.contains(address) || !(is_refused(address) || translated(address).is_some_and(is_refused))
    }

    /// The same for a unix socket: those of the gateway's own machine, but for those of a folder that the operator wrote,
    /// and never the gateway's own.
    fn allow_socket(&self, path: &Path) -> bool {
        !self.decided_by_client || self.within_a_folder && !self.own_sockets.iter().any(|own| is_same_file(own, path))
    }
}

/// What `[networks]` would have to say, where that is a way.
fn way_out(text: &str, address: Option<IpAddr>) -> String {
    let Some(address) = address else { return String::new() };
    let leads = if text.contains(&address.to_string()) { String::new() } else { format!(" (it leads to {address})") };
    format!("{leads}, unless {address} is in [networks] forward")
}

/// Loopback, link-local, unspecified, multicast and broadcast; "this network" (RFC 1122 §3.2.1.3) counts as loopback.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => match v6.to_ipv4() {
            // ::a.b.c.d, long deprecated (RFC 4291 §2.5.5.1): some stacks still reach the IPv4 address through it.
            Some(v4) => is_special(v4.into()) || v6.is_loopback() || v6.is_unspecified(),
            None => v6.is_unicast_link_local() || v6.is_multicast(),
        },
    }
}

/// The IPv4 address to which a translator on the way takes a packet: NAT64 (RFC 6052 §2.1) or 6to4 (RFC 3056 §2). A name
/// server that makes such addresses makes them of any.
fn translated(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let (high, low) = match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into())
}

/// Whether the address is one of this machine's: only those can be bound to. Asking the kernel is always up to
/// date, whatever happens to the interfaces.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Whether two paths lead to one file, whatever links are on the way.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().map(|file: fs::Metadata| (file.dev(), file.ino()));
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allowed: &[&str]) -> ForwardRules {
        ForwardRules {
            decided_by_client: true,
            allowed: Arc::new(Ranges::new(&allowed.iter().map(|range| range.parse().unwrap()).collect::<Vec<_>>())),
            ..ForwardRules::default()
        }
    }

    #[test]
    fn strangers_cannot_turn_the_gateway_on_itself() {
        let special = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1"];
        for address in special.into_iter().chain(["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "ff02::1"]) {
            assert!(!rules(&[]).allow(address.parse().unwrap()), "{address}");
        }
        assert!(rules(&[]).allow("192.0.2.1".parse().unwrap()));
        assert!(rules(&[]).allow("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn strangers_cannot_have_a_translator_lead_back() {
        for address in ["64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::", "2002:7f00:1::", "2002:a9fe:a9fe::1"] {
            assert!(!rules(&[]).allow(address.parse().unwrap()), "{address}");
        }
        for address in ["64:ff9b::192.0.2.1", "2002:c000:201::1", "64:ff9b:1::127.0.0.1"] {
            assert!(rules(&[]).allow(address.parse().unwrap()), "{address}");
        }
        assert!(rules(&["64:ff9b::/96"]).allow("64:ff9b::127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_allowed_by_name_is_allowed() {
        assert!(rules(&["127.0.0.0/8"]).allow("127.0.0.1".parse().unwrap()));
        assert!(rules(&["127.0.0.0/8"]).allow("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!rules(&["127.0.0.0/8"]).allow("::1".parse().unwrap()));
    }

    #[test]
    fn an_address_that_the_operator_wrote_is_the_operators() {
        assert!(ForwardRules::default().allow("127.0.0.1".parse().unwrap()));
    }
}
