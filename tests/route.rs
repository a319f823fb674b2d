//! `vestibule route` says where a connection goes and why, and says what traffic does.

use tokio::io::AsyncWriteExt;

use crate::harness::hellos::{alpn, client_hello};
use crate::harness::program::Folder;
use crate::harness::{Gate, Server, Spec, heard};

const DMZ: &str = r#"[defaults]
idle_timeout = "10s"

[listener.https]
listen = ":443"
routes = "dmz"

[listener.mysql]
listen = ":3306"
upstream = "shop"
connect_timeout = "500ms"

[routes.dmz]
default = "web"
not_tls = { respond = "TLS only\n" }

[routes.dmz.hosts]
"shop.example.com" = { upstream = "shop", idle_timeout = "2h" }
"*.apps.example.com" = "web"
"old.example.com" = { reject = "access_denied" }
"api.example.com" = [
  { from = ["10.0.0.0/8"], upstream = "shop" },
  { alpn = ["h2"], upstream = "10.0.0.9:443" },
]

[[routes.dmz.patterns]]
host = '(?<tenant>[a-z0-9-]+)\.apps\.example\.com'
upstream = "web"

[[routes.dmz.patterns]]
host = '([a-z]+)\.to\.example\.com'
upstream = "$1.internal:443"

[[routes.dmz.patterns]]
host = '([0-9.]+)\.on\.example\.com'
upstream = "$1:443"

[upstream.web]
servers = ["10.0.0.11:443", { address = "10.0.0.12:443", backup = true }, { address = "10.0.0.13:443", down = true }, "web.internal:443"]

[upstream.shop]
balance = "consistent_hash"
servers = ["10.0.0.21:443", "10.0.0.22:443"]
"#;

fn told(arguments: &[&str]) -> String {
    let found = Folder::with(DMZ).run(&[&["route"], arguments].concat());
    assert_eq!((found.status, found.err.as_str()), (Some(0), ""), "{arguments:?}");
    found.out
}

#[test]
fn a_map_says_what_it_was_asked_and_what_it_answers() {
    let routes = "[listener.a]\nlisten = \":443\"\nroutes = \"dmz\"\n[routes.dmz]\ndefault = \"$backend\"\n\
         [map.backend]\nof = \"$place $ssl_preread_alpn_protocols\"\ndefault = \"web\"\nvalues = { \"office h2\" = \"10.0.0.9:443\" }\n\
         [map.place]\nof = \"$remote_addr\"\nranges = { \"10.0.0.0/8\" = \"office\" }\n\
         [upstream.web]\nservers = [\"10.0.0.1:443\"]\n";
    let folder = Folder::with(routes);
    let told = |arguments: &[&str]| folder.run(&[&["route"], arguments].concat()).out;
    let expected = "\
a.test from 10.1.2.3 on a
  access               allowed, no rule
  exact                no entry
  default              WINS                                   routes.toml:5
  $place               \"office\" for \"10.1.2.3\"                routes.toml:10
  $backend             \"10.0.0.9:443\" for \"office h2\"         routes.toml:6
  -> the address 10.0.0.9:443, passed through; idle 10m (built in), connect 60s (built in)
";
    assert_eq!(told(&["--sni", "a.test", "--from", "10.1.2.3", "--alpn", "h2"]), expected);
    let web = told(&["--sni", "a.test", "--from", "192.0.2.1"]);
    assert!(web.contains("$place               \"\" for \"192.0.2.1\"") && web.contains("-> upstream web, passed through"), "{web}");
}

#[test]
fn a_wildcard_that_beats_a_pattern() {
    let expected = "\
acme.apps.example.com (sent: Acme.Apps.Example.com.) from 10.1.2.3 on https
  access               allowed, no rule
  exact                no entry
  *.apps.example.com   WINS                                   routes.toml:19
  pattern 1            would match, tenant=acme: beaten       routes.toml:27
  default              not asked
  -> upstream web, passed through; idle 10s ([defaults], routes.toml:2), connect 60s (built in)
     round_robin over 10.0.0.11:443, 10.0.0.12:443 (backup), web.internal:443 (by DNS); down: 10.0.0.13:443; health is not known here
";
    assert_eq!(told(&["--sni", "Acme.Apps.Example.com.", "--from", "10.1.2.3"]), expected);
}

