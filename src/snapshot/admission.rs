//! Who of a listener's or a target's clients may come in: its rules of access, and its limits with their keys.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::admit::{Access, Limit, Permits, Refused, Taken};
use crate::host::Hostname;
use crate::session::{LimitStatus, Session};
use crate::template::Piece;
use crate::variables::{Text, Variable};

/// `access` and `limits` of a listener or a target. With neither it lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Who may come in; asked first, so that nobody uses up a limit who may not come in anyway.
    pub access: Access,
    /// What counts those that may.
    pub limits: Vec<KeyedLimit>,
}

/// A limit with what sessions have in common that it counts together.
#[derive(Clone, Debug)]
pub struct KeyedLimit {
    /// The limit, shared by all that name it.
    pub limit: Arc<Limit>,
    /// The key; without one all sessions are counted together.
    pub key: Option<Arc<Text>>,
}

/// Why a session is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A rule of `access` keeps it out.
    #[error("access: \"{0}\"")]
    Access(Box<str>),
    /// A limit is reached, by what its key says here.
    #[error("{0}{key}", key = .1.as_ref().map(|key| format!(", key \"{key}\"")).unwrap_or_default())]
    Limit(Refused, Option<Box<str>>),
}

/// What there is to say of a session that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A limit that only tells would have refused it, by what its key says here.
    DryRun(Refused, Option<Box<str>>),
    /// This limit does not count it, for its key is too long.
    LongKey(Arc<str>),
}

impl Admission {
    /// Whether it lets everybody in without a look.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.access.rules().is_empty() && self.limits.is_empty()
    }

    /// Lets a session in, counted for as long as the permits live, and says what there is to say.
    ///
    /// # Errors
    /// When it may not come in. It is not counted at all then.
    pub fn admit(&self, session: &mut Session, now: Instant, mut say: impl FnMut(Notice)) -> Result<Permits, Denied> {
        let client = session.client.ip();
        match self.access.deciding(client) {
            Some(rule) if !rule.allows => return Err(Denied::Access(rule.written.clone())),
            _ => {}
        }
        let mut permits = Permits::default();
        for KeyedLimit { limit, key } in &self.limits {
            let bytes = key.as_ref().map_or_else(|| EVERYBODY.to_vec(), |key| rendered(key, session));
            match limit.take(client, &bytes, now, &mut permits) {
                Ok(Taken::Exempt) => {}
                Ok(Taken::Counted) => session.limit_status = session.limit_status.or(Some(LimitStatus::Passed)),
                Ok(Taken::LongKey) => say(Notice::LongKey(limit.settings().name.clone())),
                Err(refused) if refused.dry_run => {
                    session.limit_status = Some(LimitStatus::RejectedDryRun);
                    say(Notice::DryRun(refused, key.as_ref().map(|key| told(key, session))));
                }
                Err(refused) => {
                    session.limit_status = Some(LimitStatus::Rejected);
                    permits.take_back();
                    return Err(Denied::Limit(refused, key.as_ref().map(|key| told(key, session))));
                }
            }
        }
        Ok(permits)
    }
}

/// The bytes of a key. A host name counts as routes compare it, through maps too: however it is spelled, it is the same one.
fn rendered(key: &Text, session: &mut Session) -> Vec<u8> {
    let Some(name) = session.server_name.as_deref().and_then(|sent| Hostname::parse(sent).ok()) else {
        return filled(key, session);
    };
    let sent = session.server_name.replace(name.as_str().into());
    let bytes = filled(key, session);
    session.server_name = sent;
    bytes
}

/// An IPv6 address as such counts by its /64: whoever has one of these has all of them.
fn filled(key: &Text, session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in key.pieces() {
        match piece {
            Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Piece::Variable(Variable::BinaryRemoteAddr) => match session.client.ip().map(|ip| ip.to_canonical()) {
                Some(IpAddr::V4(v4)) => bytes.extend_from_slice(&v4.octets()),
                Some(IpAddr::V6(v6)) => bytes.extend(v6.octets().into_iter().take(SUBNET)),
                None => bytes.extend_from_slice(b"unix:"),
            },
            Piece::Variable(variable) => bytes.extend_from_slice(&variable.value(session).unwrap_or_default()),
        }
    }
    bytes
}

/// A key for people: an address in its usual form, printable, and no longer than a line bears.
fn told(key: &Text, session: &Session) -> Box<str> {
    let mut bytes = Vec::new();
    for piece in key.pieces() {
        match piece {
            Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Piece::Variable(Variable::BinaryRemoteAddr) => {
                bytes.extend_from_slice(&Variable::RemoteAddr.value(session).unwrap_or_default());
            }
            Piece::Variable(variable) => bytes.extend_from_slice(&variable.value(session).unwrap_or_default()),
        }
    }
    let shown = bytes.get(..MOST_TOLD).unwrap_or(&bytes);
    let cut = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{cut}", shown.escape_ascii()).into()
}

