//! Lists that programs write: `hosts_files` of maps, and files of `[networks]`.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use vestibule::admit::Who;
use vestibule::host::Hostname;
use vestibule::route::FirstName;
use vestibule::snapshot::{Snapshot, Target};

use crate::harness::program::Folder;
use crate::harness::{Gate, Server, alert, compile, connect_from, heard, hello};

const ACCESS_DENIED: u8 = 49;

/// A file with a list, and the folder that it lies in.
fn list(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.list");
    fs::write(&file, text).unwrap();
    (folder, file)
}

/// What a client with this address hears that keeps its side open.
async fn hears_from(gate: &Gate, client: &str, host: &str) -> Vec<u8> {
    let mut stream = connect_from(client, gate.address("https")).await;
    stream.write_all(&hello(host)).await.unwrap();
    heard(&mut stream).await.expect("an orderly end, not a reset")
}

/// A folder with a map of hosts that leads to `web` and to `api`.
fn with_map(map: &str, hosts: &str) -> Folder {
    let folder = Folder::with(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[routes.dmz]\nhosts_files = [\"tenants.map\"]\n\
         [routes.dmz.hosts]\n{hosts}\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n[upstream.api]\nservers = [\"10.0.0.2:443\"]\n"
    ));
    folder.write("tenants.map", map);
    folder
}

#[tokio::test]
async fn hosts_of_a_list_are_served_as_those_of_the_file_itself() {
    let (web, api) = (Server::named("web").await, Server::named("api").await);
    let hosts = format!(
        "\u{feff}# hosts\r\nWww.Example. web # the site\r\n\r\n*.apps.example\t\t{0}\r\nshop.* web\n.both.example {0}\n",
        api.address
    );
    let (_folder, file) = list(&hosts);
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[routes.dmz]\nhosts_files = [{file:?}]\n\
         [routes.dmz.hosts]\n\"inline.example\" = \"web\"\n[upstream.web]\nservers = [\"{}\"]\n\
         [access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$route $upstream $status\"\n",
        web.address
    ));
    let asked = [
        ("WWW.example", "web"),
        ("a.b.apps.example", "api"),
        ("shop.test", "web"),
        ("both.example", "api"),
        ("c.both.example", "api"),
        ("inline.example", "web"),
    ];
    for (host, server) in asked {
        assert_eq!(gate.ask(host).await, server, "{host}");
    }
    assert_eq!(gate.hears(&hello("apps.example")).await, alert(112), "a wildcard is not the name itself");
    let mut lines = gate.lines("log", asked.len() + 1).await;
    lines.sort();
    let api = api.address;
    let expected = [
        format!("*.apps.example {api} 200"),
        "- - 500".to_owned(),
        format!(".both.example {api} 200"),
        format!(".both.example {api} 200"),
        "Www.Example. web 200".into(),
        "inline.example web 200".into(),
        "shop.* web 200".into(),
    ];
    assert_eq!(lines, expected, "a route is told as it is written");
}

#[tokio::test]
async fn hosts_of_a_list_have_the_keys_that_their_listener_has() {
    let server = Server::named("web").await;
    let (_folder, file) = list("a.example web\nb.example web\n");
    let gate = Gate::start(&format!(
        "[defaults]\nidle_timeout = \"1h\"\nconnect_timeout = \"7s\"\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\nidle_timeout = \"2h\"\n\
         [routes.dmz]\nhosts_files = {file:?}\n[upstream.web]\nservers = [\"{}\"]\n",
        server.address
    ));
    assert_eq!(gate.ask("b.example").await, "web");
    let told = with_map("a.example web\n", "").run(&[
        "route",
        "--sni",
        "a.example",
        "--set",
        "listener.https.idle_timeout=2h",
        "--set",
        "defaults.connect_timeout=7s",
    ]);
    assert!(
        told.out.contains("idle 2h (--set listener.https.idle_timeout=2h), connect 7s (--set defaults.connect_timeout=7s)"),
        "{told:?}"
    );
}

/// The targets of a host.
fn targets<'s>(snapshot: &'s Snapshot, host: &str) -> &'s [Target] {
    let name = Hostname::parse(host).unwrap();
    &snapshot.listeners[0].routes.lookup(FirstName::Name(&name)).unwrap().entry.target
}

