//! Whose PROXY header is read, and whose is believed.

use tokio::time::Duration;

use crate::admit::RangeList;
use crate::session::Peer;

/// `accept_proxy_protocol` of a listener where it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRule {
    /// Whether a header must come; if not, it may.
    pub is_required: bool,
    /// `proxy_protocol_timeout`, from accept.
    pub timeout: Duration,
    /// Those whose header is believed.
    pub trusted: RangeList,
    /// Whether it is from clients of unix sockets.
    pub trusts_unix: bool,
}

impl ProxyRule {
    /// Whether the header of somebody who connects is believed.
    #[must_use]
    pub fn trusts(&self, peer: Peer) -> bool {
        match peer.ip() {
            Some(ip) => self.trusted.contains(ip),
            None => self.trusts_unix,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admit::Ranges;

    #[test]
    fn trust_is_of_addresses_and_of_unix_sockets_each_on_its_own() {
        let rule = |trusted: &[&str], trusts_unix| ProxyRule {
            is_required: true,
            timeout: Duration::ZERO,
            trusted: RangeList::new([Arc::new(Ranges::new(&trusted.iter().map(|range| range.parse().unwrap()).collect::<Vec<_>>()))]),
            trusts_unix,
        };
        let [v4, mapped, v6] = ["10.1.2.3:1", "[::ffff:10.1.2.3]:1", "[fd00::1]:1"].map(|peer| Peer::Ip(peer.parse().unwrap()));
        let by = |rule: &ProxyRule| [v4, mapped, v6, Peer::Unix].map(|peer| rule.trusts(peer));
        assert_eq!(by(&rule(&["10.0.0.0/8"], false)), [true, true, false, false]);
        assert_eq!(by(&rule(&["192.0.2.0/24", "fd00::/8"], false)), [false, false, true, false]);
        assert_eq!(by(&rule(&["0.0.0.0/0", "::/0"], false)), [true, true, true, false]);
        assert_eq!(by(&rule(&[], true)), [false, false, false, true]);
    }
}
