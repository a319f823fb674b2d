//! The map: `[routes.NAME]`, from host names to targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::habits;
use super::hosts;
use super::listener::SessionKeys;
use super::places::{Key, Places};
use super::read::{Read, Reader, Table};
use super::test::Test;
use super::tls_version::TlsVersion;
use super::values::OneOrMany;
use super::words as kinds;
use crate::path_to;

/// `[routes.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Routes {
    /// For a name that matches nothing.
    pub default: Option<Targets>,
    /// For TLS without a host name.
    pub no_sni: Option<Targets>,
    /// For what is not TLS.
    pub not_tls: Option<Targets>,
    /// For exact names and wildcards, as written.
    pub hosts: BTreeMap<String, Targets>,
    /// Files with more of them, one `host upstream` a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts_files: Vec<String>,
    /// For names that a regex matches, in their order.
    pub patterns: Vec<Pattern>,
    /// What it must do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
}

impl Read for Routes {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let has_only_keys = matches!(&value, Value::Dict(_, entries) if entries.keys().all(|key| kinds::ROUTES.has(key)));
        if reader.name() == "hosts" && !has_only_keys {
            reader.wrong("[routes] needs a name of your choosing").label("[routes.NAME.hosts]");
            return None;
        }
        let mut table = reader.table(value, &kinds::ROUTES)?;
        Some(Self {
            default: reader.take(&mut table, "default"),
            no_sni: reader.take(&mut table, "no_sni"),
            not_tls: reader.take(&mut table, "not_tls"),
            hosts: reader.take_with(&mut table, "hosts", hosts::read).unwrap_or_default(),
            hosts_files: reader.take(&mut table, "hosts_files").map(|files: OneOrMany<String>| files.0).unwrap_or_default(),
            patterns: reader.take_with(&mut table, "patterns", patterns).unwrap_or_default(),
            tests: reader.take(&mut table, "tests").map(|tests: OneOrMany<Test>| tests.0).unwrap_or_default(),
        })
    }
}

fn patterns(value: Value, reader: &mut Reader<'_>) -> Option<Vec<Pattern>> {
    if !matches!(value, Value::Array(..)) {
        let header = reader.path().iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        reader.unfit(&value, "a list of tables").help(format!("[[{header}]] with host and upstream, once for each pattern"));
        return None;
    }
    Vec::read(value, reader)
}

impl Routes {
    /// All targets, each with its path from the map on.
    pub fn targets_with_paths(&self) -> impl Iterator<Item = (Vec<Key>, &Target)> {
        let special = [("default", &self.default), ("no_sni", &self.no_sni), ("not_tls", &self.not_tls)];
        let special = special.into_iter().filter_map(|(key, targets)| Some((path_to![key].to_vec(), targets.as_ref()?)));
        let hosts = self.hosts.iter().map(|(host, targets)| (path_to!["hosts", host].to_vec(), targets));
        let lists = special.chain(hosts).flat_map(|(entry, targets)| {
            targets.iter().enumerate().map(move |(index, target)| ([&entry[..], &path_to![index]].concat(), target))
        });
        let patterns = self.patterns.iter().enumerate();
        lists.chain(patterns.map(|(index, pattern)| (path_to!["patterns", index].to_vec(), &pattern.target)))
    }

    /// All targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let special = [&self.default, &self.no_sni, &self.not_tls].into_iter().flatten();
        special.chain(self.hosts.values()).flat_map(Targets::iter).chain(self.patterns.iter().map(|pattern| &pattern.target))
    }
}

/// Where a session may go: the first of these whose guards all fit; never empty. Hosts may share them.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets(Arc<[Target]>);

impl Targets {
    /// An upstream, and nothing else said.
    pub(super) fn plain(upstream: &str) -> Self {
        Self([Target::plain(upstream)].into())
    }

    /// The same for all hosts that share these.
    #[must_use]
    pub fn identity(&self) -> *const Target {
        self.0.as_ptr()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter()
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0[..].serialize(serializer)
    }
}

impl Read for Targets {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let targets = match value {
            Value::Array(_, elements) if elements.is_empty() => {
                reader.wrong("an empty list leads nowhere").label("{ reject = \"unrecognized_name\" } refuses it openly");
                return None;
            }
            Value::Array(..) => Vec::read(value, reader)?,
            single => vec![Target::read(single, reader)?],
        };
        (!targets.is_empty()).then(|| Self(targets.into()))
    }
}

/// One target with its guards.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What becomes of the session.
    #[serde(flatten)]
    pub action: Action,
    /// The profile under which its TLS ends here.
    pub terminate: Option<String>,
    /// Which sessions it is for.
    #[serde(flatten)]
    pub guards: Guards,
    /// Who may come here besides: ordered rules, the first that fits decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<String>,
    /// Names of `[limit.NAME]` that count its sessions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// What the operator wants to be reminded of.
    pub note: Option<String>,
    /// Where new sessions go instead, for the time being.
    pub maintenance: Option<String>,
    /// How its sessions run.
    #[serde(flatten)]
    pub session: SessionKeys,
}

