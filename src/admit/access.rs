//! `access`: ordered rules, the first that fits decides (nginx's `allow` and `deny`).

use std::net::IpAddr;
use std::sync::Arc;

use super::Ranges;

/// Who may come, and who may not. Without rules everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it is written: `deny all`.
    pub written: Box<str>,
    /// Whether it lets in those of whom it speaks, or keeps them out.
    pub allows: bool,
    /// Of whom it speaks.
    pub who: Who,
}

/// Of whom a rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Of everybody.
    All,
    /// Of clients of unix sockets, which have no address.
    Unix,
    /// Of clients with these addresses.
    Ranges(Arc<Ranges>),
}

impl Access {
    /// These rules, in their order.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a client may come; one of a unix socket has no address. Where no rule fits, it may.
    #[must_use]
    pub fn allows(&self, client: Option<IpAddr>) -> bool {
        self.deciding(client).is_none_or(|rule| rule.allows)
    }

    /// The rule that decides about a client: the first that speaks of it.
    #[must_use]
    pub fn deciding(&self, client: Option<IpAddr>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.who.includes(client))
    }
}

impl Who {
    /// Whether this speaks of all of whom another does, so that behind it the other decides nothing.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (Self::Unix, Self::Unix) => true,
            (Self::Ranges(ranges), Self::Ranges(others)) => ranges.covers(others),
            (Self::Unix | Self::Ranges(_), _) => false,
        }
    }

    fn includes(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Self::All, _) | (Self::Unix, None) => true,
            (Self::Ranges(ranges), Some(address)) => ranges.contains(address),
            (Self::Unix, Some(_)) | (Self::Ranges(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(rules: &[&str]) -> Access {
        let rule = |written: &&str| {
            let (word, who) = written.split_once(' ').unwrap();
            let who = match who {
                "all" => Who::All,
                "unix:" => Who::Unix,
                ranges => Who::Ranges(Arc::new(Ranges::new(
                    &ranges.split(',').map(|range| crate::address::range(range).unwrap()).collect::<Vec<_>>(),
                ))),
            };
            Rule { written: (*written).into(), allows: word == "allow", who }
        };
        Access::new(rules.iter().map(rule).collect())
    }

    fn allows(rules: &[&str], client: &str) -> bool {
        access(rules).allows(client.parse().ok())
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = ["deny 10.0.0.1", "allow 10.0.0.0/8,192.0.2.0/24", "deny all"];
        assert!(!allows(&rules, "10.0.0.1"));
        assert!(allows(&rules, "10.0.0.2"));
        assert!(allows(&rules, "192.0.2.9"));
        assert!(!allows(&rules, "192.0.3.9"));
        let deciding = access(&rules);
        assert_eq!(&*deciding.deciding("10.0.0.2".parse().ok()).unwrap().written, "allow 10.0.0.0/8,192.0.2.0/24");
    }

    #[test]
    fn where_no_rule_fits_everybody_may_come() {
        assert!(allows(&[], "10.0.0.1"));
        assert!(allows(&["deny 10.0.0.1"], "10.0.0.2"));
        assert!(allows(&["allow unix:"], "10.0.0.2"), "this alone denies no one");
        assert!(access(&["allow unix:"]).deciding("10.0.0.2".parse().ok()).is_none());
    }

    #[test]
    fn a_rule_speaks_of_its_own_family_alone() {
        assert!(allows(&["deny 0.0.0.0/0"], "2001:db8::1"));
        assert!(allows(&["deny ::/0"], "10.0.0.1"));
        assert!(allows(&["deny 0.0.0.0/0,::/0"], "unix:"));
        assert!(!allows(&["deny unix:"], "unix:"));
        for client in ["10.0.0.1", "2001:db8::1", "unix:"] {
            assert!(!allows(&["deny all"], client), "all is in every family: {client}");
        }
    }

    #[test]
    fn ipv4_in_ipv6s_clothes_is_ipv4() {
        assert!(!allows(&["deny 10.0.0.0/8"], "::ffff:10.0.0.1"));
        assert!(allows(&["deny ::/0"], "::ffff:10.0.0.1"));
    }
}