#[test]
fn a_hash_names_its_servers_in_the_order_of_this_client() {
    let expected = "\
shop.example.com from 192.0.2.7 on https
  access               allowed, no rule
  exact                WINS                                   routes.toml:18
  default              not asked
  -> upstream shop, passed through; idle 2h (the target, routes.toml:18), connect 60s (built in)
     consistent_hash of \"192.0.2.7\": 10.0.0.21:443, 10.0.0.22:443; health is not known here
";
    assert_eq!(told(&["--sni", "shop.example.com", "--from", "192.0.2.7"]), expected);
}

#[test]
fn guards_are_told_one_by_one() {
    let api = |arguments: &[&str]| told(&[&["--sni", "api.example.com"], arguments].concat());
    let begin = |from: &str| {
        format!(
            "api.example.com from {from} on https\n  access               allowed, no rule\n  \
             exact                WINS                                   routes.toml:21\n  default              not asked\n"
        )
    };
    let limits = "passed through; idle 10s ([defaults], routes.toml:2), connect 60s (built in)";
    let second = "\
    target 1           does not fit                           routes.toml:22
      from 10.0.0.0/8  the client is not in it
    target 2           fits                                   routes.toml:23
      alpn h2          fits (h2)
";
    assert_eq!(
        api(&["--alpn", "http/1.1", "--alpn", "h2"]),
        begin("127.0.0.1")
            + second
            + &format!("  -> upstream 10.0.0.9:443, {limits}\n     round_robin over 10.0.0.9:443; health is not known here\n")
    );
    let first = "\
    target 1           fits                                   routes.toml:22
      from 10.0.0.0/8  fits (10.0.0.0/8)
    target 2           not asked                              routes.toml:23
";
    assert_eq!(
        api(&["--from", "10.0.0.4"]),
        begin("10.0.0.4")
            + first
            + &format!(
                "  -> upstream shop, {limits}\n     \
                 consistent_hash of \"10.0.0.4\": 10.0.0.22:443, 10.0.0.21:443; health is not known here\n"
            )
    );
    let neither = "\
    target 1           does not fit                           routes.toml:22
      from 10.0.0.0/8  the client is not in it
    target 2           does not fit                           routes.toml:23
      alpn h2          not offered
  -> refused with the alert unrecognized_name: the guards of no target fit
";
    assert_eq!(api(&[]), begin("127.0.0.1") + neither);
}

#[test]
fn a_capture_stands_in_its_target() {
    let expected = "\
x.to.example.com from 127.0.0.1 on https
  access               allowed, no rule
  exact                no entry
  pattern 2            WINS, 1=x                              routes.toml:31
  default              not asked
  -> the address x.internal:443, looked up by DNS and passed through, unless that is the gateway itself or its links; idle 10s ([defaults], routes.toml:2), connect 60s (built in)
";
    assert_eq!(told(&["--sni", "x.to.example.com"]), expected);
}

#[test]
fn a_rendered_address_is_judged_as_traffic_is() {
    let last = |name: &str| told(&["--sni", name]).lines().last().unwrap().to_owned();
    let limits = "idle 10s ([defaults], routes.toml:2), connect 60s (built in)";
    assert_eq!(last("192.0.2.1.on.example.com"), format!("  -> the address 192.0.2.1:443, passed through; {limits}"));
    assert_eq!(
        last("127.0.0.1.on.example.com"),
        "  -> refused with the alert access_denied: 127.0.0.1:443 is not to be forwarded to, unless 127.0.0.1 is in [networks] forward"
    );
    assert_eq!(
        last("300.0.0.1.on.example.com"),
        "  -> closed as unresolved: \"300.0.0.1:443\" is no upstream and no address: \"300.0.0.1\" is no IP address"
    );
}

