//! All that `vestibule route` has to say: whence each setting is, guards, refusals, the order of servers, JSON, many names at once.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::program::{Folder, Said};

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");

fn ask(folder: &Folder, arguments: &[&str]) -> String {
    let Said { status, out, err } = folder.run(&[&["route"], arguments].concat());
    assert_eq!((status, &*err), (Some(0), ""), "{arguments:?}");
    out
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    serde_json::from_str(&ask(folder, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_client_of_a_unix_socket_is_who_comes_to_one_and_may_be_asked_for() {
    let folder = Folder::with(
        "[listener.local]\nlisten = \"unix:/run/vestibule.sock\"\nupstream = \"10.0.0.1:443\"\naccess = [\"allow unix:\", \"deny all\"]\n",
    );
    let told = ask(&folder, &[]);
    assert!(told.starts_with("any connection from unix: on local\n  access               allowed by \"allow unix:\"\n"), "{told}");
    assert_eq!(ask(&folder, &["--from", "unix:"]), told);
    assert!(ask(&folder, &["--from", "192.0.2.7"]).contains("denied by \"deny all\""));
    assert_eq!(json(&folder, &[])["from"], "unix:");
}

#[test]
fn protocols_may_be_listed_with_commas() {
    let folder = Folder::with(
        "[listener.https]\nlisten = \":443\"\nroutes = \"dmz\"\n[routes.dmz.hosts]\n\"a.example\" = { upstream = \"10.0.0.1:443\", alpn = [\"http/1.1\"] }\n",
    );
    let told = ask(&folder, &["--sni", "a.example", "--alpn", "h2,http/1.1"]);
    assert!(told.contains("-> upstream 10.0.0.1:443"), "{told}");
}

#[test]
fn what_decides_how_servers_are_left_alone_and_how_a_listener_reads_is_told() {
    let folder = Folder::with(
        "[defaults]\npreread_timeout = \"3s\"\n[defaults.upstream]\nserver = { max_fails = 7, fail_timeout = \"70s\" }\n\
         [listener.https]\nlisten = \":443\"\nroutes = \"dmz\"\nmax_connections = 50\n[routes.dmz]\ndefault = \"web\"\n\
         [upstream.web]\nservers = [{ address = \"10.0.0.1:443\", slow_start = \"5s\" }, { address = \"10.0.0.2:443\", max_fails = 1, fail_timeout = \"10s\" }]\n",
    );
    let told = ask(&folder, &["--sni", "a.example"]);
    assert!(told.contains("10.0.0.1:443 (max_fails 7, fail_timeout 70s, slow_start 5s), 10.0.0.2:443; "), "{told}");
    assert!(told.contains("preread_timeout 3s ([defaults], routes.toml:2)"), "{told}");
    assert!(told.contains("max_connections 50 ([listener.https], routes.toml:8)"), "{told}");
}

const SETTINGS: &str = r#"[defaults]
idle_timeout = "10s"
half_close = false
[defaults.upstream]
send_proxy_protocol = "v2"
keepalive = true

[listener.https]
listen = ":443"
routes = "dmz"
next_upstream_tries = 3
download_rate = "1m"

[routes.dmz.hosts]
"a.example" = "web"
"b.example" = { upstream = "web", idle_timeout = "1h", download_rate = "512k" }
"c.example" = "10.0.0.9:443"

[upstream.web]
servers = ["10.0.0.1:443"]
keepalive = { idle = "60s", count = 5 }
user_timeout = "30s"
"#;

/// The lines below the arrow.
fn below(told: &str) -> Vec<&str> {
    let lines: Vec<_> = told.lines().skip_while(|line| !line.starts_with("  ->")).map(str::trim).collect();
    assert!(!lines.is_empty(), "{told}");
    lines
}

#[test]
fn each_setting_says_whence_it_is() {
    let folder = Folder::with(SETTINGS);
    let a = ask(&folder, &["--sni", "a.example"]);
    assert_eq!(
        below(&a),
        [
            "-> upstream web, passed through; idle 10s ([defaults], routes.toml:2), connect 60s (built in)",
            "round_robin over 10.0.0.1:443; health is not known here",
            "keepalive idle 60s count 5 ([upstream.web], routes.toml:21)",
            "user_timeout 30s ([upstream.web], routes.toml:22)",
            "send_proxy_protocol v2 ([defaults.upstream], routes.toml:5)",
            "next_upstream_tries 3 ([listener.https], routes.toml:11)",
            "half_close false ([defaults], routes.toml:3)",
            "download_rate 1m/s ([listener.https], routes.toml:12)",
        ]
    );
    let b = ask(&folder, &["--sni", "b.example"]);
    assert!(b.contains("idle 1h (the target, routes.toml:16), connect 60s (built in)"), "{b}");
    assert!(b.contains("\n     download_rate 512k/s (the target, routes.toml:16)\n"), "{b}");
    let c = ask(&folder, &["--sni", "c.example"]);
    assert!(!c.contains("keepalive") && !c.contains("send_proxy_protocol"), "an address has nothing of upstreams: {c}");
}

#[test]
fn what_the_environment_or_the_command_line_set_says_so() {
    let folder = Folder::with(SETTINGS);
    let set = ask(&folder, &["--sni", "a.example", "--set", "defaults.idle_timeout=5s"]);
    assert!(set.contains("idle 5s (--set defaults.idle_timeout=5s), connect"), "{set}");
    let mut command = folder.vestibule(&["route", "--sni", "a.example", "--json"]);
    command.env("VESTIBULE_DEFAULTS__CONNECT_TIMEOUT", "7s");
    let told: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let settings = told["target"]["settings"].as_array().unwrap();
    let connect = settings.iter().find(|setting| setting["key"] == "connect_timeout").unwrap();
    assert_eq!((&connect["value"], &connect["origin"]["level"]), (&"7s".into(), &"environment".into()), "{connect}");
}

fn terminating(more: &str) -> Folder {
    Folder::with(&format!(
        "[defaults.terminate]\nalpn = [\"h2\", \"http/1.1\"]\nclient_auth = {{ ca = \"{CERTIFICATES}/good.pem\", mode = \"request\" }}\n\
         [listener.https]\nlisten = \":443\"\nroutes = \"map\"\n\
         [routes.map]\nnot_tls = \"10.0.0.1:80\"\ndefault = {{ upstream = \"10.0.0.1:80\", terminate = \"public\" }}\n\
         [routes.map.hosts]\n\"said.test\" = {{ respond = \"$ssl_protocol $ssl_alpn_protocol $ssl_server_name <$ssl_cipher>\", terminate = \"public\" }}\n\
         [terminate.public]\ncertificates = \"{CERTIFICATES}/good.pem\"\nhandshake_timeout = \"20s\"\nversions = [\"1.3\"]\n{more}"
    ))
}

#[test]
fn the_keys_of_a_profile_say_whence_they_are() {
    let told = ask(&terminating(""), &["--sni", "a.good.test"]);
    let settings = format!(
        "     versions 1.3 ([terminate.public], routes.toml:15)\n     alpn h2, http/1.1 ([defaults.terminate], routes.toml:2)\n     \
         handshake_timeout 20s ([terminate.public], routes.toml:14)\n     \
         client_auth a certificate by {CERTIFICATES}/good.pem is requested ([defaults.terminate], routes.toml:3)\n  -> upstream"
    );
    assert!(told.contains(&settings), "{told}");
}

#[test]
fn of_tls_that_ends_here_it_says_what_is_known_before_and_names_the_rest() {
    let told = ask(&terminating(""), &["--sni", "said.test", "--alpn", "http/1.1", "--alpn", "h2"]);
    assert!(told.contains("\n  -> answered with \"TLSv1.3 h2 said.test <>\" and closed\n"), "{told}");
    assert!(told.ends_with("     not known here, and so empty: $ssl_cipher\n"), "{told}");
}

#[test]
fn a_handshake_that_would_fail_is_no_way_to_a_server() {
    let folder = terminating("");
    let last = |arguments: &[&str]| ask(&folder, &[&["--sni", "a.good.test"], arguments].concat()).lines().last().unwrap().to_owned();
    assert_eq!(
        last(&["--versions", "1.2"]),
        "  -> refused with the alert protocol_version: the client offers TLS 1.2 at most, and the profile speaks TLS 1.3"
    );
    assert_eq!(last(&["--alpn", "acme-tls/1"]), "  -> refused with the alert no_application_protocol: no protocol of ALPN is in common");
    let plain = Folder::with(&format!(
        "[listener.a]\nlisten = \":443\"\nupstream = \"10.0.0.1:80\"\nterminate = \"public\"\n[terminate.public]\ncertificates = \"{CERTIFICATES}/good.pem\"\n"
    ));
    let told = ask(&plain, &["--not-tls"]);
    assert!(told.ends_with("  -> closed: TLS is to end here, and it is none\n"), "{told}");
}

#[test]
fn versions_are_a_guard_that_can_be_asked_for() {
    let folder = Folder::with(
        "[networks]\noffice = [\"10.0.0.0/8\", \"fd00::/8\"]\n[listener.a]\nlisten = \":443\"\nroutes = \"map\"\n\
         [[routes.map.default]]\nversions = [\"1.3\"]\nfrom = [\"office\"]\nalpn = [\"acme-tls/1\"]\nupstream = \"10.0.0.1:443\"\n\
         [[routes.map.default]]\nversions = [\"1.1\", \"1.2\"]\nupstream = \"10.0.0.2:443\"\n",
    );
    let told = ask(&folder, &["--versions", "1.2", "--from", "10.1.2.3"]);
    let expected = "
    target 1           does not fit                           routes.toml:6
      from office      fits (10.0.0.0/8)
      alpn acme-tls/1  not offered
      versions 1.3     not offered
    target 2           fits                                   routes.toml:11
      versions 1.1, 1.2 fits (1.1)
  -> upstream 10.0.0.2:443";
    assert!(told.contains(expected), "{told}");
    let newest = ask(&folder, &["--versions", "1.3", "--from", "192.0.2.1"]);
    assert!(newest.contains("      from office      the client is not in it\n") && newest.contains("no target fit"), "{newest}");
    assert!(folder.run(&["route", "--versions", "1.4"]).err.contains("one of 1.0, 1.1, 1.2, 1.3"));
}

#[test]
fn turns_by_different_weights_are_told_one_by_one() {
    let servers = |weights: [u32; 3]| {
        let [a, b, c] = weights;
        format!(
            "[listener.a]\nlisten = \":443\"\nupstream = \"web\"\n[upstream.web]\nservers = [{{ address = \"10.0.0.1:1\", weight = {a} }}, \
             {{ address = \"10.0.0.2:1\", weight = {b} }}, {{ address = \"10.0.0.3:1\", weight = {c} }}]\n"
        )
    };
    let turns = |weights| json(&Folder::with(&servers(weights)), &[])["outcome"]["upstreams"][0]["turns"].clone();
    let [a, b, c] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];
    assert_eq!(turns([5, 1, 1]), serde_json::json!([a, a, b, a, c, a, a]), "nginx's smooth round robin");
    assert_eq!(turns([20, 10, 10]), serde_json::json!([a, b, c, a]), "as often as it takes until they begin anew");
    assert_eq!(turns([3, 3, 3]), serde_json::json!([]), "the order of the servers says as much");
    assert_eq!(turns([1000, 1, 1]), serde_json::json!([]), "nobody would read them");
    let told = ask(&Folder::with(&servers([2, 1, 1])), &[]);
    assert!(told.contains("\n     in turn: 10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1, 10.0.0.1:1\n"), "{told}");
}

#[test]
fn servers_of_the_other_family_than_the_source_are_out_of_reach() {
    let folder = Folder::with(
        "[listener.a]\nlisten = \":443\"\nupstream = \"web\"\nsource = \"$remote_addr\"\ntransparent = true\n\
         [upstream.web]\nservers = [\"10.0.0.1:443\", \"[2001:db8::1]:443\"]\n",
    );
    let told = ask(&folder, &["--from", "192.0.2.7"]);
    assert!(told.contains("over 10.0.0.1:443, [2001:db8::1]:443 (out of the source's reach);"), "{told}");
    let told = ask(&folder, &["--from", "2001:db8::7"]);
    assert!(told.contains("over 10.0.0.1:443 (out of the source's reach), [2001:db8::1]:443;"), "{told}");
}

#[test]
fn a_hash_over_names_says_that_dns_has_a_say() {
    let folder = Folder::with(
        "[listener.a]\nlisten = \":443\"\nupstream = \"web\"\n[upstream.web]\nbalance = \"hash\"\nservers = [\"10.0.0.1:443\", \"web.internal:443\"]\n",
    );
    let told = ask(&folder, &[]);
    assert!(told.contains("web.internal:443 (by DNS); which keys go where DNS leads is not known here; health"), "{told}");
}

#[test]
fn a_header_that_comes_first_is_told() {
    let folder = Folder::with(
        "[listener.a]\nlisten = \":443\"\nupstream = \"10.0.0.1:443\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n",
    );
    assert!(ask(&folder, &[]).contains("\n  PROXY header         required: the client is whom it names\n"));
    assert_eq!(json(&folder, &[])["proxy_header"], "required");
}

#[test]
fn a_port_that_nobody_said_is_told_as_unknown() {
    let folder = Folder::with("[listener.a]\nlisten = \":443\"\nrespond = \"$remote_port\"\n");
    assert!(ask(&folder, &[]).ends_with("     not known here, and so empty: $remote_port\n"));
    let told = ask(&folder, &["--from", "192.0.2.7:4000"]);
    assert!(told.ends_with("  -> answered with \"4000\" and closed\n"), "{told}");
}

#[test]
fn json_says_all_that_the_text_says() {
    let folder = Folder::with(SETTINGS);
    let told = json(&folder, &["--sni", "B.Example.", "--from", "192.0.2.7"]);
    let expected = serde_json::json!({
        "listener": "https", "protocols": ["tcp"], "from": "192.0.2.7", "hello": "named", "name": "b.example", "sent": "B.Example.",
        "unread": [], "proxy_header": null,
        "access": { "allowed": true, "has_rules": false, "rule": null }, "limits": [],
        "entries": [
            { "rule": "exact", "number": null, "written": "b.example", "verdict": "wins", "captures": [], "at": "routes.toml:16" },
            { "rule": "default", "number": null, "written": null, "verdict": "no_entry", "captures": [], "at": null },
        ],
        "targets": [{ "number": 1, "fits": true, "guards": [], "at": "routes.toml:16" }],
        "target": {
            "number": 1, "access": { "allowed": true, "has_rules": false, "rule": null }, "limits": [], "note": null, "maintenance": null,
            "tls": null, "maps": [], "unknown": [],
            "settings": [
                { "key": "idle_timeout", "value": "1h", "origin": { "level": "target", "table": null, "at": "routes.toml:16" } },
                { "key": "connect_timeout", "value": "60s", "origin": { "level": "built_in", "table": null, "at": null } },
                { "key": "next_upstream_tries", "value": "3",
                  "origin": { "level": "listener", "table": "[listener.https]", "at": "routes.toml:11" } },
                { "key": "half_close", "value": "false", "origin": { "level": "defaults", "table": "[defaults]", "at": "routes.toml:3" } },
                { "key": "download_rate", "value": "512k/s", "origin": { "level": "target", "table": null, "at": "routes.toml:16" } },
            ],
        },
        "outcome": { "kind": "forwarded", "upstreams": [{
            "name": "web", "at": "routes.toml:19", "balance": "round_robin", "hash_key": null, "tls": null, "order": "turns",
            "servers": [{ "address": "10.0.0.1:443", "by_dns": false, "weight": 1, "max_conns": 0, "max_fails": 1, "fail_timeout": "10s",
                          "slow_start": "0ms", "backup": false, "out_of_reach": false }],
            "turns": [], "down": [],
            "settings": [
                { "key": "keepalive", "value": "idle 60s count 5",
                  "origin": { "level": "upstream", "table": "[upstream.web]", "at": "routes.toml:21" } },
                { "key": "user_timeout", "value": "30s",
                  "origin": { "level": "upstream", "table": "[upstream.web]", "at": "routes.toml:22" } },
                { "key": "send_proxy_protocol", "value": "v2",
                  "origin": { "level": "defaults", "table": "[defaults.upstream]", "at": "routes.toml:5" } },
            ],
        }] },
    });
    assert_eq!(told, expected, "{told:#}");
}

/// All names of fields, however deep.
fn fields(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            all.insert(key.clone());
            fields(value, all);
        }),
        Value::Array(values) => values.iter().for_each(|value| fields(value, all)),
        _ => {}
    }
}

