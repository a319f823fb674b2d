//! What hashes pick by: `hash_key` of upstreams, whether there will be anything in it, and how large a circle is.

use std::collections::BTreeMap;

use super::Compiler;
use crate::config::{self, Config, Key, SessionKeys, path_to};
use crate::snapshot::{Destination, RateRule, RateRules};
use crate::template::Piece;
use crate::upstream::{Balance, Pool, ServerLine};
use crate::variables::{Text, Variable};

impl Compiler {
    pub(super) fn hash_key(&mut self, name: &str, written: &config::Upstream, config: &Config, balance: Balance) -> Option<Text> {
        let path = path_to!["upstream", name, "hash_key"];
        let is_cut = |balance: &[Key]| self.places.was_cut(balance);
        let cut = is_cut(&path_to!["upstream", name, "balance"]) || is_cut(&path_to!["defaults", "upstream", "balance"]);
        match &written.keys.hash_key {
            Some(_) if !balance.is_hash() && !cut => {
                self.wrong_key(&path, format!("`hash_key` has no meaning for {balance}"))
                    .help("balance = \"consistent_hash\" or \"hash\" picks by it");
                None
            }
            Some(key) => self.key(&path, key),
            None if !balance.is_hash() => None,
            None => {
                let key = config.defaults.upstream.keys.hash_key.as_deref().unwrap_or("$remote_addr");
                self.quietly(|compiler| compiler.default_hash_key(key))
            }
        }
    }

    pub(super) fn default_hash_key(&mut self, written: &str) -> Option<Text> {
        self.key(&path_to!["defaults", "upstream", "hash_key"], written)
    }

    fn key(&mut self, path: &[Key], written: &str) -> Option<Text> {
        if written.is_empty() {
            self.wrong(path, "a hash of nothing picks no server").label("leave it out for \"$remote_addr\", or balance = \"round_robin\"");
            return None;
        }
        self.early_text(path, written, None)
    }

    /// Warns of weights that make a large circle: each unit is points on it, and what counts is only how they stand to
    /// each other. Nothing is refused, for nginx's circle of the same weights is the same.
    pub(super) fn check_weights(&mut self, name: &str, balance: Balance, lines: &[ServerLine]) {
        // Those of SRV records are scaled down.
        let heavy = lines.iter().filter(|line| line.own_weight && balance == Balance::ConsistentHash);
        // Lines with one text share its points.
        let mut texts: BTreeMap<&str, u64> = BTreeMap::new();
        for line in heavy {
            let weight = texts.entry(&line.written).or_default();
            *weight = u64::from(line.weight).max(*weight);
        }
        let units: u64 = texts.values().sum();
        if units > MANY_UNITS {
            let place = self.places.value(&path_to!["upstream", name, "servers"]);
            let megabytes = units * BYTES_OF_A_UNIT / 1_000_000;
            let problem =
                format!("the weights of upstream {name:?} add up to {units}, which takes about {megabytes} MB as points on a circle");
            self.diagnostics
                .warning("heavy-weights", place, problem)
                .help("divide all of them by one number: only their proportions count");
        }
    }

    /// Warns of keys that are made of what this listener, which leads there and ends no TLS, does not know.
    pub(super) fn check_unread_keys(&mut self, listener: &str, destination: &Destination, reads_hello: bool) {
        let pool = match destination {
            Destination::Pool(pool) => pool,
            Destination::Template(text, _) => return self.check_unread_upstream(listener, text, reads_hello),
        };
        for pool in std::iter::successors(Some(&**pool), |pool| pool.fallback()) {
            let pieces = pool.hash_key.as_ref().map(Text::pieces).unwrap_or_default();
            let unread = |piece: &Piece<Variable>| match piece {
                Piece::Variable(variable) if variable.is_of_ended_tls() || (!reads_hello && variable.is_read_from_first_bytes()) => {
                    Some(variable.clone())
                }
                Piece::Variable(_) | Piece::Text(_) => None,
            };
            let Some(variable) = pieces.iter().find_map(unread) else { continue };
            let so = match (&variable, pieces.iter().all(|piece| unread(piece).is_some())) {
                (Variable::Map(_), _) => "what that is made of is empty",
                (_, true) => "the key is empty, and its servers are picked in turn",
                (_, false) => "that part of the key is empty",
            };
            let (lack, help) = lack(&variable);
            let problem = format!("${}, and this listener {lack}: {so}", variable.name());
            self.warn_of_unread_key(listener, pool, &problem, help);
        }
    }