#[tokio::test]
async fn an_answer_is_told_as_it_is_sent() {
    let text = "$listener|$server_addr|$remote_addr|$route|$status|$close_reason|$session_time|$upstream_addr";
    let routes = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = '{text}'\n");
    let heard = heard(&mut Gate::start(&routes).connect().await).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), "https|127.0.0.1|127.0.0.1|||||");
    let told = Folder::with(&routes).run(&["route"]).out;
    let told_port =
        Folder::with("[listener.a]\nlisten = [\"[::1]:7100\", \":80\"]\nrespond = \"$server_addr $server_port\"\n").run(&["route"]).out;
    assert!(told_port.ends_with("  -> answered with \"::1 7100\" and closed\n"), "{told_port}");
    assert!(told.ends_with("  -> answered with \"https|127.0.0.1|127.0.0.1|||||\" and closed\n"), "{told}");
}

#[test]
fn what_is_refused_or_answered_says_how() {
    let expected = "\
old.example.com from 127.0.0.1 on https
  access               allowed, no rule
  exact                WINS                                   routes.toml:20
  default              not asked
  -> refused with the alert access_denied, as the entry says
";
    assert_eq!(told(&["--sni", "old.example.com"]), expected);
    let expected = "\
what is not TLS from 127.0.0.1 on https
  access               allowed, no rule
  not_tls              WINS                                   routes.toml:15
  -> answered with \"TLS only\\n\" and closed
";
    assert_eq!(told(&["--not-tls"]), expected);
}

#[test]
fn where_tls_ends_its_profile_and_certificate_are_told() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");
    let routes = format!(
        "[listener.https]\nlisten = \":443\"\nroutes = \"map\"\n[routes.map]\ndefault = {{ upstream = \"10.0.0.1:80\", terminate = \"public\" }}\n\
         [terminate.public]\ncertificates = [\"{certificates}/v1.pem\", \"{certificates}/other.pem\", \"{certificates}/good.pem\"]\n"
    );
    let told = |name: &str| {
        let said = Folder::with(&routes).run(&["route", "--sni", name]);
        assert_eq!((said.status, &*said.err), (Some(0), ""));
        said.out
    };
    let begin = |file: &str| format!("\n  -> TLS ends under [terminate.public] (routes.toml:6)\n     with the {file}");
    let end = " days\n  -> upstream 10.0.0.1:80, decrypted; idle 10m (built in), connect 60s (built in)\n";
    let good = told("a.good.test");
    let certificate = format!("ECDSA certificate {certificates}/good.pem for good.test, *.good.test, which is good for ");
    assert!(good.contains(&begin(&certificate)) && good.contains(end), "{good}");
    let unknown = told("unknown.test");
    assert!(unknown.contains(&begin(&format!("RSA certificate {certificates}/v1.pem for v1.test, which is good for "))), "{unknown}");
    assert!(unknown.contains("\n     no certificate is for unknown.test, so clients will not trust it\n  -> upstream"), "{unknown}");
}

#[test]
fn whether_servers_are_asked_over_tls_is_told() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs");
    let routes = format!(
        "[listener.https]\nlisten = \":443\"\nroutes = \"map\"\n[routes.map.hosts]\n\
         \"a.good.test\" = {{ upstream = \"verified\", terminate = \"public\" }}\n\"passed.test\" = \"unverified\"\n\"plain.test\" = \"plain\"\n\
         [upstream.verified]\nservers = [\"web.internal:443\"]\nfallback = \"unverified\"\ntls = {{ ca = \"{certificates}/good.pem\" }}\n\
         [upstream.unverified]\nservers = [\"10.0.0.1:443\"]\ntls = {{ verify = false }}\n\
         [upstream.plain]\nservers = [\"10.0.0.2:80\"]\n\
         [terminate.public]\ncertificates = \"{certificates}/good.pem\"\n"
    );
    let told = |name: &str| Folder::with(&routes).run(&["route", "--sni", name]).out;
    let decrypted = told("a.good.test");
    assert!(decrypted.contains("\n  -> upstream verified, decrypted, its servers asked over TLS, verified; idle"), "{decrypted}");
    assert!(decrypted.contains("\n     then upstream unverified, its servers asked over TLS, not verified: "), "{decrypted}");
    let passed = told("passed.test");
    assert!(passed.contains("\n  -> upstream unverified, passed through, its servers asked over TLS, not verified; idle"), "{passed}");
    let plain = told("plain.test");
    assert!(plain.contains("\n  -> upstream plain, passed through; idle"), "{plain}");
}

