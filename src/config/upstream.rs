//! Groups of servers: `[upstream.NAME]` and what they start from.

use std::time::Duration;

use figment::value::Value;
use serde::Serialize;

use super::habits;
use super::keepalive::Keepalive;
use super::or_off::OrOff;
use super::places::Places;
use super::proxy_protocol::SendProxyProtocol;
use super::read::{Read, Reader, Table};
use super::resolver::Resolver;
use super::terminate::UpstreamTls;
use super::values::{MOST, bare_port, number, positive, words};
use super::{print, words as kinds};

/// `[upstream.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upstream {
    /// How the servers are picked, found and connected.
    #[serde(flatten)]
    pub keys: UpstreamKeys,
    /// The servers in their order.
    pub servers: Vec<Server>,
}

impl Read for Upstream {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::UPSTREAM)?;
        let keys = UpstreamKeys::take(&mut table, reader);
        let servers: Vec<Server> = reader.take(&mut table, "servers").unwrap_or_default();
        if servers.is_empty() && !reader.was_cut("servers") {
            let place = reader.entry("servers", Places::written_value);
            let problem = format!("upstream {:?} has no servers", reader.name());
            reader.error(place, problem).help("servers = [\"10.0.0.1:443\"]");
            reader.cut("servers");
        }
        Some(Self { keys, servers })
    }
}

/// How a group picks, finds and connects its servers; what is not written comes from `[defaults.upstream]`, then from
/// what is built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UpstreamKeys {
    /// The method.
    pub balance: Option<Balance>,
    /// What the hashes are made of, as a template.
    pub hash_key: Option<String>,
    /// The upstream that is asked when no server of this one is left.
    pub fallback: Option<String>,
    /// Who is asked for the names of servers, in place of `[resolver]`.
    pub resolver: Option<Resolver>,
    /// Whether and when the kernel asks a silent server if it is still there.
    pub keepalive: Option<Keepalive>,
    /// How long what was sent to a server may go unacknowledged.
    #[serde(serialize_with = "print::some_duration")]
    pub user_timeout: Option<Duration>,
    /// TLS towards the servers; absent is none.
    pub tls: Option<OrOff<UpstreamTls>>,
    /// Whether and how servers are told whom a connection is from.
    pub send_proxy_protocol: Option<SendProxyProtocol>,
}

impl UpstreamKeys {
    /// Whether servers are asked over TLS, as these keys say or else the defaults.
    #[must_use]
    pub fn speaks_tls(&self, defaults: &Self) -> bool {
        self.tls.as_ref().or(defaults.tls.as_ref()).is_some_and(|tls| tls.on().is_some())
    }

    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self {
            balance: reader.take_with(table, "balance", habits::balance),
            hash_key: reader.take(table, "hash_key"),
            fallback: reader.take(table, "fallback"),
            resolver: reader.take(table, "resolver"),
            keepalive: reader.take(table, "keepalive"),
            user_timeout: reader.take_with(table, "user_timeout", positive),
            tls: reader.take(table, "tls"),
            send_proxy_protocol: reader.take(table, "send_proxy_protocol"),
        }
    }
}

words! {
    /// The ways of picking a server.
    Balance, "a way to balance", {
        /// In turn, by weight.
        RoundRobin = "round_robin",
        /// The one with the fewest sessions for its weight.
        LeastConn = "least_conn",
        /// The one that answers fastest, for its weight and its sessions.
        LeastTime = "least_time",
        /// By chance, by weight.
        Random = "random",
        /// Of two by chance, the one with fewer sessions for its weight.
        RandomTwo = "random_two",
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
        if let Some(table) = value.as_str().and_then(habits::server) {
            reader.wrong("an address belongs here; what else is said of a server makes it a table").label(table);
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
    /// How many sessions it may have at once; 0 is any number.
    pub max_conns: Option<u32>,
    /// How long it takes to come to its full weight when it has joined or recovered.
    #[serde(serialize_with = "print::some_duration")]
    pub slow_start: Option<Duration>,
    /// Whether it is for when all others fail.
    pub backup: Option<bool>,
    /// Whether it is out of use.
    pub down: Option<bool>,
    /// The service whose SRV records say where the servers are.
    pub service: Option<String>,
}

impl ServerKeys {
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Self {
        Self {
            weight: reader.take_with(table, "weight", number(1..=HEAVIEST)),
            max_fails: reader.take_with(table, "max_fails", number(0..=MOST)),
            fail_timeout: reader.take(table, "fail_timeout"),
            max_conns: reader.take_with(table, "max_conns", number(0..=MOST)),
            slow_start: reader.take(table, "slow_start"),
            backup: reader.take(table, "backup"),
            down: reader.take(table, "down"),
            service: reader.take(table, "service"),
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
    /// What groups start from.
    #[serde(flatten)]
    pub keys: UpstreamKeys,
    /// What each server starts from.
    pub server: ServerKeys,
}

impl Read for UpstreamDefaults {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::UPSTREAM_DEFAULTS)?;
        let keys = UpstreamKeys::take(&mut table, reader);
        Some(Self { keys, server: reader.take(&mut table, "server").unwrap_or_default() })
    }
}

/// A consistent hash has 160 points for each unit of weight, so a weight is memory.
const HEAVIEST: i128 = 65_535;
