//! `upload_rate` and `download_rate`: written out, or what a template says of a session.

use std::num::NonZeroU64;

use crate::session::Session;
use crate::units;
use crate::variables::{Text, rendered};

/// How fast the sessions of a target may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateRules {
    /// From the client.
    pub upload: RateRule,
    /// To the client.
    pub download: RateRule,
}

/// Where one direction's rate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateRule {
    /// It is written out; absent is as fast as it goes.
    Fixed(Option<NonZeroU64>),
    /// A template says it.
    Template(Text),
}

impl Default for RateRule {
    fn default() -> Self {
        Self::Fixed(None)
    }
}

impl RateRule {
    /// The bytes in a second of a session. A template may say nothing, which is no limit.
    ///
    /// # Errors
    /// The text of a template that says something else than a rate.
    pub fn of(&self, session: &Session) -> Result<Option<NonZeroU64>, Box<str>> {
        match self {
            Self::Fixed(rate) => Ok(*rate),
            Self::Template(template) => {
                let text = rendered(template, session);
                let rate = if text.trim().is_empty() { Ok(0) } else { units::rate(&text) };
                rate.map(NonZeroU64::new).map_err(|_| text.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;
    use crate::session::Peer;
    use crate::template::Template;
    use crate::variables::Variable;

    fn said(template: &str, server_name: &str) -> Result<Option<u64>, String> {
        let text = Template::parse(template).unwrap().link(|name| Variable::named(&name.name).ok_or(name)).unwrap();
        let mut session = Session::new(1, "a".into(), Peer::Unix, Peer::Unix, Instant::now(), SystemTime::now());
        session.server_name = Some(server_name.into());
        RateRule::Template(text).of(&session).map(|rate| rate.map(NonZeroU64::get)).map_err(Into::into)
    }

    #[test]
    fn a_template_says_a_rate_as_it_is_written() {
        let name = "$ssl_preread_server_name";
        assert_eq!(said(name, "1m"), Ok(Some(1 << 20)));
        assert_eq!(said(name, "8Mbit/s"), Ok(Some(1_000_000)));
        assert_eq!(said("${ssl_preread_server_name}k", "64"), Ok(Some(65_536)));
    }

    #[test]
    fn a_template_that_says_nothing_or_nought_is_no_limit() {
        for none in ["", " ", "0", "0k"] {
            assert_eq!(said("$ssl_preread_server_name", none), Ok(None), "{none:?}");
        }
    }

    #[test]
    fn what_is_no_rate_is_told_as_it_is() {
        for stray in ["fast", "-1", "1x"] {
            assert_eq!(said("$ssl_preread_server_name", stray), Err(stray.into()));
        }
    }
}