#[test]
fn an_address_for_a_name_is_no_name() {
    let end = "
  access               allowed, no rule
  no_sni               no entry
  default              WINS                                   routes.toml:14
  -> upstream web, passed through; idle 10s ([defaults], routes.toml:2), connect 60s (built in)
     round_robin over 10.0.0.11:443, 10.0.0.12:443 (backup), web.internal:443 (by DNS); down: 10.0.0.13:443; health is not known here
";
    assert_eq!(told(&[]), format!("TLS without a server name from 127.0.0.1 on https{end}"));
    assert_eq!(
        told(&["--sni", "10.0.0.1"]),
        format!("TLS with the address 10.0.0.1 for a name, which counts as none, from 127.0.0.1 on https{end}")
    );
}

#[test]
fn a_listener_without_a_map_leads_to_its_upstream() {
    let expected = "\
any connection from 127.0.0.1 on mysql
  access               allowed, no rule
  [listener.mysql]     WINS                                   routes.toml:8
  -> upstream shop, passed through; idle 10s ([defaults], routes.toml:2), connect 500ms ([listener.mysql], routes.toml:11)
     consistent_hash of \"127.0.0.1\": 10.0.0.21:443, 10.0.0.22:443; health is not known here
";
    assert_eq!(told(&["--listener", "mysql"]), expected);
}

#[test]
fn a_question_that_has_no_answer_is_refused() {
    let folder = Folder::with(DMZ);
    let refused = |arguments: &[&str]| {
        let found = folder.run(&[&["route"], arguments].concat());
        assert_eq!((found.status, found.out.as_str()), (Some(2), ""), "{arguments:?}");
        found.err
    };
    assert_eq!(refused(&["--listener", "nope"]), "vestibule: no listener is named \"nope\"; there are https, mysql\n");
    let malformed = "vestibule: a hello with the name \"a..b\" is refused as malformed: the server name is no host name: a label is empty (two dots in a row, or one at the start)\n";
    assert_eq!(refused(&["--sni", "a..b"]), malformed);
    assert!(refused(&["--sni", "a.example", "--not-tls"]).contains("cannot be used with"));
    assert!(refused(&["--from", "example"]).contains("--from <IP>"));
}

#[test]
fn which_of_several_maps_must_be_said() {
    let folder = Folder::with(&DMZ.replace("upstream = \"shop\"\nconnect", "routes = \"dmz\"\nconnect"));
    let found = folder.run(&["route", "--sni", "shop.example.com"]);
    assert_eq!((found.status, found.err.as_str()), (Some(2), "vestibule: which listener? --listener with one of https, mysql\n"));
}

/// A client's first bytes, and how the same is asked on the command line.
struct Question {
    asked: Vec<&'static str>,
    sent: Vec<u8>,
}

fn named(name: &'static str) -> Question {
    Question { asked: vec!["--sni", name], sent: client_hello(&Spec::named(name)) }
}

fn named_with(name: &'static str, protocol: &'static str) -> Question {
    Question { asked: vec!["--sni", name, "--alpn", protocol], sent: client_hello(&Spec::named(name).with(alpn(&[protocol]))) }
}

fn questions() -> Vec<Question> {
    let names =
        ["a.test", "A.Test.", "x.a.test", "y.x.a.test", "b.test", "c.b.test", "www.test", "www.c.test", "t1.apps.test", "apps.test"];
    let names =
        names.into_iter().chain(["127.0.0.1.to.test", "169.254.169.254.to.test", "300.1.1.1.to.test", "one.go.test", "nowhere.go.test"]);
    let names = names.chain(["old.test", "local.test", "far.test", "unknown", "10.0.0.1", "xn--bcher-kva.test"]).map(named);
    let guarded = [named("guarded.test"), named_with("guarded.test", "h2"), named_with("guarded.test", "acme-tls/1")];
    let nameless = Question { asked: vec![], sent: client_hello(&Spec::default()) };
    let not_tls = Question { asked: vec!["--not-tls"], sent: b"GET / HTTP/1.1\r\n\r\n".to_vec() };
    names.chain(guarded).chain([nameless, not_tls]).collect()
}

