//! What a PROXY header said of a connection.

use std::net::SocketAddr;

use super::{Peer, Session};

/// A PROXY header that came before anything else, and who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// Who really connected: `$realip_remote_addr`.
    pub peer: Peer,
    /// Whether the header is believed.
    pub is_trusted: bool,
    /// `$proxy_protocol_addr` and `$proxy_protocol_server_addr` with their ports, if the header names any.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// What else it says, as it came.
    pub tlvs: Box<[u8]>,
}

impl Session {
    /// Notes a header. Whom it names is the client from now on, if it is believed.
    pub fn note_header(&mut self, is_trusted: bool, ends: Option<(SocketAddr, SocketAddr)>, tlvs: Box<[u8]>) {
        let proxied = Proxied { peer: self.peer(), is_trusted, ends, tlvs };
        if let Some((source, _)) = proxied.believed_ends() {
            self.client = Peer::Ip(source);
        }
        self.proxied = Some(Box::new(proxied));
    }

    /// Who really connected, whatever a header says.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.proxied.as_ref().map_or(self.client, |proxied| proxied.peer)
    }

    /// What the client connected to: as a header says that is believed, else the gateway's own end.
    #[must_use]
    pub fn destination(&self) -> Peer {
        let believed = self.proxied.as_ref().and_then(|proxied| proxied.believed_ends());
        believed.map_or(self.local, |(_, destination)| Peer::Ip(destination))
    }
}

impl Proxied {
    fn believed_ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.ends.filter(|_| self.is_trusted)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;

    fn session() -> Session {
        let (client, local) = ("10.0.0.9:1", "10.0.0.1:443");
        let [client, local] = [client, local].map(|end| Peer::Ip(end.parse().unwrap()));
        Session::new(1, "a".into(), client, local, Instant::now(), SystemTime::now())
    }

    fn ends() -> Option<(SocketAddr, SocketAddr)> {
        Some(("192.0.2.1:5000".parse().unwrap(), "198.51.100.1:443".parse().unwrap()))
    }

    #[test]
    fn a_header_that_is_believed_takes_the_place_of_who_connected() {
        let mut session = session();
        let peer = session.client;
        session.note_header(true, ends(), Box::default());
        assert_eq!((session.client.socket_address(), session.peer()), (ends().map(|ends| ends.0), peer));
        assert_eq!(session.destination().socket_address(), ends().map(|ends| ends.1));
    }

    #[test]
    fn one_that_is_not_believed_or_names_nobody_changes_nothing() {
        for (is_trusted, ends) in [(false, ends()), (true, None)] {
            let mut session = session();
            let (client, local) = (session.client, session.local);
            session.note_header(is_trusted, ends, Box::default());
            assert_eq!((session.client, session.peer(), session.destination()), (client, client, local));
        }
    }
}
