use proptest::prelude::*;

use super::*;

/// Every key there is, each with another value than the built-in one.
const EVERYTHING: &str = include_str!("../../tests/data/everything.toml");

fn read(text: &str) -> Loaded {
    parse("routes.toml", text, &[], []).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn config(loaded: Loaded) -> Config {
    // The folders of its patterns are not there.
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics);
    loaded.config
}

fn print(config: &Config) -> String {
    toml::to_string(config).expect("a configuration has only what TOML can say")
}

#[test]
fn everything_there_is_prints_and_reads_the_same() {
    let everything = config(read(EVERYTHING));
    assert_eq!(config(read(&print(&everything))), everything);
}

#[test]
fn everything_there_is_stands_in_the_sample() {
    let words: Vec<_> = EVERYTHING.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = words::EVERYWHERE.iter().flat_map(words::Kind::known).filter(|key| !words.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_known_key_is_read() {
    let tables = [
        (words::PROCESS, "[process]"),
        (words::LOG, "[log]"),
        (words::ACCESS_LOG, "[access_log.x]"),
        (words::RESOLVER, "[resolver]"),
        (words::KEEPALIVE, "[upstream.x.keepalive]"),
        (words::DEFAULTS, "[defaults]"),
        (words::UPSTREAM_DEFAULTS, "[defaults.upstream]"),
        (words::SERVER_DEFAULTS, "[defaults.upstream.server]"),
        (words::TERMINATE_DEFAULTS, "[defaults.terminate]"),
        (words::INCLUDE, "[[include]]"),
        (words::NETWORK, "[networks.x]"),
        (words::TEST, "[[routes.x.tests]]"),
        (words::EXPECT, "[routes.x.tests.expect]"),
        (words::LISTENER, "[listener.x]"),
        (words::ROUTES, "[routes.x]"),
        (words::TARGET, "[routes.x.hosts.\"a.b\"]"),
        (words::PATTERN, "[[routes.x.patterns]]"),
        (words::LIMIT, "[limit.x]"),
        (words::MAP, "[map.x]"),
        (words::MAP_PATTERN, "[[map.x.patterns]]"),
        (words::SHARE, "[[map.x.shares]]"),
        (words::SEND_PROXY_PROTOCOL, "[upstream.x.send_proxy_protocol]"),
        (words::TERMINATE, "[terminate.x]"),
        (words::CERTIFICATE, "[[terminate.x.certificates]]"),
        (words::SESSION_TICKETS, "[terminate.x.session_tickets]"),
        (words::CLIENT_AUTH, "[terminate.x.client_auth]"),
        (words::UPSTREAM_TLS, "[upstream.x.tls]"),
        (words::UPSTREAM, "[upstream.x]"),
        (words::SERVER, "[[upstream.x.servers]]"),
    ];
    for (kind, header) in tables {
        for key in kind.known() {
            let report = read(&format!("{header}\n{key} = 1979-05-27\n")).diagnostics.to_string();
            assert!(report.contains("not a date") && report.contains("routes.toml:2:"), "{header} {key}:\n{report}");
        }
    }
}

/// What everything is made of, to be put together in other ways.
fn scraps() -> Vec<String> {
    let broken = [include_str!("../../tests/data/broken/unquoted_hosts.toml"), include_str!("../../tests/data/broken/syntax_rest.toml")];
    let lines = broken.into_iter().chain([EVERYTHING]).flat_map(str::lines).map(|line| format!("{line}\n"));
    let pieces = ["[", "]", "{", "}", "=", ".", ",", "\"", "'", "\"\"\"", "\n", "\r\n", "#", "\\", "ü", "\u{feff}", "\0", "0", "inf", "a"];
    lines.chain(pieces.map(str::to_owned)).collect()
}

proptest! {
    #[test]
    fn what_reads_without_errors_prints_and_reads_the_same(
        lines in proptest::sample::subsequence(EVERYTHING.lines().collect::<Vec<_>>(), 0..80),
    ) {
        if let Ok(loaded) = parse("routes.toml", lines.join("\n"), &[], []) && loaded.diagnostics.is_empty() {
            prop_assert_eq!(config(read(&print(&loaded.config))), loaded.config);
        }
    }

    #[test]
    fn nothing_that_is_written_panics(pieces in proptest::collection::vec(proptest::sample::select(scraps()), 0..30), set in any::<String>()) {
        let environment = [("VESTIBULE_LOG__LEVEL".to_owned(), set.clone()), (format!("VESTIBULE_{set}__X"), set.clone())];
        match parse("routes.toml", pieces.concat(), &[set.clone(), format!("log.level={set}")], environment) {
            Ok(loaded) => loaded.diagnostics.render(Paint::Colours),
            Err(diagnostics) => diagnostics.render(Paint::Plain),
        };
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let report = read("\u{feff}[log]\nlevel = \"info\"\nlvel = 1\n").diagnostics.to_string();
    assert!(report.contains("1 error") && report.contains("routes.toml:3:1"), "{report}");
}

#[test]
fn one_error_among_many_hosts_leaves_the_others() {
    let mut text = String::from("[routes.dmz.hosts]\n");
    for number in 0..20_000 {
        text.push_str(&format!("\"host{number}.example\" = \"web\"\n"));
    }
    text.push_str(&"\"b\" = 3\n".replace('b', "last.example"));
    let loaded = read(&text);
    assert_eq!(loaded.diagnostics.errors(), 1);
    assert_eq!(loaded.diagnostics.sorted()[0].place().line(), Some(20_002));
    assert_eq!(loaded.config.routes["dmz"].hosts.len(), 20_000);
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("routes.toml"), &[], []).unwrap_err().to_string();
    assert!(missing.starts_with("error: ") && missing.contains("routes.toml can't be read"), "{missing}");
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"[log]\nfile = \"\xe4\"\n").unwrap();
    let report = load(&latin, &[], []).unwrap_err().to_string();
    assert!(report.contains("this is not UTF-8 text") && report.contains("latin.toml:2:9"), "{report}");
}
