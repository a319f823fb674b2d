//! The boundary of resumption, as a table: what was made under one policy or name is offered under another, by a client that does not
//! mind whom it offers it to. All profiles have one memory and one set of keys, so that nothing but the policy keeps them apart.

use std::fmt;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::loaded;
use super::peer::{Outcome, Peer};
use super::site::{Person, Site};
use crate::tls::policy::test::IS_ONE_FOR_ALL;
use crate::tls::resumption::test::share;
use crate::tls::settings::{ServerSettings, Tickets};

/// A session is made under one, and offered under the other.
struct Pair {
    what: &'static str,
    prepare: fn(&Site, &mut ServerSettings),
    change: Change,
    names: [Option<&'static str>; 2],
    may_resume: bool,
}

/// What comes in between.
enum Change {
    /// Nothing at all.
    Nothing,
    /// A new snapshot, with a profile that says something else.
    Profile(fn(&Site, &mut ServerSettings)),
    /// The same profile reads its files anew.
    Files(fn(&Site)),
}

const A: Option<&str> = Some("a.test");
const B: Option<&str> = Some("b.test");

const PAIRS: [Pair; 22] = [
    good("nothing changes", as_it_is, Change::Nothing, [A, A]),
    good("no name twice", as_it_is, Change::Nothing, [None, None]),
    good("the files are read anew", as_it_is, Change::Files(|_| ()), [A, A]),
    good("a new snapshot with the same profile", as_it_is, Change::Profile(as_it_is), [A, A]),
    good("client auth as before", require, Change::Profile(as_it_is), [A, A]),
    bad("another name", as_it_is, Change::Nothing, [A, B]),
    bad("no name after a name", as_it_is, Change::Nothing, [A, None]),
    bad("a name after no name", as_it_is, Change::Nothing, [None, A]),
    bad("another profile with the same certificate", as_it_is, Change::Profile(rename), [A, A]),
    bad("another profile, no name", as_it_is, Change::Profile(rename), [None, None]),
    bad("client auth: off to request", as_it_is, Change::Profile(request), [A, A]),
    bad("client auth: off to require", as_it_is, Change::Profile(require), [A, A]),
    bad("client auth: off to require, no name", as_it_is, Change::Profile(require), [None, None]),
    bad("client auth: request to require", request, Change::Profile(require), [A, A]),
    bad("client auth: require to request", require, Change::Profile(request), [A, A]),
    bad("client auth: require to off", require, Change::Profile(|_, profile| profile.client_auth = None), [A, A]),
    bad("another authority is trusted", require, Change::Files(Site::trust_another), [A, A]),
    bad("a list of revoked ones is loaded", require, Change::Profile(revoke), [A, A]),
    bad("the list of revoked ones grows", revoke_nobody, Change::Files(|site| drop(site.revoke(&[7, 8], 2100))), [A, A]),
    bad("other subjects", require, Change::Profile(only_others), [A, A]),
    bad("another protocol", as_it_is, Change::Profile(|_, profile| profile.alpn = vec![b"h2".to_vec()]), [A, A]),
    bad("another certificate", as_it_is, Change::Files(Site::renew_certificate), [A, A]),
];

const fn good(what: &'static str, prepare: fn(&Site, &mut ServerSettings), change: Change, names: [Option<&'static str>; 2]) -> Pair {
    Pair { what, prepare, change, names, may_resume: true }
}

const fn bad(what: &'static str, prepare: fn(&Site, &mut ServerSettings), change: Change, names: [Option<&'static str>; 2]) -> Pair {
    Pair { what, prepare, change, names, may_resume: false }
}

fn as_it_is(_: &Site, _: &mut ServerSettings) {}

fn rename(_: &Site, profile: &mut ServerSettings) {
    profile.name = "other".into();
}

fn request(site: &Site, profile: &mut ServerSettings) {
    profile.client_auth = Some(site.asking(false));
}

fn require(site: &Site, profile: &mut ServerSettings) {
    profile.client_auth = Some(site.asking(true));
}

