//! `source` and `transparent`: the address towards servers, wherever session keys stand.

use std::ops::Range;

use super::Compiler;
use crate::address::Address;
use crate::config::{Config, Key, Listener, ListenerAction, SessionKeys, path_to};
use crate::route::Pattern;
use crate::snapshot::{Action, Destination, SourceRule};
use crate::template::Template;
use crate::upstream::ServerLine;

impl Compiler {
    /// Complains about the sources that targets inherit, each once.
    pub(super) fn check_sources(&mut self, config: &Config) {
        let defaults = &config.defaults.session;
        let listeners = config.listener.keys().map(|name| path_to!["listener", name, "source"].to_vec());
        let lost = listeners.chain([path_to!["defaults", "source"].to_vec()]).any(|path| self.places.was_cut(&path));
        let _ = self.source(&path_to!["defaults"], &[defaults], None);
        let below = |listener: &Listener| listener.session.source.is_some() || a_target_has_one(listener, config);
        if is_alone(defaults) && !lost && !config.listener.values().any(below) {
            self.check_transparent(&path_to!["defaults"], &[defaults]);
        }
        for (name, listener) in &config.listener {
            let (path, levels) = (path_to!["listener", name], [&listener.session, defaults]);
            let _ = self.source(&path, &levels, None);
            if is_alone(&listener.session) && !lost && !a_target_has_one(listener, config) {
                self.check_transparent(&path, &levels);
            }
        }
        self.lost_a_source = lost;
        // What nobody inherits needs no privilege.
        self.is_transparent = false;
    }

    /// Complains of `transparent` where neither that level nor one above it has a source, nor any below.
    pub(super) fn check_transparent(&mut self, path: &[Key], levels: &[&SessionKeys]) {
        let is_lost = self.lost_a_source || self.places.was_cut(&[path, &path_to!["source"]].concat());
        if levels.first().is_some_and(|own| is_alone(own)) && levels.iter().all(|level| level.source.is_none()) && !is_lost {
            self.wrong_key(&[path, &path_to!["transparent"]].concat(), "`transparent` has no meaning without a `source`")
                .help("source = \"$remote_addr\" has servers see the client's own address");
        }
    }

    /// The source of the target at this path. `levels` are its session keys and those it inherits, the nearest first;
    /// what is inherited has been complained of already.
    pub(super) fn source(&mut self, path: &[Key], levels: &[&SessionKeys], pattern: Option<&Pattern>) -> Option<SourceRule> {
        let (own, above) = levels.split_first()?;
        let source = [path, &path_to!["source"]].concat();
        let inherited = above.iter().find_map(|level| level.source.as_deref());
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
                self.wrong(path, format!("{written:?} is no IP address")).label(instead(written));
            }
            return fixed;
        }
        let text = self.early_text(path, written, pattern)?;
        if let Some(stray) = no_part_of_an_address(written) {
            let label = instead(&written[stray.clone()]);
            self.wrong_inside(path, stray.clone(), format!("{:?} is no part of an address", &written[stray])).label(label);
            return None;
        }
        let behind_brackets = written.rsplit(']').next().unwrap_or_default();
        if behind_brackets.matches(':').count() > 1 {
            self.wrong(path, "which of these colons has the port behind it?")
                .label("an IPv6 address stands in brackets: \"[2001:db8::$1]\"");
            return None;
        }
        Some(SourceRule::template(text))
    }

    /// Warns of an upstream none of whose servers can be dialled from a source that is written out.
    pub(super) fn check_families(&mut self, path: &[Key], action: &Action, source: Option<&SourceRule>) {
        let Action::Forward(Destination::Pool(pool)) = action else { return };
        let Some(source) = source.and_then(SourceRule::written_out) else { return };
        let mut in_use = pool.upstream.lines().iter().filter(|line| !line.down).peekable();
        let is_other =
            |line: &ServerLine| matches!(&line.address, Address::Ip(server) if server.ip().to_canonical().is_ipv4() != source.is_ipv4());
        if in_use.peek().is_some() && in_use.all(|line| is_other(line)) {
            let (own, other) = if source.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
            let place = self.places.value(&[path, &path_to!["upstream"]].concat());
            let problem = format!("upstream {:?} has only {other} servers, and nothing gets there from {source}", pool.upstream.name());
            self.diagnostics
                .warning("source-family", place, problem)
                .help(format!("a server with an {own} address, or source = \"\" here"));
        }
    }
}

/// Whether a target that a listener leads to has a source of its own.
fn a_target_has_one(listener: &Listener, config: &Config) -> bool {
    let ListenerAction::Routes(map) = &listener.action else { return false };
    let Some(routes) = config.routes.get(map) else { return false };
    routes.targets().any(|target| target.session.source.is_some())
}

/// Whether keys have `transparent` on, and no source beside it.
fn is_alone(keys: &SessionKeys) -> bool {
    keys.transparent == Some(true) && keys.source.is_none()
}

/// What was meant by a text that is no address, or by a part of it.
fn instead(stray: &str) -> &'static str {
    match stray.split_whitespace().last() {
        Some("transparent") => "`transparent = true` is a key of its own",
        Some("off") => "\"\" is none",
        _ => "\"10.0.0.9\", or \"10.0.0.9:4000\" with a port, or \"$remote_addr\"",
    }
}

/// The first words of a template, outside of its variables, that no address has in it.
fn no_part_of_an_address(written: &str) -> Option<Range<usize>> {
    let template = Template::parse(written).ok()?;
    let ends = template.variables().map(|name| name.end);
    let starts = template.variables().map(|name| name.start).chain([written.len()]);
    let mut between = [0].into_iter().chain(ends).zip(starts);
    between.find_map(|(start, end)| {
        let text = &written[start..end];
        let fits = |c: char| c.is_ascii_hexdigit() || ".:[]".contains(c);
        let stray = text.trim();
        let from = start + text.find(stray)?;
        (!text.chars().all(fits)).then_some(if stray.is_empty() { start..end } else { from..from + stray.len() })
    })
}
