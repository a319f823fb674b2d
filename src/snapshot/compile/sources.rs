//! `source` and `transparent`: the address towards servers, wherever session keys stand.

use super::Compiler;
use crate::config::{Config, Key, SessionKeys, path_to};
use crate::route::Pattern;
use crate::snapshot::SourceRule;

impl Compiler {
    /// Complains about the sources that targets inherit, each once.
    pub(super) fn check_sources(&mut self, config: &Config) {
        let defaults = &config.defaults.session;
        let listeners = config.listener.keys().map(|name| path_to!["listener", name, "source"].to_vec());
        let lost = listeners.chain([path_to!["defaults", "source"].to_vec()]).any(|path| self.places.was_cut(&path));
        let _ = self.source(&path_to!["defaults"], &[defaults], None);
        for (name, listener) in &config.listener {
            let _ = self.source(&path_to!["listener", name], &[&listener.session, defaults], None);
        }
        self.lost_a_source = lost;
        // What nobody inherits needs no privilege.
        self.is_transparent = false;
    }

    /// The source of the target at this path. `levels` are its session keys and those it inherits, the nearest first;
    /// what is inherited has been complained of already.
    pub(super) fn source(&mut self, path: &[Key], levels: &[&SessionKeys], pattern: Option<&Pattern>) -> Option<SourceRule> {
        let (own, above) = levels.split_first()?;
        let source = [path, &path_to!["source"]].concat();
        let is_lost = self.lost_a_source || self.places.was_cut(&source);
        let inherited = above.iter().find_map(|level| level.source.as_deref());
        if own.transparent == Some(true) && own.source.is_none() && inherited.is_none() && !is_lost {
            self.wrong_key(&[path, &path_to!["transparent"]].concat(), "`transparent` has no meaning without a `source`")
                .help("source = \"$remote_addr\" has servers see the client's own address");
        }
        let mut rule = match (own.source.as_deref(), inherited) {
            (Some(own), _) => self.source_rule(&source, own, pattern),
            (None, Some(inherited)) => self.quietly(|compiler| compiler.source_rule(&source, inherited, None)),
            (None, None) => None,
        }?;
        rule.transparent = levels.iter().find_map(|level| level.transparent).unwrap_or(false);
        self.is_transparent |= rule.transparent;
        Some(rule)
    }

    /// The source of a listener's only target, which has no keys of its own.
    pub(super) fn inherited_source(&mut self, above: &[&SessionKeys]) -> Option<SourceRule> {
        self.source(&[], &[&[&SessionKeys::default()], above].concat(), None)
    }

    fn source_rule(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<SourceRule> {
        if written.is_empty() {
            return None;
        }
        if !written.contains('$') {
            let fixed = SourceRule::fixed(written);
            if fixed.is_none() {
                self.wrong(path, format!("{written:?} is no IP address"))
                    .label("\"10.0.0.9\", or \"10.0.0.9:4000\" with a port, or \"$remote_addr\"");
            }
            return fixed;
        }
        let text = self.text(path, written, pattern)?;
        let behind_brackets = written.rsplit(']').next().unwrap_or_default();
        if behind_brackets.matches(':').count() > 1 {
            self.wrong(path, "which of these colons has the port behind it?")
                .label("an IPv6 address stands in brackets: \"[2001:db8::$1]\"");
            return None;
        }
        Some(SourceRule::template(text))
    }
}