#[test]
fn the_reference_names_every_field() {
    let reference = include_str!("../docs/configuration.md");
    let section = reference.split("\n## `vestibule route`").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut all = BTreeSet::new();
    fields(&json(&terminating(""), &["--sni", "a.good.test"]), &mut all);
    fields(&json(&Folder::with(SETTINGS), &["--sni", "b.example"]), &mut all);
    assert!(all.len() > 40, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|field| !section.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "{missing:?} are not in docs/configuration.md");
}

const MANY: &str = r#"[listener.https]
listen = ":443"
routes = "dmz"
[routes.dmz]
default = { reject = "unrecognized_name" }
[routes.dmz.hosts]
"www.example" = "web"
"*.apps.example" = [{ from = ["10.0.0.0/8"], upstream = "10.0.0.9:443" }, { alpn = ["h2"], upstream = "web" }]
[upstream.web]
servers = ["10.0.0.1:443"]
"#;

#[test]
fn a_line_of_names_is_answered_with_a_line() {
    let folder = Folder::with(MANY);
    folder.write(
        "names",
        "# who\nwww.example\n\na.apps.example from=10.0.0.7  # from the office\na.apps.example alpn=h2,http/1.1\na.apps.example\n-\n",
    );
    let expected = "\
www.example                     -> www.example    -> upstream web
a.apps.example from=10.0.0.7    -> *.apps.example -> 10.0.0.9:443
a.apps.example alpn=h2,http/1.1 -> *.apps.example -> upstream web
a.apps.example                  -> *.apps.example -> refused (unrecognized_name)
-                               -> default        -> refused (unrecognized_name)
";
    assert_eq!(ask(&folder, &["--names", "names"]), expected);
    let office = ask(&folder, &["--names", "names", "--from", "10.0.0.1"]);
    assert!(office.contains("a.apps.example                  -> *.apps.example -> 10.0.0.9:443\n"), "{office}");
    let lines: Vec<Value> = ask(&folder, &["--names", "names", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1], json(&folder, &["--sni", "a.apps.example", "--from", "10.0.0.7"]));
}