#[tokio::test]
async fn traffic_goes_where_route_says() {
    let mut upstreams = String::new();
    let mut servers = Vec::new();
    for name in ["one", "two", "three", "app_t1", "fallback"] {
        let server = Server::named(name).await;
        upstreams += &format!("[upstream.{name}]\nservers = [\"{}\"]\n", server.address);
        servers.push(server);
    }
    let routes = format!(
        r#"[listener.https]
listen = "127.0.0.1:0"
routes = "map"
[routes.map]
default = "fallback"
no_sni = {{ reject = "access_denied" }}
not_tls = {{ respond = "TLS only" }}
[routes.map.hosts]
"a.test" = "one"
"*.a.test" = "two"
"*.x.a.test" = "three"
".b.test" = "three"
"www.*" = "two"
"old.test" = {{ reject = "close" }}
"local.test" = [{{ from = ["127.0.0.0/8"], upstream = "one" }}, "two"]
"far.test" = [{{ from = ["192.0.2.0/24"], upstream = "one" }}, "two"]
"guarded.test" = [{{ alpn = ["h2"], upstream = "one" }}, {{ alpn = ["acme-tls/1"], upstream = "two" }}]
[[routes.map.patterns]]
host = '(?<app>[a-z0-9]+)\.apps\.test'
upstream = "app_${{app}}"
[[routes.map.patterns]]
host = '(.+)\.to\.test'
upstream = "$1:443"
[[routes.map.patterns]]
host = '(.+)\.go\.test'
upstream = "$1"
{upstreams}"#
    );
    let (folder, gate) = (Folder::with(&routes), Gate::start(&routes));
    let mut outcomes = std::collections::BTreeSet::new();
    for Question { asked, sent } in questions() {
        let told = folder.run(&[&["route"], &asked[..]].concat());
        let told = told_outcome(&told.out).unwrap_or_else(|| panic!("{asked:?}: {told:?}"));
        let mut client = gate.connect().await;
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(seen_outcome(&heard(&mut client).await.unwrap()), told, "{asked:?}");
        outcomes.insert(told);
    }
    assert_eq!(outcomes.len(), 9, "each outcome is asked for: {outcomes:?}");
}

#[tokio::test]
async fn a_network_without_ranges_lets_nobody_pass() {
    let (inside, outside) = (Server::named("inside").await, Server::named("outside").await);
    let routes = format!(
        r#"[listener.https]
listen = "127.0.0.1:0"
routes = "map"
[networks]
nobody = []
[routes.map.hosts]
"a.test" = [{{ from = ["nobody"], upstream = "{}" }}, "{}"]
"#,
        inside.address, outside.address
    );
    assert_eq!(Gate::start(&routes).ask("a.test").await, "outside");
    let told = Folder::with(&routes).run(&["route", "--sni", "a.test"]).out;
    assert_eq!(told_outcome(&told), Some(outside.address.to_string()), "{told}");
}

#[tokio::test]
async fn a_hash_of_bytes_that_are_no_text_names_the_server_that_traffic_meets() {
    let servers = [Server::named("0").await, Server::named("1").await, Server::named("2").await];
    let addresses = servers.each_ref().map(|server| server.address.to_string());
    let routes = format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n\
         [upstream.web]\nbalance = \"consistent_hash\"\nhash_key = \"$binary_remote_addr\"\nservers = {addresses:?}\n"
    );
    let (folder, gate) = (Folder::with(&routes), Gate::start(&routes));
    for last in 128..148 {
        let client = format!("127.200.{last}.{last}");
        let met = gate.ask_from(&client, "any.test").await.parse::<usize>().unwrap();
        let told = folder.run(&["route", "--from", &client]).out;
        let first = told.split("consistent_hash of ").nth(1).and_then(|rest| rest.split([' ', ',']).nth(1));
        assert_eq!(first, Some(&*addresses[met]), "{told}");
    }
}

