//! How long a server that does not answer is waited for, beside how long it is left alone then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Compiler;
use super::datagrams::protocols;
use crate::config::{self, Action, Config, ListenerAction, SessionKeys, path_to};
use crate::session::Protocol;
use crate::units;

/// The longest wait for the servers of an upstream, and whether somebody has written it.
type Waits<'c> = BTreeMap<&'c str, (Duration, bool)>;

impl Compiler {
    /// Warns of a `fail_timeout` that is over sooner than a server has failed once more, if one of the two is written: what
    /// is built in is as nginx has it.
    pub(super) fn check_patience(&mut self, config: &Config) {
        let defaults = &config.defaults.upstream;
        for (name, (wait, is_written)) in self.waits(config) {
            let Some(written) = config.upstream.get(name) else { continue };
            let has_others = written.servers.len() > 1 || self.pools.get(name).is_some_and(|pool| pool.fallback().is_some());
            if !has_others {
                continue;
            }
            let is_short = |server: &config::Server| {
                let fail_timeout = server.keys.fail_timeout.or(defaults.server.fail_timeout);
                let fails = server.keys.max_fails.or(defaults.server.max_fails) != Some(0);
                let left_alone = fail_timeout.unwrap_or(BUILT_IN_FAIL_TIMEOUT);
                (fails && left_alone < wait && (is_written || fail_timeout.is_some())).then_some(left_alone)
            };
            let first = written.servers.iter().enumerate().find_map(|(index, server)| Some((index, server, is_short(server)?)));
            let Some((index, server, left_alone)) = first else { continue };
            let of_defaults = server.keys.fail_timeout.is_none() && defaults.server.fail_timeout.is_some();
            let whose = if of_defaults { String::new() } else { format!(" of upstream {name:?}") };
            let place = match (server.keys.fail_timeout, defaults.server.fail_timeout) {
                (Some(_), _) => self.places.value(&path_to!["upstream", name, "servers", index, "fail_timeout"]),
                (None, Some(_)) => self.places.value(&path_to!["defaults", "upstream", "server", "fail_timeout"]),
                (None, None) => self.places.key(&path_to!["upstream", name]),
            };
            let (wait, left_alone) = (units::written(wait), units::written(left_alone));
            let problem = format!(
                "a server{whose} that does not answer is waited for {wait} (connect_timeout), passed over for {left_alone} \
                 (fail_timeout), and waited for again"
            );
            // The defaults are judged once, whoever has them.
            let before = self.diagnostics.len();
            let help = format!("a `connect_timeout` of a few seconds, or a `fail_timeout` above {wait}");
            self.diagnostics.warning("short-fail-timeout", place, problem).help(help);
            self.diagnostics.drop_repeated(before);
        }
    }

    fn waits<'c>(&self, config: &'c Config) -> Waits<'c> {
        let mut waits = Waits::new();
        for written in config.listener.values().filter(|written| protocols(written, config).contains(&Protocol::Tcp)) {
            let above = [&written.session, &config.defaults.session];
            match &written.action {
                ListenerAction::Upstream(text) => note(&mut waits, config, text, above),
                ListenerAction::Routes(map) => {
                    for target in config.routes.get(map).into_iter().flat_map(config::Routes::targets) {
                        let own = if let Action::Upstream(text) = &target.action { Some(text) } else { None };
                        for text in own.into_iter().chain(&target.maintenance) {
                            note(&mut waits, config, text, [&target.session, &written.session, &config.defaults.session]);
                        }
                    }
                    for text in self.listed_hosts.get(map).into_iter().flat_map(|listed| listed.leads.keys()) {
                        note(&mut waits, config, text, above);
                    }
                }
                ListenerAction::Respond(_) | ListenerAction::Show(_) => {}
            }
        }
        waits
    }
}

fn note<'c, const N: usize>(waits: &mut Waits<'c>, config: &'c Config, upstream: &str, levels: [&SessionKeys; N]) {
    // Most of what thousands of hosts lead to may be addresses, each of which is a server without others.
    let Some((upstream, _)) = config.upstream.get_key_value(upstream) else { return };
    let written = levels.into_iter().find_map(|level| level.connect_timeout);
    let wait = (written.unwrap_or(BUILT_IN_CONNECT_TIMEOUT), written.is_some());
    let longest = waits.entry(upstream).or_insert(wait);
    *longest = wait.max(*longest);
}

const BUILT_IN_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
const BUILT_IN_FAIL_TIMEOUT: Duration = Duration::from_secs(10);