#[test]
fn hosts_that_lead_to_the_same_upstream_share_their_target() {
    let (_folder, file) = list("a.test web\n*.b.test web\nc.test 10.0.0.9:443\n");
    let snapshot = compile(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[routes.dmz]\nhosts_files = {file:?}\n\
         [routes.dmz.hosts]\n\"d.test\" = \"web\"\n\"e.test\" = \"web\"\n\"f.test\" = {{ upstream = \"web\", idle_timeout = \"1h\" }}\n\
         [upstream.web]\nservers = [\"10.0.0.1:443\"]\n"
    ));
    let same = |one, other| std::ptr::eq(targets(&snapshot, one), targets(&snapshot, other));
    assert!(same("a.test", "x.b.test"), "in a list");
    assert!(same("d.test", "e.test"), "in TOML");
    assert!(!same("a.test", "c.test") && !same("d.test", "f.test"), "another target is another one");
}

#[test]
fn a_network_is_one_set_however_often_it_is_named() {
    let (_folder, file) = list("10.0.0.0/8\n");
    let snapshot = compile(&format!(
        "[networks]\nsome = {{ file = {file:?} }}\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[routes.dmz.hosts]\n\
         \"a.test\" = {{ upstream = \"10.0.0.1:443\", access = [\"deny some\"] }}\n\"b.test\" = {{ upstream = \"10.0.0.1:443\", access = [\"deny some\"] }}\n"
    ));
    let set = |host| match &targets(&snapshot, host)[0].admission.access.rules()[0].who {
        Who::Ranges(ranges) => ranges,
        other => panic!("{other:?}"),
    };
    assert!(std::sync::Arc::ptr_eq(set("a.test"), set("b.test")));
}

#[test]
fn what_is_wrong_with_an_upstream_is_said_of_each_host_that_leads_there() {
    let said = with_map("a.example nowhere\nb.example nowhere\n", "\"c.example\" = \"elsewhere\"\n\"d.example\" = \"elsewhere\"")
        .run(&["check"])
        .err;
    for place in ["tenants.map:1:11", "tenants.map:2:11", "routes.toml:7:15", "routes.toml:8:15", "4 errors"] {
        assert!(said.contains(place), "{place}: {said}");
    }
}

#[test]
fn an_entry_of_a_list_is_told_with_its_own_file_and_line() {
    let folder = with_map("# hosts\n\nwww.example web\n*.example api\n", "");
    let told = folder.run(&["route", "--sni", "www.example"]);
    let expected = "\
www.example from 127.0.0.1 on https
  access               allowed, no rule
  exact                WINS                                   tenants.map:3
  *.example            would match: beaten                    tenants.map:4
  default              no entry
  -> upstream web, passed through; idle 10m (built in), connect 60s (built in)
";
    assert!(told.out.starts_with(expected), "{}", told.out);
    assert_eq!(folder.run(&["check"]).out, "routes.toml: 1 listener, 2 hosts, 0 patterns, 2 upstreams: usable\n");
}

#[test]
fn a_name_that_is_there_already_is_refused_with_both_places() {
    let cases = [
        ("a.example web\nb.example web\nA.Example. api\n", "", "tenants.map:3:1", "\"a.example\" is there already (tenants.map:1)"),
        ("c.example web\n", "\"C.example\" = \"api\"", "tenants.map:1:1", "\"C.example\" is there already (routes.toml:7)"),
        (".d.example web\n*.d.example web\n", "", "tenants.map:2:1", "\".d.example\" is there already (tenants.map:1)"),
    ];
    for (map, hosts, second, first) in cases {
        let said = with_map(map, hosts).run(&["check"]);
        assert_eq!(said.status, Some(2), "{map}");
        assert!(said.err.contains(second) && said.err.contains(first) && said.err.contains("1 error"), "{}", said.err);
    }
}

#[test]
fn one_bad_line_refuses_a_list_as_a_whole_and_each_is_told() {
    let map: String =
        (1..=1000).map(|number| if number % 100 == 0 { "no entry here\n".into() } else { format!("h{number}.example web\n") }).collect();
    let folder = with_map(&map, "");
    for command in ["check", "run"] {
        let said = folder.run(&[command]);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
        for line in (100..=1000).step_by(100) {
            assert!(said.err.contains(&format!("tenants.map:{line}:")), "{command} {line}: {}", said.err);
        }
        assert!(said.err.contains("10 errors"), "{}", said.err);
    }
}

