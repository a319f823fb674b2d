//! `access`: rules, each a word and of whom it speaks.

use std::net::SocketAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Compiler;
use super::networks::Meant;
use crate::address::ListenAddress;
use crate::admit::{Access, Ranges, Rule, Who};
use crate::config::{self, Config, Key, path_to, suggest};

impl Compiler {
    /// The rules of a list; nothing if one of them cannot be read, for without it others would be let in.
    pub(super) fn access(&mut self, path: &[Key], written: &[String], families: Families) -> Option<Access> {
        let rules: Vec<_> = written.iter().enumerate().map(|(index, text)| self.rule(&[path, &path_to![index]].concat(), text)).collect();
        let rules: Vec<Rule> = rules.into_iter().collect::<Option<_>>()?;
        self.check_unreached(path, &rules);
        self.check_open(path, &rules, families);
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

    /// Warns of rules behind which others come in as well, as if these had not been written. A rule for all is a word on that.
    fn check_open(&mut self, path: &[Key], rules: &[Rule], families: Families) {
        if rules.is_empty() || rules.iter().any(|rule| rule.who == Who::All) {
            return;
        }
        let [v4, v6] = [Said::of(rules, IpNet::V4(Ipv4Net::default())), Said::of(rules, IpNet::V6(Ipv6Net::default()))];
        let behind_v4 = v4.closing.filter(|_| families.v6 && v6.lets_others_in()).map(|rule| (rule, "IPv4", "IPv6"));
        let behind_v6 = v6.closing.filter(|_| families.v4 && v4.lets_others_in()).map(|rule| (rule, "IPv6", "IPv4"));
        let forgotten = behind_v4.or(behind_v6);
        let idle = [(families.v4, &v4), (families.v6, &v6)].into_iter().find_map(|(is_served, said)| said.idle().filter(|_| is_served));
        let problem = match (forgotten, idle) {
            (Some((rule, closed, open)), _) => {
                format!("\"{}\" is for {closed} alone: of {open}, whom no rule is about may come in", rule.written)
            }
            (None, _) if rules.iter().all(|rule| rule.allows) => match v4.is_decided && v6.is_decided {
                true => return,
                false => "these rules keep nobody out: whom none of them is about may come in, too".into(),
            },
            (None, Some(rule)) => {
                format!("\"{}\" lets in nobody else: whom none of these rules is about may come in, too", rule.written)
            }
            (None, None) => return,
        };
        self.diagnostics.warning("open-access", self.places.value(path), problem).help("\"deny all\" as the last rule");
    }
}

/// From which families clients come.
#[derive(Clone, Copy)]
pub(super) struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    /// Those that a listener is reached over, and both where a PROXY header says who it is.
    pub(super) fn of(listener: &config::Listener) -> Self {
        let is_told = listener.listening.accept_proxy_protocol.is_some();
        let all: Vec<_> = listener.listen.iter().filter_map(|text| ListenAddress::parse(text).ok()).flatten().collect();
        let has = |is_one: fn(&SocketAddr) -> bool| all.iter().any(|one| matches!(one, ListenAddress::Ip(address) if is_one(address)));
        Self { v4: is_told || has(SocketAddr::is_ipv4), v6: is_told || has(SocketAddr::is_ipv6) }
    }

    /// Those of all listeners.
    pub(super) fn of_all(config: &Config) -> Self {
        let all = || config.listener.values().map(Self::of);
        let is_told = config.defaults.listening.accept_proxy_protocol.is_some();
        Self { v4: is_told || all().any(|one| one.v4), v6: is_told || all().any(|one| one.v6) }
    }
}

/// What rules say of the addresses of a family.
struct Said<'r> {
    /// Whether each address has a rule.
    is_decided: bool,
    /// The rule that keeps all of them out.
    closing: Option<&'r Rule>,
    /// The last that is about one of them.
    last: Option<&'r Rule>,
}

impl<'r> Said<'r> {
    fn of(rules: &'r [Rule], family: IpNet) -> Self {
        let (family, mut left, mut closing, mut last) = (Ranges::new(&[family]), Ranges::new(&[family]), None, None);
        for rule in rules {
            let Who::Ranges(ranges) = &rule.who else { continue };
            left = left.without(ranges);
            if ranges.covers(&family) && !rule.allows {
                closing = closing.or(Some(rule));
            }
            if family.without(ranges) != family {
                last = Some(rule);
            }
        }
        Self { is_decided: left.is_empty(), closing, last }
    }

    /// Whether nothing is said of some, and of others at most that they may come.
    fn lets_others_in(&self) -> bool {
        !self.is_decided && self.last.is_none_or(|rule| rule.allows)
    }

    /// The rule behind which all others may come in as well.
    fn idle(&self) -> Option<&'r Rule> {
        self.last.filter(|rule| rule.allows && !self.is_decided)
    }
}

const EXAMPLE: &str = "\"allow 10.0.0.0/8\", \"deny all\"";
