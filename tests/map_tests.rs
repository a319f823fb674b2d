//! `tests` of a map: whoever reads the configuration runs them, and one that fails refuses it.

use vestibule::config;
use vestibule::snapshot::Snapshot;

use crate::harness::compile;
use crate::harness::program::{Folder, Said};

const DMZ: &str = r#"[networks]
office = ["10.0.0.0/8"]

[listener.https]
listen = "127.0.0.1:0"
routes = "dmz"

[routes.dmz]
default = "web"
not_tls = { respond = "TLS only\n" }
tests = [
  { sni = "acme.apps.example", expect = "acme.internal:443" },
  { sni = "API.example.", from = "10.1.2.3", expect = "api" },
  { sni = "api.example", from = "192.0.2.1", expect = "web" },
  { sni = "api.example", from = "::ffff:10.1.2.3", expect = "api" },
  { sni = "api.example", from = "2001:db8::1", alpn = ["h2", "acme-tls/1"], expect = "10.0.0.9:443" },
  { sni = "old.example", expect = { reject = "unrecognized_name" } },
  { sni = "old.example", expect = "old.example" },
  { sni = "gone.example", expect = { entry = "gone.example", reject = "close" } },
  { sni = "office.example", from = "10.1.2.3", expect = { entry = "office.example", upstream = "web" } },
  { sni = "office.example", from = "192.0.2.1", expect = { entry = "office.example", reject = "access_denied" } },
  { sni = "legacy.example", versions = ["1.1", "1.2"], expect = "web" },
  { sni = "legacy.example", versions = ["1.2", "1.3"], expect = { reject = "unrecognized_name" } },
  { sni = "www.shop.example", expect = ".Shop.example" },
  { sni = "192.0.2.1", expect = "default" },
  { no_sni = true, expect = "web" },
  { not_tls = true, expect = "not_tls" },
  { not_tls = true, expect = { respond = "TLS only\n" } },
  { sni = "x.127.0.0.1.to.example", expect = { reject = "access_denied" } },
  { sni = "unknown.example", listener = "https", expect = "default" },
]

[routes.dmz.hosts]
"old.example" = { reject = "unrecognized_name" }
"gone.example" = { reject = "close" }
"office.example" = { upstream = "web", access = ["allow office", "deny all"] }
"legacy.example" = { versions = ["1.0"], upstream = "web" }
".shop.example" = "web"
"api.example" = [
  { alpn = ["acme-tls/1"], upstream = "10.0.0.9:443" },
  { from = ["office"], upstream = "api" },
  { upstream = "web" },
]

[[routes.dmz.patterns]]
host = '(?<tenant>[a-z0-9-]+)\.apps\.example'
upstream = "${tenant}.internal:443"

[[routes.dmz.patterns]]
host = 'x\.([0-9.]+)\.to\.example'
upstream = "$1:443"

[upstream.web]
servers = ["10.0.0.1:443"]
[upstream.api]
servers = ["10.0.0.2:443"]
"#;

/// What `check` comes to, without the two warnings of the patterns that lead where the client says.
fn check(folder: &Folder, more: &[&str]) -> Said {
    folder.run(&[&["check"], more].concat())
}

/// A map with this in it, and an upstream `web`.
fn map(more: &str) -> Folder {
    let frame = "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n[upstream.other]\nservers = [\"10.0.0.2:443\"]\n";
    Folder::with(&format!("{frame}{more}"))
}

fn passes(more: &str) {
    let said = check(&map(more), &[]);
    assert!(said.status == Some(0) && said.out.contains(" passed"), "{more}\n{said:?}");
}

