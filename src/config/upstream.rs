//! Groups of servers: `[upstream.NAME]` and what they start from.

use std::time::Duration;

use figment::value::Value;
use serde::Serialize;

use super::places::Places;
use super::read::{Read, Reader, Table};
use super::values::{MOST, bare_port, number, words};
use super::{print, words as kinds};

/// `[upstream.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upstream {
    /// How one of the servers is picked.
    #[serde(flatten)]
    pub balancing: Balancing,
    /// The servers in their order.
    pub servers: Vec<Server>,
}

impl Read for Upstream {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::UPSTREAM)?;
        let balancing = Balancing::take(&mut table, reader);
        let servers: Vec<Server> = reader.take(&mut table, "servers").unwrap_or_default();
        if servers.is_empty() && !reader.was_cut("servers") {
            let place = reader.entry("servers", Places::written_value);
            let problem = format!("upstream {:?} has no servers", reader.name());
            reader.error(place, problem).help("servers = [\"10.0.0.1:443\"]");
            reader.cut("servers");
        }
        Some(Self { balancing, servers })
    }
}

/// How a server is picked; what is not written comes from `[defaults.upstream]`, then from what is built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Balancing {
    /// The method.
    pub balance: Option<Balance>,
    /// What the hashes are made of, as a template.
    pub hash_key: Option<String>,
}

impl Balancing {
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self { balance: reader.take(table, "balance"), hash_key: reader.take(table, "hash_key") }
    }
}

words! {
    /// The ways of picking a server.
    Balance, "a way to balance", {
        /// In turn, by weight.
        RoundRobin = "round_robin",
        /// By a key, as nginx's `hash`.
        Hash = "hash",
        /// By a key on a ring, as nginx's `hash ... consistent`.
        ConsistentHash = "consistent_hash",
    }
}

/// A server of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    /// Its address, as written.
    pub address: String,
    /// How it is used.
    #[serde(flatten)]
    pub keys: ServerKeys,
}

impl Read for Server {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(port) = bare_port(&value) {
            reader.wrong("an address belongs here, not only a port").label(format!("\"10.0.0.1:{port}\""));
            return None;
        }
        if !matches!(value, Value::Dict(..)) {
            let address = String::read(value, reader)?;
            return Some(Self { address, keys: ServerKeys::default() });
        }
        let mut table = reader.table(value, &kinds::SERVER)?;
        let address = reader.require(&mut table, "address", "\"10.0.0.1:443\"");
        let keys = ServerKeys::take(&mut table, reader);
        Some(Self { address: address?, keys })
    }
}

/// How a server is used; what is not written comes from `[defaults.upstream]`, then from what is built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServerKeys {
    /// How many sessions it gets in relation to others.
    pub weight: Option<u32>,
    /// After how many failures it is left alone; 0 is never.
    pub max_fails: Option<u32>,
    /// Within which time failures are counted, and for how long it is then left alone.
    #[serde(serialize_with = "print::some_duration")]
    pub fail_timeout: Option<Duration>,
    /// Whether it is for when all others fail.
    pub backup: Option<bool>,
    /// Whether it is out of use.
    pub down: Option<bool>,
}

impl ServerKeys {
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self {
            weight: reader.take_with(table, "weight", number(1..=HEAVIEST)),
            max_fails: reader.take_with(table, "max_fails", number(0..=MOST)),
            fail_timeout: reader.take(table, "fail_timeout"),
            backup: reader.take(table, "backup"),
            down: reader.take(table, "down"),
        }
    }
}

impl Read for ServerKeys {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::SERVER_DEFAULTS)?;
        Some(Self::take(&mut table, reader))
    }
}

/// `[defaults.upstream]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UpstreamDefaults {
    /// How upstreams pick.
    #[serde(flatten)]
    pub balancing: Balancing,
    /// What each server starts from.
    pub server: ServerKeys,
}

impl Read for UpstreamDefaults {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::UPSTREAM_DEFAULTS)?;
        let balancing = Balancing::take(&mut table, reader);
        Some(Self { balancing, server: reader.take(&mut table, "server").unwrap_or_default() })
    }
}

/// A consistent hash has 160 points for each unit of weight, so a weight is memory.
const HEAVIEST: i128 = 65_535;
