//! The upstreams that a session meets, and their servers in the order in which it does. None is asked: what DNS, their health
//! and their sessions would say is not known here.

use std::net::IpAddr;

use tokio::time::Instant;

use super::explanation::{Order, Server, ServerTls, Upstream};
use super::origins::{Origins, Table};
use super::upstream_settings;
use crate::address::Address;
use crate::config::path_to;
use crate::session::Session;
use crate::snapshot::Pools;
use crate::tls::Trust;
use crate::units::written;
use crate::upstream::{self, Balance, Endpoint, Pool, ServerLine};

/// What is known of the session that meets them.
pub(super) struct Meeting<'s> {
    pub(super) session: &'s Session,
    /// The address that servers see, if it is not left to the kernel.
    pub(super) source: Option<IpAddr>,
    pub(super) pools: &'s Pools,
    pub(super) origins: Origins<'s>,
}

impl Meeting<'_> {
    /// A pool, and those that stand in for it.
    pub(super) fn all(&self, pool: &Pool) -> Vec<Upstream> {
        std::iter::successors(Some(pool), |pool| pool.fallback()).map(|pool| self.one(pool)).collect()
    }

    fn one(&self, pool: &Pool) -> Upstream {
        let upstream = &*pool.upstream;
        let (name, balance, key) = (&**upstream.name(), upstream.balance(), pool.key(self.session));
        // One that was made of a written address is not among those that have a name.
        let is_named = self.pools.contains_key(name);
        let tables = [Table::upstream(name), Table::upstream_defaults()];
        Upstream {
            name: name.into(),
            at: is_named.then(|| self.origins.places.key(&path_to!["upstream", name]).to_string()),
            balance: balance.to_string(),
            hash_key: balance.is_hash().then(|| key.escape_ascii().to_string()),
            tls: pool.encryption.as_ref().map(|encryption| match encryption.originator.settings().trust {
                Trust::Anybody => ServerTls::Unverified,
                Trust::System | Trust::File(_) => ServerTls::Verified,
            }),
            order: order(balance, &key),
            servers: self.servers(upstream, &key),
            turns: upstream.turns(MOST_TURNS, Instant::now()).iter().map(|server| server.address_text().to_string()).collect(),
            down: upstream.lines().iter().filter(|line| line.down).map(|line| line.written.to_string()).collect(),
            settings: if is_named { upstream_settings::told(pool, &tables, self) } else { Vec::new() },
        }
    }

    fn servers(&self, upstream: &upstream::Upstream, key: &[u8]) -> Vec<Server> {
        let named = upstream.lines().iter().filter(|line| line.address.is_name() && !line.down);
        let named = named.map(|line| self.server(line.written.to_string(), line, line.backup, None));
        if upstream.balance().is_random() {
            let written = upstream.lines().iter().filter(|line| !line.address.is_name() && !line.down);
            let written = written.map(|line| self.server(line.address.to_string(), line, line.backup, ip(&line.address)));
            return written.chain(named).collect();
        }
        let met = upstream.order(key, Instant::now());
        let met = met.iter().map(|server| {
            let ip = if let Endpoint::Ip(address) = server.endpoint() { Some(address.ip()) } else { None };
            self.server(server.address_text().to_string(), server.line(), server.is_backup(), ip)
        });
        met.chain(named).collect()
    }

    fn server(&self, address: String, line: &ServerLine, backup: bool, ip: Option<IpAddr>) -> Server {
        let is_v4 = |ip: IpAddr| ip.to_canonical().is_ipv4();
        Server {
            address,
            by_dns: line.address.is_name(),
            weight: line.weight,
            max_conns: line.max_conns,
            max_fails: line.max_fails,
            fail_timeout: written(line.fail_timeout),
            slow_start: written(line.slow_start),
            backup,
            out_of_reach: ip.zip(self.source).is_some_and(|(server, source)| is_v4(server) != is_v4(source)),
        }
    }
}

fn order(balance: Balance, key: &[u8]) -> Order {
    match balance {
        Balance::Hash | Balance::ConsistentHash if !key.is_empty() => Order::Key,
        Balance::RoundRobin | Balance::Hash | Balance::ConsistentHash => Order::Turns,
        Balance::LeastConn | Balance::LeastTime => Order::Load,
        Balance::Random | Balance::RandomTwo => Order::Chance,
    }
}

fn ip(address: &Address) -> Option<IpAddr> {
    if let Address::Ip(address) = address { Some(address.ip()) } else { None }
}

/// More than so many turns are nothing that anybody would read.
const MOST_TURNS: usize = 24;
