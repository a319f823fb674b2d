//! The address from which servers are dialled (nginx's `proxy_bind`): written out, or what a template says of a session.

use std::net::{IpAddr, SocketAddr};

use crate::net::Source;
use crate::session::Session;
use crate::template::Piece;
use crate::variables::Text;

/// `source` and `transparent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRule {
    /// Whether the address may be one that this machine does not have.
    pub transparent: bool,
    whence: Whence,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whence {
    Fixed(SocketAddr),
    Template(Text),
}

impl SourceRule {
    /// An address that is written out, if it is one.
    #[must_use]
    pub fn fixed(written: &str) -> Option<Self> {
        Some(Self { transparent: false, whence: Whence::Fixed(address(written, None)?) })
    }

    /// What a template says. The port stands behind its last colon, unless a bracket follows that; so
    /// `$remote_addr:$remote_port` has no two meanings where the first is an IPv6 address.
    #[must_use]
    pub fn template(text: Text) -> Self {
        Self { transparent: false, whence: Whence::Template(text) }
    }

    /// The address, if it is written out.
    #[must_use]
    pub fn written_out(&self) -> Option<IpAddr> {
        match &self.whence {
            Whence::Fixed(address) => Some(address.ip()),
            Whence::Template(_) => None,
        }
    }

    /// The source of a session: none if the template says nothing, its text if that is no address.
    #[must_use]
    pub fn of(&self, session: &Session) -> Option<Result<Source, Box<str>>> {
        let source = |address| Source { address, transparent: self.transparent };
        match &self.whence {
            Whence::Fixed(address) => Some(Ok(source(*address))),
            Whence::Template(template) => {
                let (text, colon) = rendered(template, session);
                let said = !text.is_empty() && text != ":";
                said.then(|| address(&text, colon).map(source).ok_or_else(|| text.into()))
            }
        }
    }
}

/// The text of a template, and where the colon stands that it has before the port.
fn rendered(template: &Text, session: &Session) -> (String, Option<usize>) {
    let (mut text, mut colon) = (String::new(), None);
    for piece in template.pieces() {
        match piece {
            Piece::Text(written) => {
                if let Some(at) = written.rfind([':', ']']) {
                    colon = written[at..].starts_with(':').then_some(text.len() + at);
                }
                text.push_str(written);
            }
            Piece::Variable(variable) => {
                if let Some(value) = variable.value(session) {
                    text.push_str(&String::from_utf8_lossy(&value));
                }
            }
        }
    }
    (text, colon)
}

/// An IP address, in brackets or not, with a port or not; port 0 where there is none. `colon` is the one before the port,
/// where that is known. An IPv4 address in IPv6's clothes is one.
fn address(text: &str, colon: Option<usize>) -> Option<SocketAddr> {
    let ip = |host: &str| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    };
    let with_port = |colon: usize| {
        let port = text[colon + 1..].parse::<u16>().ok()?;
        Some(SocketAddr::new(ip(&text[..colon])?, port))
    };
    match colon {
        Some(colon) => with_port(colon),
        None => ip(text).map(|ip| SocketAddr::new(ip, 0)).or_else(|| with_port(text.rfind(':')?)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;
    use crate::session::Peer;
    use crate::template::Template;
    use crate::variables::Variable;

    fn source(template: &str, client: &str) -> Option<Result<String, String>> {
        let text = Template::parse(template).unwrap().link(|name| Variable::named(&name.name).ok_or(name)).unwrap();
        let client = client.parse().map_or(Peer::Unix, Peer::Ip);
        let session = Session::new(1, "a".into(), client, Peer::Unix, Instant::now(), SystemTime::now());
        let said = SourceRule::template(text).of(&session)?;
        Some(said.map(|source| source.address.to_string()).map_err(Into::into))
    }

    fn is(address: &str) -> Option<Result<String, String>> {
        Some(Ok(address.into()))
    }

    #[test]
    fn the_clients_own_address_is_kept() {
        assert_eq!(source("$remote_addr", "192.0.2.7:4000"), is("192.0.2.7:0"));
        assert_eq!(source("$remote_addr:$remote_port", "192.0.2.7:4000"), is("192.0.2.7:4000"));
        assert_eq!(source("$remote_addr", "[2001:db8::1]:4000"), is("[2001:db8::1]:0"));
        assert_eq!(source("$remote_addr:$remote_port", "[2001:db8::1]:4000"), is("[2001:db8::1]:4000"));
        assert_eq!(source("[$remote_addr]:$remote_port", "[2001:db8::1]:4000"), is("[2001:db8::1]:4000"));
        assert_eq!(source("$remote_addr:$remote_port", "[::ffff:192.0.2.7]:4000"), is("192.0.2.7:4000"));
    }

    #[test]
    fn a_part_of_an_address_may_be_a_variable() {
        assert_eq!(source("[2001:db8::$remote_port]", "192.0.2.7:4000"), is("[2001:db8::4000]:0"));
        assert_eq!(source("10.0.0.9:$remote_port", "192.0.2.7:4000"), is("10.0.0.9:4000"));
    }

    #[test]
    fn what_is_unset_leaves_the_choice_to_the_kernel() {
        assert_eq!(source("$ssl_preread_server_name", "192.0.2.7:4000"), None);
        assert_eq!(source("$ssl_preread_server_name:$upstream", "192.0.2.7:4000"), None);
    }

    #[test]
    fn what_is_no_address_is_told_as_it_is() {
        for (template, client, text) in [
            ("$remote_addr", "unix:", "unix:"),
            ("$remote_addr:$remote_port", "unix:", "unix::"),
            ("$remote_addr:$upstream", "192.0.2.7:4000", "192.0.2.7:"),
            ("$upstream:$remote_port", "192.0.2.7:4000", ":4000"),
            ("$listener", "192.0.2.7:4000", "a"),
        ] {
            assert_eq!(source(template, client), Some(Err(text.into())), "{template} of {client}");
        }
    }

    #[test]
    fn addresses_are_written_out_in_any_form() {
        let fixed = |written| SourceRule::fixed(written).map(|rule| rule.whence);
        for (written, meant) in [("10.0.0.9", "10.0.0.9:0"), ("10.0.0.9:80", "10.0.0.9:80"), ("2001:db8::1:80", "[2001:db8::1:80]:0")] {
            assert_eq!(fixed(written), Some(Whence::Fixed(meant.parse().unwrap())));
        }
        for (written, meant) in [("[2001:db8::1]", "[2001:db8::1]:0"), ("[2001:db8::1]:80", "[2001:db8::1]:80")] {
            assert_eq!(fixed(written), Some(Whence::Fixed(meant.parse().unwrap())));
        }
        for written in ["", ":", "10.0.0.9:", ":80", "10.0.0.9:70000", "name:80", "[10.0.0.9", "unix:/run/a.sock"] {
            assert_eq!(fixed(written), None, "{written}");
        }
    }
}
