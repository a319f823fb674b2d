//! What is written and has no effect, or one that nobody wants: told, and only that.

use std::process::Command;

use vestibule::config;
use vestibule::snapshot::Snapshot;

use crate::harness::program::{Folder, said};

const LISTENER: &str = "[listener.a]\nlisten = \"127.0.0.1:8443\"\nupstream = \"10.0.0.1:1\"\n";

/// The lints that are told of, with their lines.
fn told(text: &str) -> Vec<(&'static str, usize)> {
    let loaded = config::parse("routes.toml", text, &[], []).unwrap_or_else(|wrong| panic!("{wrong}"));
    let checked = Snapshot::check(loaded);
    assert!(checked.snapshot.is_some(), "{}", checked.diagnostics);
    let lines = checked.diagnostics.sorted().into_iter().map(|one| (one.severity().lint().unwrap(), one.place().line().unwrap()));
    lines.collect()
}

#[test]
fn a_value_that_is_surely_too_small_is_told_and_its_neighbour_is_not() {
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs/good.pem");
    let ended =
        format!("{LISTENER}terminate = \"public\"\n[lints]\nopen-private-key = \"allow\"\n[terminate.public]\ncertificates = {good:?}\n");
    let map = "[listener.b]\nlisten = \"127.0.0.1:8444\"\nroutes = \"dmz\"\n[routes.dmz]\n";
    let cases = [
        (LISTENER, "upload_rate = \"63\"", "upload_rate = 64"),
        (LISTENER, "download_rate = 1", "download_rate = 0"),
        (LISTENER, "download_rate = \"30bit/s\"", "download_rate = \"1kbit/s\""),
        (LISTENER, "connect_timeout = \"9ms\"", "connect_timeout = \"10ms\""),
        (&ended, "handshake_timeout = \"99ms\"", "handshake_timeout = \"100ms\""),
        (&ended, "session_cache = 1023", "session_cache = \"1k\""),
        (&ended, "session_cache = 64", "session_cache = 0"),
        (map, "default = { upstream = \"10.0.0.1:1\", upload_rate = 4 }", "default = { upstream = \"10.0.0.1:1\", upload_rate = \"4k\" }"),
        ("[defaults]\n", "preread_timeout = \"5ms\"", "preread_timeout = \"100ms\""),
        ("[defaults]\n", "proxy_protocol_timeout = \"5ms\"", "proxy_protocol_timeout = \"100ms\""),
        ("[defaults.terminate]\n", "session_cache = 64", "session_cache = \"off\""),
    ];
    for (before, tiny, enough) in cases {
        let text = |value: &str| match before.starts_with("[defaults") {
            true => format!("{before}{value}\n{LISTENER}"),
            false => format!("{before}{value}\n"),
        };
        let lints: Vec<_> = told(&text(tiny)).into_iter().map(|(lint, _)| lint).collect();
        assert_eq!(lints, ["tiny-value"], "{tiny}");
        assert_eq!(told(&text(enough)), [], "{enough}");
    }
}

#[test]
fn a_rate_that_a_map_yields_is_judged_as_one_that_is_written() {
    let text = |rate: &str, value: &str| {
        format!(
            "{LISTENER}download_rate = \"{rate}\"\n[map.pace]\nof = \"$remote_addr\"\ndefault = \"1m\"\nranges = {{ \"10.0.0.0/8\" = \"{value}\" }}\n"
        )
    };
    assert_eq!(told(&text("$pace", "4")), [("tiny-value", 8)]);
    assert_eq!(told(&text("${pace}", "4")), [("tiny-value", 8)]);
    assert_eq!(told(&text("$pace", "4k")), []);
    assert_eq!(told(&text("$pace", "0")), []);
    assert_eq!(told(&text("${pace}k", "4")), [], "more stands behind it");
}

#[test]
fn a_network_that_nothing_names_is_told() {
    let networks = |more: &str| format!("{LISTENER}{more}\n[networks]\nforward = [\"10.0.0.0/8\"]\nblocked = [\"192.0.2.0/24\"]\n");
    assert_eq!(told(&networks("")), [("unused-network", 7)]);
    let used = [
        "access = [\"deny blocked\"]",
        "accept_proxy_protocol = \"require\"\ntrusted_proxies = [\"blocked\"]",
        "limits = [\"l\"]\n[limit.l]\nkey = \"$remote_addr\"\nconnections = 1\nexempt = [\"blocked\"]",
        "download_rate = \"$rate\"\n[map.rate]\nof = \"$remote_addr\"\nranges = { blocked = \"1m\" }",
        "[listener.b]\nlisten = \"127.0.0.1:8444\"\nroutes = \"dmz\"\n[routes.dmz]\ndefault = [{ from = [\"blocked\"], reject = \"close\" }, \"10.0.0.1:1\"]",
    ];
    for used in used {
        assert_eq!(told(&networks(used)), [], "{used}");
    }
}

#[test]
fn a_map_that_no_text_asks_is_told() {
    let map = |more: &str| format!("{LISTENER}{more}\n[map.kind]\nof = \"$remote_addr\"\nvalues = {{ a = \"x\" }}\n");
    assert_eq!(told(&map("")), [("unused-map", 5)]);
    let used = [
        "download_rate = \"${kind}k\"",
        "[access_log.a]\nformat = \"$kind\"",
        "[access_log.a]\nif = \"$kind\"",
        "limits = [\"l\"]\n[limit.l]\nkey = \"$kind\"\nconnections = 1",
        "download_rate = \"$outer\"\n[map.outer]\nof = \"$kind\"\nvalues = { x = \"1m\" }",
    ];
    for used in used {
        assert_eq!(told(&map(used)), [], "{used}");
    }
}

/// What is told by who may have 200 descriptors.
fn told_with_few(text: &str) -> String {
    let folder = Folder::with(text);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n 200; exec {} check", env!("CARGO_BIN_EXE_vestibule"))]).current_dir(folder.path(""));
    said(command).err
}

#[test]
fn what_takes_more_descriptors_together_than_there_may_be_is_told() {
    let range = |last: u16, more: &str| {
        format!("[process]\nworkers = 2\n[listener.a]\nlisten = \"127.0.0.1:20001-20{last:03}\"\nupstream = \"10.0.0.1:1\"\n{more}")
    };
    let servers = |second: &str| {
        format!(
            "{}[upstream.web]\nservers = [{{ address = \"10.0.0.1:1\", max_conns = 60 }}, {{ address = \"10.0.0.2:1\", {second} }}]\n",
            LISTENER.replace("10.0.0.1:1", "web")
        )
    };
    let told = [
        (servers("max_conns = 41"), "101 connections take 202 descriptors, and a process may have 200 here\n --> routes.toml:5:50"),
        (range(51, ""), "all listeners take 102 sockets, 204 descriptors, and a process may have 200 here\n --> routes.toml:4:10"),
    ];
    for (text, expected) in told {
        let said = told_with_few(&text);
        assert!(said.starts_with(&format!("warning[too-few-descriptors]: {expected}\n")), "{said}");
    }
    let enough = [
        servers("max_conns = 40"),
        servers("max_conns = 0"),
        servers("max_conns = 41, backup = true"),
        servers("max_conns = 41, down = true"),
        range(50, ""),
        range(51, "reuse_port = false\n"),
    ];
    for text in enough {
        assert_eq!(told_with_few(&text), "", "{text}");
    }
}