#[test]
fn a_line_that_is_no_question_is_told_and_the_others_are_answered() {
    let folder = Folder::with(MANY);
    let mut command = folder.vestibule(&["route", "--names", "-"]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    running
        .stdin
        .take()
        .unwrap()
        .write_all(
            "\u{feff}a..b\nwww.example\nwww.example form=10.0.0.1\nwww.example from=here\n\
          www.example from=10.0.0.1 from=10.0.0.2\nwww.example alpn=\n"
                .as_bytes(),
        )
        .unwrap();
    let done = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "www.example -> www.example -> upstream web\n");
    let expected = "vestibule: -:1: the server name is no host name: a label is empty (two dots in a row, or one at the start)\n\
                    -:3: \"form=10.0.0.1\" is none of from=IP, alpn=PROTOCOL, versions=VERSION\n\
                    -:4: from=here: an IP address belongs here, such as 192.0.2.7 or 192.0.2.7:40000, or unix:\n\
                    -:5: from=10.0.0.2: from is there already\n\
                    -:6: alpn=: a protocol of ALPN has 1 to 255 bytes\n";
    assert_eq!((String::from_utf8(done.stderr).unwrap(), done.status.code()), (expected.into(), Some(2)));
    let missing = folder.run(&["route", "--names", "nothing"]);
    assert_eq!((missing.status, missing.err.starts_with("vestibule: nothing cannot be read: ")), (Some(2), true));
}

