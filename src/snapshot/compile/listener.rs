//! `[listener.NAME]`: where connections come in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use super::targets::{above, limits};
use crate::address::ListenAddress;
use crate::config::{self, Config, ListenerAction, Place, Preread, path_to, suggest};
use crate::peek::PeekLimits;
use crate::route::{Builder, Entry, RouteTable};
use crate::snapshot::{Action, Binding, Guards, Listener, Target};

impl Compiler {
    pub(super) fn compile_listeners(&mut self, config: &Config) -> Vec<Arc<Listener>> {
        let mut taken = BTreeMap::new();
        let mut listeners = Vec::new();
        for (name, written) in &config.listener {
            let addresses = self.addresses(name, written, &mut taken);
            let table = self.table(name, written, config);
            if let Some(routes) = table {
                listeners.push(Arc::new(listener(name, written, config, addresses, routes)));
            }
        }
        if config.listener.is_empty() && !self.places.was_cut(&path_to!["listener"]) {
            let place = Place::Whole;
            self.wrong_at(place, "there is no listener, so nothing would be served")
                .help("[listener.https] with listen = \":443\" and routes = \"NAME\" or upstream = \"NAME\"");
        }
        listeners
    }

    /// The addresses; each stands once in the whole file.
    fn addresses(&mut self, name: &str, written: &config::Listener, taken: &mut BTreeMap<ListenAddress, Place>) -> Vec<ListenAddress> {
        let mut addresses = Vec::new();
        for (index, text) in written.listen.iter().enumerate() {
            let path = path_to!["listener", name, "listen", index];
            match ListenAddress::parse(text) {
                Ok(all) => {
                    for address in all {
                        let is_free_port = matches!(&address, ListenAddress::Ip(ip) if ip.port() == 0);
                        match taken.get(&address).filter(|_| !is_free_port) {
                            Some(earlier) => {
                                let earlier = earlier.to_string();
                                self.wrong(&path, format!("{address} is listened on twice"))
                                    .label(format!("it is taken already ({earlier})"));
                            }
                            None => {
                                taken.insert(address.clone(), self.places.value(&path));
                                addresses.push(address);
                            }
                        }
                    }
                }
                Err(error) => self.no_address(&path, text, &error),
            }
        }
        addresses
    }

    fn table(&mut self, name: &str, written: &config::Listener, config: &Config) -> Option<RouteTable<Vec<Target>>> {
        let above = above(config, Some(written));
        let action = match &written.action {
            ListenerAction::Routes(map) => {
                if written.preread == Some(Preread::None) {
                    self.wrong(&path_to!["listener", name, "preread"], "`routes` needs the server name, so first bytes are always read")
                        .label("leave it out, or use `upstream` in place of `routes`");
                }
                return self.table_of_map(name, map, config, &above);
            }
            ListenerAction::Upstream(text) => self.destination(&path_to!["listener", name, "upstream"], text, None).map(Action::Forward)?,
            ListenerAction::Respond(text) => {
                if written.preread == Some(Preread::Tls) {
                    self.wrong(&path_to!["listener", name, "preread"], "a client that speaks TLS could not read a plain answer")
                        .label("leave it out");
                }
                self.text(&path_to!["listener", name, "respond"], text, None).map(Action::Respond)?
            }
        };
        let target = Target { guards: Guards::default(), action, limits: limits(&above) };
        let mut table = Builder::new();
        table.default(Entry { written: "default".into(), target: vec![target] });
        table.build().ok()
    }

    fn table_of_map(&mut self, name: &str, map: &str, config: &Config, above: &[&config::SessionKeys]) -> Option<RouteTable<Vec<Target>>> {
        let path = path_to!["listener", name, "routes"];
        if let Some(written) = config.routes.get(map) {
            // Its complaints have been made: they do not depend on who uses it.
            return self.quietly(|compiler| compiler.routes(map, written, above));
        }
        if !self.places.was_cut(&path_to!["routes", map]) {
            let similar = suggest(map, config.routes.keys().map(String::as_str)).map(str::to_owned);
            let place = similar.as_ref().map(|similar| self.places.key(&path_to!["routes", similar]));
            let error = self.wrong(&path, format!("no routes are named {map:?}"));
            match similar.zip(place) {
                Some((similar, place)) => error.label(format!("did you mean \"{similar}\" ({place})?")),
                None => error.help(format!("[routes.{map}] with default = \"UPSTREAM\", and [routes.{map}.hosts]")),
            };
        }
        None
    }
}

fn listener(
    name: &str,
    written: &config::Listener,
    config: &Config,
    addresses: Vec<ListenAddress>,
    routes: RouteTable<Vec<Target>>,
) -> Listener {
    let (own, defaults) = (&written.listening, &config.defaults.listening);
    let map = match &written.action {
        ListenerAction::Routes(map) => Some(map.as_str().into()),
        ListenerAction::Upstream(_) | ListenerAction::Respond(_) => None,
    };
    let peeks = map.is_some() || written.preread == Some(Preread::Tls);
    let peek = peeks.then(|| PeekLimits {
        timeout: own.preread_timeout.or(defaults.preread_timeout).unwrap_or(Duration::from_secs(30)),
        size: usize::try_from(own.preread_buffer_size.or(defaults.preread_buffer_size).unwrap_or(64 * 1024)).unwrap_or(usize::MAX),
    });
    let binding = Binding {
        backlog: u32::from(own.backlog.or(defaults.backlog).unwrap_or(511)),
        ipv6_only: own.ipv6_only.or(defaults.ipv6_only).unwrap_or(true),
        reuse_port: own.reuse_port.or(defaults.reuse_port).unwrap_or(true),
        // Only where the client speaks first in any case; on others it would hold back a server's greeting.
        defer_accept: peeks && own.defer_accept.or(defaults.defer_accept).unwrap_or(true),
    };
    Listener { name: name.into(), addresses, binding, peek, routes, map }
}
