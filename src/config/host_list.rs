//! The lines of `hosts_files`: a host or wildcard, and the upstream that it leads to.

use std::ops::Range;

use super::list::{BLANK, Line, lines};

/// An entry, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLine<'s> {
    /// Its line, counted from 1.
    pub number: u32,
    /// What would be a key of `hosts`.
    pub host: &'s str,
    /// What its target would be.
    pub upstream: &'s str,
    /// The byte at which the host begins.
    pub at: usize,
    /// The byte at which the upstream begins.
    pub upstream_at: usize,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoHostLine {
    /// Its line, counted from 1.
    pub number: u32,
    /// The bytes that are wrong.
    pub span: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What belongs there.
    pub instead: String,
}

/// The entries of a list, in their order, and the lines that should be some.
pub fn host_lines(text: &str) -> impl Iterator<Item = Result<HostLine<'_>, NoHostLine>> {
    lines(text).map(host_line)
}

fn host_line(line: Line<'_>) -> Result<HostLine<'_>, NoHostLine> {
    let Line { number, at, words } = line;
    let wrong = |span: Range<usize>, problem: &str, instead: String| {
        Err(NoHostLine { number, span: at + span.start..at + span.end, problem: problem.into(), instead })
    };
    if words.len() > LONGEST {
        return wrong(0..0, &format!("a line of more than {LONGEST} bytes is no entry"), EXAMPLE.into());
    }
    let host_end = words.find(BLANK).unwrap_or(words.len());
    let (host, rest) = words.split_at(host_end);
    let upstream = rest.trim_start_matches(BLANK);
    let upstream_at = words.len() - upstream.len();
    if let Some(stranger) = words.bytes().position(|byte| STRANGERS.contains(&byte)) {
        let bare: Vec<_> = words
            .split(|c: char| BLANK.contains(&c) || u8::try_from(c).is_ok_and(|c| STRANGERS.contains(&c)))
            .filter(|word| !word.is_empty())
            .collect();
        let instead = if bare.len() == 2 { bare.join(" ") } else { EXAMPLE.into() };
        let problem = format!("`{}` belongs into no line of a list: only a host and its upstream do", &words[stranger..=stranger]);
        return wrong(stranger..stranger + 1, &problem, instead);
    }
    if upstream.is_empty() {
        return wrong(0..host.len(), "a host without an upstream", format!("{host} UPSTREAM"));
    }
    if let Some(end) = upstream.find(BLANK) {
        let behind = upstream_at + end..words.len();
        return wrong(
            behind,
            "only a host and its upstream belong on a line",
            format!("{host} {}, or # before a comment", &upstream[..end]),
        );
    }
    if let Some((_, place)) = WORDS.into_iter().find(|(word, _)| *word == host) {
        return wrong(0..host.len(), &format!("`{host}` stands among the hosts: it would be a host called \"{host}\""), place.into());
    }
    Ok(HostLine { number, host, upstream, at, upstream_at: at + upstream_at })
}

/// What other languages have on a line.
const STRANGERS: &[u8] = b"\"';=,";

/// What belongs on a line.
const EXAMPLE: &str = "a host and its upstream: www.example.com web";

/// Words of nginx's map, and what becomes of them.
const WORDS: [(&str, &str); 5] = [
    ("default", "`default` is a key of [routes.NAME] itself"),
    ("no_sni", "`no_sni` is a key of [routes.NAME] itself"),
    ("not_tls", "`not_tls` is a key of [routes.NAME] itself"),
    ("hostnames", "leave it out: wildcards always work here"),
    ("volatile", "leave it out: nobody caches the answer here"),
];

/// No entry is as long: a name has 253 bytes, and no upstream's is that long.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Action, parse};

    /// What an entry is in TOML.
    fn in_toml(host: &str, upstream: &str) -> (String, String) {
        let quoted = |text: &str| toml::Value::String(text.into());
        let text = format!("[routes.a.hosts]\n{} = {}\n", quoted(host), quoted(upstream));
        let loaded = parse("a.toml", text, &[], []).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
        let (host, targets) = loaded.config.routes["a"].hosts.first_key_value().unwrap();
        let Action::Upstream(upstream) = &targets.iter().next().unwrap().action else { panic!("an upstream was written") };
        (host.clone(), upstream.clone())
    }

    proptest! {
        #[test]
        fn an_entry_says_what_it_would_say_in_toml(
            words in proptest::collection::vec(proptest::sample::select(vec!["a.b", "*.c", "web", " ", "\t", "\n", "\r\n", "#", "\r", "\u{feff}", "\u{7}", "default", ";", "ü"]), 0..30),
        ) {
            let text = words.concat();
            for line in host_lines(&text) {
                let line_of = |at: usize| text[..at].matches('\n').count() + 1;
                match line {
                    Ok(entry) => {
                        prop_assert_eq!(in_toml(entry.host, entry.upstream), (entry.host.to_owned(), entry.upstream.to_owned()));
                        prop_assert_eq!((line_of(entry.at), line_of(entry.upstream_at)), (entry.number as usize, entry.number as usize));
                    }
                    Err(wrong) => prop_assert_eq!(line_of(wrong.span.start), wrong.number as usize),
                }
            }
        }
    }

    #[test]
    fn an_entry_is_two_words() {
        let text = "www.example web\n*.b.example \t 10.0.0.1:443 # the old one\r\n.c unix:/run/c.sock\n";
        let found: Vec<_> = host_lines(text).map(|line| line.unwrap()).collect();
        let words: Vec<_> = found.iter().map(|line| (line.number, line.host, line.upstream)).collect();
        assert_eq!(words, [(1, "www.example", "web"), (2, "*.b.example", "10.0.0.1:443"), (3, ".c", "unix:/run/c.sock")]);
        for line in found {
            assert!(text[line.at..].starts_with(line.host) && text[line.upstream_at..].starts_with(line.upstream), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_entry_says_what_to_write() {
        let cases = [
            ("a.example web;", ";", "a.example web"),
            ("\"a.example\" = \"web\"", "\"", "a.example web"),
            ("a.example", "a.example", "a.example UPSTREAM"),
            ("a.example web b.example", " b.example", "a.example web, or # before a comment"),
            ("default web", "default", "`default` is a key of [routes.NAME] itself"),
            ("hostnames;", ";", "a host and its upstream: www.example.com web"),
        ];
        for (text, at, instead) in cases {
            let wrong = host_lines(text).next().unwrap().unwrap_err();
            assert_eq!((&text[wrong.span.clone()], &*wrong.instead), (at, instead), "{}", wrong.problem);
        }
        let long = format!("a.example {}", "b".repeat(LONGEST));
        assert!(host_lines(&long).next().unwrap().is_err());
    }
}