/// Checks what must be refused, and gives what is said of it.
fn fails(more: &str) -> String {
    let said = check(&map(more), &[]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{more}");
    said.err
}

#[test]
fn tests_that_hold_are_counted() {
    let said = check(&Folder::with(DMZ), &[]);
    assert_eq!(said.out, "routes.toml: 1 listener, 6 hosts, 2 patterns, 3 upstreams, 19 tests passed: usable\n", "{}", said.err);
    assert_eq!(said.status, Some(0));
}

#[test]
fn a_file_without_tests_says_nothing_of_them() {
    let said = check(&map("[routes.dmz]\ndefault = \"web\"\n"), &[]);
    assert_eq!(said.out, "routes.toml: 1 listener, 0 hosts, 0 patterns, 2 upstreams: usable\n", "{}", said.err);
}

#[test]
fn a_change_that_breaks_a_test_is_refused_with_what_came_and_why() {
    let folder = Folder::with(&DMZ.replace("\".shop.example\" = \"web\"", "\".shop.example\" = \"web\"\n\"*.apps.example\" = \"web\""));
    let said = check(&folder, &[]);
    let expected = r#"error: acme.apps.example goes to upstream web, but the address acme.internal:443 is expected
  --> routes.toml:12:41
   |
12 |   { sni = "acme.apps.example", expect = "acme.internal:443" },
   |                                         ^^^^^^^^^^^^^^^^^^^ "*.apps.example" wins (routes.toml:39) over pattern 1 (routes.toml:47)
"#;
    assert_eq!(said.status, Some(2));
    assert!(said.err.starts_with(expected) && said.err.ends_with("routes.toml: 1 error, 3 warnings: not usable\n"), "{}", said.err);
}

#[test]
fn a_value_that_is_set_can_break_a_test() {
    let folder = Folder::with(DMZ);
    let said = check(&folder, &["--set", "routes.dmz.default=api"]);
    assert_eq!(said.status, Some(2));
    let problem = "error: TLS without a server name goes to upstream api, but upstream web is expected";
    let why = "`default` wins (--set routes.dmz.default=api)";
    assert!(said.err.contains(problem) && said.err.contains(why), "{}", said.err);
}

#[test]
fn nothing_is_run_while_a_test_fails() {
    let broken = DMZ.replace("from = \"192.0.2.1\", expect = \"web\"", "from = \"192.0.2.1\", expect = \"api\"");
    let folder = Folder::with(&broken);
    for command in ["run", "route"] {
        let said = folder.run(&[command]);
        assert_eq!(said.status, Some(2), "{command}");
        assert!(said.err.contains("api.example from 192.0.2.1 goes to upstream web, but upstream api is expected"), "{}", said.err);
        assert!(said.err.contains("`alpn` of target 1 does not fit; `from` of target 2 does not fit; target 3 does"), "{}", said.err);
    }
}

#[test]
fn what_would_follow_another_configuration_is_tested_too() {
    let running = compile(DMZ);
    let next = |text: &str| Snapshot::compile_after(config::parse("routes.toml", text, &[], []).unwrap(), &running);
    assert_eq!(next(DMZ).unwrap().tests, 19);
    let refused = next(&DMZ.replace("default = \"web\"", "default = \"api\"")).unwrap_err();
    assert_eq!(refused.errors(), 1, "{refused}");
}

#[test]
fn every_listener_of_the_map_must_give_it_unless_one_is_named() {
    let listeners = "[listener.inside]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\naccess = [\"allow 10.0.0.0/8\", \"deny all\"]\n";
    let routes = |test: &str| format!("{listeners}[routes.dmz]\ndefault = \"web\"\ntests = [{test}]\n");
    passes(&routes("{ sni = \"a.example\", from = \"10.1.2.3\", expect = \"web\" }"));
    passes(&routes("{ sni = \"a.example\", from = \"192.0.2.1\", listener = \"https\", expect = \"web\" }"));
    passes(&routes("{ sni = \"a.example\", from = \"192.0.2.1\", listener = \"inside\", expect = { reject = \"close\" } }"));
    let said = fails(&routes("{ sni = \"a.example\", from = \"192.0.2.1\", expect = \"web\" }"));
    assert!(said.contains("a.example from 192.0.2.1 on inside is refused by a close, but upstream web is expected"), "{said}");
    assert!(said.contains("`access` of the listener says \"deny all\""), "{said}");
}

#[test]
fn a_client_of_a_unix_socket_has_no_address() {
    let guarded = "[routes.dmz]\ntests = [{ sni = \"a.example\", from = \"unix:\", expect = \"other\" }]\n\
         [[routes.dmz.hosts.\"a.example\"]]\nfrom = [\"0.0.0.0/0\", \"::/0\"]\nupstream = \"web\"\n[[routes.dmz.hosts.\"a.example\"]]\nupstream = \"other\"\n";
    passes(guarded);
}

#[test]
fn an_upstream_is_meant_before_an_entry_of_the_same_name() {
    let routes = |expect: &str| {
        format!(
            "[upstream.\"a.example\"]\nservers = [\"10.0.0.3:443\"]\n[routes.dmz]\ndefault = \"a.example\"\n\
             tests = [{{ sni = \"a.example\", expect = {expect} }}]\n[routes.dmz.hosts]\n\"a.example\" = \"web\"\n"
        )
    };
    passes(&routes("{ entry = \"a.example\" }"));
    let said = fails(&routes("\"a.example\""));
    assert!(said.contains("a.example goes to upstream web, but upstream a.example is expected"), "{said}");
}

#[test]
fn a_target_in_maintenance_needs_no_other_test() {
    let routes = |expect: &str| {
        format!(
            "[routes.dmz]\ntests = [{{ sni = \"a.example\", expect = \"{expect}\" }}]\n[routes.dmz.hosts]\n\
             \"a.example\" = {{ upstream = \"web\", maintenance = \"other\" }}\n"
        )
    };
    passes(&routes("web"));
    passes(&routes("other"));
    passes(&routes("a.example"));
    let said = fails(&routes("10.0.0.9:443"));
    assert!(said.contains("goes to upstream other") && said.contains("it is in maintenance"), "{said}");
}

#[test]
fn what_maps_say_of_a_client_is_seen() {
    passes(
        "[map.place]\nof = \"$remote_addr\"\ndefault = \"web\"\nranges = { \"10.0.0.0/8\" = \"other\" }\n\
         [map.spoken]\nof = \"$ssl_preread_protocol $ssl_preread_alpn_protocols $listener $hello $route\"\ndefault = \"web\"\n\
         values = { \"TLSv1.2 h2 https named a.example\" = \"other\" }\n\
         [routes.dmz]\ndefault = \"$place\"\ntests = [\n{ sni = \"b.example\", from = \"10.1.2.3\", expect = \"other\" },\n\
         { no_sni = true, from = \"192.0.2.1\", expect = \"web\" },\n\
         { sni = \"a.example\", versions = [\"1.2\"], alpn = \"h2\", expect = \"other\" },\n\
         { sni = \"a.example\", expect = \"web\" },\n]\n[routes.dmz.hosts]\n\"a.example\" = \"$spoken\"\n",
    );
}

/// A map whose listener ends TLS under a profile that speaks TLS 1.3 and `h2`.
fn behind_tls(test: &str) -> Folder {
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs/good.pem");
    Folder::with(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\nterminate = \"site\"\n[terminate.site]\ncertificates = \"{certificate}\"\n\
         alpn = [\"h2\"]\nversions = [\"1.3\"]\n[map.spoken]\nof = \"$ssl_alpn_protocol $ssl_protocol\"\ndefault = \"web\"\n\
         values = {{ \"h2 TLSv1.3\" = \"other\" }}\n[routes.dmz]\ndefault = \"$spoken\"\ntests = [{test}]\n[routes.dmz.hosts]\n\"a.example\" = \"web\"\n\
         [upstream.web]\nservers = [\"10.0.0.1:443\"]\n[upstream.other]\nservers = [\"10.0.0.2:443\"]\n"
    ))
}

