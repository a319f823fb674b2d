//! Servers that are the gateway itself: listeners that lead to one another in a circle, and headers that nobody reads.
//! Only what is written is looked at, so that a check says the same on every machine: loopback, and addresses on which
//! something listens. A template's own addresses are refused when it yields them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use super::Compiler;
use super::datagrams::protocols;
use crate::address::{Address, ListenAddress};
use crate::config::{AcceptProxyProtocol, Action, Config, Key, ListenerAction, Place, Routes, Target, path_to};
use crate::session::Protocol;

/// The addresses on which the gateway listens, by port.
#[derive(Default)]
struct Doors<'c> {
    by_port: BTreeMap<u16, Vec<Door<'c>>>,
    sockets: Vec<(PathBuf, &'c str)>,
    /// Those that are written, and so this machine's.
    own: BTreeSet<IpAddr>,
}

struct Door<'c> {
    listener: &'c str,
    ip: IpAddr,
    protocols: Vec<Protocol>,
}

/// From one listener to another, by a server that stands there.
struct Way<'c> {
    from: &'c str,
    to: &'c str,
    place: Place,
}

impl Compiler {
    /// Warns of listeners whose connections would come back to them for ever. Beside errors nobody knows all ways.
    pub(super) fn check_circles(&mut self, config: &Config) {
        let doors = Doors::of(config);
        if self.diagnostics.has_errors() {
            return;
        }
        self.check_unread_headers(config, &doors);
        let ways = self.ways(config, &doors);
        let mut told = BTreeSet::new();
        let mut closing: Vec<_> = ways.iter().filter_map(|way| Some((way, way_back(&ways, way.to, way.from)?))).collect();
        // The last one closes the circle for a reader; the environment and the command line stand behind the file.
        closing.sort_by_cached_key(|(way, _)| std::cmp::Reverse(way.place.line().unwrap_or(usize::MAX)));
        for (way, back) in closing {
            if !told.insert(back.iter().copied().collect::<BTreeSet<_>>()) {
                continue;
            }
            let problem = match back[..] {
                [alone] => format!("this leads back to [listener.{}] itself: each connection would open the next one", Key::from(alone)),
                _ => {
                    let names: Vec<_> = std::iter::once(&way.from).chain(&back).map(|name| format!("{name:?}")).collect();
                    format!("this closes a circle of listeners: {}", names.join(", then "))
                }
            };
            self.diagnostics
                .warning("loop", way.place.clone(), problem)
                .help("a server that is not this gateway, or a listener that leads elsewhere");
        }
    }

    /// Warns of servers that get a PROXY header and are listeners of our own that read none.
    fn check_unread_headers(&mut self, config: &Config, doors: &Doors<'_>) {
        for (name, written) in &config.upstream {
            if self.pools.get(name.as_str()).is_none_or(|pool| pool.announcement.is_none()) {
                continue;
            }
            for (index, server) in written.servers.iter().enumerate() {
                let Ok(address) = Address::parse(&server.address) else { continue };
                let deaf = doors.behind(&address, &[Protocol::Tcp]).into_iter().find(|listener| !accepts(config, listener));
                let Some(deaf) = deaf.map(Key::from) else { continue };
                let place = self.places.value(&path_to!["upstream", name, "servers", index, "address"]);
                let problem = format!("[listener.{deaf}] takes the PROXY header that is sent here for a client's first bytes");
                let help = format!("accept_proxy_protocol = \"require\" in [listener.{deaf}], with trusted_proxies = [\"127.0.0.0/8\"]");
                self.diagnostics.warning("unread-header", place, problem).help(help);
            }
        }
    }

    fn ways<'c>(&self, config: &'c Config, doors: &Doors<'c>) -> Vec<Way<'c>> {
        let mut of_maps: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut ways = Vec::new();
        for (name, written) in &config.listener {
            let spoken = protocols(written, config);
            let texts = match &written.action {
                ListenerAction::Upstream(text) => BTreeSet::from([text.as_str()]),
                ListenerAction::Routes(map) => {
                    let listed = self.listed_hosts.get(map).into_iter().flat_map(|listed| listed.leads.keys().map(String::as_str));
                    let texts = || config.routes.get(map).into_iter().flat_map(Routes::targets).flat_map(leads_to).chain(listed).collect();
                    of_maps.entry(map).or_insert_with(texts).clone()
                }
                ListenerAction::Respond(_) | ListenerAction::Show(_) => continue,
            };
            for text in texts {
                for (address, path) in self.servers(text, config) {
                    let behind = Address::parse(&address).map(|address| doors.behind(&address, &spoken)).unwrap_or_default();
                    for to in behind {
                        let place = match &path {
                            Some(path) => self.places.value(path),
                            None => self.place_of_way(text, name, config),
                        };
                        ways.push(Way { from: name, to, place });
                    }
                }
            }
        }
        ways
    }