#[tokio::test]
async fn what_the_listener_does_not_read_decides_nothing() {
    let servers = [Server::named("0").await, Server::named("1").await, Server::named("2").await];
    let addresses = servers.each_ref().map(|server| server.address.to_string());
    let routes = |preread: &str| {
        format!(
            "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\npreread = \"{preread}\"\n\
             [upstream.web]\nbalance = \"hash\"\nhash_key = \"$ssl_preread_server_name\"\nservers = {addresses:?}\n"
        )
    };
    let told = |preread: &str, asked: &[&str]| Folder::with(&routes(preread)).run(&[&["route"], asked].concat()).out;
    let in_turn = addresses.join(", ");
    for (asked, seen) in [(&["--sni", "b.test"][..], "--sni is"), (&["--sni", "a..b", "--alpn", "h2"], "--sni and --alpn are")] {
        let unread = told("none", asked);
        let expected =
            format!("any connection from 127.0.0.1 on https\n  the listener reads no hello (preread = \"none\"), so {seen} not seen\n");
        assert!(unread.starts_with(&expected), "{unread}");
        assert!(unread.contains(&format!("hash of an empty key, so in turn: {in_turn};")), "{unread}");
    }
    assert!(told("none", &["--not-tls"]).contains("so --not-tls is not seen"));
    assert!(!told("none", &[]).contains("reads no hello"), "nothing was asked of it");
    // The name of whom they meet first is neither the first server's nor, in turn, always the same.
    let gate = Gate::start(&routes("none"));
    let met = [gate.ask("b.test").await, gate.ask("b.test").await, gate.ask("b.test").await];
    assert_eq!(met, ["0", "1", "2"]);
    let read = told("tls", &["--sni", "b.test"]);
    let met = Gate::start(&routes("tls")).ask("b.test").await.parse::<usize>().unwrap();
    assert!(read.starts_with("b.test from 127.0.0.1 on https\n  access               allowed, no rule\n  [listener.https]"), "{read}");
    assert!(read.contains(&format!("hash of \"b.test\": {}, ", addresses[met])), "{read}");
}

#[tokio::test]
async fn what_first_bytes_are_is_told_as_it_is_seen() {
    let routes = "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\nnot_tls = { respond = \"$hello $route\" }\n";
    let gate = Gate::start(routes);
    let mut client = gate.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap(), b"not_tls not_tls");
    let told = Folder::with(routes).run(&["route", "--not-tls"]).out;
    assert!(told.ends_with("  -> answered with \"not_tls not_tls\" and closed\n"), "{told}");
}

/// What the last lines of an explanation promise.
fn told_outcome(told: &str) -> Option<String> {
    let outcome = told.split("  -> ").nth(1)?;
    if let Some(rest) = outcome.strip_prefix("upstream ") {
        return Some(rest.split(',').next()?.to_owned());
    }
    if let Some(rest) = outcome.strip_prefix("refused with the alert ") {
        return Some(format!("alert {}", rest.split([',', ':']).next()?));
    }
    if let Some(rest) = outcome.strip_prefix("answered with \"") {
        return Some(rest.split('"').next()?.to_owned());
    }
    outcome.starts_with("closed").then(String::new)
}

/// The same from what a client hears: the server's name, an alert, an answer, or nothing.
fn seen_outcome(heard: &[u8]) -> String {
    match heard {
        [21, 3, 3, 0, 2, 2, 112] => "alert unrecognized_name".into(),
        [21, 3, 3, 0, 2, 2, 49] => "alert access_denied".into(),
        text => String::from_utf8(text.to_vec()).unwrap(),
    }
}

#[test]
fn the_servers_of_each_balance_are_told_as_far_as_they_are_known() {
    let config = |balance: &str, backup: &str| {
        format!(
            "[listener.x]\nlisten = \":443\"\nupstream = \"web\"\n[upstream.web]\nbalance = \"{balance}\"\n\
             servers = [\"10.0.0.1:443\", {{ address = \"10.0.0.2:443\", weight = 9 }}, {{ address = \"10.0.0.3:443\", down = true }}{backup}]\n"
        )
    };
    let told = |balance: &str, backup: &str| {
        let found = Folder::with(&config(balance, backup)).run(&["route"]);
        assert_eq!((found.status, found.err.as_str()), (Some(0), ""), "{balance}");
        found.out.lines().last().unwrap().trim().to_owned()
    };
    let backup = ", { address = \"10.0.0.4:443\", backup = true }";
    for balance in ["least_conn", "least_time"] {
        let order = "10.0.0.2:443 (weight 9), 10.0.0.1:443, 10.0.0.4:443 (backup); down: 10.0.0.3:443";
        let rest = "the order while none has sessions, which are not known here, nor is health";
        assert_eq!(told(balance, backup), format!("{balance} over {order}; {rest}"));
    }
    for balance in ["random", "random_two"] {
        let rest = "chance decides the order; health is not known here";
        assert_eq!(told(balance, ""), format!("{balance} over 10.0.0.1:443, 10.0.0.2:443 (weight 9); down: 10.0.0.3:443; {rest}"));
    }
}

