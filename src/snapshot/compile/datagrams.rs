//! `protocol`: what is spoken on a listener's addresses, and what of a listener means nothing to datagrams.

use super::Compiler;
use crate::address::{Address, ListenAddress};
use crate::config::{self, Config, Key, ListenerAction, Preread, path_to};
use crate::session::Protocol;
use crate::snapshot::{Action, Destination};
use crate::upstream::{Pool, Version};

/// What is spoken on a listener's addresses: connections first, each once.
pub(super) fn protocols(written: &config::Listener, config: &Config) -> Vec<Protocol> {
    let said = if written.protocol.is_empty() { &config.defaults.protocol } else { &written.protocol };
    let mut protocols = Vec::new();
    if said.is_empty() || said.contains(&config::Protocol::Tcp) {
        protocols.push(Protocol::Tcp);
    }
    if said.contains(&config::Protocol::Udp) {
        protocols.push(Protocol::Udp);
    }
    protocols
}

impl Compiler {
    /// Complains of what a listener of datagrams cannot do. Where it speaks TCP, too, that is for another listener.
    pub(super) fn check_datagrams(&mut self, name: &str, written: &config::Listener, config: &Config) {
        let protocols = protocols(written, config);
        if !protocols.contains(&Protocol::Udp) {
            return;
        }
        let at = |key: &str| path_to!["listener", name, key];
        let instead = |otherwise: &str| match protocols.contains(&Protocol::Tcp) {
            true => format!("{otherwise}, and a [listener.OTHER] with protocol = \"tcp\" on the same address for this"),
            false => otherwise.to_owned(),
        };
        let udp = "protocol = \"udp\" with upstream = \"NAME\"";
        match &written.action {
            ListenerAction::Routes(_) => {
                self.wrong_key(&at("routes"), "datagrams have no hello whose host name could be looked up").label(instead(udp));
            }
            ListenerAction::Show(_) => {
                self.wrong_key(&at("show"), "the upstreams are shown over TCP alone").label("protocol = \"tcp\"");
            }
            ListenerAction::Upstream(_) | ListenerAction::Respond(_) => {}
        }
        if written.terminate.is_some() {
            self.wrong_key(&at("terminate"), "TLS does not end on datagrams, so that they would go on as they came")
                .label(instead("leave it out"));
        }
        if written.preread == Some(Preread::Tls) {
            self.wrong(&at("preread"), "datagrams are passed on unread").label(instead("leave it out"));
        }
        for (index, text) in written.listen.iter().enumerate() {
            if matches!(ListenAddress::parse(text).as_deref(), Ok([ListenAddress::Unix(_)])) {
                self.wrong(&path_to!["listener", name, "listen", index], "datagrams come over IP alone")
                    .label("\"127.0.0.1:53\", or protocol = \"tcp\"");
            }
        }
    }

    /// Complains of servers that datagrams do not reach.
    pub(super) fn check_datagram_servers(&mut self, path: &[Key], protocols: &[Protocol], action: &Action) {
        let Action::Forward(Destination::Pool(pool)) = action else { return };
        if !protocols.contains(&Protocol::Udp) {
            return;
        }
        for pool in std::iter::successors(Some(&**pool), |pool| pool.fallback()) {
            let name = pool.upstream.name();
            if pool.announcement.as_ref().is_some_and(|announcement| announcement.version == Version::V1) {
                let place = self.places.value(path);
                let problem = format!("upstream {name:?} is told of datagrams by version 2 of the PROXY protocol: version 1 knows none");
                self.diagnostics.warning("version-1-datagrams", place, problem).help("send_proxy_protocol = \"v2\" of this upstream");
            }
            if let Some(why) = not_for_datagrams(pool) {
                self.wrong(path, format!("datagrams do not reach upstream {name:?}: {why}"))
                    .help("an upstream of its own for protocol = \"udp\", with IP addresses or names, and without `tls`");
            }
        }
    }
}

fn not_for_datagrams(pool: &Pool) -> Option<String> {
    if pool.encryption.is_some() {
        return Some("it is asked over TLS".into());
    }
    let unix = pool.upstream.lines().iter().find(|line| matches!(line.address, Address::Unix(_)))?;
    Some(format!("{} is no IP address", unix.written))
}
