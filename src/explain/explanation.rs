//! What there is to say of a connection: plain facts. Their names are those of `vestibule route --json`, and are kept.

use std::net::IpAddr;

use serde::Serialize;

/// Where a connection would go, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The listener that is asked.
    pub listener: String,
    /// What is spoken there: `tcp`, `udp`.
    pub protocols: Vec<&'static str>,
    /// The client.
    pub from: IpAddr,
    /// What its first bytes are: `named`, `unnamed`, `not_tls`, `malformed`; nothing where they are not read.
    pub hello: Option<&'static str>,
    /// The host name, as names are compared.
    pub name: Option<String>,
    /// What the client sends for a name.
    pub sent: Option<String>,
    /// What was asked of first bytes that are not read here: `sni`, `alpn`, `versions`, `not_tls`.
    pub unread: Vec<&'static str>,
    /// Whether a PROXY header comes first, which then says who the client is: `required`, `allowed`.
    pub proxy_header: Option<&'static str>,
    /// What the listener's rules say of the client.
    pub access: Access,
    /// The listener's limits.
    pub limits: Vec<Limit>,
    /// The entries that were asked, in the order of precedence.
    pub entries: Vec<Entry>,
    /// The targets of the entry that wins, in their order.
    pub targets: Vec<Target>,
    /// The target that is taken.
    pub target: Option<Taken>,
    /// What becomes of the connection.
    pub outcome: Outcome,
}

/// What rules of `access` say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Whether the client may come in.
    pub allowed: bool,
    /// Whether there are any rules.
    pub has_rules: bool,
    /// The rule that decides, as it is written.
    pub rule: Option<String>,
}

/// A limit that counts the client, or would. How much of it is used up is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// `[limit.NAME]`.
    pub name: String,
    /// Whether the client is exempt.
    pub exempt: bool,
    /// Whether it only tells.
    pub dry_run: bool,
}

/// An entry of the map that was asked, or would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// By which rule it fits.
    pub rule: Rule,
    /// Of a pattern its number, counted from 1.
    pub number: Option<usize>,
    /// As it is written; nothing where there is none.
    pub written: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// What the groups of a pattern took, or would have taken.
    pub captures: Vec<Group>,
    /// Where it stands.
    pub at: Option<String>,
}

/// By which rule an entry fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The name itself.
    Exact,
    /// `*.example`, `.example`.
    LeadingWildcard,
    /// `www.example.*`.
    TrailingWildcard,
    /// A regex.
    Pattern,
    /// TLS without a name.
    NoSni,
    /// What is not TLS.
    NotTls,
    /// What nothing else fits.
    Default,
    /// The listener itself, which has no map.
    Listener,
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is none.
    NoEntry,
    /// It is the answer.
    Wins,
    /// It fits, but another one won.
    Beaten,
    /// It is for what nothing else fits, and something did.
    NotAsked,
}

/// What a group of a regex took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name, or its number.
    pub group: String,
    /// What it took.
    pub text: String,
}

/// One of an entry's targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its number, counted from 1.
    pub number: usize,
    /// Whether its guards fit; nothing if an earlier one was taken.
    pub fits: Option<bool>,
    /// Its guards.
    pub guards: Vec<Guard>,
    /// Where it stands.
    pub at: String,
}

/// A guard of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// `from`, `alpn`, `versions`.
    pub guard: &'static str,
    /// What it asks for, as it is written.
    pub wants: Vec<String>,
    /// Whether that is so.
    pub fits: bool,
    /// What fits: the range that has the client, a protocol or a version that it offers.
    pub by: Option<String>,
}

/// The target that is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its number, counted from 1.
    pub number: usize,
    /// What its own rules say of the client.
    pub access: Access,
    /// Its own limits.
    pub limits: Vec<Limit>,
    /// What is to be remembered.
    pub note: Option<String>,
    /// Where `maintenance` stands, if sessions go where it says.
    pub maintenance: Option<String>,
    /// The profile under which TLS ends.
    pub tls: Option<Profile>,
    /// What maps say of the client.
    pub maps: Vec<Mapped>,
    /// Variables of its texts that no question can say, and that are empty here.
    pub unknown: Vec<String>,
    /// What the session keeps to: `connect_timeout`, `idle_timeout` and all that is written.
    pub settings: Vec<Setting>,
}