/// What becomes of a session: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Goes to an upstream: a name, an address, or a template of these.
    Upstream(String),
    /// Is refused with a TLS alert of this name, or closed.
    Reject(String),
    /// Gets a text and is closed.
    Respond(String),
}

/// Who a target is for; an empty guard lets everybody pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Guards {
    /// Clients that offer one of these protocols.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// Clients from one of these ranges or named networks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Clients that offer one of these versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<TlsVersion>,
}

impl Target {
    /// One that says nothing but an upstream, as its text alone does.
    #[must_use]
    pub fn plain(upstream: &str) -> Self {
        Self::only(Action::Upstream(upstream.into()))
    }

    /// One that says nothing but what becomes of the session.
    fn only(action: Action) -> Self {
        Self {
            action,
            terminate: None,
            guards: Guards::default(),
            access: Vec::new(),
            limits: Vec::new(),
            note: None,
            maintenance: None,
            session: SessionKeys::default(),
        }
    }

    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Option<Self> {
        let action = Action::take(table, reader);
        let guards = Guards::take(table, reader);
        let terminate = reader.take_with(table, "terminate", habits::profile);
        // Without what was written, it would pass TLS on that was to end here.
        let lost_terminate = reader.was_cut("terminate");
        // Without them it would let in whom it was to refuse.
        let access = guard_list(table, reader, "access");
        let limits = guard_list(table, reader, "limits");
        let note = reader.take(table, "note");
        let maintenance = reader.take(table, "maintenance");
        let session = SessionKeys::take(table, reader);
        let (action, guards, access, limits) = (action?, guards?, access?, limits?);
        (!lost_terminate).then_some(Self { action, terminate, guards, access, limits, note, maintenance, session })
    }
}

impl Action {
    pub(super) fn take(table: &mut Table, reader: &mut Reader<'_>) -> Option<Self> {
        match reader.only_one(table, ["upstream", "reject", "respond"])? {
            "upstream" => reader.take(table, "upstream").map(Self::Upstream),
            "reject" => reader.take(table, "reject").map(|AlertName(name)| Self::Reject(name)),
            _ => reader.take(table, "respond").map(Self::Respond),
        }
    }
}

/// Alerts that are known by their numbers.
const ALERTS: [(u8, &str); 6] = [
    (40, "handshake_failure"),
    (49, "access_denied"),
    (70, "protocol_version"),
    (80, "internal_error"),
    (112, "unrecognized_name"),
    (120, "no_application_protocol"),
];

/// The name of an alert, of which others write the number.
struct AlertName(String);

impl Read for AlertName {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let number = value.to_i128().and_then(|number| u8::try_from(number).ok());
        if let Some(name) = number.and_then(|number| ALERTS.iter().find(|(known, _)| *known == number)).map(|(_, name)| name) {
            reader.unfit(&value, "the name of a TLS alert").label(format!("{name:?}"));
            return None;
        }
        if value.to_i128().is_some() {
            reader.unfit(&value, "the name of a TLS alert").label("such as \"unrecognized_name\", or \"close\"");
            return None;
        }
        String::read(value, reader).map(Self)
    }
}

impl Read for Target {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            let action = Action::Upstream(String::read(value, reader)?);
            return Some(Self::only(action));
        }
        let mut table = reader.table(value, &kinds::TARGET)?;
        Self::take(&mut table, reader)
    }
}

impl Guards {
    /// Whether everybody may pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A guard that can't be read takes the target with it: without it the target would let others pass.
    fn take(table: &mut Table, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { alpn: guard(table, reader, "alpn")?, from: guard(table, reader, "from")?, versions: guard(table, reader, "versions")? })
    }
}

fn guard<T: Read>(table: &mut Table, reader: &mut Reader<'_>, key: &'static str) -> Option<Vec<T>> {
    if !table.has(key) {
        return Some(Vec::new());
    }
    let values: Vec<T> = reader.take(table, key)?;
    if values.is_empty() && !reader.was_cut(key) {
        let place = reader.entry(key, Places::written_value);
        reader.error(place, format!("an empty `{key}` lets nobody pass")).label("leave it out to let everybody pass");
        reader.cut(key);
    }
    (!reader.was_cut(key)).then_some(values)
}

/// A list that lets sessions in or keeps them out; one that can't be read takes with it what it belongs to.
pub(super) fn guard_list(table: &mut Table, reader: &mut Reader<'_>, key: &'static str) -> Option<Vec<String>> {
    let list = reader.take(table, key).unwrap_or_default();
    (!reader.was_cut(key)).then_some(list)
}

/// A regex over the whole name, and its target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pattern {
    /// The regex, as written.
    pub host: String,
    /// Where matching names go; captures may be used in it.
    #[serde(flatten)]
    pub target: Target,
}

impl Read for Pattern {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::PATTERN)?;
        let host = reader.require(&mut table, "host", "'[a-z]+\\.example'");
        let target = Target::take(&mut table, reader);
        Some(Self { host: host?, target: target? })
    }
}
