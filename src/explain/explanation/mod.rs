//! What there is to say of a connection: plain facts. Their names are those of `vestibule route --json`, and are kept.

mod entry;
mod setting;
mod upstream;

use serde::Serialize;

pub use entry::{Entry, Group, Rule, Verdict};
pub use setting::{Level, Origin, Setting};
pub use upstream::{Order, Server, ServerTls, Upstream};

/// Where a connection would go, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The listener that is asked.
    pub listener: String,
    /// What is spoken there: `tcp`, `udp`.
    pub protocols: Vec<&'static str>,
    /// The client.
    pub from: String,
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