/// TLS that ends here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// `[terminate.NAME]`.
    pub profile: String,
    /// Where it stands.
    pub at: String,
    /// The certificates that stand for the name, the first of them unless the client's algorithms rule it out.
    pub certificates: Vec<Certificate>,
    /// Whether one of them is for the name.
    pub covered: bool,
    /// What is written of it.
    pub settings: Vec<Setting>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The kind of its key.
    pub kind: &'static str,
    /// Its file.
    pub file: String,
    /// The first few of the names that it is for.
    pub names: String,
    /// How long it lasts.
    pub lasts: String,
}

/// What a map says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mapped {
    /// `$name`.
    pub variable: String,
    /// What it is asked for.
    pub asked: String,
    /// What it answers.
    pub answer: String,
    /// Where it stands.
    pub at: String,
}

/// A setting as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key; that of a table in an upstream's with its name: `tls.ca`.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Whence.
    pub origin: Origin,
}

/// Whence a setting is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// What decides.
    pub level: Level,
    /// The table, as `[listener.https]`; nothing for a target's and for what is built in.
    pub table: Option<String>,
    /// Where it is written: `routes.toml:7`, `--set defaults.idle_timeout=5s`.
    pub at: Option<String>,
}

/// What decides a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The target's own key.
    Target,
    /// The listener's.
    Listener,
    /// The upstream's.
    Upstream,
    /// The TLS profile's.
    Terminate,
    /// That of `[defaults]` or of a table in it.
    Defaults,
    /// A variable of the environment.
    Environment,
    /// `--set`.
    Set,
    /// Nobody wrote it.
    BuiltIn,
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// It goes to a server of the first of these upstreams; the others stand in for those before them.
    Forwarded {
        /// The upstreams, in the order in which they are asked.
        upstreams: Vec<Upstream>,
    },
    /// It goes to an address that a template gave.
    ForwardedToAddress {
        /// The address.
        address: String,
        /// Whether DNS says where that is.
        looked_up: bool,
        /// Whether that may not be the gateway itself or its links, as the client decides it.
        decided_by_client: bool,
    },
    /// It is refused.
    Refused {
        /// The word in the log: `$close_reason`.
        reason: &'static str,
        /// The TLS alert that says so; nothing if it is closed without one.
        alert: Option<&'static str>,
        /// What more there is to say.
        detail: Option<String>,
    },
    /// It is answered with a text, and closed.
    Answered {
        /// The text.
        text: String,
    },
    /// It is answered with how the upstreams stand, and closed.
    ShowsUpstreams,
}

/// An upstream, as a session meets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// Its name; an address that stands in its place.
    pub name: String,
    /// Where it stands; nothing for an address.
    pub at: Option<String>,
    /// How it picks.
    pub balance: String,
    /// What a hash goes by, bytes that are no text escaped.
    pub hash_key: Option<String>,
    /// Whether its servers are asked over TLS and verified; nothing if they are asked in the clear.
    pub tls: Option<ServerTls>,
    /// What the order of the servers goes by.
    pub order: Order,
    /// The servers, in the order in which the session meets them if each refuses it, as far as that is known.
    pub servers: Vec<Server>,
    /// Who gets the next sessions, where servers take turns by different weights.
    pub turns: Vec<String>,
    /// Servers that are out of use.
    pub down: Vec<String>,
    /// What is written of it.
    pub settings: Vec<Setting>,
}

/// How servers are asked over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerTls {
    /// Their certificates are verified.
    Verified,
    /// They are not.
    Unverified,
}

/// What the order of servers goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// They take turns.
    Turns,
    /// By the key: it is the same each time.
    Key,
    /// By how many sessions they have, which are not known here.
    Load,
    /// By chance.
    Chance,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Its address; a name as it is written.
    pub address: String,
    /// Whether DNS says where it is, which is not asked here.
    pub by_dns: bool,
    /// Its share against those of the others.
    pub weight: u32,
    /// The most sessions that it may have; 0 is any number.
    pub max_conns: u32,
    /// Whether it is for when all others fail.
    pub backup: bool,
    /// Whether nothing gets there from the `source`, which is of the other family.
    pub out_of_reach: bool,
}
