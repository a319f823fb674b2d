//! The host names that `include` lets some files define.

use super::diagnostic::{Diagnostics, Place};
use crate::host::{HostPattern, Hostname};

/// What `include` lets some files define.
#[derive(Debug)]
pub(super) struct Grant {
    /// The names, as written.
    pub(super) hosts: Vec<String>,
    names: Vec<HostPattern>,
    /// Where it says so.
    pub(super) place: Place,
}

impl Grant {
    /// Reads the names; `place` leads to the include, `places` to each of them.
    pub(super) fn new(hosts: Vec<String>, place: Place, places: impl Fn(usize) -> Place, diagnostics: &mut Diagnostics) -> Self {
        let mut names = Vec::with_capacity(hosts.len());
        for (index, host) in hosts.iter().enumerate() {
            match HostPattern::parse(host) {
                Ok(HostPattern::Trailing(_)) => {
                    let problem = format!("{host:?} has no end, so it would take names of others in");
                    diagnostics.error(places(index), problem).label("\"*.pay.example\", \".pay.example\" or \"pay.example\"");
                }
                Ok(name) => names.push(name),
                Err(error) => drop(diagnostics.error(places(index), error.to_string())),
            }
        }
        Self { hosts, names, place }
    }

    /// Whether all that a pattern takes in is granted.
    pub(super) fn covers(&self, name: &HostPattern) -> bool {
        self.names.iter().any(|granted| covers(granted, name))
    }

    /// Names of it that could not be read may cover anything.
    pub(super) fn is_partial(&self) -> bool {
        self.names.len() < self.hosts.len()
    }
}

/// Whether a pattern takes everything in that another does.
fn covers(granted: &HostPattern, name: &HostPattern) -> bool {
    use HostPattern::{AndBelow, Below, Exact, Trailing};
    match (granted, name) {
        (Exact(granted), Exact(name)) => granted == name,
        (Below(zone), Exact(name) | AndBelow(name)) => is_below(name, zone),
        (Below(zone) | AndBelow(zone), Below(name)) | (AndBelow(zone), Exact(name) | AndBelow(name)) => {
            name == zone || is_below(name, zone)
        }
        (Exact(_), Below(_) | AndBelow(_)) | (Trailing(_), _) | (_, Trailing(_)) => false,
    }
}

fn is_below(name: &Hostname, zone: &Hostname) -> bool {
    name.as_str().strip_suffix(zone.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_what_it_takes_in_whole() {
        let is_covered = |granted: &str, name: &str| covers(&HostPattern::parse(granted).unwrap(), &HostPattern::parse(name).unwrap());
        for (granted, name) in [
            ("pay.example", "Pay.Example."),
            ("*.pay.example", "a.pay.example"),
            ("*.pay.example", "a.b.pay.example"),
            ("*.pay.example", "*.pay.example"),
            ("*.pay.example", "*.a.pay.example"),
            ("*.pay.example", ".a.pay.example"),
            (".pay.example", "pay.example"),
            (".pay.example", "a.pay.example"),
            (".pay.example", "*.pay.example"),
            (".pay.example", ".pay.example"),
            (".pay.example", ".a.pay.example"),
        ] {
            assert!(is_covered(granted, name), "{granted} {name}");
        }
        for (granted, name) in [
            ("pay.example", "a.pay.example"),
            ("pay.example", "*.pay.example"),
            ("pay.example", ".pay.example"),
            ("*.pay.example", "pay.example"),
            ("*.pay.example", ".pay.example"),
            ("*.pay.example", "xpay.example"),
            ("*.pay.example", "*.xpay.example"),
            ("*.pay.example", "*.example"),
            ("*.pay.example", "a.pay.*"),
            (".pay.example", "a.pay.example.*"),
            (".pay.example", ".xpay.example"),
            (".pay.example", "*.example"),
            ("pay.example.*", "pay.example.*"),
        ] {
            assert!(!is_covered(granted, name), "{granted} {name}");
        }
    }
}
