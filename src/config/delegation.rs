//! What a team's files may define, where `include` says their host names: targets of these names, upstreams of their own, and
//! nothing that others share. What they may is listed here; everything else, whatever is added later, is refused.

use std::sync::Arc;

use figment::value::{Dict, Value};

use super::diagnostic::{Diagnostics, Place};
use super::document::Document;
use super::grant::Grant;
use super::places::Key;
use super::source::Source;
use super::spot::{Below, Spot, Spots};
use super::words::{self, Kind};
use crate::address::Address;
use crate::host::HostPattern;

/// Leaves in a document what its grant allows; the paths of the rest come back.
pub(super) fn restrict(document: &mut Document, source: &Arc<Source>, grant: &Grant, diagnostics: &mut Diagnostics) -> Vec<Vec<Key>> {
    let mut restriction = Restriction { source, grant, diagnostics, path: Vec::new(), cuts: Vec::new() };
    restriction.each(&mut document.values, &mut document.spots, |this, section, value, spot| match section {
        "routes" => this.inside(value, spot, |this, _, map, spot| {
            this.inside(map, spot, |this, key, value, spot| match key {
                "hosts" => this.inside(value, spot, Restriction::host),
                "patterns" => this.refuse(spot, "a pattern", "a regular expression may match any name"),
                _ => this.refuse(spot, &format!("`{key}` of a map"), ""),
            })
        }),
        "upstream" => this.inside(value, spot, Restriction::upstream),
        "include" => this.refuse(spot, "`include`", ""),
        section => this.refuse(spot, &format!("[{section}]"), ""),
    });
    restriction.cuts
}

struct Restriction<'a> {
    source: &'a Arc<Source>,
    grant: &'a Grant,
    diagnostics: &'a mut Diagnostics,
    path: Vec<Key>,
    cuts: Vec<Vec<Key>>,
}

/// What becomes of a part.
enum Verdict {
    Allowed,
    Refused,
}

impl Verdict {
    /// What becomes of two parts of one thing.
    fn and(self, other: Self) -> Self {
        if let Self::Refused = self { self } else { other }
    }
}

