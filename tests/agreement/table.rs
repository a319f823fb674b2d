//! Random maps: as data for the oracle, and as a `routes.toml` for the gateway.

use std::collections::BTreeSet;
use std::fmt::Write;

use fastrand::Rng;

/// A map, and who may come to its listener.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) access: Vec<Rule>,
    pub(super) default: Option<Vec<Target>>,
    pub(super) no_sni: Option<Vec<Target>>,
    pub(super) not_tls: Option<Vec<Target>>,
    /// As they are written, in any form and case.
    pub(super) hosts: Vec<(String, Vec<Target>)>,
    /// Regexes over the whole name.
    pub(super) patterns: Vec<(&'static str, Target)>,
}

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) from: Vec<&'static str>,
    pub(super) alpn: Vec<&'static str>,
    pub(super) versions: Vec<&'static str>,
    pub(super) access: Vec<Rule>,
    pub(super) action: Action,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    /// One of [`UPSTREAMS`].
    Upstream(usize),
    /// The upstream of which the first group of the pattern is the number.
    Captured,
    Alert(&'static str),
    Close,
    /// An answer, for who does not speak TLS.
    Respond(u8),
}

/// `allow` or `deny`, and whom.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) allows: bool,
    /// A range, a name of [`NETWORKS`], or `all`.
    pub(super) whom: &'static str,
}

/// What stands in `[networks]`.
pub(super) const NETWORKS: [(&str, &[&str]); 3] =
    [("office", &["10.0.0.0/8", "fd00::/8"]), ("lab", &["10.1.2.0/24", "192.0.2.7", "2001:db8:1::/48"]), ("nobody", &[])];
/// Their names are these with `up` before them.
pub(super) const UPSTREAMS: usize = 5;
pub(super) const ALPN: [&str; 3] = ["h2", "http/1.1", "acme-tls/1"];
pub(super) const VERSIONS: [&str; 4] = ["1.0", "1.1", "1.2", "1.3"];
/// The alerts that entries say, and their numbers.
pub(super) const ALERTS: [(&str, u8); 3] = [("unrecognized_name", 112), ("access_denied", 49), ("handshake_failure", 40)];

const RANGES: [&str; 10] =
    ["office", "lab", "nobody", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/1", "2001:db8::/32", "::/0", "fd00::1"];
const LABELS: [&str; 7] = ["a", "b", "www", "api", "x-1", "_srv", "xn--bcher-kva"];
const ENDS: [&str; 4] = ["test", "shop.test", "example", "co.example"];
/// Those with a group for [`Action::Captured`] first.
pub(super) const PATTERNS: [&str; 9] = [
    r"t(\d)\.(?:shop\.)?test",
    r"(?<tenant>[0-9])\..+",
    r"[ab]\..*test",
    r"(?:www|api)(?:\.[a-z]+)+",
    r".*\.example",
    r"x-\d\.[^.]+",
    r"_.*",
    r"a|b\.test",
    r"[^.]+",
];
const WITH_GROUP: usize = 2;

impl Table {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, in_ten: u8| rng.u8(..10) < in_ten;
        let mut table = Self { access: if some(rng, 2) { rules(rng) } else { Vec::new() }, ..Self::default() };
        table.default = some(rng, 5).then(|| targets(rng, true));
        table.no_sni = some(rng, 4).then(|| targets(rng, true));
        table.not_tls = some(rng, 6).then(|| targets(rng, false));
        let mut taken = BTreeSet::new();
        for _ in 0..rng.usize(1..16) {
            let host = host(rng);
            let is_new = forms(&host).iter().all(|form| !taken.contains(form));
            taken.extend(forms(&host));
            if is_new {
                table.hosts.push((host, targets(rng, true)));
            }
        }
        let mut left = PATTERNS.to_vec();
        for _ in 0..rng.usize(..4) {
            let host = left.swap_remove(rng.usize(..left.len()));
            let mut target = target(rng, true);
            if PATTERNS[..WITH_GROUP].contains(&host) && rng.bool() {
                target.action = Action::Captured;
            }
            table.patterns.push((host, target));
        }
        table
    }

    /// The `routes.toml`, whose upstreams have these servers. Clients say by a PROXY header where they are from.
    pub(super) fn text(&self, servers: &[String]) -> String {
        let mut text = String::from("[process]\nworkers = 2\n[networks]\n");
        for (name, ranges) in NETWORKS {
            writeln!(text, "{name} = {ranges:?}").unwrap();
        }
        text += "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
        writeln!(text, "access = [{}]\n[routes.map]", told(&self.access)).unwrap();
        for (key, targets) in [("default", &self.default), ("no_sni", &self.no_sni), ("not_tls", &self.not_tls)] {
            if let Some(targets) = targets {
                writeln!(text, "{key} = {}", list(targets)).unwrap();
            }
        }
        text += "[routes.map.hosts]\n";
        for (host, targets) in &self.hosts {
            writeln!(text, "{host:?} = {}", list(targets)).unwrap();
        }
        for (host, target) in &self.patterns {
            writeln!(text, "[[routes.map.patterns]]\nhost = '{host}'\n{}", target.keys().join("\n")).unwrap();
        }
        for (number, server) in servers.iter().enumerate() {
            writeln!(text, "[upstream.up{number}]\nservers = [{server:?}]").unwrap();
        }
        text
    }
}

