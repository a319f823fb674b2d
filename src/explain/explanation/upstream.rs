//! An upstream and its servers.

use serde::Serialize;

use super::Setting;

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
    /// After how many failures it is left alone; 0 is never.
    pub max_fails: u32,
    /// For how long it is, as it may be written.
    pub fail_timeout: String,
    /// How long it takes to its whole weight; `0ms` is no time.
    pub slow_start: String,
    /// Whether it is for when all others fail.
    pub backup: bool,
    /// Whether nothing gets there from the `source`, which is of the other family.
    pub out_of_reach: bool,
}