/// The commands that a document shows, each with its answer and the configuration above it.
fn shown(document: &str) -> Vec<(String, String, String)> {
    let blocks = document.split("\n```").collect::<Vec<_>>();
    let mut above = String::new();
    let mut shown = Vec::new();
    for block in blocks {
        if let Some(routes) = block.strip_prefix("toml\n") {
            above = routes.to_owned() + "\n";
        } else if let Some((command, answer)) = block.strip_prefix("\n$ vestibule route ").and_then(|rest| rest.split_once('\n')) {
            shown.push((above.clone(), command.to_owned(), answer.to_owned() + "\n"));
        }
    }
    shown
}

#[test]
fn what_the_documents_show_is_what_is_printed() {
    for (document, text) in [("README.md", include_str!("../README.md")), ("configuration.md", include_str!("../docs/configuration.md"))] {
        let shown = shown(text);
        assert!(!shown.is_empty(), "{document} shows it");
        for (routes, command, answer) in shown {
            let folder = Folder::with(&routes);
            folder.write("names.txt", "www.example\nstaff.example from=10.1.2.3\nstaff.example\nnobody.example\n");
            let arguments: Vec<_> = command.split_whitespace().collect();
            assert_eq!(ask(&folder, &arguments), answer, "{document}: {command}");
        }
    }
}

#[test]
fn of_datagrams_only_what_concerns_them_is_told() {
    let folder = Folder::with(
        r#"[defaults]
half_close = false
requests = 0
responses = 1
[listener.dns]
listen = ":53"
protocol = "udp"
upstream = "dns"
access = ["allow 10.0.0.0/8", "deny all"]
[listener.tcp]
listen = ":54"
upstream = "dns"
[upstream.dns]
servers = ["10.0.0.1:53"]
"#,
    );
    let told = ask(&folder, &["--listener", "dns", "--sni", "a.example", "--from", "10.0.0.2"]);
    assert!(told.contains("\n  no hello is read of datagrams, so --sni is not seen\n"), "{told}");
    assert!(
        told.ends_with("     requests unlimited ([defaults], routes.toml:3)\n     responses 1 ([defaults], routes.toml:4)\n"),
        "{told}"
    );
    assert!(!told.contains("half_close"), "{told}");
    let told = ask(&folder, &["--listener", "dns"]);
    assert!(told.ends_with("  -> its datagrams are dropped\n"), "{told}");
    let told = ask(&folder, &["--listener", "tcp"]);
    assert!(told.ends_with("     half_close false ([defaults], routes.toml:2)\n"), "{told}");
}