    /// The address of each server to which a text leads, and of those who stand in, with its place if that is not the text's.
    fn servers(&self, text: &str, config: &Config) -> Vec<(String, Option<Vec<Key>>)> {
        let Some(pool) = self.pools.get(text) else { return vec![(text.to_owned(), None)] };
        let mut servers = Vec::new();
        let mut above = text.to_owned();
        for pool in std::iter::successors(Some(&**pool), |pool| pool.fallback()) {
            let name = &**pool.upstream.name();
            match config.upstream.get(name) {
                Some(written) => {
                    let path = |index| Some(path_to!["upstream", name, "servers", index, "address"].to_vec());
                    servers.extend(written.servers.iter().enumerate().map(|(index, server)| (server.address.clone(), path(index))));
                }
                None => servers.push((name.to_owned(), Some(path_to!["upstream", &above, "fallback"].to_vec()))),
            }
            above = name.to_owned();
        }
        servers
    }

    /// Where a text stands by which a listener leads somewhere.
    fn place_of_way(&self, text: &str, listener: &str, config: &Config) -> Place {
        let Some(ListenerAction::Routes(map)) = config.listener.get(listener).map(|written| &written.action) else {
            return self.places.value(&path_to!["listener", listener, "upstream"]);
        };
        let mut targets = config.routes.get(map).into_iter().flat_map(Routes::targets_with_paths);
        let found = targets.find(|(_, target)| leads_to(target).any(|other| other == text));
        let at = |(path, target): (Vec<Key>, &Target)| {
            let key = if target.maintenance.as_deref() == Some(text) { "maintenance" } else { "upstream" };
            self.places.value(&[&path_to!["routes", map][..], &path, &path_to![key]].concat())
        };
        let listed = || self.listed_hosts.get(map)?.leads.get(text).cloned();
        found.map(at).or_else(listed).unwrap_or(Place::Whole)
    }
}

impl<'c> Doors<'c> {
    fn of(config: &'c Config) -> Self {
        let mut doors = Self::default();
        for (name, written) in &config.listener {
            for address in written.listen.iter().filter_map(|text| ListenAddress::parse(text).ok()).flatten() {
                match address {
                    ListenAddress::Ip(address) => {
                        let ip = address.ip().to_canonical();
                        doors.own.extend((!ip.is_unspecified()).then_some(ip));
                        let door = Door { listener: name, ip, protocols: protocols(written, config) };
                        doors.by_port.entry(address.port()).or_default().push(door);
                    }
                    ListenAddress::Unix(path) => doors.sockets.push((path, name)),
                }
            }
        }
        doors
    }

    /// The listeners that a server's address leads to by one of these protocols, each once.
    fn behind(&self, address: &Address, protocols: &[Protocol]) -> BTreeSet<&'c str> {
        let at = |port: u16, leads: &dyn Fn(IpAddr) -> bool| {
            let doors = self.by_port.get(&port).into_iter().flatten();
            let open = doors.filter(|door| leads(door.ip) && door.protocols.iter().any(|spoken| protocols.contains(spoken)));
            open.map(|door| door.listener).collect()
        };
        match address {
            Address::Ip(server) => at(server.port(), &|ip| self.leads(server.ip().to_canonical(), ip)),
            Address::Name(name, port) if name.as_str() == "localhost" => at(*port, &|ip| ip.is_unspecified() || ip.is_loopback()),
            Address::Name(..) | Address::Service(_) => BTreeSet::new(),
            Address::Unix(path) => self.sockets.iter().filter(|(own, _)| own == path).map(|(_, listener)| *listener).collect(),
        }
    }

    /// Whether who dials one address gets to who listens on another.
    fn leads(&self, server: IpAddr, door: IpAddr) -> bool {
        let is_own = server.is_loopback() || server.is_unspecified() || self.own.contains(&server);
        server == door || (door.is_unspecified() && door.is_ipv4() == server.is_ipv4() && is_own)
    }
}

/// The texts that a target leads by.
fn leads_to(target: &Target) -> impl Iterator<Item = &str> {
    let own = if let Action::Upstream(text) = &target.action { Some(text.as_str()) } else { None };
    own.into_iter().chain(target.maintenance.as_deref())
}

fn accepts(config: &Config, listener: &str) -> bool {
    let own = config.listener.get(listener).and_then(|written| written.listening.accept_proxy_protocol);
    let accepts = own.or(config.defaults.listening.accept_proxy_protocol);
    accepts.is_some_and(|accepts| accepts != AcceptProxyProtocol::Off)
}

/// The listeners on the shortest way from one to another, both included.
fn way_back<'c>(ways: &[Way<'c>], from: &'c str, to: &'c str) -> Option<Vec<&'c str>> {
    let mut seen = BTreeSet::from([from]);
    let mut found = vec![vec![from]];
    while !found.is_empty() {
        if let Some(back) = found.iter().find(|walked| walked.last() == Some(&to)) {
            return Some(back.clone());
        }
        let mut next = Vec::new();
        for walked in found {
            for way in ways.iter().filter(|way| walked.last() == Some(&way.from)) {
                if seen.insert(way.to) {
                    next.push([&walked[..], &[way.to]].concat());
                }
            }
        }
        found = next;
    }
    None
}