fn revoke_nobody(site: &Site, profile: &mut ServerSettings) {
    require(site, profile);
    profile.client_auth.as_mut().unwrap().crls = vec![site.revoke(&[], 2100)];
}

fn revoke(site: &Site, profile: &mut ServerSettings) {
    require(site, profile);
    profile.client_auth.as_mut().unwrap().crls = vec![site.revoke(&[7], 2100)];
}

fn only_others(site: &Site, profile: &mut ServerSettings) {
    require(site, profile);
    profile.client_auth.as_mut().unwrap().subjects = vec!["CN=somebody else,*".into()];
}

/// How a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Here, by an id.
    Id,
    /// By the client, under the gateway's own keys.
    OwnKeys,
    /// By the client, under the keys of a file.
    KeyFile,
}

/// A pair of the table that did not do as it should.
struct Wrong {
    what: &'static str,
    way: Way,
    version: &'static SupportedProtocolVersion,
    outcome: Outcome,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}, {:?}: {:?}", self.what, self.way, self.version.version, self.outcome)
    }
}

/// What is wrong in the whole table.
fn wrongs() -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for version in [&TLS12, &TLS13] {
        for way in [Way::Id, Way::OwnKeys, Way::KeyFile] {
            wrongs.extend(PAIRS.iter().filter_map(|pair| pair.wrong(way, version)));
        }
    }
    wrongs
}

impl Pair {
    fn wrong(&self, way: Way, version: &'static SupportedProtocolVersion) -> Option<Wrong> {
        let site = Site::new();
        let mut profile = site.profile("public");
        way.prepare(&site, &mut profile);
        (self.prepare)(&site, &mut profile);
        share(&profile);
        let first = loaded(profile.clone(), None, &[]);
        let client = Peer::new(&site, version, Some(site.sign(&Person::new("a client").number(7)))).offering(&["h2"]);
        assert_eq!(client.meet(&first, self.names[0]), Outcome::Full, "{}", self.what);
        assert!(!client.memory.is_empty(), "{}: no session to offer", self.what);
        let second = match self.change {
            Change::Nothing => first,
            Change::Profile(change) => {
                change(&site, &mut profile);
                loaded(profile, Some(&first), &[])
            }
            Change::Files(change) => {
                change(&site);
                assert_eq!(first.reload(), []);
                first
            }
        };
        let outcome = client.meet(&second, self.names[1]);
        let (what, is_right) = (self.what, (outcome == Outcome::Resumed) == self.may_resume);
        (!is_right).then_some(Wrong { what, way, version, outcome })
    }
}

impl Way {
    fn prepare(self, site: &Site, profile: &mut ServerSettings) {
        profile.session_cache = if self == Self::Id { 1 << 20 } else { 0 };
        profile.tickets = match self {
            Self::Id => Tickets::Off,
            Self::OwnKeys => Tickets::OwnKeys,
            Self::KeyFile => Tickets::KeyFiles(vec![site.key_file("ticket.key", 1)]),
        };
    }
}

#[test]
fn nothing_is_resumed_under_another_policy_or_name_and_everything_under_the_same() {
    let wrongs = wrongs();
    assert!(wrongs.is_empty(), "{wrongs:#?}");
}

#[test]
fn the_table_fails_where_all_policies_are_one() {
    IS_ONE_FOR_ALL.set(true);
    let wrongs = wrongs();
    assert!(wrongs.iter().all(|wrong| wrong.outcome == Outcome::Resumed), "{wrongs:#?}");
    for version in [&TLS12, &TLS13] {
        for way in [Way::Id, Way::OwnKeys, Way::KeyFile] {
            let is_there = |what| wrongs.iter().any(|wrong| wrong.what == what && wrong.way == way && wrong.version == version);
            // All that rustls itself keeps apart is the names.
            for pair in PAIRS.iter().filter(|pair| !pair.may_resume && pair.names[0] == pair.names[1]) {
                assert!(is_there(pair.what), "{}, {way:?}, {version:?}: {wrongs:#?}", pair.what);
            }
        }
    }
}
