//! `upload_rate` and `download_rate`, wherever session keys stand.

use std::num::NonZeroU64;

use super::Compiler;
use crate::config::{Config, Key, Rate, SessionKeys, path_to};
use crate::route::Pattern;
use crate::snapshot::{RateRule, RateRules};

impl Compiler {
    /// Complains about the rates that targets inherit, each once.
    pub(super) fn check_rates(&mut self, config: &Config) {
        let _ = self.rates(&path_to!["defaults"], &[&config.defaults.session], None);
        for (name, listener) in &config.listener {
            let _ = self.rates(&path_to!["listener", name], &[&listener.session], None);
        }
    }

    /// The rates of the target at this path. `levels` are its session keys and those it inherits, the nearest first;
    /// what is inherited has been complained of already.
    pub(super) fn rates(&mut self, path: &[Key], levels: &[&SessionKeys], pattern: Option<&Pattern>) -> RateRules {
        let upload = self.rate(&[path, &path_to!["upload_rate"]].concat(), levels, |keys| keys.upload_rate.as_ref(), pattern);
        let download = self.rate(&[path, &path_to!["download_rate"]].concat(), levels, |keys| keys.download_rate.as_ref(), pattern);
        RateRules { upload: upload.unwrap_or_default(), download: download.unwrap_or_default() }
    }

    /// The rates of a listener's only target, which has no keys of its own.
    pub(super) fn inherited_rates(&mut self, above: &[&SessionKeys]) -> RateRules {
        self.rates(&[], &[&[&SessionKeys::default()], above].concat(), None)
    }

    fn rate<'k>(
        &mut self,
        path: &[Key],
        levels: &[&'k SessionKeys],
        key: impl Fn(&'k SessionKeys) -> Option<&'k Rate>,
        pattern: Option<&Pattern>,
    ) -> Option<RateRule> {
        let (own, above) = levels.split_first()?;
        match (key(own), above.iter().find_map(|level| key(level))) {
            (Some(own), _) => self.rate_rule(path, own, pattern),
            (None, Some(inherited)) => self.quietly(|compiler| compiler.rate_rule(path, inherited, None)),
            (None, None) => None,
        }
    }

    fn rate_rule(&mut self, path: &[Key], written: &Rate, pattern: Option<&Pattern>) -> Option<RateRule> {
        match written {
            Rate::Bytes(bytes) => Some(RateRule::Fixed(NonZeroU64::new(*bytes))),
            Rate::Template(text) => self.early_text(path, text, pattern).map(RateRule::Template),
        }
    }
}
