//! `fallback` of upstreams: who stands in for whom, and that nobody does for himself by way of others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Compiler;
use crate::address::Address;
use crate::config::{Config, Key, path_to};
use crate::upstream::Pool;

/// From an upstream to the one that it names as its fallback.
type Links<'c> = BTreeMap<&'c str, &'c str>;

impl Compiler {
    /// Says to each pool which one it falls back on.
    pub(super) fn link_fallbacks(&mut self, config: &Config) {
        let default = config.defaults.upstream.keys.fallback.as_deref().filter(|name| !name.is_empty());
        // Looked up in any case: it may be wrong although nobody uses it.
        let default_pool = default.and_then(|name| self.fallback(&path_to!["defaults", "upstream", "fallback"], name));
        let links = links(config);
        let circles = circles(&links);
        for around in &circles {
            self.circle(around);
        }
        // They are not made: whoever walks along fallbacks comes to an end.
        let circular: BTreeSet<&str> = circles.into_iter().flatten().collect();
        let exempt = default.map(|name| chain(name, &links)).unwrap_or_default();
        for (name, written) in config.upstream.iter().filter(|(name, _)| !circular.contains(name.as_str())) {
            let fallback = match written.keys.fallback.as_deref() {
                Some("") => None,
                Some(own) => self.fallback(&path_to!["upstream", name, "fallback"], own),
                None if exempt.contains(name.as_str()) => None,
                None => default_pool.clone(),
            };
            if let Some((pool, fallback)) = self.pools.get(name.as_str()).zip(fallback) {
                pool.fall_back_on(fallback);
            }
        }
    }

    /// Warns of upstreams that have nobody to ask, nor anybody who stands in.
    pub(super) fn check_all_down(&mut self, config: &Config) {
        for name in config.upstream.keys() {
            let servers = path_to!["upstream", name, "servers"];
            let Some(pool) = self.pools.get(name.as_str()) else { continue };
            let lines = pool.upstream.lines();
            let is_left = pool.fallback().is_some() || lines.is_empty() || lines.iter().any(|line| !line.down);
            if !is_left && !self.places.was_cut(&servers) {
                let place = self.places.value(&servers);
                let problem = format!("all servers of upstream {name:?} are down, and nobody stands in: its sessions end as no_server");
                self.diagnostics.warning("all-down", place, problem).help("leave `down` out of one, or fallback = \"NAME\"");
            }
        }
    }

    /// The pool that a fallback names, by its name or an address.
    fn fallback(&mut self, path: &[Key], written: &str) -> Option<Arc<Pool>> {
        if let Some(pool) = self.pools.get(written) {
            return Some(pool.clone());
        }
        if let Some(dollar) = written.find('$') {
            self.wrong_inside(path, dollar..written.len(), "a fallback has no variables").label("the name of an upstream, or an address");
            return None;
        }
        match Address::parse(written) {
            Ok(address) => Some(self.made_pool(written, address)),
            Err(error) => {
                self.no_destination(path, written, &error);
                None
            }
        }
    }

    /// Complains about fallbacks that lead in a circle, at the one that closes it for a reader.
    fn circle(&mut self, around: &[&str]) {
        let path = |name: &str| path_to!["upstream", name, "fallback"];
        let order = |name: &&&str| self.places.value(&path(name)).order();
        let Some(last) = around.iter().enumerate().max_by_key(|(_, name)| order(name)).map(|(at, _)| at) else { return };
        let from_there = around.iter().cycle().skip(last).take(around.len() + 1);
        let names: Vec<_> = from_there.map(|name| format!("{name:?}")).collect();
        let path = path(around[last]);
        match around {
            [alone] => self.wrong(&path, format!("upstream {alone:?} cannot stand in for itself")).label("another one, or none"),
            _ => self
                .wrong(&path, format!("these fallbacks lead in a circle: {}", names.join(", then ")))
                .label("one of them must be the last"),
        };
    }
}

fn links(config: &Config) -> Links<'_> {
    config.upstream.iter().filter_map(|(name, written)| Some((name.as_str(), written.keys.fallback.as_deref()?))).collect()
}

/// All circles, each once.
fn circles<'c>(links: &Links<'c>) -> Vec<Vec<&'c str>> {
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for &start in links.keys() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(name) = at
            && seen.insert(name)
        {
            way.push(name);
            at = links.get(name).copied();
        }
        if let Some(from) = at.and_then(|met| way.iter().position(|name| *name == met)) {
            circles.push(way.split_off(from));
        }
    }
    circles
}

/// An upstream and all that stand in for it: those that cannot have it for their fallback.
fn chain<'c>(first: &'c str, links: &Links<'c>) -> BTreeSet<&'c str> {
    let mut chain = BTreeSet::new();
    let mut at = Some(first);
    while let Some(name) = at
        && chain.insert(name)
    {
        at = links.get(name).copied();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_circle_is_found_once_whatever_leads_into_it() {
        let links = Links::from([("a", "b"), ("b", "c"), ("c", "b"), ("d", "a"), ("e", "e"), ("f", "10.0.0.1:443")]);
        assert_eq!(circles(&links), [vec!["b", "c"], vec!["e"]]);
    }

    #[test]
    fn a_chain_ends_although_it_is_a_circle() {
        let links = Links::from([("a", "b"), ("b", "a")]);
        assert_eq!(chain("a", &links), BTreeSet::from(["a", "b"]));
    }
}
