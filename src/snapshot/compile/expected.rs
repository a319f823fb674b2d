//! What a test of a map expects, and whether it came so.

use super::Compiler;
use super::targets::Stands;
use crate::address::Address;
use crate::config::{self, Expect, Key, Routes, Test, path_to};
use crate::host::{HostPattern, Hostname};
use crate::route::{FirstName, RouteTable};
use crate::session::alert;
use crate::snapshot::{Outcome, Targets, Verdict};

/// What must become of a client.
#[derive(Debug)]
pub(super) enum Expected<'c> {
    /// It goes to the upstream of this name.
    Upstream(&'c str),
    /// It goes to this address, or this entry takes it.
    AddressOrEntry(&'c str),
    /// Each of these that is there.
    Told {
        /// The entry that wins; with nothing else, it takes the client as well.
        entry: Option<&'c str>,
        action: Option<Wanted<'c>>,
    },
}

#[derive(Debug)]
pub(super) enum Wanted<'c> {
    /// An upstream or an address.
    Destination(&'c str),
    Rejected(Option<u8>),
    Answered(&'c str),
}

impl Compiler {
    /// What a test expects; nothing if that can come of no map.
    pub(super) fn expected<'c>(&mut self, path: &[Key], test: &'c Test) -> Option<Expected<'c>> {
        let at = |key: &str| [path, &path_to!["expect", key]].concat();
        let (entry, action) = match &test.expect {
            Expect::Named(name) if self.pools.contains_key(name.as_str()) => return Some(Expected::Upstream(name)),
            Expect::Named(name) => return Some(Expected::AddressOrEntry(name)),
            Expect::Told { entry, action } => (entry.as_deref(), action.as_ref()),
        };
        let stands = if test.not_tls { Stands::ForNotTls } else { Stands::ForTls };
        let action = match action {
            Some(config::Action::Upstream(name)) => Some(Wanted::Destination(name)),
            Some(config::Action::Reject(name)) => Some(Wanted::Rejected(self.reject(&at("reject"), name, stands)?)),
            Some(config::Action::Respond(text)) => Some(Wanted::Answered(text)),
            None => None,
        };
        Some(Expected::Told { entry, action })
    }

    /// Whether what is expected exists at all. Asked only where it did not come, and says what is wrong if it does not exist.
    pub(super) fn can_be(
        &mut self,
        path: &[Key],
        expected: &Expected<'_>,
        map: &str,
        written: &Routes,
        table: &RouteTable<Targets>,
    ) -> bool {
        let at = [path, &path_to!["expect"]].concat();
        match expected {
            Expected::Upstream(_) => true,
            Expected::AddressOrEntry(name) => {
                is_entry(name, written, table) || self.is_destination(name) || self.is_nothing(&at, name, map, written)
            }
            Expected::Told { entry, action } => {
                let entry = entry.filter(|entry| !is_entry(entry, written, table));
                let destination = match action {
                    Some(Wanted::Destination(name)) if !self.is_destination(name) => Some(*name),
                    _ => None,
                };
                entry.is_none_or(|entry| self.is_no_entry(&[&at[..], &path_to!["entry"]].concat(), entry, map, written))
                    && destination.is_none_or(|name| self.is_no_upstream(&[&at[..], &path_to!["upstream"]].concat(), name))
            }
        }
    }

    fn is_destination(&self, name: &str) -> bool {
        self.pools.contains_key(name) || Address::parse(name).is_ok()
    }

    /// Notes what is neither upstream nor address nor entry; that it cannot be is the answer.
    fn is_nothing(&mut self, path: &[Key], name: &str, map: &str, written: &Routes) -> bool {
        if self.places.was_cut(&path_to!["upstream", name]) {
            return false;
        }
        let known = self.pools.keys().map(|name| &**name).chain(entries(written));
        let similar = self.similar(name, known);
        let map = Key::from(map);
        let complaint = self.wrong(path, format!("{name:?} is no upstream, no address and no entry of [routes.{map}]"));
        match (refusal(name), similar) {
            (Some(refusal), _) => complaint.label(refusal),
            (None, Some(similar)) => complaint.label(format!("did you mean \"{similar}\"?")),
            (None, None) => return false,
        };
        false
    }

    fn is_no_entry(&mut self, path: &[Key], name: &str, map: &str, written: &Routes) -> bool {
        let similar = self.similar(name, entries(written));
        let map = Key::from(map);
        let complaint = self.wrong(path, format!("[routes.{map}] has no entry {name:?}"));
        similar.map(|similar| complaint.label(format!("did you mean \"{similar}\"?")));
        false
    }

    fn is_no_upstream(&mut self, path: &[Key], name: &str) -> bool {
        if !self.places.was_cut(&path_to!["upstream", name]) {
            let similar = self.similar(name, self.pools.keys().map(|name| &**name));
            let complaint = self.wrong(path, format!("{name:?} is no upstream and no address"));
            similar.map(|similar| complaint.label(format!("did you mean \"{similar}\"?")));
        }
        false
    }
}