#[test]
fn a_client_with_nothing_in_common_with_the_profile_comes_to_no_upstream() {
    let passes = |test: &str| {
        let said = check(&behind_tls(test), &[]);
        assert!(said.status == Some(0) && said.out.contains("1 test passed"), "{test}\n{said:?}");
    };
    passes("{ sni = \"a.example\", expect = \"web\" }");
    passes("{ sni = \"a.example\", alpn = [\"http/1.1\", \"h2\"], expect = \"web\" }");
    passes("{ sni = \"a.example\", alpn = [\"http/1.1\"], expect = { reject = \"no_application_protocol\" } }");
    passes("{ sni = \"a.example\", versions = [\"1.2\"], expect = { entry = \"a.example\", reject = \"protocol_version\" } }");
    let fails = |test: &str, came: &str, why: &str| {
        let said = check(&behind_tls(test), &[]);
        assert!(said.status == Some(2) && said.err.contains(came) && said.err.contains(why), "{test}\n{said:?}");
    };
    fails(
        "{ sni = \"a.example\", alpn = [\"http/1.1\"], expect = \"web\" }",
        "a.example is refused with the alert no_application_protocol, but upstream web is expected",
        "no protocol of ALPN is in common",
    );
    fails(
        "{ sni = \"a.example\", versions = [\"1.2\"], expect = \"a.example\" }",
        "a.example is refused with the alert protocol_version",
        "the client offers TLS 1.2",
    );
}

#[test]
fn what_a_handshake_agrees_on_is_seen() {
    let said = check(&behind_tls("{ sni = \"b.example\", alpn = [\"h2\"], expect = \"other\" }"), &[]);
    assert!(said.status == Some(0) && said.out.contains("1 test passed"), "{said:?}");
}

#[test]
fn a_map_that_no_listener_has_is_tested_as_well() {
    let said =
        fails("[routes.dmz]\ndefault = \"web\"\n[routes.later]\ndefault = \"web\"\ntests = [{ no_sni = true, expect = \"other\" }]\n");
    assert!(said.contains("TLS without a server name goes to upstream web, but upstream other is expected"), "{said}");
}

#[test]
fn what_fails_only_for_another_error_is_not_told() {
    let said = fails(
        "[routes.dmz]\ndefault = \"web\"\ntests = [{ sni = \"a.example\", expect = \"other\" }, { sni = \"b.example\", expect = \"wbe\" }]\n\
         [routes.dmz.hosts]\n\"a.example\" = { upstream = \"othr\" }\n",
    );
    assert!(said.contains("no upstream is named \"othr\"") && said.ends_with("routes.toml: 1 error: not usable\n"), "{said}");
}

#[test]
fn a_thousand_tests_over_many_hosts_hold_or_are_each_told() {
    let hosts: String = (0..20_000).map(|number| format!("\"h{number}.example\" = \"web\"\n")).collect();
    let tests = |upstream: &str| -> String {
        (0..1000).map(|number| format!("{{ sni = \"h{}.example\", expect = \"{upstream}\" }},\n", number * 19)).collect()
    };
    let routes = |upstream| format!("[routes.dmz]\ntests = [\n{}]\n[routes.dmz.hosts]\n{hosts}", tests(upstream));
    passes(&routes("web"));
    assert!(fails(&routes("other")).ends_with("routes.toml: 1000 errors: not usable\n"));
}