#[test]
fn what_is_written_of_a_server_stands_beside_it() {
    let config = "[listener.x]\nlisten = \":443\"\nupstream = \"web\"\n\
         [defaults.upstream.server]\nmax_conns = 100\n\
         [upstream.web]\nfallback = \"spare\"\nservers = [\n\
         { address = \"10.0.0.1:443\", weight = 5 }, { address = \"web.internal:443\", backup = true, max_conns = 0 }]\n\
         [upstream.spare]\nfallback = \"10.9.0.1:9004\"\nservers = [{ address = \"10.0.0.3:443\", down = true }]\n";
    let expected = "\
     round_robin over 10.0.0.1:443 (weight 5, max_conns 100), web.internal:443 (by DNS, backup); health is not known here
     then upstream spare: round_robin over no server; down: 10.0.0.3:443; health is not known here
     then 10.9.0.1:9004
";
    let told = Folder::with(config).run(&["route"]).out;
    assert!(told.ends_with(expected), "{told}");
}

#[test]
fn a_source_is_told_with_its_line() {
    let config = "[defaults]\nsource = \"$remote_addr:$remote_port\"\ntransparent = true\n\
         [listener.all]\nlisten = \":443\"\nupstream = \"10.0.0.1:443\"\n\
         [listener.own]\nlisten = \":444\"\nupstream = \"10.0.0.1:443\"\nsource = \"10.0.0.9:4000\"\ntransparent = false\n\
         [listener.off]\nlisten = \":445\"\nupstream = \"10.0.0.1:443\"\nsource = \"\"\ntransparent = false\n\
         [listener.odd]\nlisten = \":446\"\nupstream = \"10.0.0.1:443\"\nsource = \"$upstream\"\n\
         [listener.bad]\nlisten = \":447\"\nupstream = \"10.0.0.1:443\"\nsource = \"$listener\"\n";
    let folder = Folder::with(config);
    for (listener, expected) in [
        ("all", "     source 192.0.2.7, transparent ([defaults], routes.toml:2)\n"),
        ("own", "     source 10.0.0.9:4000 ([listener.own], routes.toml:10)\n"),
        ("odd", "     source 10.0.0.1:443, transparent ([listener.odd], routes.toml:20)\n"),
        ("bad", "  -> closed as no_source: the source \"bad\" is no address\n"),
    ] {
        let told = folder.run(&["route", "--listener", listener, "--from", "192.0.2.7"]).out;
        assert!(told.ends_with(expected), "{told}");
    }
    assert!(!folder.run(&["route", "--listener", "off", "--from", "192.0.2.7"]).out.contains("source"));
}

#[test]
fn of_datagrams_it_says_that_they_are() {
    let upstream = "[upstream.shop]\nservers = [\"10.0.0.1:53\"]\n[upstream.UDP]\nservers = [\"10.0.0.2:53\"]\n";
    let told = |listener: &str| Folder::with(&format!("{upstream}[listener.dns]\nlisten = \":53\"\n{listener}")).run(&["route"]).out;
    let udp = told("protocol = \"udp\"\nupstream = \"shop\"");
    assert!(udp.starts_with("any datagram from 127.0.0.1 on dns\n"), "{udp}");
    assert!(udp.contains("-> upstream shop, passed through as datagrams (UDP); "), "{udp}");
    let both = told("protocol = [\"udp\", \"tcp\"]\nupstream = \"shop\"");
    assert!(both.contains("-> upstream shop, passed through, over TCP and UDP; "), "{both}");
    let named = told("protocol = \"udp\"\nupstream = \"$protocol\"");
    assert!(named.contains("-> upstream UDP, "), "{named}");
}
