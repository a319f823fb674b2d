//! `[[routes.NAME.patterns]]`: regexes, and what comes out of nginx's.

use regex_syntax::hir::{Hir, HirKind};

use super::Compiler;
use super::targets::{Above, Stands};
use crate::config::{self, Key, path_to};
use crate::route::{Builder, Entry, Pattern, PatternError};
use crate::snapshot::Targets;

impl Compiler {
    /// A regex and its target.
    pub(super) fn pattern(&mut self, path: &[Key], written: &config::Pattern, above: &Above<'_>, table: &mut Builder<Targets>) {
        let host = [path, &path_to!["host"]].concat();
        let pattern = match Pattern::parse(&written.host) {
            Ok(pattern) => pattern,
            Err(error) => {
                self.no_pattern(&host, &written.host, error);
                // Which groups there are is not known, so a target that may use them cannot be judged.
                if !matches!(&written.target.action, config::Action::Upstream(text) if text.contains('$')) {
                    let _ = self.target(path, &written.target, Stands::ForTls, above);
                }
                return;
            }
        };
        self.check_meaning(&host, &written.host);
        self.warn_of_loose_dots(&host, &written.host);
        let target = self.target(path, &written.target, Stands::AfterPattern(&pattern), above);
        table.pattern(pattern, Entry { written: written.host.as_str().into(), target: Vec::from_iter(target).into() });
    }

    /// What is a regex, but no name is ever matched by it.
    fn check_meaning(&mut self, path: &[Key], written: &str) {
        if written.is_empty() {
            self.wrong(path, "an empty pattern matches no name").label("'.*' matches every name");
        } else if written.starts_with('~') {
            let instead = format!("host = '{}'", whole_name(written));
            self.wrong(path, "nginx's `~` is not needed here: every pattern is a regular expression, over the whole name").help(instead);
        } else if let Some(literal) = regex_syntax::parse(written).ok().as_ref().and_then(upper_case) {
            self.wrong(path, format!("names are seen in lower case, so {literal:?} is in none")).label("lower case, or (?i) in front");
        }
    }

    pub(super) fn no_pattern(&mut self, path: &[Key], written: &str, error: PatternError) {
        match error {
            PatternError::Syntax { problem, at } => {
                let at = at.start..at.end.max(at.start + 1).min(written.len().max(at.start + 1));
                self.wrong_inside(path, at, format!("bad regular expression: {problem}"));
            }
            error => drop(self.wrong(path, error.to_string())),
        }
    }
}

/// The pattern that matches what nginx's regex does: nginx looks for it anywhere in the name, where no `^` or `$` holds it.
/// A text without nginx's `~` was meant as a pattern already.
pub(super) fn whole_name(written: &str) -> String {
    let Some(regex) = written.strip_prefix('~') else {
        return without_anchors(written).0.into();
    };
    let (regex, ignores_case) = regex.strip_prefix('*').map_or((regex, false), |regex| (regex, true));
    let flags = if ignores_case && regex.bytes().any(|byte| byte.is_ascii_uppercase()) { "(?i)" } else { "" };
    if regex.contains('|') {
        // An anchor may belong to one alternative only.
        return format!("{flags}.*(?:{regex}).*");
    }
    let (bare, at_start, at_end) = without_anchors(regex);
    let before = if at_start || bare.starts_with(".*") { "" } else { ".*" };
    let behind = if at_end || (bare.ends_with(".*") && !bare.ends_with("\\.*")) { "" } else { ".*" };
    format!("{flags}{before}{bare}{behind}")
}

/// A regex without the anchors at its ends, and whether there were any.
fn without_anchors(regex: &str) -> (&str, bool, bool) {
    let (bare, at_start) = regex.strip_prefix('^').map_or((regex, false), |bare| (bare, true));
    let is_escaped = |bare: &str| (bare.len() - bare.trim_end_matches('\\').len()) % 2 == 1;
    let (bare, at_end) = bare.strip_suffix('$').filter(|bare| !is_escaped(bare)).map_or((bare, false), |bare| (bare, true));
    (bare, at_start, at_end)
}

/// A part that asks for an upper-case letter.
fn upper_case(regex: &Hir) -> Option<String> {
    match regex.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(u8::is_ascii_uppercase).then(|| String::from_utf8_lossy(&literal.0).into_owned()),
        HirKind::Repetition(repeated) => upper_case(&repeated.sub),
        HirKind::Capture(group) => upper_case(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(upper_case),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nginx_matches_anywhere_is_matched_anywhere() {
        let pairs = [
            ("~^foo", "foo.*"),
            (r"~foo\.bar", r".*foo\.bar.*"),
            ("~^foo$", "foo"),
            ("~*bar", ".*bar.*"),
            ("~*Bar$", "(?i).*Bar"),
            (r"~\.example$", r".*\.example"),
            (r"~^a\$", r"a\$.*"),
            ("~.*foo.*", ".*foo.*"),
            ("~^a|b$", ".*(?:^a|b$).*"),
            (r"^[a-z]+\.example$", r"[a-z]+\.example"),
        ];
        for (nginx, ours) in pairs {
            assert_eq!(whole_name(nginx), ours, "{nginx}");
            assert!(Pattern::parse(ours).is_ok(), "{ours}");
        }
    }

    #[test]
    fn upper_case_that_is_asked_for_is_found() {
        let found = |regex| upper_case(&regex_syntax::parse(regex).unwrap());
        assert_eq!(found(r"API\.example"), Some("API.example".into()));
        assert_eq!(found(r"(api|Www)?\.example"), Some("Www".into()));
        for harmless in [r"(?i)API\.example", r"(?<Name>[A-Za-z]+)\.example", r"\D\W\S\p{L}", r"\x61"] {
            assert_eq!(found(harmless), None, "{harmless}");
        }
    }
}
