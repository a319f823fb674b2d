//! The rules of precedence once more, as plainly as can be: a linear search over texts, to hold the table against.
//! Nothing of the crate is used here, so that it cannot share a mistake with it.

use regex::Regex;

/// The entry that a name belongs to, as written; names and wildcards in their normal form, regexes anchored.
pub(crate) fn winner<'a>(name: &str, hosts: &'a [String], patterns: &'a [Regex]) -> Option<&'a str> {
    let exact = hosts.iter().find(|host| *host == name || host.strip_prefix('.') == Some(name));
    let leading = || longest(hosts, |host| host.starts_with(['*', '.']) && name.ends_with(host.trim_start_matches('*')));
    let trailing = || longest(hosts, |host| host.ends_with('*') && name.starts_with(host.trim_end_matches('*')));
    let host = exact.or_else(leading).or_else(trailing).map(String::as_str);
    host.or_else(|| patterns.iter().find(|regex| regex.is_match(name)).map(Regex::as_str))
}

fn longest(hosts: &[String], fits: impl Fn(&str) -> bool) -> Option<&String> {
    hosts.iter().filter(|host| fits(host)).max_by_key(|host| host.trim_start_matches('*').len())
}
