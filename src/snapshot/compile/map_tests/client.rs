//! The client that a test describes, as the gateway would see it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::SystemTime;

use tokio::time::Instant;

use super::super::Compiler;
use super::Entrance;
use crate::address::range;
use crate::config::{Key, Test, path_to};
use crate::hello::ClientHello;
use crate::host::HostnameError;
use crate::session::{Peer, Session};

/// The client of a test.
pub(super) struct Client {
    pub(super) peer: Peer,
    /// Absent if it does not speak TLS.
    pub(super) hello: Option<ClientHello>,
}

impl Client {
    /// The session as the gateway would have it, for what texts say.
    pub(super) fn session(&self, entrance: &Entrance<'_>) -> Session {
        let listener = entrance.name.cloned().unwrap_or_default();
        Session::new(0, listener, self.peer, entrance.local, Instant::now(), SystemTime::now())
    }
}

impl Compiler {
    /// The client that a test describes; nothing if there is no such client.
    pub(super) fn client(&mut self, path: &[Key], test: &Test) -> Option<Client> {
        let peer = self.test_peer(path, test.from.as_deref());
        let hello = if test.not_tls { self.no_hello(path, test).map(|()| None) } else { self.test_hello(path, test).map(Some) };
        Some(Client { peer: peer?, hello: hello? })
    }

    /// Looks at what is said of a hello that there is not.
    fn no_hello(&mut self, path: &[Key], test: &Test) -> Option<()> {
        let said = if !test.alpn.is_empty() {
            "alpn"
        } else if !test.versions.is_empty() {
            "versions"
        } else {
            return Some(());
        };
        self.wrong_key(&[path, &path_to![said]].concat(), format!("what is not TLS offers no `{said}`")).label("leave it out");
        None
    }

    fn test_hello(&mut self, path: &[Key], test: &Test) -> Option<ClientHello> {
        let sent = test.sni.as_deref();
        let error = match ClientHello::described(sent, &test.alpn, test.versions.iter().map(|version| version.number())) {
            Ok(hello) => return Some(hello),
            Err(error) => error,
        };
        let complaint = self.wrong(&[path, &path_to!["sni"]].concat(), format!("no hello with this name gets as far as a map: {error}"));
        match (error, sent) {
            (_, Some(sent)) if sent.contains('*') => complaint.label(format!("a client sends one name: \"{}\"", sent.replace('*', "x"))),
            (HostnameError::Empty, _) => complaint.label("`no_sni = true` sends none"),
            _ => complaint.label("it is refused as malformed, whatever the map says"),
        };
        None
    }

    fn test_peer(&mut self, path: &[Key], from: Option<&str>) -> Option<Peer> {
        let Some(from) = from else { return Some(peer(LOCALHOST)) };
        match from.parse() {
            Ok(address) => return Some(peer(address)),
            Err(_) if from == "unix:" => return Some(Peer::Unix),
            Err(_) => {}
        }
        let ranges = range(from).map(|range| vec![range]).or_else(|| self.networks.get(from).map(|network| network.ranges.clone()));
        let inside = ranges.and_then(|ranges| ranges.first().and_then(|range| range.hosts().next()));
        let complaint = self.wrong(&[path, &path_to!["from"]].concat(), format!("{from:?} is not one address, as a client has"));
        match inside {
            Some(inside) => complaint.label(format!("\"{inside}\", for example")),
            None => complaint.label("\"10.1.2.3\", \"2001:db8::1\" or \"unix:\""),
        };
        None
    }
}

fn peer(address: IpAddr) -> Peer {
    Peer::Ip(SocketAddr::new(address, 0))
}

/// Whom a test is from that does not say it, as with `vestibule route`.
pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
