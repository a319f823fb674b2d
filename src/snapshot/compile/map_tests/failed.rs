//! What there is to say of a test that fails: what came of its client, what was expected, and why it came so.

use super::super::Compiler;
use super::super::expected::{Expected, alert_name};
use super::client::{Client, LOCALHOST};
use super::{Entrance, Map};
use crate::config::{Key, Test, path_to};
use crate::host::Hostname;
use crate::route::{Rank, Verdict as Stood};
use crate::snapshot::{Outcome, Verdict, first_name};

/// A test that fails, and where.
pub(super) struct Failed<'f> {
    pub(super) test: &'f Test,
    pub(super) map: Map<'f>,
    pub(super) client: &'f Client,
    pub(super) entrance: &'f Entrance<'f>,
    pub(super) verdict: &'f Verdict<'f>,
    pub(super) expected: &'f Expected<'f>,
}

impl Compiler {
    /// Notes a test that fails.
    pub(super) fn failed(&mut self, path: &[Key], failed: &Failed<'_>) {
        let Failed { test, map, entrance, verdict, expected, .. } = failed;
        let from = test.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        let on = entrance.name.filter(|_| map.entrances.len() > 1).map(|name| format!(" on {name}")).unwrap_or_default();
        let expected = expected.told(map.written, entrance.door.routes);
        let problem = format!("{}{from}{on} {}, but {expected} is expected", asked(test), self.became(&verdict.outcome));
        let why = self.why(failed);
        self.wrong(&[path, &path_to!["expect"]].concat(), problem).label(why);
    }

    fn became(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Forwarded(to) if self.pools.contains_key(to) => format!("goes to upstream {to}"),
            Outcome::Forwarded(to) => format!("goes to {to}"),
            Outcome::Answered(text) => format!("is answered with {:?}", &**text),
            Outcome::Shown => "is answered with how the upstreams stand".into(),
            Outcome::Refused { alert: Some(alert), .. } => format!("is refused with the alert {}", alert_name(*alert)),
            Outcome::Refused { alert: None, .. } => "is refused by a close".into(),
        }
    }

    /// Which entry won, what it beat, and what else had a say.
    fn why(&self, failed: &Failed<'_>) -> String {
        let Failed { map, client, verdict, .. } = failed;
        let rule = verdict.denied.map(|rule| format!("says \"{}\"{}", rule.written, if_unsaid(failed)));
        let Some(choice) = &verdict.choice else {
            return rule.map_or_else(|| "no entry stands for it".into(), |rule| format!("`access` of the listener {rule}"));
        };
        let found = &choice.found;
        let place = found.entry.stands_at(map.name, found.rank, &self.places);
        let mut why = vec![format!("{} wins ({place}){}", name(found.rank, &found.entry.written), self.beaten(failed))];
        let targets = &found.entry.target;
        let is_guarded = targets.len() > 1 || choice.target.is_none();
        for (index, target) in targets.iter().enumerate().filter(|_| is_guarded) {
            match target.guards.misfit(client.peer.ip(), client.hello.as_ref()) {
                Some(guard) => why.push(format!("`{guard}` of target {} does not fit", index + 1)),
                None => {
                    why.push(format!("target {} does", index + 1));
                    break;
                }
            }
        }
        why.extend(rule.map(|rule| format!("its `access` {rule}")));
        why.extend(choice.target.filter(|(_, target)| target.in_maintenance).map(|_| "it is in maintenance".into()));
        if let Outcome::Refused { detail: Some(detail), .. } = &verdict.outcome {
            why.push(detail.to_string());
        }
        why.join("; ")
    }

    /// The entries that fit as well.
    fn beaten(&self, Failed { map, client, entrance, .. }: &Failed<'_>) -> String {
        let considered = entrance.door.routes.explain(first_name(client.hello.as_ref()));
        let beaten = considered.iter().filter(|rule| rule.verdict == Stood::Beaten);
        let all: Vec<_> = beaten
            .filter_map(|rule| Some((rule.rank, rule.entry?)))
            .map(|(rank, entry)| format!("{} ({})", name(rank, &entry.written), entry.stands_at(map.name, rank, &self.places)))
            .collect();
        match all.as_slice() {
            [] => String::new(),
            few if few.len() <= MOST_BEATEN => format!(" over {}", few.join(", ")),
            [first, rest @ ..] => format!(" over {first} and {} more", rest.len()),
        }
    }
}

/// What the client asks for, as a sentence begins.
fn asked(test: &Test) -> String {
    match &test.sni {
        Some(sni) if Hostname::parse(sni).is_err() => format!("TLS with the address {sni} for a name, which counts as none,"),
        Some(sni) => sni.clone(),
        None if test.not_tls => "what is not TLS".into(),
        None => "TLS without a server name".into(),
    }
}

fn name(rank: Rank, written: &str) -> String {
    match rank {
        Rank::Exact | Rank::Leading | Rank::Trailing => format!("{written:?}"),
        Rank::Pattern(_) => rank.to_string(),
        Rank::Default | Rank::NoSni | Rank::NotTls => format!("`{rank}`"),
    }
}

/// Whom the rule was asked about, where the test does not say it.
fn if_unsaid(failed: &Failed<'_>) -> String {
    if failed.test.from.is_some() { String::new() } else { format!(" (without `from` a test is from {LOCALHOST})") }
}

/// How many of the entries that were beaten are told.
const MOST_BEATEN: usize = 2;