impl Target {
    fn keys(&self) -> Vec<String> {
        let mut keys = vec![match &self.action {
            Action::Upstream(number) => format!("upstream = \"up{number}\""),
            Action::Captured => "upstream = \"up$1\"".into(),
            Action::Alert(name) => format!("reject = {name:?}"),
            Action::Close => "reject = \"close\"".into(),
            Action::Respond(number) => format!("respond = \"answer {number}\""),
        }];
        let guards = [("from", &self.from), ("alpn", &self.alpn), ("versions", &self.versions)];
        keys.extend(guards.into_iter().filter(|(_, values)| !values.is_empty()).map(|(key, values)| format!("{key} = {values:?}")));
        if !self.access.is_empty() {
            keys.push(format!("access = [{}]", told(&self.access)));
        }
        keys
    }

    fn is_guarded(&self) -> bool {
        !(self.from.is_empty() && self.alpn.is_empty() && self.versions.is_empty())
    }
}

fn list(targets: &[Target]) -> String {
    let each: Vec<_> = targets.iter().map(|target| format!("{{ {} }}", target.keys().join(", "))).collect();
    format!("[{}]", each.join(", "))
}

fn told(rules: &[Rule]) -> String {
    let each: Vec<_> = rules.iter().map(|rule| format!("\"{} {}\"", if rule.allows { "allow" } else { "deny" }, rule.whom)).collect();
    each.join(", ")
}

/// Only the last may be without guards: behind such a one no other is reached, which is an error.
fn targets(rng: &mut Rng, for_tls: bool) -> Vec<Target> {
    let mut targets: Vec<Target> = (0..rng.usize(..3)).map(|_| target(rng, for_tls)).filter(Target::is_guarded).collect();
    targets.push(target(rng, for_tls));
    targets
}

fn target(rng: &mut Rng, for_tls: bool) -> Target {
    let guard = |rng: &mut Rng, all: &[&'static str]| match rng.u8(..10) {
        0..2 => (0..rng.usize(1..3)).map(|_| all[rng.usize(..all.len())]).collect(),
        _ => Vec::new(),
    };
    Target {
        from: guard(rng, &RANGES),
        alpn: if for_tls { guard(rng, &ALPN) } else { Vec::new() },
        versions: if for_tls { guard(rng, &VERSIONS) } else { Vec::new() },
        access: if rng.u8(..10) < 2 { rules(rng) } else { Vec::new() },
        action: match rng.u8(..10) {
            0 if for_tls => Action::Alert(ALERTS[rng.usize(..ALERTS.len())].0),
            0 | 1 => Action::Close,
            2..6 if !for_tls => Action::Respond(rng.u8(..)),
            _ => Action::Upstream(rng.usize(..UPSTREAMS)),
        },
    }
}

fn rules(rng: &mut Rng) -> Vec<Rule> {
    let rule = |rng: &mut Rng| Rule { allows: rng.bool(), whom: RANGES[rng.usize(..RANGES.len())] };
    let mut rules: Vec<_> = (0..rng.usize(1..4)).map(|_| rule(rng)).collect();
    if rng.bool() {
        rules.push(Rule { allows: rng.bool(), whom: "all" });
    }
    rules
}

/// An entry of any form, sometimes in upper case or with a dot behind it.
fn host(rng: &mut Rng) -> String {
    let name = name(rng);
    let written = match rng.u8(..10) {
        0..4 => name,
        4..6 => format!("*.{name}"),
        6..8 => format!(".{name}"),
        _ => return format!("{name}.*"),
    };
    match rng.u8(..12) {
        0 => written.to_ascii_uppercase(),
        1 => written + ".",
        _ => written,
    }
}

/// A name from few labels, so that entries and clients meet.
pub(super) fn name(rng: &mut Rng) -> String {
    let end = ENDS[rng.usize(..ENDS.len())];
    let labels: Vec<_> = (0..rng.usize(..3)).map(|_| LABELS[rng.usize(..LABELS.len())]).chain([end]).collect();
    labels.join(".")
}

/// What an entry says twice if another says it too: `.a` is both `a` and `*.a`.
fn forms(host: &str) -> Vec<String> {
    let normal = host.to_ascii_lowercase();
    let normal = normal.trim_end_matches('.');
    match normal.strip_prefix('.') {
        Some(name) => vec![name.into(), format!("*.{name}")],
        None => vec![normal.into()],
    }
}
