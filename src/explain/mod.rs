//! Where a connection would go and why, told by the very code that traffic takes: the same table, guards, rules, texts and
//! balancers answer. Nothing is dialled or looked up.

mod admitted;
mod entries;
mod explanation;
mod guards;
mod maps;
mod origins;
mod outcome;
mod profile;
mod profile_settings;
mod question;
mod settings;
mod short;
mod text;
mod text_servers;
mod upstream_settings;
mod upstreams;
mod values;
mod way;

use crate::config::Places;
use crate::session::{Hello, Protocol};
use crate::snapshot::{Listener, Snapshot};

pub use explanation::{
    Access, Certificate, Entry, Explanation, Group, Guard, Level, Limit, Mapped, Order, Origin, Outcome, Profile, Rule, Server, ServerTls,
    Setting, Taken, Target, Upstream, Verdict,
};
use origins::Origins;
pub use question::{First, Question};
use way::Way;

/// Answers any number of questions about a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Explainer<'s> {
    snapshot: &'s Snapshot,
    origins: Origins<'s>,
}

impl<'s> Explainer<'s> {
    /// `places` are those of the configuration that the snapshot was compiled from.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot, places: &'s Places) -> Self {
        Self { snapshot, origins: Origins { places } }
    }

    /// Where a connection to a listener would go.
    #[must_use]
    pub fn explain(&self, listener: &Listener, question: &Question) -> Explanation {
        let heard = question.heard(listener);
        let mut way = Way::new(self, listener, &heard, question);
        let outcome = way.go();
        let from = question.from.ip();
        Explanation {
            listener: listener.name.to_string(),
            protocols: listener.protocols.iter().map(|protocol| word(*protocol)).collect(),
            from: from.map_or_else(|| UNIX.into(), |from| from.to_string()),
            hello: heard.hello().map(Hello::label),
            name: heard.name().map(ToString::to_string),
            sent: question.sent().map(Into::into),
            unread: question.unread(listener),
            proxy_header: listener.proxy.as_ref().map(|rule| if rule.is_required { "required" } else { "allowed" }),
            access: admitted::access(&listener.admission, from),
            limits: admitted::limits(&listener.admission, from),
            entries: way.entries,
            targets: way.targets,
            target: way.taken,
            outcome,
        }
    }
}

/// A client of a unix socket, as `$remote_addr` and rules have it.
const UNIX: &str = "unix:";

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}