#[test]
fn lists_are_found_beside_the_file_that_names_them_by_patterns_too() {
    let folder = with_map("a.example web\n", "");
    fs::create_dir_all(folder.path("sub/more")).unwrap();
    folder.write("sub/more/b.map", "b.example api\n");
    folder.write("sub/more/c.map", "c.example web\n");
    let routes = fs::read_to_string(folder.path("routes.toml")).unwrap();
    folder.write("sub/routes.toml", &routes.replace("\"tenants.map\"", "\"../tenants.map\", \"more/[bc].map\", \"more/*.none\""));
    let told = folder.run(&["route", "-c", "sub/routes.toml", "--sni", "b.example"]);
    assert!(told.out.contains("sub/more/b.map:1"), "{told:?}");
    let told = folder.run(&["check", "-c", "sub/routes.toml"]);
    assert_eq!((told.out.as_str(), told.err.as_str()), ("sub/routes.toml: 1 listener, 3 hosts, 0 patterns, 2 upstreams: usable\n", ""));
}

#[test]
fn hidden_files_are_no_lists() {
    let folder = with_map("a.example web\n", "");
    fs::create_dir(folder.path("lists")).unwrap();
    folder.write("lists/b.map", "b.example api\nc.example web\n");
    // What editors leave while they are open.
    folder.write("lists/.#b.map", "no list");
    let routes = fs::read_to_string(folder.path("routes.toml")).unwrap();
    folder.write("routes.toml", &routes.replace("\"tenants.map\"", "\"lists/*.map\""));
    let told = folder.run(&["check"]);
    assert_eq!((told.out.as_str(), told.err.as_str()), ("routes.toml: 1 listener, 2 hosts, 0 patterns, 2 upstreams: usable\n", ""));
}

#[test]
fn a_hundred_thousand_hosts_lead_each_to_its_own_upstream() {
    let map: String = (0..100_000).map(|number| format!("h{number}.example {}\n", if number % 3 == 0 { "api" } else { "web" })).collect();
    let folder = with_map(&map, "");
    for (number, upstream) in [(0, "api"), (49_999, "web"), (99_999, "api")] {
        let told = folder.run(&["route", "--sni", &format!("h{number}.example")]).out;
        assert!(told.contains(&format!("tenants.map:{}", number + 1)) && told.contains(&format!("-> upstream {upstream},")), "{told}");
    }
    let told = folder.run(&["route", "--sni", "h100000.example"]).out;
    assert!(told.contains("nothing stands for it"), "{told}");
}

#[tokio::test]
async fn ranges_of_a_file_stand_wherever_ranges_do() {
    let (web, api) = (Server::named("web").await, Server::named("api").await);
    let (_folder, file) = list("# kept out\r\n127.0.0.2/31 # two\r\n\r\n2001:db8::/32\r\n127.0.0.9\r\n");
    let gate = Gate::start(&format!(
        "[networks]\nsome = {{ file = {file:?} }}\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n\
         [routes.dmz.hosts]\n\"access.test\" = {{ upstream = \"{0}\", access = [\"deny some\"] }}\n\
         \"guard.test\" = [{{ from = [\"127.0.0.20\", \"some\"], upstream = \"{0}\" }}, \"{1}\"]\n\"map.test\" = \"$to\"\n\
         \"limit.test\" = {{ upstream = \"{0}\", limits = [\"none\"] }}\n\
         [map.to]\nof = \"$remote_addr\"\ndefault = \"{1}\"\nranges = {{ some = \"{0}\" }}\n\
         [limit.none]\nrate = \"1/h\"\nexempt = [\"some\"]\n",
        web.address, api.address
    ));
    assert_eq!(gate.ask_from("127.0.0.30", "limit.test").await, "web", "the only one in an hour");
    for (client, is_in) in [("127.0.0.1", false), ("127.0.0.2", true), ("127.0.0.3", true), ("127.0.0.4", false), ("127.0.0.9", true)] {
        let named = if is_in { "web" } else { "api" };
        assert_eq!(gate.ask_from(client, "guard.test").await, named, "{client}");
        assert_eq!(gate.ask_from(client, "map.test").await, named, "{client}");
        let (lets_in, keeps_out) = if is_in { ("limit.test", "access.test") } else { ("access.test", "limit.test") };
        assert_eq!(gate.ask_from(client, lets_in).await, "web", "{client}");
        assert_eq!(hears_from(&gate, client, keeps_out).await, alert(ACCESS_DENIED), "{client}");
    }
    assert_eq!(gate.ask_from("127.0.0.20", "guard.test").await, "web", "a range beside the network");
}

