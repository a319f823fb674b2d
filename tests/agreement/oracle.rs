//! The rules once more, as plainly as they can be said: one after the other, over texts. Nothing of the library is used here,
//! so that both cannot make the same mistake.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use super::client::{Client, Says, Versions};
use super::table::{ALERTS, Action, NETWORKS, PATTERNS, Rule, Table, Target, UPSTREAMS};

/// Where a client must arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The entry that wins, as it is written.
    pub(super) entry: Option<String>,
    /// Which of its targets takes the client.
    pub(super) target: Option<usize>,
    pub(super) end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the upstream of this number.
    Upstream(usize),
    Answer(String),
    Alert(u8),
    Closed,
}

pub(super) fn arrival(table: &Table, client: &Client) -> Arrival {
    if !allowed(&table.access, client.from) {
        return Arrival { entry: None, target: None, end: End::Closed };
    }
    let is_tls = matches!(client.says, Says::Hello { .. });
    let refused = |alert| if is_tls { End::Alert(alert) } else { End::Closed };
    let name = match &client.says {
        Says::Hello { sni: Some(sent), .. } => match Name::of(sent) {
            Name::Host(name) => Some(name),
            Name::Address => None,
            Name::Broken => return Arrival { entry: None, target: None, end: End::Alert(ILLEGAL_PARAMETER) },
        },
        Says::Hello { sni: None, .. } | Says::NotTls => None,
    };
    let Some((entry, targets)) = winner(table, is_tls, name.as_deref()) else {
        return Arrival { entry: None, target: None, end: refused(UNRECOGNIZED_NAME) };
    };
    let Some(index) = targets.iter().position(|target| fits(target, client)) else {
        return Arrival { entry: Some(entry), target: None, end: refused(UNRECOGNIZED_NAME) };
    };
    let end = match (&targets[index].action, allowed(&targets[index].access, client.from)) {
        (_, false) => refused(ACCESS_DENIED),
        (Action::Upstream(number), _) => End::Upstream(*number),
        (Action::Captured, _) => captured(&entry, &name.expect("a pattern wins by a name")),
        (Action::Alert(name), _) => End::Alert(ALERTS.iter().find(|(known, _)| known == name).expect("it is one of these").1),
        (Action::Close, _) => End::Closed,
        (Action::Respond(number), _) => End::Answer(format!("answer {number}")),
    };
    Arrival { entry: Some(entry), target: Some(index), end }
}

fn winner<'t>(table: &'t Table, is_tls: bool, name: Option<&str>) -> Option<(String, &'t [Target])> {
    let default = || table.default.as_deref().map(|targets| ("default".to_owned(), targets));
    let Some(name) = name else {
        return match is_tls {
            true => table.no_sni.as_deref().map(|targets| ("no_sni".to_owned(), targets)).or_else(default),
            false => table.not_tls.as_deref().map(|targets| ("not_tls".to_owned(), targets)),
        };
    };
    let normal = |host: &str| host.to_ascii_lowercase().trim_end_matches('.').to_owned();
    let is_exact = |host: &str| host == name || host.strip_prefix('.') == Some(name);
    let is_leading = |host: &str| host.starts_with(['*', '.']) && name.ends_with(host.trim_start_matches('*'));
    let is_trailing = |host: &str| host.ends_with(".*") && name.starts_with(host.trim_end_matches('*'));
    let longest = |fits: &dyn Fn(&str) -> bool| {
        let fitting = table.hosts.iter().filter(|(host, _)| fits(&normal(host)));
        fitting.max_by_key(|(host, _)| normal(host).trim_start_matches('*').len())
    };
    let host = longest(&is_exact).or_else(|| longest(&is_leading)).or_else(|| longest(&is_trailing));
    let host = host.map(|(host, targets)| (host.clone(), &targets[..]));
    let pattern = || table.patterns.iter().find(|(regex, _)| whole(regex).is_match(name));
    host.or_else(|| pattern().map(|(regex, target)| ((*regex).to_owned(), std::slice::from_ref(target)))).or_else(default)
}

/// The upstream whose number the first group took; `up9` there is not, and it is no address either.
fn captured(regex: &str, name: &str) -> End {
    let number: usize = whole(regex).captures(name).expect("it has won")[1].parse().expect("the group takes a digit");
    if number < UPSTREAMS { End::Upstream(number) } else { End::Closed }
}

fn fits(target: &Target, client: &Client) -> bool {
    let from = target.from.is_empty() || target.from.iter().any(|whom| is_in(whom, client.from));
    let Says::Hello { alpn, versions, .. } = &client.says else { return from };
    let speaks = |version: &str| {
        let number = 0x0301 + version["1.".len()..].parse::<u16>().expect("it is 1.0 to 1.3");
        match versions {
            Versions::Listed(all) => all.contains(&number),
            Versions::UpTo(highest) => number <= *highest,
        }
    };
    from && (target.alpn.is_empty() || target.alpn.iter().any(|wanted| alpn.contains(wanted)))
        && (target.versions.is_empty() || target.versions.iter().any(|version| speaks(version)))
}

fn allowed(rules: &[Rule], client: IpAddr) -> bool {
    rules.iter().find(|rule| rule.whom == "all" || is_in(rule.whom, client)).is_none_or(|rule| rule.allows)
}

fn is_in(whom: &str, client: IpAddr) -> bool {
    if let Some((_, ranges)) = NETWORKS.iter().find(|(name, _)| *name == whom) {
        return ranges.iter().any(|range| is_in(range, client));
    }
    let (start, length) = whom.split_once('/').unwrap_or((whom, "128"));
    let (start, client) = (bits(start.parse().expect("a range has an address")), bits(client));
    let length = length.parse::<usize>().expect("a range has a length");
    start.len() == client.len() && start.iter().zip(&client).take(length).all(|(one, other)| one == other)
}

/// An address bit by bit; one of IPv4 that is written as IPv6 is of IPv4.
fn bits(address: IpAddr) -> Vec<bool> {
    let bytes = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) if v6.octets().starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) => v6.octets()[12..].to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

/// What a client's name is.
enum Name {
    Host(String),
    Address,
    Broken,
}

impl Name {
    fn of(sent: &str) -> Self {
        let name = sent.strip_suffix('.').unwrap_or(sent);
        if name.parse::<IpAddr>().is_ok() {
            return Self::Address;
        }
        let is_label =
            |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Self::Broken;
        }
        Self::Host(name.to_ascii_lowercase())
    }
}

/// Patterns are over the whole name.
fn whole(regex: &str) -> &'static Regex {
    static ALL: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
        let compiled = |regex| Regex::new(&format!("^(?:{regex})$")).expect("those of the tables are right");
        PATTERNS.into_iter().map(|regex| (regex, compiled(regex))).collect()
    });
    &ALL[regex]
}

const ILLEGAL_PARAMETER: u8 = 47;
const UNRECOGNIZED_NAME: u8 = 112;
const ACCESS_DENIED: u8 = 49;
