//! `[upstream.NAME]`: groups of servers, and what a target's text leads to.

use std::sync::Arc;

use super::Compiler;
use super::silence::silence;
use crate::address::{Address, AddressError};
use crate::config::{self, Balance as WrittenBalance, Config, Key, ServerKeys, path_to};
use crate::route::Pattern;
use crate::snapshot::{Destination, ForwardRules, Pools};
use crate::template::Piece;
use crate::upstream::{Balance, Pool, ServerLine, Upstream};
use crate::variables::{Text, Variable};

impl Compiler {
    pub(super) fn compile_upstreams(&mut self, config: &Config) -> Pools {
        if let Some(key) = &config.defaults.upstream.keys.hash_key {
            // Said once, however many upstreams use it.
            self.default_hash_key(key);
        }
        if let Some(service) = config.defaults.upstream.server.service.as_ref().filter(|service| !service.is_empty()) {
            self.default_service(service);
        }
        let mut pools = Pools::new();
        for (name, written) in &config.upstream {
            let pool = self.upstream(name, written, config);
            pools.insert(name.as_str().into(), Arc::new(pool));
        }
        pools
    }

    fn upstream(&mut self, name: &str, written: &config::Upstream, config: &Config) -> Pool {
        let defaults = &config.defaults.upstream;
        let balance = match written.keys.balance.or(defaults.keys.balance) {
            None | Some(WrittenBalance::RoundRobin) => Balance::RoundRobin,
            Some(WrittenBalance::LeastConn) => Balance::LeastConn,
            Some(WrittenBalance::LeastTime) => Balance::LeastTime,
            Some(WrittenBalance::Random) => Balance::Random,
            Some(WrittenBalance::RandomTwo) => Balance::RandomTwo,
            Some(WrittenBalance::Hash) => Balance::Hash,
            Some(WrittenBalance::ConsistentHash) => Balance::ConsistentHash,
        };
        let mut lines = Vec::new();
        for (index, server) in written.servers.iter().enumerate() {
            let path = path_to!["upstream", name, "servers", index];
            lines.extend(self.server(&path, server, &defaults.server).map(|line| (index, line)));
        }
        let encryption = self.encryption(name, config, &lines);
        let announcement = self.announcement(name, config);
        let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
        self.check_weights(name, balance, &lines);
        self.check_backups(name, balance, written, &defaults.server);
        self.check_slow_starts(name, balance, written, &defaults.server);
        let hash_key = self.hash_key(name, written, config, balance);
        let silence = silence(&written.keys, &defaults.keys);
        let resolver = self.resolver(written, config);
        Pool::new(Arc::new(Upstream::new(name.into(), balance, lines)), resolver)
            .with(hash_key, silence)
            .encrypted(encryption)
            .announcing(announcement)
            .for_texts(!self.places.is_delegated(&path_to!["upstream", name]))
    }

    fn server(&mut self, path: &[Key], written: &config::Server, defaults: &ServerKeys) -> Option<ServerLine> {
        let address = self.server_address(path, written, defaults)?;
        let keys = &written.keys;
        let built_in = ServerLine::new(address);
        Some(ServerLine {
            written: written.address.as_str().into(),
            weight: keys.weight.or(defaults.weight).unwrap_or(built_in.weight),
            own_weight: keys.weight.or(defaults.weight).is_some(),
            max_fails: keys.max_fails.or(defaults.max_fails).unwrap_or(built_in.max_fails),
            fail_timeout: keys.fail_timeout.or(defaults.fail_timeout).unwrap_or(built_in.fail_timeout),
            max_conns: keys.max_conns.or(defaults.max_conns).unwrap_or(built_in.max_conns),
            slow_start: keys.slow_start.or(defaults.slow_start).unwrap_or(built_in.slow_start),
            backup: keys.backup.or(defaults.backup).unwrap_or(built_in.backup),
            down: keys.down.or(defaults.down).unwrap_or(built_in.down),
            ..built_in
        })
    }

    pub(super) fn address(&mut self, path: &[Key], written: &str) -> Option<Address> {
        if let Some(dollar) = written.find('$') {
            self.wrong_inside(path, dollar..written.len(), "a server's address has no variables")
                .label("they belong in the `upstream` of a target or a listener");
            return None;
        }
        Address::parse(written).map_err(|error| self.no_address(path, written, &error)).ok()
    }

    pub(super) fn no_address(&mut self, path: &[Key], written: &str, error: &AddressError) {
        self.wrong(path, error.to_string()).label(error.instead(written));
    }

