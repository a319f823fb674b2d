//! What entries lead to, with everything that is inherited.

use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use crate::config::{self, Config, Key, SessionKeys, path_to, suggest};
use crate::relay::{DatagramLimits, RelayLimits};
use crate::route::Pattern;
use crate::session::alert;
use crate::snapshot::{Action, Guards, Target, TargetLimits};
use crate::tls::Terminator;
use crate::upstream::ConnectLimits;

/// Where a target stands, which decides what it may be.
#[derive(Clone, Copy)]
pub(super) enum Stands<'p> {
    /// Where clients that speak TLS go.
    ForTls,
    /// The same, after a regex whose groups it may use.
    AfterPattern(&'p Pattern),
    /// Where clients go that do not speak TLS.
    ForNotTls,
}

/// What targets inherit from the listener that leads to them, and from `[defaults]`.
pub(super) struct Above<'c> {
    pub(super) config: &'c Config,
    /// Levels of session keys, the nearest first.
    pub(super) sessions: Vec<&'c SessionKeys>,
    /// The listener's profile.
    pub(super) terminate: Option<Arc<Terminator>>,
}

impl<'p> Stands<'p> {
    fn pattern(self) -> Option<&'p Pattern> {
        match self {
            Self::AfterPattern(pattern) => Some(pattern),
            Self::ForTls | Self::ForNotTls => None,
        }
    }
}

impl Compiler {
    /// The targets of an entry.
    pub(super) fn targets<'t>(
        &mut self,
        path: &[Key],
        written: impl Iterator<Item = &'t config::Target>,
        stands: Stands<'_>,
        above: &Above<'_>,
    ) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        let mut takes_everybody = None;
        let errors = self.diagnostics.errors();
        for (index, target) in written.enumerate() {
            let path = [path, &path_to![index]].concat();
            if takes_everybody == Some(index.wrapping_sub(1)) {
                self.wrong(&path, "this target is never reached: the one before it has no guards, so it takes everybody").help(
                    if target.guards.is_empty() && matches!(target.action, config::Action::Upstream(_)) {
                        SHARED
                    } else {
                        "put the target without guards last"
                    },
                );
            }
            if target.guards.is_empty() {
                takes_everybody.get_or_insert(index);
            }
            targets.extend(self.target(&path, target, stands, above));
        }
        // What is left of them without what is wrong says nothing of the list.
        if targets.len() > 1 && self.diagnostics.errors() == errors {
            self.check_guarded(path, &targets.iter().map(|target| &target.guards).collect::<Vec<_>>());
        }
        targets
    }

    pub(super) fn target(&mut self, path: &[Key], written: &config::Target, stands: Stands<'_>, above: &Above<'_>) -> Option<Target> {
        let target = self.whole_target(path, written, stands, above);
        if let (None, [_, Key::Name(map), ..]) = (&target, path) {
            self.incomplete_maps.insert(map.clone());
        }
        target
    }

    fn whole_target(&mut self, path: &[Key], written: &config::Target, stands: Stands<'_>, above: &Above<'_>) -> Option<Target> {
        let guards = self.guards(path, &written.guards, stands);
        let terminate = self.terminate(path, written, stands, above);
        let ends_tls = written.terminate.is_some() || above.terminate.is_some();
        let admission = self.target_admission(path, written);
        let action = self.action(path, &written.action, stands, ends_tls);
        let action = self.unless_in_maintenance(path, written, action, stands)?;
        self.check_idle_target(path, written);
        let mut levels = vec![&written.session];
        levels.extend_from_slice(&above.sessions);
        self.check_transparent(path, &levels);
        let source = self.source(path, &levels, stands.pattern());
        self.check_families(path, &action, source.as_ref());
        let rates = self.rates(path, &levels, stands.pattern());
        Some(Target {
            guards,
            admission: admission?,
            terminate: terminate?,
            action,
            limits: limits(&levels),
            source,
            rates,
            note: written.note.as_deref().map(Into::into),
            in_maintenance: written.maintenance.is_some(),
        })
    }

    /// The profile under which TLS ends before a target; nothing at all if it cannot be had.
    fn terminate(
        &mut self,
        path: &[Key],
        written: &config::Target,
        stands: Stands<'_>,
        above: &Above<'_>,
    ) -> Option<Option<Arc<Terminator>>> {
        let at = [path, &path_to!["terminate"]].concat();
        let is_refused = matches!(written.action, config::Action::Reject(_));
        let Some(name) = &written.terminate else {
            return Some(above.terminate.clone().filter(|_| !is_refused && !matches!(stands, Stands::ForNotTls)));
        };
        if matches!(stands, Stands::ForNotTls) {
            self.wrong_key(&at, "what is not TLS has no TLS to end").label("leave it out");
            return None;
        }
        if is_refused {
            self.wrong_key(&at, "who is refused is refused before TLS ends").label("leave it out");
            return None;
        }
        self.terminator(&at, name, above.config).map(Some)
    }

    fn action(&mut self, path: &[Key], written: &config::Action, stands: Stands<'_>, ends_tls: bool) -> Option<Action> {
        let at = |key: &str| [path, &path_to![key]].concat();
        match written {
            config::Action::Upstream(text) => self.destination(&at("upstream"), text, stands.pattern()).map(Action::Forward),
            config::Action::Reject(name) => self.reject(&at("reject"), name, stands).map(Action::Reject),
            config::Action::Respond(text) if ends_tls || matches!(stands, Stands::ForNotTls) => {
                self.text(&at("respond"), text, stands.pattern()).map(Action::Respond)
            }
            config::Action::Respond(_) => {
                self.wrong(&at("respond"), "the client speaks TLS here and could not read a plain answer")
                    .label("`respond` belongs to `not_tls`, to a listener without `routes` or behind `terminate`; { reject = \"unrecognized_name\" } refuses");
                None
            }
        }
    }

    /// What `maintenance` says is done, in place of what the target itself says, which is checked all the same.
    fn unless_in_maintenance(
        &mut self,
        path: &[Key],
        written: &config::Target,
        action: Option<Action>,
        stands: Stands<'_>,
    ) -> Option<Action> {
        let Some(other) = &written.maintenance else { return action };
        let at = [path, &path_to!["maintenance"]].concat();
        if matches!(written.action, config::Action::Reject(_)) {
            self.wrong_key(&at, "who is refused needs no other place to go").label("leave it out, or write the target's `upstream`");
            self.lost_maintenance.insert(at);
            return None;
        }
        let elsewhere = self.destination(&at, other, stands.pattern());
        if elsewhere.is_none() {
            self.lost_maintenance.insert(at);
        }
        action.and(elsewhere.map(Action::Forward))
    }

    /// The alert; none for a plain close.
    pub(super) fn reject(&mut self, path: &[Key], name: &str, stands: Stands<'_>) -> Option<Option<u8>> {
        if name == CLOSE {
            return Some(None);
        }
        if matches!(stands, Stands::ForNotTls) {
            self.wrong(path, "what is not TLS knows no alerts").label("\"close\"");
            return None;
        }
        let found = alert::by_name(name);
        if found.is_none() {
            let known: Vec<_> = alert::NAMES.iter().map(|(known, _)| *known).chain([CLOSE]).collect();
            let error = self.wrong(path, format!("no TLS alert is named {name:?}"));
            match suggest(name, known.iter().copied()) {
                Some(similar) => error.label(format!("did you mean \"{similar}\"?")),
                None => error.label(format!("one of {}", known.join(", "))),
            };
        }
        found.map(Some)
    }

    fn guards(&mut self, path: &[Key], written: &config::Guards, stands: Stands<'_>) -> Guards {
        let at = |key: &str| [path, &path_to![key]].concat();
        if matches!(stands, Stands::ForNotTls) {
            for key in ["alpn", "versions"]
                .into_iter()
                .filter(|key| if *key == "alpn" { !written.alpn.is_empty() } else { !written.versions.is_empty() })
            {
                self.wrong_key(&at(key), format!("`{key}` can never fit what is not TLS")).label("leave it out");
            }
        }
        Guards {
            alpn: written.alpn.iter().map(|protocol| protocol.as_str().into()).collect(),
            from: (!written.from.is_empty()).then(|| self.ranges(&at("from"), &written.from)),
            from_written: written.from.iter().map(|range| range.as_str().into()).collect(),
            versions: written.versions.iter().map(|version| version.number()).collect(),
        }
    }
}

