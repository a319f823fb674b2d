//! `[networks]`, and the ranges that stand elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::Compiler;
use super::lists::place_in;
use crate::address::{range, range_as_written};
use crate::admit::{RangeList, Ranges};
use crate::config::{self, Config, FilePattern, Key, Place, lines, path_to};
use crate::snapshot::Networks;

/// The name under `[networks]` that allows forwards to where they are refused otherwise.
pub(super) const FORWARD: &str = "forward";

/// One of `[networks]`.
#[derive(Default)]
pub(super) struct Network {
    /// As they are written.
    pub(super) ranges: Vec<IpNet>,
    /// All of them, for everyone who looks addresses up.
    set: Arc<Ranges>,
}

/// What a text among ranges stands for.
#[derive(Clone)]
pub(super) enum Meant {
    Range(IpNet),
    Network(Arc<Ranges>),
}

impl Compiler {
    pub(super) fn compile_networks(&mut self, config: &Config) -> BTreeMap<String, Network> {
        let mut networks = BTreeMap::new();
        for (name, network) in &config.networks {
            self.check_name(name);
            let ranges = match network {
                config::Network::Ranges(ranges) => self.ranges_of_network(name, ranges, config),
                config::Network::File { file } => self.ranges_of_file(&path_to!["networks", name, "file"], file),
            };
            let set = Arc::new(Ranges::new(&ranges));
            networks.insert(name.clone(), Network { ranges, set });
        }
        networks
    }

    /// What already means something where networks are named would never be looked up.
    fn check_name(&mut self, name: &str) {
        let what = match name {
            "all" => "everybody",
            "unix" | "unix:" => "clients of unix sockets",
            _ if range(name).is_some() => "this range",
            _ => return,
        };
        let name = Key::from(name);
        self.wrong_key(
            &[Key::from("networks"), name.clone()],
            format!("no network is called {name}: in `access` and guards that is {what}"),
        )
        .label("a name such as office");
    }

    /// A range at this path; one with bits that mean nothing is told of.
    pub(super) fn range_at(&mut self, path: &[Key], text: &str) -> Option<IpNet> {
        let written = range_as_written(text)?;
        if written != written.trunc() {
            let place = self.places.value(path);
            self.warn_of_host_bits(place, text, written, 0);
        }
        Some(written.trunc())
    }

    fn warn_of_host_bits(&mut self, place: Place, text: &str, written: IpNet, more: usize) {
        let also = if more > 0 { format!(" (and of {more} more in this list)") } else { String::new() };
        let problem = format!("the last bits of {text} mean nothing: it is {}{also}", written.trunc());
        let one = written.addr();
        self.diagnostics.warning("host-bits", place, problem).help(format!("\"{}\", or \"{one}\" alone", written.trunc()));
    }

    fn ranges_of_network(&mut self, name: &str, written: &[String], config: &Config) -> Vec<IpNet> {
        let mut compiled = Vec::new();
        for (index, text) in written.iter().enumerate() {
            match self.range_at(&path_to!["networks", name, index], text) {
                Some(range) => compiled.push(range),
                None if config.networks.contains_key(text) => {
                    self.wrong(&path_to!["networks", name, index], "a network is made of address ranges, not of other networks")
                        .label("write its ranges here");
                }
                None => self.not_a_range(&path_to!["networks", name, index], text),
            }
        }
        compiled
    }

    /// The ranges of a file, one a line.
    fn ranges_of_file(&mut self, path: &[Key], written: &str) -> Vec<IpNet> {
        let file = self.places.file(path, written);
        if FilePattern::new(Path::new(""), written).is_some() && !file.exists() {
            self.wrong(path, format!("{written:?} is no file, and patterns do not work here")).label("a network has one file, by its name");
            return Vec::new();
        }
        let Some(source) = self.list(path, &file) else { return Vec::new() };
        let mut is_empty = true;
        let mut ranges = Vec::with_capacity(source.lines());
        let mut with_host_bits = Vec::new();
        for line in lines(source.text()) {
            is_empty = false;
            match range_as_written(line.words) {
                Some(written) => {
                    ranges.push(written.trunc());
                    if written != written.trunc() {
                        with_host_bits.push((line, written));
                    }
                }
                None => {
                    let place = place_in(&source, line.at, line.words.len());
                    self.wrong_at(place, format!("{:?} is no address range", line.words)).label(one_a_line(line.words));
                }
            }
        }
        if let Some((line, written)) = with_host_bits.first() {
            let place = place_in(&source, line.at, line.words.len());
            self.warn_of_host_bits(place, line.words, *written, with_host_bits.len() - 1);
        }
        if is_empty {
            self.warn_of_empty_list(path, &file, "nobody is in this network, whatever it allows or denies");
        }
        ranges
    }

    /// What templates may yield although it would be refused.
    pub(super) fn allowed_forwards(&self) -> Arc<Ranges> {
        self.networks.get(FORWARD).map(|network| Arc::clone(&network.set)).unwrap_or_default()
    }

    /// Ranges and names of `[networks]`, as they stand in a guard.
    pub(super) fn ranges(&mut self, path: &[Key], written: &[String]) -> RangeList {
        let each = written.iter().enumerate().map(|(index, text)| self.range(&[path, &path_to![index]].concat(), text));
        list(each.collect::<Vec<_>>().into_iter().flatten())
    }

    /// One range, or one of `[networks]`; nothing of what is neither.
    pub(super) fn range(&mut self, path: &[Key], text: &str) -> Option<Meant> {
        if let Some(range) = self.range_at(path, text) {
            return Some(Meant::Range(range));
        }
        if let Some(named) = self.networks.get(text) {
            self.used.networks.insert(text.to_owned());
            return Some(Meant::Network(Arc::clone(&named.set)));
        }
        if !self.places.was_cut(&path_to!["networks", text]) {
            self.no_range(path, text);
        }
        None
    }

    fn no_range(&mut self, path: &[Key], text: &str) {
        let looks_like_a_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains([':', '/', '.']);
        if text == "all" {
            self.wrong(path, "\"all\" is no address range").label("\"0.0.0.0/0\", \"::/0\" are all addresses");
            return;
        }
        let similar = self.similar(text, self.networks.keys().map(String::as_str));
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

impl Meant {
    /// As a set of its own, or the network's.
    pub(super) fn into_set(self) -> Arc<Ranges> {
        match self {
            Self::Range(range) => Arc::new(Ranges::new(&[range])),
            Self::Network(set) => set,
        }
    }
}

/// The networks as they run.
pub(super) fn sets(networks: &BTreeMap<String, Network>) -> Networks {
    networks.iter().map(|(name, network)| (name.as_str().into(), Arc::clone(&network.set))).collect()
}

/// All of these: the ranges that stand there as one set, and the networks' own.
pub(super) fn list(all: impl IntoIterator<Item = Meant>) -> RangeList {
    let (mut ranges, mut sets) = (Vec::new(), Vec::new());
    for meant in all {
        match meant {
            Meant::Range(range) => ranges.push(range),
            Meant::Network(set) => sets.push(set),
        }
    }
    if !ranges.is_empty() {
        sets.push(Arc::new(Ranges::new(&ranges)));
    }
    RangeList::new(sets)
}

/// What to write on the line of a list.
fn one_a_line(words: &str) -> String {
    let bare = words.split([' ', '\t', ',', ';', '"', '\'']).find(|word| range(word).is_some());
    match bare {
        Some(range) => format!("one range a line, and nothing else: {range}"),
        None => "10.0.0.0/8, fd00::/8 or one address".into(),
    }
}
