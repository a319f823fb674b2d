//! `[listener.NAME]`: where connections come in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use super::binding::binding;
use super::datagrams::protocols;
use super::targets::{Above, limits};
use crate::address::ListenAddress;
use crate::config::{self, Config, Key, ListenerAction, Place, Preread, Show, path_to, suggest};
use crate::peek::PeekLimits;
use crate::route::{Builder, Entry, RouteTable};
use crate::session::Protocol;
use crate::snapshot::{Action, Admission, Guards, Listener, ProxyRule, Target, Targets};

impl Compiler {
    pub(super) fn compile_listeners(&mut self, config: &Config) -> Vec<Arc<Listener>> {
        let mut addresses = self.addresses(config);
        let inherited = self.inherited_admission(config);
        let mut listeners = Vec::new();
        let mut compiled = BTreeSet::new();
        let trusted = self.trusted_by_default(config);
        for (name, written) in &config.listener {
            let addresses = addresses.remove(name).unwrap_or_default();
            self.check_idle_keys(name, written, config, &addresses);
            self.check_datagrams(name, written, config);
            let admission = self.listener_admission(name, written, &inherited);
            let proxy = self.proxy_rule(name, written, config, trusted.as_ref());
            let table = self.table(name, written, config, &mut compiled);
            if let (Some(routes), Some(admission)) = (table, admission) {
                listeners.push(Arc::new(listener(name, written, config, addresses, admission, routes, proxy)));
            }
        }
        if config.listener.is_empty() && !self.places.was_cut(&path_to!["listener"]) {
            let is_begun = !config.routes.is_empty() || !config.upstream.is_empty();
            self.wrong_at(Place::Whole, "there is no listener, so nothing would be served").help(if is_begun {
                LISTENER
            } else {
                BEGINNING
            });
        }
        listeners
    }

    /// The addresses of each listener; one that stands twice is complained of where it stands for the second time.
    fn addresses<'c>(&mut self, config: &'c Config) -> BTreeMap<&'c String, Vec<ListenAddress>> {
        let written = config.listener.iter().flat_map(|(name, listener)| {
            listener.listen.iter().enumerate().map(move |(index, text)| (path_to!["listener", name, "listen", index], name, text))
        });
        let mut written: Vec<_> = written.collect();
        written.sort_by_cached_key(|(path, ..)| self.places.value(path).order());
        let mut taken: BTreeMap<(ListenAddress, Protocol), Place> = BTreeMap::new();
        let mut addresses: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (path, name, text) in written {
            // What is no address was complained of when it was read.
            let Ok(all) = ListenAddress::parse(text) else { continue };
            // What is spoken by one protocol does not get in the way of another.
            let spoken = config.listener.get(name).map(|listener| protocols(listener, config)).unwrap_or_default();
            let each = all.iter().flat_map(|address| spoken.iter().map(move |&protocol| (address.clone(), protocol)));
            let each: Vec<_> = each.collect();
            let is_taken = |(address, _): &&(ListenAddress, Protocol)| address.port() != Some(0);
            let earlier = each.iter().filter(is_taken).find_map(|spoken| Some((&spoken.0, taken.get(spoken)?.to_string())));
            if let Some((address, earlier)) = earlier {
                self.wrong(&path, format!("{address} is listened on twice")).label(format!("it is taken already ({earlier})"));
            }
            let place = self.places.value(&path);
            taken.extend(each.into_iter().map(|spoken| (spoken, place.clone())));
            addresses.entry(name).or_default().extend(all);
        }
        addresses
    }

    /// What becomes of connections. `compiled` are the maps whose complaints have been made.
    fn table<'c>(
        &mut self,
        name: &str,
        written: &'c config::Listener,
        config: &Config,
        compiled: &mut BTreeSet<&'c str>,
    ) -> Option<RouteTable<Targets>> {
        let mut above = Above::of(config, Some(written));
        if let Some(profile) = &written.terminate {
            above.terminate = Some(self.terminator(&path_to!["listener", name, "terminate"], profile, config)?);
        }
        let action = match &written.action {
            ListenerAction::Routes(map) => {
                if written.preread == Some(Preread::None) {
                    self.wrong(&path_to!["listener", name, "preread"], "`routes` needs the server name, so first bytes are always read")
                        .label("leave it out, or use `upstream` in place of `routes`");
                }
                let Some(routes) = config.routes.get(map) else {
                    self.no_map(&path_to!["listener", name, "routes"], map, config);
                    return None;
                };
                // Its complaints do not depend on who uses it.
                return match compiled.insert(map) {
                    true => self.routes(map, routes, &above),
                    false => self.quietly(|compiler| compiler.routes(map, routes, &above)),
                };
            }
            ListenerAction::Upstream(text) => {
                let destination = self.destination(&path_to!["listener", name, "upstream"], text, None)?;
                if written.terminate.is_none() {
                    self.check_unread_keys(name, &destination, preread(written, config) == Some(Preread::Tls));
                }
                Action::Forward(destination)
            }
            ListenerAction::Show(Show::Upstreams) => Action::Show,
            ListenerAction::Respond(text) => {
                if written.preread == Some(Preread::Tls) && written.terminate.is_none() {
                    self.wrong(&path_to!["listener", name, "preread"], "a client that speaks TLS could not read a plain answer")
                        .label("leave it out");
                }
                self.text(&path_to!["listener", name, "respond"], text, None).map(Action::Respond)?
            }
        };
        self.check_datagram_servers(&path_to!["listener", name, "upstream"], &protocols(written, config), &action);
        let source = self.inherited_source(&above.sessions);
        self.check_families(&path_to!["listener", name], &action, source.as_ref());
        let rates = self.inherited_rates(&above.sessions);
        if written.terminate.is_none() && matches!(action, Action::Forward(_)) {
            self.check_unread_rates(name, &written.session, &rates, peeks(written, config));
        }
        let limits = limits(&above.sessions);
        let target = Target {
            guards: Guards::default(),
            admission: Admission::default(),
            terminate: above.terminate,
            action,
            limits,
            source,
            rates,
            note: None,
            in_maintenance: false,
        };
        let mut table = Builder::new();
        table.default(Entry { written: "default".into(), target: vec![target].into() });
        table.build().ok()
    }

    fn no_map(&mut self, path: &[Key], map: &str, config: &Config) {
        if self.places.was_cut(&path_to!["routes", map]) {
            return;
        }
        if map.is_empty() {
            self.wrong(path, "the name of the routes is empty").label("\"NAME\" of a [routes.NAME]");
            return;
        }
        let similar = suggest(map, config.routes.keys().map(String::as_str));
        let place = similar.map(|similar| self.places.key(&path_to!["routes", similar]));
        let error = self.wrong(path, format!("no routes are named {map:?}"));
        match similar.zip(place) {
            Some((similar, place)) => error.label(format!("did you mean \"{similar}\" ({place})?")),
            None => {
                let map = Key::from(map);
                error.help(format!("[routes.{map}] with default = \"UPSTREAM\", and [routes.{map}.hosts]"))
            }
        };
    }
}

