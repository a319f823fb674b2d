//! `[upstream.NAME]`: groups of servers, and what a target's text leads to.

use std::sync::Arc;

use super::Compiler;
use crate::address::{Address, AddressError};
use crate::config::{self, Balance as WrittenBalance, Config, Key, ServerKeys, path_to, suggest};
use crate::route::Pattern;
use crate::snapshot::{Destination, ForwardRules, Pool, Pools};
use crate::upstream::{Balance, ServerLine, Upstream};
use crate::variables::{Text, Variable};

impl Compiler {
    pub(super) fn compile_upstreams(&mut self, config: &Config) -> Pools {
        let mut pools = Pools::new();
        for (name, written) in &config.upstream {
            let pool = self.upstream(name, written, config);
            pools.insert(name.as_str().into(), Arc::new(pool));
        }
        pools
    }

    fn upstream(&mut self, name: &str, written: &config::Upstream, config: &Config) -> Pool {
        let defaults = &config.defaults.upstream;
        let balance = match written.balancing.balance.or(defaults.balancing.balance) {
            None | Some(WrittenBalance::RoundRobin) => Balance::RoundRobin,
            Some(WrittenBalance::Hash) => Balance::Hash,
            Some(WrittenBalance::ConsistentHash) => Balance::ConsistentHash,
        };
        let mut lines = Vec::new();
        for (index, server) in written.servers.iter().enumerate() {
            let path = path_to!["upstream", name, "servers", index];
            lines.extend(self.server(&path, server, &defaults.server));
        }
        self.check_backups(name, balance, &lines);
        let hash_key = self.hash_key(name, written, config, balance);
        Pool { upstream: Arc::new(Upstream::new(name.into(), balance, lines)), hash_key }
    }

    fn server(&mut self, path: &[Key], written: &config::Server, defaults: &ServerKeys) -> Option<ServerLine> {
        let address_path = [path, &path_to!["address"]].concat();
        let address = self.address(&address_path, &written.address)?;
        let keys = &written.keys;
        let built_in = ServerLine::new(address);
        Some(ServerLine {
            written: written.address.as_str().into(),
            weight: keys.weight.or(defaults.weight).unwrap_or(built_in.weight),
            max_fails: keys.max_fails.or(defaults.max_fails).unwrap_or(built_in.max_fails),
            fail_timeout: keys.fail_timeout.or(defaults.fail_timeout).unwrap_or(built_in.fail_timeout),
            backup: keys.backup.or(defaults.backup).unwrap_or(built_in.backup),
            down: keys.down.or(defaults.down).unwrap_or(built_in.down),
            ..built_in
        })
    }

    fn address(&mut self, path: &[Key], written: &str) -> Option<Address> {
        Address::parse(written).map_err(|error| self.no_address(path, written, &error)).ok()
    }

    pub(super) fn no_address(&mut self, path: &[Key], written: &str, error: &AddressError) {
        self.wrong(path, error.to_string()).label(error.instead(written));
    }

    /// Hashes know no backups, in nginx neither: a key's next server is on the ring already.
    fn check_backups(&mut self, name: &str, balance: Balance, lines: &[ServerLine]) {
        let path = |index: usize| path_to!["upstream", name, "servers", index];
        let Some(index) = lines.iter().position(|line| line.backup) else { return };
        if balance != Balance::RoundRobin {
            self.wrong(&path(index), "a hash has no backup servers: when one fails, its keys go to the next")
                .label("leave `backup` out, or balance = \"round_robin\"");
        } else if lines.iter().all(|line| line.backup) {
            self.wrong(&path(index), format!("upstream \"{name}\" has only backup servers")).label("leave `backup` out of one at least");
        }
    }

    fn hash_key(&mut self, name: &str, written: &config::Upstream, config: &Config, balance: Balance) -> Option<Text> {
        let defaults = &config.defaults.upstream.balancing;
        let (path, key) = match &written.balancing.hash_key {
            Some(key) => (path_to!["upstream", name, "hash_key"].to_vec(), Some(key)),
            None => (path_to!["defaults", "upstream", "hash_key"].to_vec(), defaults.hash_key.as_ref()),
        };
        if balance == Balance::RoundRobin {
            if written.balancing.hash_key.is_some() {
                self.wrong_key(&path, "`hash_key` has no meaning for round_robin").help("balance = \"consistent_hash\"");
            }
            return None;
        }
        self.text(&path, key.map_or("$remote_addr", String::as_str), None)
    }

    /// What the text of an `upstream` key leads to: a group by its name, an address, or a template of these.
    pub(super) fn destination(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Destination> {
        if let Some(pool) = self.pools.get(written) {
            return Some(Destination::Pool(pool.clone()));
        }
        if written.contains('$') {
            let text = self.text(path, written, pattern)?;
            let decided_by_client = text.variables().any(Variable::is_sent_by_client);
            return Some(Destination::Template(text, ForwardRules { decided_by_client, allowed: self.allowed_forwards() }));
        }
        match Address::parse(written) {
            Ok(address) => Some(Destination::Pool(self.made_pool(written, address))),
            Err(error) => {
                self.no_destination(path, written, &error);
                None
            }
        }
    }

    /// An upstream of one written address; each address has one, so that all targets share its counts.
    fn made_pool(&mut self, written: &str, address: Address) -> Arc<Pool> {
        if let Some(pool) = self.made.iter().find(|pool| **pool.upstream.name() == *written) {
            return pool.clone();
        }
        let line = ServerLine { written: written.into(), ..ServerLine::new(address) };
        let upstream = Upstream::new(written.into(), Balance::RoundRobin, vec![line]);
        let pool = Arc::new(Pool { upstream: Arc::new(upstream), hash_key: None });
        self.made.push(pool.clone());
        pool
    }

    fn no_destination(&mut self, path: &[Key], written: &str, error: &AddressError) {
        if self.places.was_cut(&path_to!["upstream", written]) {
            return;
        }
        let looks_like_an_address = written.contains([':', '/', '.']);
        let similar = suggest(written, self.pools.keys().map(|name| &**name)).map(str::to_owned);
        match similar {
            Some(similar) => {
                let place = self.places.key(&path_to!["upstream", &similar]);
                self.wrong(path, format!("no upstream is named {written:?}")).label(format!("did you mean \"{similar}\" ({place})?"));
            }
            None if looks_like_an_address => self.no_address(path, written, error),
            None => {
                self.wrong(path, format!("no upstream is named {written:?}"))
                    .help(format!("[upstream.{written}] with servers = [\"10.0.0.1:443\"]"));
            }
        }
    }
}