/// The key of all sessions of a limit that has none.
const EVERYBODY: &[u8] = b"*";
/// How many bytes of a key are told.
const MOST_TOLD: usize = 64;
/// The bytes of an IPv6 address that tell one subscriber from another.
const SUBNET: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::admit::{LimitSettings, RangeList, Rule, Who};
    use crate::session::Peer;
    use crate::template::Template;
    use crate::variables::{Map, MapTable, Part, RowsBuilder};

    fn session(client: &str) -> Session {
        let client = client.parse().map_or(Peer::Unix, Peer::Ip);
        Session::new(1, "a".into(), client, Peer::Unix, Instant::now(), SystemTime::now())
    }

    fn text(template: &str) -> Text {
        Template::parse(template).unwrap().link(|name| Variable::named(&name.name).ok_or(name)).unwrap()
    }

    fn limit(name: &str, connections: u32, dry_run: bool, key: Option<&str>) -> KeyedLimit {
        let settings = LimitSettings {
            name: name.into(),
            key: key.unwrap_or_default().into(),
            connections: Some(connections),
            pace: None,
            rate: None,
            exempt: RangeList::default(),
            dry_run,
        };
        KeyedLimit { limit: Arc::new(Limit::new(settings)), key: key.map(|key| Arc::new(text(key))) }
    }

    fn admit(admission: &Admission, session: &mut Session) -> (Result<Permits, Denied>, Vec<Notice>) {
        let mut said = Vec::new();
        (admission.admit(session, Instant::now(), |notice| said.push(notice)), said)
    }

    #[test]
    fn ipv6_counts_by_its_subnet_and_ipv4_by_its_address() {
        let key = |client: &str| rendered(&text("$binary_remote_addr"), &mut session(client));
        assert_eq!(key("[2001:db8:1:2:3:4:5:6]:1"), key("[2001:db8:1:2:ffff::]:2"));
        assert_ne!(key("[2001:db8:1:2::1]:1"), key("[2001:db8:1:3::1]:1"));
        assert_eq!(key("192.0.2.1:1"), [192, 0, 2, 1]);
        assert_eq!(key("[::ffff:192.0.2.1]:1"), [192, 0, 2, 1]);
        assert_eq!(key("unix:"), b"unix:");
        let whole = |client: &str| rendered(&text("$remote_addr"), &mut session(client));
        assert_ne!(whole("[2001:db8::1]:1"), whole("[2001:db8::2]:1"));
    }

    #[test]
    fn a_name_counts_however_it_is_spelled_and_stays_as_it_was_sent() {
        let copied = text("$ssl_preread_server_name").link(|variable| Ok::<_, ()>(Part::Variable(variable))).unwrap();
        let rows = MapTable::Rows(RowsBuilder::default().build().unwrap().into());
        let map = Arc::new(Map::new("tenant", text("$remote_addr"), rows, Some(copied.into())));
        let mapped = Template::parse("$tenant").unwrap().link(|_| Ok::<_, ()>(Variable::Map(map.clone()))).unwrap();
        for sent in ["lim.example", "Lim.EXAMPLE", "lim.example."] {
            let mut session = session("192.0.2.1:1");
            session.server_name = Some(sent.into());
            for key in [&text("$ssl_preread_server_name"), &mapped] {
                assert_eq!(rendered(key, &mut session), b"lim.example");
            }
            assert_eq!(session.server_name.as_deref(), Some(sent));
        }
    }

    #[test]
    fn who_may_not_come_in_is_not_counted() {
        let rule = Rule { written: "deny all".into(), allows: false, who: Who::All };
        let admission = Admission { access: Access::new(vec![rule]), limits: vec![limit("one", 1, false, None)] };
        let (denied, _) = admit(&admission, &mut session("192.0.2.1:1"));
        assert_eq!(denied.unwrap_err().to_string(), "access: \"deny all\"");
        assert_eq!(admission.limits[0].limit.keys(), 0);
    }

    #[test]
    fn one_limit_that_refuses_takes_back_the_counts_of_the_others() {
        let admission = Admission { limits: vec![limit("wide", 5, false, None), limit("narrow", 1, false, None)], ..Admission::default() };
        let (mut first, mut second) = (session("192.0.2.1:1"), session("192.0.2.2:1"));
        let (permits, _) = admit(&admission, &mut first);
        assert_eq!(first.limit_status, Some(LimitStatus::Passed));
        let (denied, _) = admit(&admission, &mut second);
        assert_eq!(denied.unwrap_err().to_string(), "[limit.narrow]: connections = 1 is reached");
        assert_eq!(second.limit_status, Some(LimitStatus::Rejected));
        drop(permits);
        assert_eq!(admission.limits[0].limit.keys(), 0, "the refused session is not counted by the other limit either");
    }

    #[test]
    fn a_dry_run_lets_in_and_tells() {
        let admission = Admission { limits: vec![limit("dry", 0, true, None), limit("wet", 1, false, None)], ..Admission::default() };
        let mut session = session("192.0.2.1:1");
        let (permits, said) = admit(&admission, &mut session);
        assert!(!permits.unwrap().is_empty(), "the other limit counts it");
        assert!(matches!(&said[..], [Notice::DryRun(refused, None)] if &*refused.limit == "dry"), "{said:?}");
        assert_eq!(session.limit_status, Some(LimitStatus::RejectedDryRun));
    }

    #[test]
    fn a_key_is_told_readably() {
        let told = |key: &str, name: &str| {
            let mut session = session("192.0.2.1:1");
            session.server_name = Some(name.into());
            told(&text(key), &session).into_string()
        };
        assert_eq!(told("$binary_remote_addr $ssl_preread_server_name", "a.test"), "192.0.2.1 a.test");
        assert_eq!(told("$ssl_preread_server_name", "a\"\n\u{e9}"), r#"a\"\n\xc3\xa9"#);
        assert_eq!(told("$ssl_preread_server_name", &"a".repeat(100)), "a".repeat(64) + "...");
    }

    #[test]
    fn a_key_that_is_too_long_is_told() {
        let mut session = session("192.0.2.1:1");
        session.server_name = Some("a".repeat(256).into());
        let admission = Admission { limits: vec![limit("name", 0, false, Some("$ssl_preread_server_name"))], ..Admission::default() };
        let (permits, said) = admit(&admission, &mut session);
        assert!(permits.unwrap().is_empty());
        assert_eq!(said, [Notice::LongKey("name".into())]);
        assert_eq!(session.limit_status, None);
    }
}
