//! An explanation in a few words: which entry wins, and what becomes of the connection.

use super::explanation::{Entry, Explanation, Outcome, Verdict};

impl Explanation {
    /// The entry that wins.
    #[must_use]
    pub fn winner(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.verdict == Verdict::Wins)
    }

    /// `upstream web`, `10.0.0.9:443`, `refused (unrecognized_name)`, `closed (access_denied)`, `answered "no"`.
    #[must_use]
    pub fn in_short(&self) -> String {
        let ended = self.target.as_ref().and_then(|taken| taken.tls.as_ref());
        let ended = ended.map(|tls| format!(", TLS ends under {}", tls.profile)).unwrap_or_default();
        match &self.outcome {
            Outcome::Forwarded { upstreams } => match upstreams.first() {
                Some(first) if first.at.is_some() => format!("upstream {}{ended}", first.name),
                Some(first) => format!("{}{ended}", first.name),
                None => "nowhere".into(),
            },
            Outcome::ForwardedToAddress { address, .. } => format!("{address}{ended}"),
            Outcome::Refused { alert: Some(alert), .. } => format!("refused ({alert})"),
            Outcome::Refused { reason, alert: None, .. } => format!("closed ({reason})"),
            Outcome::Answered { text } => format!("answered {text:?}{ended}"),
            Outcome::ShowsUpstreams => "shown how the upstreams stand".into(),
        }
    }
}
