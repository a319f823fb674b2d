//! What a target does, in words: to compare it with another, and to tell what has changed.

use super::{Action, Admission, Destination, Guards, RateRule, Target};
use crate::session::alert;
use crate::template::Piece;
use crate::units::{written, written_rate};
use crate::variables::{Text, Variable};

impl Target {
    /// Where a client is led, and by what rules it may come: `from 10.0.0.0/8: upstream web, TLS ended by public`.
    #[must_use]
    pub fn leads(&self) -> String {
        let terminate = self.terminate.as_ref().map(|terminator| format!(", TLS ended by {}", terminator.settings().name));
        let maintenance = if self.in_maintenance { " (maintenance)" } else { "" };
        format!("{}{}{maintenance}{}{}", self.guards.told(), self.action.told(), terminate.unwrap_or_default(), self.admission.told())
    }

    /// Whether where it leads is made of the entry that won, as of what a pattern's groups took.
    #[must_use]
    pub fn reads_the_entry(&self) -> bool {
        match &self.action {
            Action::Forward(Destination::Template(text, _)) | Action::Respond(text) => text.variables().any(Variable::is_of_route),
            Action::Forward(Destination::Pool(_)) | Action::Reject(_) | Action::Show => false,
        }
    }

    /// How its sessions run: each key with its value.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let (connect, relay, datagrams) = (&self.limits.connect, &self.limits.relay, &self.limits.datagrams);
        vec![
            ("idle_timeout", written(relay.idle_timeout)),
            ("connect_timeout", written(connect.connect_timeout)),
            ("next_upstream", connect.next_upstream.to_string()),
            ("next_upstream_tries", connect.tries.to_string()),
            ("next_upstream_timeout", written(connect.tries_timeout)),
            ("half_close", relay.half_close.to_string()),
            ("requests", if datagrams.requests == 0 { "unlimited".into() } else { datagrams.requests.to_string() }),
            ("responses", datagrams.responses.map_or_else(|| "unlimited".into(), |most| most.to_string())),
            ("source", format!("{:?}", self.source)),
            ("upload_rate", self.rates.upload.told()),
            ("download_rate", self.rates.download.told()),
            ("note", self.note.as_deref().unwrap_or("none").to_owned()),
        ]
    }
}

impl Admission {
    /// `, access "allow office", "deny all", limits per_ip`; nothing where everybody may come.
    #[must_use]
    pub fn told(&self) -> String {
        let rules: Vec<_> = self.access.rules().iter().map(|rule| format!("{:?}", rule.written)).collect();
        let limits: Vec<_> = self.limits.iter().map(|keyed| &*keyed.limit.settings().name).collect();
        let access = if rules.is_empty() { String::new() } else { format!(", access {}", rules.join(", ")) };
        if limits.is_empty() { access } else { format!("{access}, limits {}", limits.join(", ")) }
    }
}

impl Guards {
    fn told(&self) -> String {
        let mut all = Vec::new();
        if !self.alpn.is_empty() {
            all.push(format!("alpn {}", self.alpn.join(" ")));
        }
        if self.from.is_some() {
            all.push(format!("from {}", self.from_written.join(" ")));
        }
        if !self.versions.is_empty() {
            let names: Vec<_> = self.versions.iter().map(|version| format!("1.{}", version.saturating_sub(0x0301))).collect();
            all.push(format!("TLS {}", names.join(" ")));
        }
        if all.is_empty() { String::new() } else { format!("{}: ", all.join(", ")) }
    }
}

impl RateRule {
    fn told(&self) -> String {
        match self {
            Self::Fixed(None) => "unlimited".into(),
            Self::Fixed(Some(rate)) => written_rate(rate.get()),
            Self::Template(text) => format!("\"{}\"", template(text)),
        }
    }
}

impl Action {
    fn told(&self) -> String {
        match self {
            Self::Forward(Destination::Pool(pool)) => {
                let name = pool.upstream.name();
                if name.contains([':', '/']) { name.to_string() } else { format!("upstream {name}") }
            }
            Self::Forward(Destination::Template(text, _)) => format!("\"{}\"", template(text)),
            Self::Reject(None) => "closed".into(),
            Self::Reject(Some(number)) => format!("refused ({})", alert::name(*number).unwrap_or("alert")),
            Self::Respond(text) => format!("answered \"{}\"", template(text)),
            Self::Show => "answered with how the upstreams stand".into(),
        }
    }
}

/// A template as it could be written.
fn template(text: &Text) -> String {
    let piece = |piece: &Piece<Variable>| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Variable(variable) => format!("${{{}}}", variable.name()),
    };
    text.pieces().iter().map(piece).collect()
}