impl Expected<'_> {
    /// Whether this is what came. `own` is where the target itself would lead, had `maintenance` not sent its sessions elsewhere.
    pub(super) fn came(&self, verdict: &Verdict<'_>, own: Option<&str>) -> bool {
        let goes_to = |wanted: &str| match &verdict.outcome {
            Outcome::Forwarded(to) => is_same_destination(to, wanted) || own == Some(wanted),
            _ => false,
        };
        let won = |wanted: &str| verdict.choice.as_ref().is_some_and(|choice| is_same_entry(&choice.found.entry.written, wanted));
        match self {
            Self::Upstream(name) => goes_to(name),
            Self::AddressOrEntry(text) => goes_to(text) || (won(text) && is_taken(verdict)),
            Self::Told { entry, action } => {
                let became = match action {
                    None => is_taken(verdict),
                    Some(Wanted::Destination(name)) => goes_to(name),
                    Some(Wanted::Rejected(wanted)) => matches!(&verdict.outcome, Outcome::Refused { alert, .. } if alert == wanted),
                    Some(Wanted::Answered(text)) => matches!(&verdict.outcome, Outcome::Answered(answer) if **answer == **text),
                };
                became && entry.is_none_or(won)
            }
        }
    }

    /// For a sentence that ends in "is expected".
    pub(super) fn told(&self, written: &Routes, table: &RouteTable<Targets>) -> String {
        match self {
            Self::Upstream(name) => format!("upstream {name}"),
            Self::AddressOrEntry(text) if is_entry(text, written, table) => format!("the entry {text:?}"),
            Self::AddressOrEntry(text) => format!("the address {text}"),
            Self::Told { entry, action } => {
                let action = action.as_ref().map(|action| match action {
                    Wanted::Destination(name) if Address::parse(name).is_ok() => format!("the address {name}"),
                    Wanted::Destination(name) => format!("upstream {name}"),
                    Wanted::Rejected(None) => "a close without an alert".into(),
                    Wanted::Rejected(Some(alert)) => format!("the alert {}", alert_name(*alert)),
                    Wanted::Answered(text) => format!("the answer {text:?}"),
                });
                let entry = entry.map(|entry| format!("the entry {entry:?}"));
                let both = [entry, action].into_iter().flatten().collect::<Vec<_>>();
                both.join(" with ")
            }
        }
    }
}

/// The name of an alert.
pub(super) fn alert_name(alert: u8) -> String {
    alert::name(alert).map_or_else(|| alert.to_string(), str::to_owned)
}

/// Whether the entry has done with the client what it says, be it a refusal of its own.
fn is_taken(verdict: &Verdict<'_>) -> bool {
    use crate::session::CloseReason::Rejected;
    match &verdict.outcome {
        Outcome::Refused { reason, .. } => matches!(reason, Rejected(_)),
        Outcome::Forwarded(_) | Outcome::Answered(_) | Outcome::Shown => true,
    }
}

/// Whether two texts are the same entry; a name is however it is spelled.
fn is_same_entry(written: &str, wanted: &str) -> bool {
    let parsed = |text| HostPattern::parse(text).ok();
    written == wanted || (parsed(written).is_some() && parsed(written) == parsed(wanted))
}

fn is_same_destination(to: &str, wanted: &str) -> bool {
    let parsed = |text| Address::parse(text).ok();
    to == wanted || (parsed(to).is_some() && parsed(to) == parsed(wanted))
}

/// Whether a map has this entry, however it is spelled and be it from a list.
fn is_entry(name: &str, written: &Routes, table: &RouteTable<Targets>) -> bool {
    let fits_itself = |sample: Hostname| {
        let fitting = table.explain(FirstName::Name(&sample));
        fitting.iter().any(|rule| rule.entry.is_some_and(|entry| is_same_entry(&entry.written, name)))
    };
    entries(written).any(|entry| entry == name) || sample(name).is_some_and(fits_itself)
}

/// A name for which an entry stands.
fn sample(entry: &str) -> Option<Hostname> {
    match HostPattern::parse(entry).ok()? {
        HostPattern::Exact(name) | HostPattern::AndBelow(name) => Some(name),
        HostPattern::Below(name) => Hostname::parse(&format!("x.{name}")).ok(),
        HostPattern::Trailing(name) => Hostname::parse(&format!("{name}.x")).ok(),
    }
}

/// The entries of a map that stand in its own table, as they are written.
fn entries(written: &Routes) -> impl Iterator<Item = &str> {
    let special = [("default", &written.default), ("no_sni", &written.no_sni), ("not_tls", &written.not_tls)];
    let special = special.into_iter().filter(|(_, targets)| targets.is_some()).map(|(key, _)| key);
    let hosts = written.hosts.keys().map(String::as_str);
    special.chain(hosts).chain(written.patterns.iter().map(|pattern| pattern.host.as_str()))
}

/// What says that a client is refused, for somebody who said it in one word.
fn refusal(word: &str) -> Option<String> {
    let alert = match word {
        _ if alert::by_name(word).is_some() => word,
        "reject" | "rejected" | "refuse" | "refused" | "no_route" => "unrecognized_name",
        "deny" | "denied" => "access_denied",
        "close" | "closed" => "close",
        _ => return None,
    };
    Some(format!("{{ reject = \"{alert}\" }}"))
}
