//! `accept_proxy_protocol` of listeners, `send_proxy_protocol` of upstreams.

use std::time::Duration;

use super::Compiler;
use super::networks::{Meant, list};
use crate::address::range;
use crate::admit::{RangeList, Ranges};
use crate::config::{self, AcceptProxyProtocol, Config, Key, ProxyTlv, ProxyVersion, SendProxyProtocol, path_to};
use crate::snapshot::ProxyRule;
use crate::upstream::{Announcement, Said, Version};

/// Those who are believed, as written.
#[derive(Clone, Default)]
pub(super) struct Trusted {
    ranges: RangeList,
    unix: bool,
}

impl Compiler {
    /// Those of `[defaults]`; whoever inherits a need for them finds them there.
    pub(super) fn trusted_by_default(&mut self, config: &Config) -> Option<Trusted> {
        let defaults = &config.defaults.listening;
        let path = path_to!["defaults", "trusted_proxies"];
        let trusted = defaults.trusted_proxies.as_ref().map(|written| self.trusted(&path, written));
        let inherits = |listener: &config::Listener| {
            listener.listening.accept_proxy_protocol.is_none() && listener.listening.trusted_proxies.is_none()
        };
        let is_on = defaults.accept_proxy_protocol.is_some_and(|accept| accept != AcceptProxyProtocol::Off);
        if is_on && trusted.is_none() && config.listener.values().any(inherits) {
            self.nobody_named(&path_to!["defaults", "accept_proxy_protocol"]);
        }
        trusted
    }

    /// Whether and from whom a listener takes PROXY headers.
    pub(super) fn proxy_rule(
        &mut self,
        name: &str,
        written: &config::Listener,
        config: &Config,
        by_default: Option<&Trusted>,
    ) -> Option<ProxyRule> {
        let (own, defaults) = (&written.listening, &config.defaults.listening);
        let own_trusted = own.trusted_proxies.as_ref().map(|written| self.trusted(&path_to!["listener", name, "trusted_proxies"], written));
        let is_required = match own.accept_proxy_protocol.or(defaults.accept_proxy_protocol) {
            Some(AcceptProxyProtocol::Require) => true,
            Some(AcceptProxyProtocol::Allow) => false,
            Some(AcceptProxyProtocol::Off) => return None,
            None => {
                if own_trusted.is_some() {
                    self.wrong_key(
                        &path_to!["listener", name, "trusted_proxies"],
                        "nobody's PROXY header is read here, so none is believed",
                    )
                    .label("accept_proxy_protocol = \"require\", or leave this out");
                }
                return None;
            }
        };
        if own_trusted.is_none() && by_default.is_none() && own.accept_proxy_protocol.is_some() {
            self.nobody_named(&path_to!["listener", name, "accept_proxy_protocol"]);
        }
        let Trusted { ranges, unix } = own_trusted.or(by_default.cloned()).unwrap_or_default();
        let timeout = own.proxy_protocol_timeout.or(defaults.proxy_protocol_timeout).unwrap_or(Duration::from_secs(30));
        Some(ProxyRule { is_required, timeout, trusted: ranges, trusts_unix: unix })
    }

    fn nobody_named(&mut self, path: &[Key]) {
        self.wrong_key(path, "it is not said whose PROXY header is believed, and anybody can send one")
            .help("trusted_proxies = [\"10.0.0.0/8\"] with the addresses of the proxies, or [] to believe nobody");
    }

    /// Ranges, names of `[networks]`, and nginx's word for all clients of unix sockets.
    fn trusted(&mut self, path: &[Key], written: &[String]) -> Trusted {
        let mut unix = false;
        let mut all = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let path = [path, &path_to![index]].concat();
            match text.as_str() {
                "unix:" => unix = true,
                "unix" if !self.networks.contains_key(text) => {
                    self.wrong(&path, "clients of unix sockets are \"unix:\"").label("\"unix:\"");
                }
                "all" if !self.networks.contains_key(text) => {
                    self.wrong(&path, "\"all\" is no address range, and anybody would be believed")
                        .label("the addresses of the proxies, or \"0.0.0.0/0\", \"::/0\" if that is meant");
                }
                text => {
                    let meant = self.range(&path, text);
                    meant.iter().for_each(|meant| self.check_everybody_trusted(&path, meant));
                    all.extend(meant);
                }
            }
        }
        Trusted { ranges: list(all), unix }
    }

    fn check_everybody_trusted(&mut self, path: &[Key], meant: &Meant) {
        let families = ["0.0.0.0/0", "::/0"].into_iter().filter_map(|family| Some((family, Ranges::new(&[range(family)?]))));
        let set = meant.clone().into_set();
        if let Some((everybody, _)) = families.into_iter().find(|(_, family)| set.covers(family)) {
            let place = self.places.value(path);
            let problem = format!("{everybody} is everybody: any client may say who it is, and is believed");
            self.diagnostics.warning("everybody-trusted", place, problem).help("the addresses of the proxies");
        }
    }

    /// How the servers of an upstream are told whom a connection is from.
    pub(super) fn announcement(&mut self, name: &str, config: &Config) -> Option<Announcement> {
        let defaults = path_to!["defaults", "upstream", "send_proxy_protocol"];
        let own = config.upstream.get(name).and_then(|upstream| upstream.keys.send_proxy_protocol.as_ref());
        let (written, path) = match own {
            Some(own) => (own, path_to!["upstream", name, "send_proxy_protocol"].to_vec()),
            None => (config.defaults.upstream.keys.send_proxy_protocol.as_ref()?, defaults.to_vec()),
        };
        let SendProxyProtocol::On { version, tlvs } = written else { return None };
        let version = match version {
            ProxyVersion::V1 => Version::V1,
            ProxyVersion::V2 => Version::V2,
        };
        if version == Version::V1 && !tlvs.is_empty() && self.announcements_judged.insert(path.clone()) {
            self.wrong(&[&path[..], &path_to!["tlvs"]].concat(), "a header of version 1 is a line with two addresses, and says no more")
                .label("version = \"v2\", or leave `tlvs` out");
        }
        let mut says = Vec::new();
        for said in tlvs.iter().filter_map(|tlv| said(*tlv)) {
            if !says.contains(&said) {
                says.push(said);
            }
        }
        Some(Announcement { version, says, has_checksum: tlvs.contains(&ProxyTlv::Crc32c) })
    }
}

/// What is said of a session; a checksum is of the header.
fn said(tlv: ProxyTlv) -> Option<Said> {
    match tlv {
        ProxyTlv::Authority => Some(Said::Authority),
        ProxyTlv::Alpn => Some(Said::Alpn),
        ProxyTlv::Ssl => Some(Said::Ssl),
        ProxyTlv::UniqueId => Some(Said::UniqueId),
        ProxyTlv::Crc32c => None,
    }
}