    /// Neither hashes nor chance know backups, in nginx neither: they find another server by themselves.
    fn check_backups(&mut self, name: &str, balance: Balance, written: &config::Upstream, defaults: &ServerKeys) {
        let is_backup = |keys: &ServerKeys| keys.backup;
        let Some(path) = first_that(is_backup, "backup", name, written, defaults) else { return };
        let otherwise = match balance {
            Balance::Hash | Balance::ConsistentHash => {
                "picks by a hash, which has no backups: when a server fails, its keys go to the next"
            }
            Balance::Random | Balance::RandomTwo => "picks by chance, which has no backups: when a server fails, chance finds another",
            Balance::RoundRobin | Balance::LeastConn | Balance::LeastTime => {
                let all = written.servers.iter().all(|server| is_backup(&server.keys).or(defaults.backup).unwrap_or(false));
                if all && !self.places.was_cut(&path_to!["upstream", name, "servers"]) {
                    self.wrong_key(&path, format!("upstream \"{name}\" has only backup servers"))
                        .label("leave `backup` out of one at least");
                }
                return;
            }
        };
        self.wrong_key(&path, format!("upstream \"{name}\" {otherwise}")).label("leave `backup` out, or balance = \"round_robin\"");
    }

    /// A key's server is the same however new it is, in nginx too.
    fn check_slow_starts(&mut self, name: &str, balance: Balance, written: &config::Upstream, defaults: &ServerKeys) {
        let is_slow = |keys: &ServerKeys| keys.slow_start.map(|time| !time.is_zero());
        if let Some(path) = first_that(is_slow, "slow_start", name, written, defaults).filter(|_| balance.is_hash()) {
            let problem =
                format!("upstream \"{name}\" picks by a hash, which has no slow start: a key's server takes all its sessions at once");
            let label = match path.first() {
                Some(Key::Name(table)) if table == "defaults" => "leave it out here, or write slow_start = \"0s\" in those servers",
                _ => "leave `slow_start` out, or balance = \"least_conn\"",
            };
            self.wrong_key(&path, problem).label(label);
        }
    }

