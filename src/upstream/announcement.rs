//! `send_proxy_protocol`: the first that a server hears is whom the connection is from.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::proxy_protocol::{Ends, Kind, Outgoing, SslFacts, Transport, tlv, write_v1};
use crate::session::{Protocol, Session};

/// How servers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The form.
    pub version: Version,
    /// What else is said, in this order; only version 2 can.
    pub says: Vec<Said>,
    /// Whether a checksum comes with it; only version 2 has one.
    pub has_checksum: bool,
}

/// The form of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text. It has no datagrams: these have the other form.
    V1,
    /// Binary.
    V2,
}

/// What is said besides addresses, as far as there is something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The host name that the client asked for, as it sent it.
    Authority,
    /// The protocol that was agreed on, where TLS ended here.
    Alpn,
    /// That TLS ended here, with what was agreed on and who the client is.
    Ssl,
    /// What no other connection has: what came in a header that is believed, else a number of our own.
    UniqueId,
}

impl Announcement {
    /// Writes the header of a session.
    pub fn write(&self, session: &Session, out: &mut Vec<u8>) {
        match (self.version, session.protocol) {
            (Version::V1, Protocol::Tcp) => write_v1(ends(session), out),
            (Version::V1 | Version::V2, _) => self.write_v2(session, out),
        }
    }

    fn write_v2(&self, session: &Session, out: &mut Vec<u8>) {
        let said: Vec<_> = self.says.iter().filter_map(|said| said.value(session)).collect();
        let tlvs: Vec<_> = said.iter().map(|(kind, value)| (*kind, &**value)).collect();
        let transport = match session.protocol {
            Protocol::Tcp => Transport::Stream,
            Protocol::Udp => Transport::Datagram,
        };
        Outgoing { transport, ends: ends(session), tlvs: &tlvs, has_checksum: self.has_checksum }.write(out);
    }
}

/// Both ends as they are told. Who comes over a unix socket has none, unless a header said otherwise.
fn ends(session: &Session) -> Option<Ends> {
    Some(Ends { source: session.client.socket_address()?, destination: session.destination().socket_address()? })
}

impl Said {
    fn value(self, session: &Session) -> Option<(Kind, Cow<'_, [u8]>)> {
        match self {
            Self::Authority => Some((Kind::AUTHORITY, session.server_name.as_ref()?.as_bytes().into())),
            Self::Alpn => Some((Kind::ALPN, session.tls.as_ref()?.alpn.as_ref()?.as_bytes().into())),
            Self::Ssl => Some((Kind::SSL, ssl(session)?.into())),
            Self::UniqueId => Some((Kind::UNIQUE_ID, unique_id(session))),
        }
    }
}

fn ssl(session: &Session) -> Option<Vec<u8>> {
    let tls = session.tls.as_ref()?;
    let mut tlvs = vec![(Kind::SSL_VERSION, tls.protocol.as_bytes()), (Kind::SSL_CIPHER, tls.cipher.as_bytes())];
    let Some(client) = &tls.client else { return Some(SslFacts::encrypted().value(&tlvs)) };
    let name = client.common_name();
    tlvs.extend(name.as_ref().map(|name| (Kind::SSL_CN, &name[..])));
    Some(SslFacts::verified(tls.is_resumed).value(&tlvs))
}

fn unique_id(session: &Session) -> Cow<'_, [u8]> {
    let handed_on = session.proxied.as_ref().filter(|proxied| proxied.is_trusted);
    match handed_on.and_then(|proxied| tlv(&proxied.tlvs, Kind::UNIQUE_ID)) {
        Some(id) => id.into(),
        // Digits, so that it can be logged as it is.
        None => format!("{:016x}{:016x}", of_this_process(), session.number).into_bytes().into(),
    }
}

/// A number that other processes do not have.
fn of_this_process() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(|| fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;
    use crate::proxy_protocol::{Field, Header, Parse, parse};
    use crate::session::{ClientCertificate, Peer, TlsFacts};

    const ALL: [Said; 4] = [Said::Authority, Said::Alpn, Said::Ssl, Said::UniqueId];

    fn announcement(version: Version, says: &[Said]) -> Announcement {
        Announcement { version, says: says.to_vec(), has_checksum: true }
    }

    fn session(number: u64, client: Peer) -> Session {
        let local = Peer::Ip("10.0.0.1:443".parse().unwrap());
        Session::new(number, "a".into(), client, local, Instant::now(), SystemTime::now())
    }

    fn client() -> Peer {
        Peer::Ip("192.0.2.1:5000".parse().unwrap())
    }

    fn written(announcement: &Announcement, session: &Session) -> Header {
        let mut bytes = Vec::new();
        announcement.write(session, &mut bytes);
        match parse(&bytes) {
            Parse::Complete(header, length) if length == bytes.len() => header,
            other => panic!("{other:?}"),
        }
    }

    fn said(header: &Header, name: &str) -> Option<String> {
        let value = Field::named(name).unwrap().value(&header.tlvs);
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        let header = written(&announcement(Version::V2, &ALL[..3]), &session(1, client()));
        assert_eq!(header.tlvs.len(), 7, "a checksum");
    }

    #[test]
    fn what_was_agreed_on_and_with_whom_is_said_where_tls_ended_here() {
        let mut session = session(1, client());
        session.server_name = Some("A.example".into());
        let certificate = ClientCertificate {
            subject: "O=x,CN=Jos\\C3\\A9\\, Ltd+OU=y".into(),
            issuer: "CN=b".into(),
            serial: "0A".into(),
            fingerprint: "ff".into(),
        };
        session.tls = Some(Box::new(TlsFacts {
            protocol: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            is_resumed: false,
            session_id: None,
            alpn: Some("h2".into()),
            client: Some(certificate),
        }));
        let header = written(&announcement(Version::V2, &ALL), &session);
        for (name, expected) in [
            ("authority", "A.example"),
            ("alpn", "h2"),
            ("ssl_version", "TLSv1.3"),
            ("ssl_cipher", "TLS_AES_128_GCM_SHA256"),
            ("ssl_cn", "José, Ltd"),
            ("ssl_verify", "0"),
        ] {
            assert_eq!(said(&header, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn an_id_is_a_session_s_own_unless_one_came_from_whom_we_believe() {
        let ids = |number: u64| said(&written(&announcement(Version::V2, &ALL), &session(number, client())), "unique_id").unwrap();
        assert_eq!((ids(1).len(), ids(1) == ids(1), ids(1) == ids(2)), (32, true, false));
        for (is_trusted, hands_on) in [(true, true), (false, false)] {
            let mut session = session(1, client());
            session.note_header(is_trusted, None, [&[5, 0, 4][..], b"from"].concat().into());
            let header = written(&announcement(Version::V2, &ALL), &session);
            assert_eq!(said(&header, "unique_id").as_deref() == Some("from"), hands_on);
        }
    }

    #[test]
    fn who_comes_over_a_unix_socket_has_no_address() {
        let mut line = Vec::new();
        announcement(Version::V1, &[]).write(&session(1, Peer::Unix), &mut line);
        assert_eq!(line, b"PROXY UNKNOWN\r\n");
        assert_eq!(written(&announcement(Version::V2, &[]), &session(1, Peer::Unix)).ends, None);
    }

    #[test]
    fn datagrams_are_announced_as_such() {
        let mut session = session(1, client());
        session.protocol = Protocol::Udp;
        for version in [Version::V1, Version::V2] {
            let header = written(&announcement(version, &[]), &session);
            assert_eq!((header.transport, header.ends.map(|ends| ends.source)), (Transport::Datagram, client().socket_address()));
        }
    }
}
