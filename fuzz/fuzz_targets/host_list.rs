//! Each line of a list of hosts is an entry, an error at its own line, or says nothing; and an entry says what it would say
//! in TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::config::{Action, host_lines, parse};

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').collect();
    let mut before = 0;
    for line in host_lines(text) {
        let number = match &line {
            Ok(entry) => entry.number,
            Err(wrong) => wrong.number,
        };
        assert!(number > before, "each line speaks once, in order");
        assert!(lines[before as usize..number as usize - 1].iter().all(|line| says_nothing(line)), "no line is passed over");
        before = number;
        let line_of = |at: usize| text[..at].matches('\n').count() + 1;
        match line {
            Ok(entry) => {
                assert!(text[entry.at..].starts_with(entry.host) && text[entry.upstream_at..].starts_with(entry.upstream));
                assert_eq!((line_of(entry.at), line_of(entry.upstream_at)), (number as usize, number as usize));
                // TOML's texts are filled in by the environment, lists are not.
                if !entry.upstream.contains("${env:") {
                    assert_eq!(in_toml(entry.host, entry.upstream), Some((entry.host.to_owned(), entry.upstream.to_owned())));
                }
            }
            Err(wrong) => {
                assert!(!wrong.problem.is_empty() && !wrong.instead.is_empty() && text.get(wrong.span.clone()).is_some());
                assert_eq!(line_of(wrong.span.start), number as usize);
            }
        }
    }
    assert!(lines[before as usize..].iter().all(|line| says_nothing(line)), "no line is passed over");
});

/// Whether a line is empty or a comment.
fn says_nothing(line: &str) -> bool {
    let words = line.trim_matches([' ', '\t', '\r']);
    words.is_empty() || words.starts_with('#')
}

/// What TOML makes of the same entry.
fn in_toml(host: &str, upstream: &str) -> Option<(String, String)> {
    let quoted = |text: &str| toml::Value::String(text.into());
    let loaded = parse("a.toml", format!("[routes.a.hosts]\n{} = {}\n", quoted(host), quoted(upstream)), &[], []).ok()?;
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    let (host, targets) = loaded.config.routes.get("a")?.hosts.first_key_value()?;
    match &targets.iter().next()?.action {
        Action::Upstream(upstream) => Some((host.clone(), upstream.clone())),
        _ => None,
    }
}