impl Restriction<'_> {
    /// Judges each entry of a table, and leaves out what is refused.
    fn each(
        &mut self,
        values: &mut Dict,
        spots: &mut Spots,
        mut judge: impl FnMut(&mut Self, &str, &mut Value, &mut Spot) -> Verdict,
    ) -> Verdict {
        let mut refused = Vec::new();
        for ((key, value), spot) in values.iter_mut().zip(spots.iter_mut()) {
            self.path.push(key.into());
            if let Verdict::Refused = judge(self, key, value, spot) {
                refused.push(key.clone());
                self.cuts.push(self.path.clone());
            }
            self.path.pop();
        }
        values.retain(|key, _| !refused.contains(key));
        spots.retain(|key| !refused.iter().any(|refused| refused == key));
        Verdict::Allowed
    }

    /// The same of a value; one that is no table is complained of when it is read.
    fn inside(
        &mut self,
        value: &mut Value,
        spot: &mut Spot,
        judge: impl FnMut(&mut Self, &str, &mut Value, &mut Spot) -> Verdict,
    ) -> Verdict {
        match (value, &mut spot.below) {
            (Value::Dict(_, values), Below::Named(spots)) => self.each(values, spots, judge),
            _ => Verdict::Allowed,
        }
    }

    fn host(&mut self, name: &str, value: &mut Value, spot: &mut Spot) -> Verdict {
        // What is no name is complained of when the map is compiled.
        let is_covered = HostPattern::parse(name).map_or(true, |name| self.grant.covers(&name));
        if !is_covered && self.grant.is_partial() {
            return Verdict::Refused;
        }
        if !is_covered {
            let why = if spot.is_implied() { "a host name stands in quotes" } else { "" };
            return self.refuse(spot, &format!("{name:?}"), why);
        }
        match (&*value, &spot.below) {
            (Value::Array(_, targets), Below::Listed(spots)) => {
                targets.iter().zip(spots).fold(Verdict::Allowed, |verdict, (target, spot)| verdict.and(self.target(target, spot)))
            }
            _ => self.target(value, spot),
        }
    }

    fn target(&mut self, target: &Value, spot: &Spot) -> Verdict {
        let Value::Dict(_, entries) = target else { return self.destination("upstream", target, spot) };
        let Below::Named(spots) = &spot.below else { return Verdict::Allowed };
        entries.iter().zip(spots.iter()).fold(Verdict::Allowed, |verdict, ((key, value), (_, spot))| {
            let why = if key == "terminate" { "the certificate of a profile may be good for names of others" } else { "" };
            verdict.and(match &**key {
                "upstream" | "maintenance" => self.destination(key, value, spot),
                key => self.known_key(key, &words::TARGET, &OF_A_TARGET, spot, why),
            })
        })
    }

    fn destination(&mut self, key: &str, value: &Value, spot: &Spot) -> Verdict {
        match value.as_str() {
            Some(text) if text.contains('$') => self.refuse(spot, &format!("`{key}` with variables"), "a client could say where it leads"),
            Some(text) => self.address(text, spot),
            None => Verdict::Allowed,
        }
    }

    fn address(&mut self, text: &str, spot: &Spot) -> Verdict {
        match Address::parse(text) {
            Ok(Address::Unix(_)) => self.refuse(spot, "a unix socket", "the gateway may be let in where others on this machine are not"),
            _ => Verdict::Allowed,
        }
    }

    fn server(&mut self, server: &Value, spot: &Spot) -> Verdict {
        let address = match server {
            Value::Dict(_, keys) => keys.get("address"),
            address => Some(address),
        };
        address.and_then(Value::as_str).map_or(Verdict::Allowed, |text| self.address(text, spot))
    }

    fn upstream(&mut self, name: &str, value: &mut Value, spot: &mut Spot) -> Verdict {
        // One that looks like an address would take over whoever leads to that address.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return self.refuse(spot, &format!("an upstream named {name:?}"), "letters, digits, - and _ are for names of upstreams");
        }
        let (Value::Dict(_, entries), Below::Named(spots)) = (&*value, &spot.below) else { return Verdict::Allowed };
        entries.iter().zip(spots.iter()).fold(Verdict::Allowed, |verdict, ((key, value), (_, spot))| {
            verdict.and(match (&**key, value, &spot.below) {
                ("servers", Value::Array(_, servers), Below::Listed(spots)) => {
                    servers.iter().zip(spots).fold(Verdict::Allowed, |all, (server, spot)| all.and(self.server(server, spot)))
                }
                ("fallback", ..) => self.destination(key, value, spot),
                ("tls", Value::Dict(_, tls), Below::Named(spots)) => {
                    tls.keys().zip(spots.iter()).fold(Verdict::Allowed, |all, (key, (_, spot))| {
                        let why = "servers of others may know the gateway by it";
                        all.and(self.known_key(key, &words::UPSTREAM_TLS, &OF_TLS, spot, why))
                    })
                }
                ("send_proxy_protocol", Value::Dict(_, header), _) if header.contains_key("tlvs") => {
                    self.refuse(spot, "`tlvs` of a PROXY header", "servers of others may believe them")
                }
                (key, ..) => self.known_key(key, &words::UPSTREAM, &OF_AN_UPSTREAM, spot, ""),
            })
        })
    }

    /// A key that nobody knows is complained of when it is read.
    fn known_key(&mut self, key: &str, kind: &Kind, allowed: &[&str], spot: &Spot, why: &str) -> Verdict {
        if allowed.contains(&key) || !kind.has(key) {
            return Verdict::Allowed;
        }
        self.refuse(spot, &format!("`{key}`"), why)
    }

    fn refuse(&mut self, spot: &Spot, what: &str, why: &str) -> Verdict {
        let span = if spot.key.is_empty() { spot.value.clone() } else { spot.key.clone() };
        let names: Vec<_> = self.grant.hosts.iter().take(MOST_SHOWN).map(|host| format!("\"{host}\"")).collect();
        let more = if self.grant.hosts.len() > MOST_SHOWN { ", ..." } else { "" };
        let names = if names.is_empty() { "no host names".into() } else { names.join(", ") + more };
        let complaint = self
            .diagnostics
            .error(Place::File { source: Arc::clone(self.source), span }, format!("{what} may not stand in this file"))
            .label(format!("it is included for {names} and upstreams of its own ({})", self.grant.place));
        if !why.is_empty() {
            complaint.help(why);
        }
        Verdict::Refused
    }
}

/// What a target may have besides a destination: what concerns its own sessions alone. Limits are shared, a source is what
/// servers know the gateway by, and buffers are everybody's memory.
const OF_A_TARGET: [&str; 15] = [
    "reject",
    "respond",
    "alpn",
    "from",
    "versions",
    "access",
    "note",
    "connect_timeout",
    "idle_timeout",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
    "half_close",
    "upload_rate",
    "download_rate",
];
const OF_AN_UPSTREAM: [&str; 9] =
    ["servers", "balance", "hash_key", "fallback", "resolver", "keepalive", "user_timeout", "tls", "send_proxy_protocol"];
/// Without the gateway's own certificate.
const OF_TLS: [&str; 6] = ["server_name", "verify", "ca", "session_reuse", "alpn", "versions"];

const MOST_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_known() {
        for (kind, allowed) in [(words::TARGET, &OF_A_TARGET[..]), (words::UPSTREAM, &OF_AN_UPSTREAM), (words::UPSTREAM_TLS, &OF_TLS)] {
            for key in allowed {
                assert!(kind.has(key), "{key} of {}", kind.name);
            }
        }
    }
}