/// The unix sockets of all listeners; what is no address is complained of elsewhere.
pub(super) fn unix_sockets(config: &Config) -> Vec<PathBuf> {
    let written = config.listener.values().flat_map(|listener| &listener.listen);
    let all = written.filter_map(|text| ListenAddress::parse(text).ok()).flatten();
    all.filter_map(|address| match address {
        ListenAddress::Unix(path) => Some(path),
        ListenAddress::Ip(_) => None,
    })
    .collect()
}

/// What is expected of first bytes. That of `[defaults]` is for listeners that may do with or without.
fn preread(written: &config::Listener, config: &Config) -> Option<Preread> {
    let may = matches!(written.action, ListenerAction::Upstream(_)) && protocols(written, config).contains(&Protocol::Tcp);
    written.preread.or(config.defaults.preread.filter(|_| may))
}

/// Whether first bytes are read at all.
pub(super) fn peeks(written: &config::Listener, config: &Config) -> bool {
    let looks_up = matches!(written.action, ListenerAction::Routes(_));
    looks_up || preread(written, config) == Some(Preread::Tls) || written.terminate.is_some()
}

fn listener(
    name: &str,
    written: &config::Listener,
    config: &Config,
    addresses: Vec<ListenAddress>,
    admission: Admission,
    routes: RouteTable<Targets>,
    proxy: Option<ProxyRule>,
) -> Listener {
    let (own, defaults) = (&written.listening, &config.defaults.listening);
    let map = match &written.action {
        ListenerAction::Routes(map) => Some(map.as_str().into()),
        ListenerAction::Upstream(_) | ListenerAction::Respond(_) | ListenerAction::Show(_) => None,
    };
    let peeks = peeks(written, config);
    let peek = peeks.then(|| PeekLimits {
        timeout: own.preread_timeout.or(defaults.preread_timeout).unwrap_or(Duration::from_secs(30)),
        size: usize::try_from(own.preread_buffer_size.or(defaults.preread_buffer_size).unwrap_or(64 * 1024)).unwrap_or(usize::MAX),
    });
    // Only where the client speaks first in any case; on others it would hold back a server's greeting.
    let defer_accept = (peeks || proxy.is_some()) && own.defer_accept.or(defaults.defer_accept).unwrap_or(true);
    let binding = binding(own, defaults, defer_accept);
    let max_connections = own.max_connections.or(defaults.max_connections).map(|most| most as usize);
    let protocols = protocols(written, config);
    Listener { name: name.into(), addresses, protocols, binding, max_connections, proxy, admission, peek, routes, map }
}

/// What is missing in a file that has other things.
const LISTENER: &str = "[listener.https] with listen = \":443\" and routes = \"NAME\" or upstream = \"NAME\"";

/// What to write in a file with nothing in it.
const BEGINNING: &str = "to begin with, TLS connections by the host name that they ask for:

[listener.https]
listen = \":443\"
routes = \"hosts\"

[routes.hosts.hosts]
\"www.example.com\" = \"web\"

[upstream.web]
servers = [\"10.0.0.1:443\", \"10.0.0.2:443\"]";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::snapshot::Snapshot;

    #[test]
    fn what_an_empty_file_is_told_to_begin_with_is_usable_without_a_warning() {
        let (_, text) = BEGINNING.split_once('\n').expect("a configuration follows the first line");
        let found = Snapshot::check(config::parse("routes.toml", text, &[], []).expect("it is read"));
        assert!(found.snapshot.is_some() && found.diagnostics.is_empty(), "{}", found.diagnostics);
    }
}