#[test]
fn an_entry_of_a_list_that_takes_all_from_a_pattern_is_told_with_its_own_file_and_line() {
    let pattern = "[[routes.dmz.patterns]]\nhost = '[a-z]+\\.apps\\.example'\nupstream = \"web\"";
    let said = with_map("# apps\n*.apps.example api\n", pattern).run(&["check"]).err;
    assert!(said.contains("this pattern never wins: \"*.apps.example\" (tenants.map:2) takes all"), "{said}");
}

#[test]
fn what_is_wrong_with_a_list_is_told_once_however_many_maps_name_it() {
    let map = |name: &str| {
        format!(
            "[routes.{name}]\ndefault = \"web\"\nhosts_files = [\"tenants.map\"]\n[[routes.{name}.tests]]\nsni = \"c.example\"\nexpect = \"web\"\n"
        )
    };
    let listener = |name: &str| format!("[listener.{name}]\nlisten = \"127.0.0.1:0\"\nroutes = \"{name}\"\n");
    let folder = Folder::with(&format!(
        "{}{}{}{}[upstream.web]\nservers = [\"10.0.0.1:443\"]\n[upstream.api]\nservers = [\"10.0.0.2:443\"]\n",
        listener("a"),
        listener("b"),
        map("a"),
        map("b")
    ));
    folder.write("tenants.map", "a.example nowhere\nhttps://b.example web\nno entry here\n127.0.0.1 api\nc.example web\nc.example web\n");
    let said = folder.run(&["check"]);
    assert_eq!(said.status, Some(2));
    for place in ["tenants.map:1:", "tenants.map:2:", "tenants.map:3:", "tenants.map:4:", "tenants.map:6:"] {
        assert_eq!(said.err.matches(place).count(), 1, "{place}: {}", said.err);
    }
    assert!(said.err.contains("5 errors"), "{}", said.err);
}

#[test]
fn hosts_of_a_list_without_a_certificate_are_told_where_tls_ends_before_them() {
    let certs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");
    let listener = "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n";
    let rest = format!(
        "[routes.dmz]\nhosts_files = [\"tenants.map\", \"more.map\"]\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n\
         [terminate.public]\ncertificates = [{{ chain = \"{certs}/good.pem\", key = \"{certs}/good.key\" }}]\n"
    );
    let said = |listener: &str| {
        let folder = Folder::with(&format!("{listener}{rest}"));
        folder.write("tenants.map", "good.test web\n*.other.test web\nelse.test web\na.good.test web\nlast.test web\n");
        folder.write("more.map", "b.good.test web\none.test web\n");
        let told = folder.run(&["check"]);
        assert_eq!(told.status, Some(0), "{}", told.err);
        told.err
    };
    let told = said(&format!("{listener}terminate = \"public\"\n"));
    let expected = [
        "warning[uncovered-host]: no certificate of [terminate.public] is for \"*.other.test\", nor for 2 more hosts of this list, so clients will not trust them\n --> tenants.map:2:1",
        "warning[uncovered-host]: no certificate of [terminate.public] is for \"one.test\", so clients will not trust it\n --> more.map:2:1",
    ];
    for warning in expected {
        assert!(told.contains(warning), "{warning}: {told}");
    }
    assert_eq!(told.matches("uncovered-host").count(), 2, "{told}");
    assert!(!said(listener).contains("uncovered-host"), "TLS passes through");
}

#[test]
fn tls_into_tls_is_told_of_a_list_unless_tls_ends_before_it() {
    let certs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");
    let rest = format!(
        "[routes.dmz]\nhosts_files = [\"tenants.map\"]\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\ntls = {{ verify = false }}\n\
         [terminate.public]\ncertificates = [{{ chain = \"{certs}/good.pem\", key = \"{certs}/good.key\" }}]\n"
    );
    let said = |more: &str| {
        let folder = Folder::with(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n{more}{rest}"));
        folder.write("tenants.map", "good.test web\na.good.test web\n");
        let told = folder.run(&["check"]);
        assert_eq!(told.status, Some(0), "{}", told.err);
        told.err
    };
    let told = said("");
    assert!(told.contains("tls-in-tls") && told.contains("tenants.map:1:11"), "{told}");
    assert!(!said("terminate = \"public\"\n").contains("tls-in-tls"));
}
