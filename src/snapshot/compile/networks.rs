//! `[networks]`, and the ranges that stand elsewhere.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Compiler;
use crate::address::range;
use crate::config::{Config, Key, Network, path_to, suggest};

/// The name under `[networks]` that allows forwards to where they are refused otherwise.
const FORWARD: &str = "forward";

impl Compiler {
    pub(super) fn compile_networks(&mut self, config: &Config) -> BTreeMap<String, Vec<IpNet>> {
        let mut networks = BTreeMap::new();
        for (name, network) in &config.networks {
            let mut compiled = Vec::new();
            let Network::Ranges(ranges) = network else { continue };
            for (index, text) in ranges.iter().enumerate() {
                match range(text) {
                    Some(range) => compiled.push(range),
                    None if config.networks.contains_key(text) => {
                        self.wrong(&path_to!["networks", name, index], "a network is made of address ranges, not of other networks")
                            .label("write its ranges here");
                    }
                    None => self.not_a_range(&path_to!["networks", name, index], text),
                }
            }
            networks.insert(name.clone(), compiled);
        }
        networks
    }

    /// What templates may yield although it would be refused.
    pub(super) fn allowed_forwards(&self) -> Vec<IpNet> {
        self.networks.get(FORWARD).cloned().unwrap_or_default()
    }

    /// Ranges and names of `[networks]`, as they stand in a guard.
    pub(super) fn ranges(&mut self, path: &[Key], written: &[String]) -> Vec<IpNet> {
        let each = written.iter().enumerate().map(|(index, text)| self.range(&[path, &path_to![index]].concat(), text));
        each.collect::<Vec<_>>().concat()
    }

    /// One range, or the ranges of one of `[networks]`; nothing of what is neither.
    pub(super) fn range(&mut self, path: &[Key], text: &str) -> Vec<IpNet> {
        if let Some(range) = range(text) {
            return vec![range];
        }
        if let Some(named) = self.networks.get(text) {
            return named.clone();
        }
        if !self.places.was_cut(&path_to!["networks", text]) {
            self.no_range(path, text);
        }
        Vec::new()
    }

    fn no_range(&mut self, path: &[Key], text: &str) {
        let looks_like_a_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains([':', '/', '.']);
        if text == "all" {
            self.wrong(path, "\"all\" is no address range").label("\"0.0.0.0/0\", \"::/0\" are all addresses");
            return;
        }
        let similar = suggest(text, self.networks.keys().map(String::as_str)).map(str::to_owned);
        if !looks_like_a_name {
            self.not_a_range(path, text);
        } else if let Some(similar) = similar {
            let place = self.places.key(&path_to!["networks", &similar]);
            self.wrong(path, format!("no network is named {text:?}")).label(format!("did you mean \"{similar}\" ({place})?"));
        } else {
            self.wrong(path, format!("no network is named {text:?}")).label(format!("[networks] {text} = [\"10.0.0.0/8\"]"));
        }
    }
    fn not_a_range(&mut self, path: &[Key], text: &str) {
        self.wrong(path, format!("{text:?} is no address range")).label("\"10.0.0.0/8\", \"fd00::/8\" or one address");
    }
}
