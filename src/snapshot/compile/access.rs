//! `access`: rules, each a word and of whom it speaks.

use super::Compiler;
use super::networks::Meant;
use crate::admit::{Access, Ranges, Rule, Who};
use crate::config::{Key, path_to, suggest};

impl Compiler {
    /// The rules of a list; nothing if one of them cannot be read, for without it others would be let in.
    pub(super) fn access(&mut self, path: &[Key], written: &[String]) -> Option<Access> {
        let rules: Vec<_> = written.iter().enumerate().map(|(index, text)| self.rule(&[path, &path_to![index]].concat(), text)).collect();
        let rules: Vec<Rule> = rules.into_iter().collect::<Option<_>>()?;
        self.check_unreached(path, &rules);
        self.check_open(path, &rules);
        Some(Access::new(rules))
    }

    fn rule(&mut self, path: &[Key], text: &str) -> Option<Rule> {
        if let Some(rule) = text.trim().strip_suffix(';') {
            self.wrong(path, "a rule has no `;` at its end").label(format!("{:?}", rule.trim_end()));
            return None;
        }
        let (word, who) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let who = who.trim();
        let allows = match word {
            "allow" => true,
            "deny" => false,
            _ => {
                let complaint = self.wrong(path, format!("{text:?} is no rule: it begins with \"allow\" or \"deny\""));
                match suggest(word, ["allow", "deny"].into_iter()) {
                    Some(meant) => complaint.label(format!("did you mean \"{meant}\"?")),
                    None => complaint.label(EXAMPLE),
                };
                return None;
            }
        };
        let who = match who {
            "" => {
                self.wrong(path, format!("{text:?} does not say whom")).label(EXAMPLE);
                return None;
            }
            "all" => Who::All,
            "unix:" => Who::Unix,
            "unix" if !self.networks.contains_key(who) => {
                self.wrong(path, "clients of unix sockets are \"unix:\"").label(format!("\"{word} unix:\""));
                return None;
            }
            ranges => {
                let complaints = self.diagnostics.errors();
                let ranges = self.range(path, ranges);
                if self.diagnostics.errors() > complaints {
                    return None;
                }
                Who::Ranges(ranges.map(Meant::into_set).unwrap_or_default())
            }
        };
        Some(Rule { written: text.into(), allows, who })
    }

    /// Warns of rules that never decide, since one before them speaks of all whom they speak of.
    fn check_unreached(&mut self, path: &[Key], rules: &[Rule]) {
        for (index, rule) in rules.iter().enumerate() {
            let Some(earlier) = rules[..index].iter().find(|earlier| earlier.who.covers(&rule.who)) else {
                self.check_together(path, &rules[..index], rule, index);
                continue;
            };
            let whom = if earlier.who == Who::All { "everybody" } else { "all whom it is about" };
            let place = self.places.value(&[path, &path_to![index]].concat());
            let problem = format!("this rule is never reached: \"{}\" before it is for {whom}", earlier.written);
            self.diagnostics.warning("unreached-rule", place, problem);
            if earlier.who == Who::All {
                break;
            }
        }
    }

    /// The same of several rules that speak, one of these and one of those, of all whom one behind them is about.
    fn check_together(&mut self, path: &[Key], earlier: &[Rule], rule: &Rule, index: usize) {
        let Who::Ranges(ranges) = &rule.who else { return };
        let before = earlier.iter().filter_map(|rule| if let Who::Ranges(ranges) = &rule.who { Some(ranges) } else { None });
        let together = before.fold(Ranges::default(), |all, ranges| all.and(ranges));
        if together.covers(ranges) {
            let place = self.places.value(&[path, &path_to![index]].concat());
            let problem = "this rule is never reached: those before it are, together, for all whom it is about";
            self.diagnostics.warning("unreached-rule", place, problem);
        }
    }

    /// Warns of rules that keep nobody out, unless one says so.
    fn check_open(&mut self, path: &[Key], rules: &[Rule]) {
        let lets_all_in = |rule: &Rule| rule.who == Who::All;
        if !rules.is_empty() && rules.iter().all(|rule| rule.allows && !lets_all_in(rule)) {
            let place = self.places.value(path);
            let problem = "these rules keep nobody out: whom none of them is about may come in, too";
            self.diagnostics.warning("open-access", place, problem).help("\"deny all\" as the last rule");
        }
    }
}

const EXAMPLE: &str = "\"allow 10.0.0.0/8\", \"deny all\"";