    /// What the text of an `upstream` key leads to: a group by its name, an address, or a template of these.
    pub(super) fn destination(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Destination> {
        if let Some(pool) = self.named_pool(written) {
            return Some(Destination::Pool(pool));
        }
        if written.contains('$') {
            let text = self.text(path, written, pattern)?;
            let fitting = self.pools.iter().filter(|(name, _)| may_become(&text, name));
            let (names, others): (Vec<_>, Vec<_>) = fitting.partition(|(_, pool)| pool.is_for_texts);
            let names: Vec<_> = names.into_iter().map(|(name, _)| name.clone()).collect();
            let of_a_team = others.first().map(|(name, _)| (*name).clone());
            let leads_to_a_name = !names.is_empty() || self.places.was_cut(&path_to!["upstream"]);
            if !leads_to_a_name && !may_become_an_address(&text) {
                let complaint = self.wrong(path, "no upstream has such a name, and an address needs a port");
                match of_a_team {
                    Some(name) => complaint.label(format!("[upstream.{name}] is a team's: texts with variables never lead there")),
                    None => complaint.label(format!("\"{written}:443\"")),
                };
                return None;
            }
            self.used.upstreams.extend(names);
            let decided_by_client = text.variables().any(Variable::is_sent_by_client);
            let rules = ForwardRules {
                decided_by_client,
                within_a_folder: stays_within_a_folder(&text),
                own_sockets: self.own_sockets.clone(),
                allowed: self.allowed_forwards(),
            };
            if decided_by_client && may_become_an_address(&text) {
                self.name_forward(path, written, &rules);
            }
            return Some(Destination::Template(text, Arc::new(rules)));
        }
        match Address::parse(written) {
            Ok(address) => Some(Destination::Pool(self.made_pool(written, address))),
            Err(error) => {
                self.no_destination(path, written, &error);
                None
            }
        }
    }

    /// The upstream of this name, which is led to by that.
    pub(super) fn named_pool(&mut self, name: &str) -> Option<Arc<Pool>> {
        let (name, pool) = self.pools.get_key_value(name)?;
        if !self.used.upstreams.contains(name) {
            self.used.upstreams.insert(name.clone());
        }
        Some(pool.clone())
    }

    /// A forward to where the client says may be meant, but whoever reads the file is to know of it.
    fn name_forward(&mut self, path: &[Key], written: &str, rules: &ForwardRules) {
        let place = self.places.value(path);
        let limits = match (rules.within_a_folder, rules.allowed.is_empty()) {
            (true, _) => "every socket in and below that folder can be reached, no other",
            (false, true) => "loopback, link-local and the gateway's own addresses are refused",
            (false, false) => "loopback, link-local and the gateway's own addresses are refused, unless `forward` of [networks] has them",
        };
        self.diagnostics.warning("client-forward", place, format!("this leads where the client says: {written:?}")).help(limits);
    }

    /// An upstream of one written address; each address has one, so that all targets share its counts.
    pub(super) fn made_pool(&mut self, written: &str, address: Address) -> Arc<Pool> {
        if let Some(pool) = self.made.get(written) {
            return pool.clone();
        }
        let line = ServerLine { written: written.into(), ..ServerLine::new(address) };
        let upstream = Upstream::new(written.into(), Balance::RoundRobin, vec![line]);
        let pool = Arc::new(Pool::new(Arc::new(upstream), self.resolver.clone()));
        self.made.insert(written.into(), pool.clone());
        pool
    }

    pub(super) fn no_destination(&mut self, path: &[Key], written: &str, error: &AddressError) {
        if self.places.was_cut(&path_to!["upstream", written]) {
            return;
        }
        if written.is_empty() {
            self.wrong(path, "an upstream's name or address is empty").label("\"NAME\" of an [upstream.NAME], or \"10.0.0.1:443\"");
            return;
        }
        let looks_like_an_address = written.contains([':', '/', '.']);
        let similar = self.similar(written, self.pools.keys().map(|name| &**name));
        match similar {
            Some(similar) => {
                let place = self.places.key(&path_to!["upstream", &similar]);
                self.wrong(path, format!("no upstream is named {written:?}")).label(format!("did you mean \"{similar}\" ({place})?"));
            }
            None if looks_like_an_address => self.no_address(path, written, error),
            None => {
                self.wrong(path, format!("no upstream is named {written:?}"))
                    .help(format!("[upstream.{}] with servers = [\"10.0.0.1:443\"]", Key::from(written)));
            }
        }
    }
}

/// Where the first server that has something says so, itself or by the defaults.
fn first_that(
    has: impl Fn(&ServerKeys) -> Option<bool>,
    key: &str,
    name: &str,
    written: &config::Upstream,
    defaults: &ServerKeys,
) -> Option<Vec<Key>> {
    let own = |server: &config::Server| has(&server.keys);
    let (first, server) = written.servers.iter().enumerate().find(|(_, server)| own(server).or(has(defaults)).unwrap_or(false))?;
    Some(match own(server) {
        Some(_) => path_to!["upstream", name, "servers", first, key].to_vec(),
        None => path_to!["defaults", "upstream", "server", key].to_vec(),
    })
}

/// Whether a template may yield this name, whatever its variables are.
fn may_become(template: &Text, name: &str) -> bool {
    let fits = |piece: Option<&Piece<Variable>>, fits: fn(&str, &str) -> bool| match piece {
        Some(Piece::Text(text)) => fits(name, text),
        _ => true,
    };
    fits(template.pieces().first(), |name, text| name.starts_with(text))
        && fits(template.pieces().last(), |name, text| name.ends_with(text))
}

/// Whether a template yields paths of the one folder that it begins with.
fn stays_within_a_folder(template: &Text) -> bool {
    let is_path = matches!(template.pieces().first(), Some(Piece::Text(text)) if text.starts_with("unix:/"));
    is_path && !template.variables().any(Variable::may_hold_slash)
}

/// Whether a template may yield an address with its port. No host name has a colon in it, nor has any part of one; what a map
/// gives may.
fn may_become_an_address(template: &Text) -> bool {
    let may_hold_a_colon = |piece: &Piece<Variable>| match piece {
        Piece::Text(text) => text.contains(':'),
        Piece::Variable(variable) => !matches!(variable, Variable::Capture(_) | Variable::SslPrereadServerName),
    };
    let ends_in_a_port = match template.pieces().last() {
        Some(Piece::Text(text)) => text.ends_with(|c: char| c.is_ascii_digit()),
        _ => true,
    };
    let is_path = matches!(template.pieces().first(), Some(Piece::Text(text)) if text.starts_with("unix:"));
    is_path || (ends_in_a_port && template.pieces().iter().any(may_hold_a_colon))
}
