//! Numbers that are written and so small that a unit was forgotten, or another one meant.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Compiler;
use super::maps::texts;
use crate::config::{Config, Key, Listening, Rate, SessionCache, SessionKeys, TerminateKeys, path_to};
use crate::units;

/// A value that is too small to be meant.
struct Tiny {
    key: &'static str,
    problem: String,
    help: String,
}

impl Compiler {
    /// Warns of rates, timeouts and caches with which hardly anything works.
    pub(super) fn check_tiny(&mut self, config: &Config) {
        let defaults = &config.defaults;
        self.warn_of_tiny(&path_to!["defaults"], of_listening(&defaults.listening));
        self.warn_of_tiny(&path_to!["defaults"], of_session(&defaults.session));
        self.warn_of_tiny(&path_to!["defaults", "terminate"], of_profile(&defaults.terminate));
        for (name, profile) in &config.terminate {
            self.warn_of_tiny(&path_to!["terminate", name], of_profile(&profile.keys));
        }
        for (name, listener) in &config.listener {
            self.warn_of_tiny(&path_to!["listener", name], of_listening(&listener.listening));
            self.warn_of_tiny(&path_to!["listener", name], of_session(&listener.session));
        }
        for (name, routes) in &config.routes {
            // Of 100,000 targets hardly one has any.
            if routes.targets().any(|target| !of_session(&target.session).is_empty()) {
                for (path, target) in routes.targets_with_paths() {
                    self.warn_of_tiny(&[&path_to!["routes", name][..], &path].concat(), of_session(&target.session));
                }
            }
        }
        self.check_tiny_rows(config);
    }

    fn warn_of_tiny(&mut self, path: &[Key], tiny: Vec<Tiny>) {
        for Tiny { key, problem, help } in tiny {
            let place = self.places.value(&[path, &path_to![key]].concat());
            self.diagnostics.warning("tiny-value", place, problem).help(help);
        }
    }

    /// The same of the rates that a map yields.
    fn check_tiny_rows(&mut self, config: &Config) {
        let listeners = config.listener.values().map(|listener| &listener.session);
        let targets = config.routes.values().flat_map(|routes| routes.targets()).map(|target| &target.session);
        let sessions = listeners.chain(targets).chain([&config.defaults.session]);
        let rates = sessions.flat_map(|keys| [&keys.upload_rate, &keys.download_rate]).flatten();
        let yields_rates: BTreeSet<&str> = rates.filter_map(whole_variable).collect();
        for (name, map) in config.map.iter().filter(|(name, _)| yields_rates.contains(name.as_str())) {
            for (path, text) in texts(name, map, |text| tiny_rate(text).is_some()) {
                let Some(bytes) = tiny_rate(text) else { continue };
                let place = self.places.value(&path);
                self.diagnostics.warning("tiny-value", place, slow(bytes)).help(faster(bytes));
            }
        }
    }
}

fn of_session(keys: &SessionKeys) -> Vec<Tiny> {
    let rate = |key, rate: &Option<Rate>| match rate {
        Some(Rate::Bytes(bytes)) if is_tiny(*bytes) => Some(Tiny { key, problem: slow(*bytes), help: faster(*bytes) }),
        _ => None,
    };
    let wait = short("connect_timeout", keys.connect_timeout, SHORTEST_CONNECT, "a server has");
    [rate("upload_rate", &keys.upload_rate), rate("download_rate", &keys.download_rate), wait].into_iter().flatten().collect()
}

fn of_listening(keys: &Listening) -> Vec<Tiny> {
    let hello = short("preread_timeout", keys.preread_timeout, SHORTEST_WAIT, "a client has");
    let header = short("proxy_protocol_timeout", keys.proxy_protocol_timeout, SHORTEST_WAIT, "a proxy has");
    [hello, header].into_iter().flatten().collect()
}

fn of_profile(keys: &TerminateKeys) -> Vec<Tiny> {
    let handshake = short("handshake_timeout", keys.handshake_timeout, SHORTEST_WAIT, "a client has");
    let cache = match keys.session_cache {
        Some(SessionCache::Bytes(bytes)) if bytes < SMALLEST_CACHE => Some(Tiny {
            key: "session_cache",
            problem: format!("no session fits into {bytes} bytes: each takes about 1,000"),
            help: format!("\"{bytes}k\" or \"{bytes}m\", or \"off\""),
        }),
        _ => None,
    };
    [handshake, cache].into_iter().flatten().collect()
}

/// A wait that is over before an answer can be there.
fn short(key: &'static str, written: Option<Duration>, shortest: Duration, who: &str) -> Option<Tiny> {
    let wait = written.filter(|wait| *wait < shortest)?;
    let problem = format!("{who} {} to answer, and most cannot", units::written(wait));
    Some(Tiny { key, problem, help: format!("\"{}s\"", wait.as_millis()) })
}

/// The variable that is all of a rate's text.
fn whole_variable(rate: &Rate) -> Option<&str> {
    let Rate::Template(text) = rate else { return None };
    let name = text.trim().strip_prefix('$')?;
    Some(name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name))
}

fn tiny_rate(text: &str) -> Option<u64> {
    units::rate(text).ok().filter(|bytes| is_tiny(*bytes))
}

/// Whether a rate is hardly any; 0 is no limit.
fn is_tiny(bytes: u64) -> bool {
    (1..SLOWEST).contains(&bytes)
}

fn slow(bytes: u64) -> String {
    format!("only {bytes} {} may pass in a second", if bytes == 1 { "byte" } else { "bytes" })
}

fn faster(bytes: u64) -> String {
    format!("\"{bytes}k\", \"{bytes}m\" or \"{bytes}Mbit/s\"")
}

/// Bytes in a second: with less, a TLS handshake takes minutes.
const SLOWEST: u64 = 64;
/// Strangers come over long ways, and lost packets are sent again after 200 ms at the earliest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Servers are near.
const SHORTEST_CONNECT: Duration = Duration::from_millis(10);
/// A session with what the cache has to know of it.
const SMALLEST_CACHE: u64 = 1024;