    /// The same of an upstream that is found by a template: all sessions would go one way, or nowhere.
    fn check_unread_upstream(&mut self, listener: &str, text: &Text, reads_hello: bool) {
        let is_unread = |variable: &&Variable| variable.is_of_ended_tls() || (!reads_hello && variable.is_read_from_first_bytes());
        let Some(variable) = text.variables().find(is_unread) else { return };
        let (lack, help) = lack(variable);
        let so = match variable {
            Variable::Map(_) => "what that is made of is empty",
            _ => "that part is empty",
        };
        let place = self.places.value(&path_to!["listener", listener, "upstream"]);
        self.diagnostics
            .warning("unread-upstream", place, format!("this leads by ${}, and this listener {lack}: {so}", variable.name()))
            .help(format!("{help} in [listener.{}]", Key::from(listener)));
    }

    /// The same of a rate that the listener itself says.
    pub(super) fn check_unread_rates(&mut self, listener: &str, written: &SessionKeys, rates: &RateRules, reads_hello: bool) {
        let own = [
            ("upload_rate", written.upload_rate.is_some(), &rates.upload),
            ("download_rate", written.download_rate.is_some(), &rates.download),
        ];
        for (key, rule) in own.into_iter().filter_map(|(key, is_own, rule)| is_own.then_some((key, rule))) {
            let RateRule::Template(text) = rule else { continue };
            let is_unread = |variable: &&Variable| variable.is_of_ended_tls() || (!reads_hello && variable.is_read_from_first_bytes());
            let Some(variable) = text.variables().find(is_unread) else { continue };
            let (lack, help) = lack(variable);
            let so = match variable {
                Variable::Map(_) => "what that is made of is empty",
                _ => "that part is empty, and a rate that says nothing is no limit",
            };
            let place = self.places.value(&path_to!["listener", listener, key]);
            self.diagnostics
                .warning("unread-rate", place, format!("this is made of ${}, and this listener {lack}: {so}", variable.name()))
                .help(format!("{help} in [listener.{}]", Key::from(listener)));
        }
    }

    fn warn_of_unread_key(&mut self, listener: &str, pool: &Pool, rest: &str, help: &str) {
        let name = &**pool.upstream.name();
        let own = self.places.written(&path_to!["upstream", name, "hash_key"]);
        let key = own.unwrap_or_else(|| self.places.key(&path_to!["defaults", "upstream", "hash_key"]));
        let place = self.places.value(&path_to!["listener", listener, "upstream"]);
        self.diagnostics
            .warning("unread-hash-key", place, format!("upstream {name:?} picks ({key}) by {rest}"))
            .help(format!("{help} in [listener.{}]", Key::from(listener)));
    }
}

/// What a listener does not do for a variable that is empty there, and how it would.
fn lack(variable: &Variable) -> (&'static str, &'static str) {
    match variable.is_of_ended_tls() {
        true => ("ends no TLS", "terminate = \"PROFILE\""),
        false => ("reads no hello", "preread = \"tls\""),
    }
}

/// How much weight a circle may have before it is worth a word.
const MANY_UNITS: u64 = 10_000;

/// What a unit of weight takes: 160 points of 16 bytes, and half as much again while they are put in order.
const BYTES_OF_A_UNIT: u64 = 160 * 24;
