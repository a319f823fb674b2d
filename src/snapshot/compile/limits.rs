//! `[limit.NAME]`, and the lists that name limits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use crate::admit::{Limit, LimitSettings, Pace};
use crate::config::{self, Config, Frequency, Key, Per, path_to};
use crate::snapshot::{KeyedLimit, Limits};
use crate::variables::{Text, Variable};

/// Where a list of limits stands, which decides what their keys may be made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Before anything is read.
    AtAccept,
    /// When the host is known, TLS or not.
    AtTarget,
}

impl Compiler {
    pub(super) fn compile_limits(&mut self, config: &Config, previous: &Limits) -> Limits {
        let mut limits = Limits::new();
        for (name, written) in &config.limit {
            match self.limit(name, written, previous) {
                Some(limit) => _ = limits.insert(name.as_str().into(), limit),
                None => _ = self.lost_limits.insert(name.clone()),
            }
        }
        limits
    }

    fn limit(&mut self, name: &str, written: &config::Limit, previous: &Limits) -> Option<KeyedLimit> {
        let at = |key: &str| path_to!["limit", name, key];
        if written.burst.is_some() && written.rate.is_none() && !self.places.was_cut(&at("rate")) {
            self.wrong_key(&at("burst"), "`burst` has no meaning without `rate`").help("rate = \"50/s\"");
        }
        let exempt = self.ranges(&at("exempt"), &written.exempt);
        let key = match &written.key {
            None => None,
            Some(empty) if empty.is_empty() => {
                self.wrong(&at("key"), "a session whose key is empty is not counted, so nobody would be").label(ALL_TOGETHER);
                return None;
            }
            Some(key) => Some(Arc::new(self.limit_key(&at("key"), key)?)),
        };
        let settings = LimitSettings {
            name: name.into(),
            key: written.key.as_deref().unwrap_or_default().into(),
            connections: written.connections,
            pace: written.rate.map(|rate| pace(rate, written.burst)),
            rate: written.rate.map(|rate| rate.to_string().into()),
            exempt,
            dry_run: written.dry_run,
        };
        let limit = match previous.get(name) {
            Some(previous) => Limit::succeeding(settings, &previous.limit),
            None => Limit::new(settings),
        };
        Some(KeyedLimit { limit: Arc::new(limit), key })
    }

    /// A key, of what is known before an upstream is: what comes later counts nobody.
    fn limit_key(&mut self, path: &[Key], written: &str) -> Option<Text> {
        let key = self.early_text(path, written, None)?;
        if let Some(variable) = key.variables().find(|variable| variable.is_of_upstream()) {
            self.wrong(path, format!("sessions are counted before their upstream is known, and ${} says nothing by then", variable.name()))
                .label("$route, for example, in the `limits` of targets");
            return None;
        }
        self.tells_apart(path, written, &key, ALL_TOGETHER).then_some(key)
    }

    /// The limits of a list; nothing if one of them is not there, for without it others would be let in.
    pub(super) fn limits(&mut self, path: &[Key], written: &[String], counts: Counts) -> Option<Vec<KeyedLimit>> {
        let mut seen = BTreeSet::new();
        let mut limits = Vec::new();
        let mut is_whole = true;
        for (index, name) in written.iter().enumerate() {
            let path = [path, &path_to![index]].concat();
            if !seen.insert(name) {
                self.wrong(&path, format!("{name:?} stands here twice")).label("leave one of them out: each session counts once");
                continue;
            }
            let Some(limit) = self.limits.get(name.as_str()).cloned() else {
                self.no_limit(&path, name);
                is_whole = false;
                continue;
            };
            self.check_known(&path, name, &limit, counts);
            limits.push(limit);
        }
        is_whole.then_some(limits)
    }

    /// Warns of limits that nobody names, unless what was left out for its own error may have.
    pub(super) fn check_unused_limits(&mut self, config: &Config) {
        if ["listener", "defaults", "routes"].into_iter().any(|table| self.places.was_cut(&path_to![table])) {
            return;
        }
        let listening = config.listener.values().filter_map(|listener| listener.listening.limits.as_ref());
        let listening = listening.chain(&config.defaults.listening.limits).flatten();
        let targets = config.routes.values().flat_map(config::Routes::targets).flat_map(|target| &target.limits);
        let used: BTreeSet<&String> = listening.chain(targets).collect();
        for name in config.limit.keys().filter(|name| !used.contains(name)) {
            let place = self.places.key(&path_to!["limit", name]);
            self.diagnostics
                .warning("unused-limit", place, format!("nothing names the limit {name:?}, so it counts nobody"))
                .help(format!("limits = [{name:?}] in a listener, in [defaults], or in a target"));
        }
    }

    fn no_limit(&mut self, path: &[Key], name: &str) {
        if self.lost_limits.contains(name) || self.places.was_cut(&path_to!["limit", name]) {
            return;
        }
        let similar = self.similar(name, self.limits.keys().map(|known| &**known));
        let place = similar.as_ref().map(|similar| self.places.key(&path_to!["limit", similar]));
        let error = self.wrong(path, format!("no limit is named {name:?}"));
        match similar.zip(place) {
            Some((similar, place)) => error.label(format!("did you mean \"{similar}\" ({place})?")),
            None => error.help(format!("[limit.{}] with key = \"$binary_remote_addr\" and connections = 20", Key::from(name))),
        };
    }

    /// Complains of a key that says nothing where it is asked for: nobody would be counted.
    fn check_known(&mut self, path: &[Key], name: &str, limit: &KeyedLimit, counts: Counts) {
        let unknown = |variable: &&Variable| match counts {
            Counts::AtAccept => variable.is_read_from_first_bytes() || variable.is_of_route() || variable.is_of_ended_tls(),
            Counts::AtTarget => variable.is_of_ended_tls(),
        };
        let Some(variable) = limit.key.as_deref().and_then(|key| Text::variables(key).find(unknown)) else { return };
        let variable = variable.name().to_owned();
        let limit = Key::from(name);
        match counts {
            Counts::AtAccept => self
                .wrong(path, format!("[limit.{limit}] counts by ${variable}, and a listener counts before anything is read"))
                .help(format!("limits = [{name:?}] in the targets of [routes.NAME], which count when it is known")),
            Counts::AtTarget => self
                .wrong(path, format!("[limit.{limit}] counts by ${variable}, and sessions are counted before TLS ends"))
                .label("a key that is known before: $ssl_preread_server_name, for example"),
        };
    }
}

/// What to do about a key that is the same for all.
const ALL_TOGETHER: &str = "leave it out to count all sessions together";

/// How sessions may follow one another. Without a `burst`, as many may come at once as the rate says for its whole time.
fn pace(rate: Frequency, burst: Option<u32>) -> Pace {
    let time = match rate.per {
        Per::Second => Duration::from_secs(1),
        Per::Minute => Duration::from_secs(60),
        Per::Hour => Duration::from_secs(3600),
    };
    Pace { interval: time / rate.count, burst: burst.unwrap_or(rate.count - 1) }
}