/// The effective session keys: the first level that has one decides.
pub(super) fn limits(levels: &[&SessionKeys]) -> TargetLimits {
    fn first<T: Copy>(levels: &[&SessionKeys], key: impl Fn(&SessionKeys) -> Option<T>, built_in: T) -> T {
        levels.iter().find_map(|level| key(level)).unwrap_or(built_in)
    }
    let idle_timeout = first(levels, |keys| keys.idle_timeout, Duration::from_secs(600));
    TargetLimits {
        connect: ConnectLimits {
            connect_timeout: first(levels, |keys| keys.connect_timeout, Duration::from_secs(60)),
            next_upstream: first(levels, |keys| keys.next_upstream, true),
            tries: first(levels, |keys| keys.next_upstream_tries, 0) as usize,
            tries_timeout: first(levels, |keys| keys.next_upstream_timeout, Duration::ZERO),
        },
        relay: RelayLimits { idle_timeout, half_close: first(levels, |keys| keys.half_close, true) },
        datagrams: DatagramLimits {
            requests: first(levels, |keys| keys.requests, 0),
            responses: first(levels, |keys| keys.responses.map(Some), None),
            idle_timeout,
        },
    }
}

impl<'c> Above<'c> {
    /// What the targets of a listener inherit, without its profile.
    pub(super) fn of(config: &'c Config, listener: Option<&'c config::Listener>) -> Self {
        let sessions = listener.map(|listener| &listener.session).into_iter().chain([&config.defaults.session]).collect();
        Self { config, sessions, terminate: None }
    }
}

/// What a list of upstreams was to do, most often.
const SHARED: &str =
    "to share sessions, one upstream with the servers of both; or guards on the one before, such as from = [\"10.0.0.0/8\"]";

/// What `reject` says to close without an alert.
const CLOSE: &str = "close";
