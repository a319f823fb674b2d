//! Names of servers: every address is used, answers are followed as they change, and what a name server does not say
//! disturbs nobody.

use hickory_resolver::proto::rr::RecordType::{A, AAAA, SRV};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};
use vestibule::upstream::Resolver;

use crate::harness::{BlackHole, Gate, NameServer, Process, Says, Server, at, compile, hello, reply, said, until, within};

/// A gate whose upstream `pool` has these servers, and asks this name server; `more` stands in `[resolver]`.
fn gate(names: &NameServer, more: &str, servers: &str) -> Gate {
    Gate::start(&routes(names, more, servers))
}

fn routes(names: &NameServer, more: &str, servers: &str) -> String {
    format!(
        "[resolver]\nnameservers = [\"{}\"]\n{more}\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[upstream.pool]\nservers = [{servers}]",
        names.address
    )
}

/// Where the servers of `pool` are now.
fn addresses(gate: &Gate) -> Vec<String> {
    gate.upstream("pool").status().iter().map(|server| server.address.to_string()).collect()
}

async fn until_at(gate: &Gate, wanted: &[String]) {
    until(|| addresses(gate) == wanted).await;
}

/// Whether a look-up for `pool` fails now.
fn names_fail(gate: &Gate) -> bool {
    gate.upstream("pool").names().iter().any(|name| name.failing.is_some())
}

fn with_port(ips: &[&str], port: u16) -> Vec<String> {
    let text = |ip: &&str| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
    ips.iter().map(text).collect()
}

#[tokio::test]
async fn every_address_of_both_families_is_a_server() {
    let (port, _servers) = at(["127.0.0.1", "127.0.0.2", "::1"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.2", "::1", "127.0.0.1"]);
    let gate = gate(&names, "", &format!("\"web.test:{port}\""));
    until_at(&gate, &with_port(&["127.0.0.1", "127.0.0.2", "::1"], port)).await;
    let mut asked = vec![gate.ask("any.test").await, gate.ask("any.test").await, gate.ask("any.test").await];
    asked.sort();
    assert_eq!(asked, ["127.0.0.1", "127.0.0.2", "::1"]);
}

#[tokio::test]
async fn without_ipv6_nobody_asks_for_ipv6_addresses() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1", "::1"]);
    let gate = gate(&names, "ipv6 = false", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
    assert_eq!((names.asked("web.test", A), names.asked("web.test", AAAA)), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_to_another_name_is_followed() {
    let (port, _servers) = at(["127.0.0.3"]).await;
    let names = NameServer::start().await;
    names.says_of_both("web.test", &Says::records(60, &["alias.test"]));
    names.says_of_both("alias.test", &Says::records(60, &["real.test"]));
    names.leads("real.test", 60, &["127.0.0.3"]);
    let gate = gate(&names, "", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.3");
}

#[tokio::test]
async fn a_name_is_asked_for_again_when_its_ttl_is_over() {
    let (port, _servers) = at(["127.0.0.1", "127.0.0.2"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 1, &["127.0.0.1"]);
    let gate = gate(&names, "", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
    names.leads("web.test", 1, &["127.0.0.2"]);
    until_at(&gate, &with_port(&["127.0.0.2"], port)).await;
    assert_eq!(gate.ask("any.test").await, "127.0.0.2");
}

#[tokio::test]
async fn valid_counts_in_place_of_a_ttl() {
    let (port, _servers) = at(["127.0.0.1", "127.0.0.2"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 86_400, &["127.0.0.1"]);
    let gate = gate(&names, "valid = \"50ms\"", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
    names.leads("web.test", 86_400, &["127.0.0.2"]);
    until_at(&gate, &with_port(&["127.0.0.2"], port)).await;
}

#[tokio::test]
async fn one_name_on_many_lines_is_asked_for_once() {
    let names = NameServer::start().await;
    names.leads("web.test", 3600, &["127.0.0.1", "::1"]);
    let more = "[upstream.second]\nservers = [\"web.test:3\"]";
    let gate = Process::start(&format!("{}\n{more}", routes(&names, "", "\"web.test:1\", \"WEB.test.:2\""))).await;
    gate.says("web.test: 127.0.0.1 joined upstream=\"pool, second\"").await;
    gate.says("web.test: ::1 joined upstream=\"pool, second\"").await;
    assert_eq!((names.asked("web.test", A), names.asked("web.test", AAAA)), (1, 1));
}

#[tokio::test]
async fn an_upstream_may_ask_a_name_server_of_its_own() {
    let (port, _servers) = at(["127.0.0.1", "127.0.0.2"]).await;
    let (common, own) = (NameServer::start().await, NameServer::start().await);
    common.leads("web.test", 60, &["127.0.0.1"]);
    own.leads("web.test", 86_400, &["127.0.0.2"]);
    let more = format!("[upstream.other]\nresolver = {{ nameservers = [\"{}\"] }}\nservers = [\"web.test:{port}\"]", own.address);
    let routes = routes(&common, "valid = \"50ms\"", &format!("\"web.test:{port}\""));
    let gate = Gate::start(&format!("{routes}\n{more}\n[routes.map.hosts]\n\"other.test\" = \"other\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
    assert_eq!(gate.ask("other.test").await, "127.0.0.2");
    // What its own resolver does not say comes from [resolver].
    until(|| own.asked("web.test", A) > 3).await;
}

#[tokio::test]
async fn a_family_that_cannot_be_looked_up_keeps_its_addresses_while_the_other_changes() {
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1", "::1"]);
    let gate = gate(&names, "valid = \"50ms\"\ntimeout = \"1s\"", "\"web.test:443\"");
    until_at(&gate, &with_port(&["127.0.0.1", "::1"], 443)).await;
    names.says("web.test", AAAA, Says::Fails);
    until(|| names_fail(&gate)).await;
    names.says("web.test", A, Says::records(60, &["127.0.0.2"]));
    until_at(&gate, &with_port(&["127.0.0.2", "::1"], 443)).await;
    names.says("web.test", AAAA, Says::NoSuchName);
    until_at(&gate, &with_port(&["127.0.0.2"], 443)).await;
    until(|| !names_fail(&gate)).await;
}

#[tokio::test]
async fn a_family_that_is_never_answered_holds_the_other_up_for_nothing() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1"]);
    names.says("web.test", AAAA, Says::Nothing);
    // Longer than a test waits for anything.
    let gate = gate(&names, "timeout = \"1h\"", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
}

#[tokio::test]
async fn a_name_that_is_gone_has_no_server_and_the_other_lines_go_on() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let server = Server::named("fixed").await;
    for gone in [Says::NoSuchName, Says::records(60, &[])] {
        let names = NameServer::start().await;
        names.leads("web.test", 60, &["127.0.0.1"]);
        let gate = gate(&names, "valid = \"50ms\"", &format!("\"web.test:{port}\", \"{}\"", server.address));
        until(|| addresses(&gate).len() == 2).await;
        names.says_of_both("web.test", &gone);
        until_at(&gate, &[server.address.to_string()]).await;
        assert_eq!([gate.ask("any.test").await, gate.ask("any.test").await], ["fixed", "fixed"]);
    }
}

#[tokio::test]
async fn an_upstream_whose_names_are_gone_is_named_in_place_of_a_server() {
    let names = NameServer::start().await;
    let gate = gate(&names, "", "\"web.test:443\"");
    until(|| names.asked("web.test", AAAA) > 0).await;
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, ["502 pool"]);
}

#[tokio::test]
async fn a_name_that_resolves_late_is_served_then() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let names = NameServer::start().await;
    names.says_otherwise(Says::Fails);
    let gate = gate(&names, "timeout = \"100ms\"", &format!("\"web.test:{port}\""));
    assert_eq!(gate.ask("any.test").await, "");
    names.leads("web.test", 60, &["127.0.0.1"]);
    until(|| !addresses(&gate).is_empty()).await;
    assert_eq!(gate.ask("any.test").await, "127.0.0.1");
    assert_eq!(gate.lines("log", 2).await, ["502 pool".to_owned(), format!("200 127.0.0.1:{port}")]);
}

#[tokio::test]
async fn a_session_waits_for_the_first_answer() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1"]);
    names.pause();
    let gate = gate(&names, "timeout = \"1h\"", &format!("\"web.test:{port}\""));
    let mut client = gate.connect().await;
    client.write_all(&hello("any.test")).await.unwrap();
    client.shutdown().await.unwrap();
    gate.until(|totals| totals.accepted == 1).await;
    until(|| names.asked("web.test", A) > 0 && names.asked("web.test", AAAA) > 0).await;
    names.go_on();
    assert_eq!(said(&mut client).await, "127.0.0.1");
}

#[tokio::test]
async fn a_session_waits_for_the_first_answer_no_longer_than_for_a_server() {
    let names = NameServer::start().await;
    names.says_otherwise(Says::Nothing);
    // Longer than a test waits for anything.
    let gate = gate(&names, "timeout = \"1h\"\n[defaults]\nconnect_timeout = \"50ms\"", "\"web.test:443\"");
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, ["502 pool"]);
}

#[tokio::test]
async fn nobody_waits_for_a_name_while_there_is_a_server() {
    let names = NameServer::start().await;
    names.says_otherwise(Says::Nothing);
    let server = Server::named("fixed").await;
    let servers = format!("\"web.test:443\", \"{}\"", server.address);
    let gate = gate(&names, "timeout = \"1h\"\n[defaults]\nconnect_timeout = \"1h\"", &servers);
    assert_eq!(gate.ask("any.test").await, "fixed");
}

#[tokio::test]
async fn the_next_name_server_is_asked_when_one_fails_refuses_or_is_silent() {
    let (port, _servers) = at(["127.0.0.1"]).await;
    let (silent, failing, good) = (NameServer::start().await, NameServer::start().await, NameServer::start().await);
    silent.says_otherwise(Says::Nothing);
    failing.says_otherwise(Says::Fails);
    good.leads("web.test", 60, &["127.0.0.1"]);
    let gone = NameServer::gone();
    for bad in [silent.address, failing.address, gone] {
        let gate = Gate::start(&format!(
            "[resolver]\nnameservers = [\"{bad}\", \"{}\"]\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web.test:{port}\"",
            good.address
        ));
        assert_eq!(gate.ask("any.test").await, "127.0.0.1", "{bad}");
    }
    assert!(silent.asked("web.test", A) > 0 && failing.asked("web.test", A) > 0);
}

#[tokio::test]
async fn a_name_server_that_knows_of_no_such_name_is_believed() {
    let (first, second) = (NameServer::start().await, NameServer::start().await);
    second.leads("web.test", 60, &["127.0.0.1"]);
    let gate = Gate::start(&format!(
        "[resolver]\nnameservers = [\"{}\", \"{}\"]\ntimeout = \"1h\"\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web.test:443\"",
        first.address, second.address
    ));
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(second.asked("web.test", A), 0);
}

/// By the system's own resolv.conf, which takes root.
#[tokio::test]
async fn a_short_name_is_tried_in_each_search_domain_and_a_long_one_as_it_is_first() {
    let names = NameServer::start_on_port_53().await;
    names.leads("web.sub.other.test", 60, &["127.0.0.1"]);
    names.leads("long.web.sub", 60, &["127.0.0.2"]);
    let resolv_conf = format!("nameserver {}\nsearch zone.test other.test\noptions ndots:2\n", names.address.ip());
    let routes = "[resolver]\nipv6 = false\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"pool\"\n\
                  [upstream.pool]\nservers = [\"web.sub:443\", \"long.web.sub:443\"]";
    let gate = Process::start_with_resolv_conf(&resolv_conf, routes).await;
    gate.says("web.sub: 127.0.0.1 joined").await;
    gate.says("long.web.sub: 127.0.0.2 joined").await;
    assert_eq!(names.names(), ["long.web.sub", "web.sub.other.test", "web.sub.zone.test"]);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_over_tcp() {
    let names = NameServer::start().await;
    let all: Vec<_> = (1..=200).map(|last| format!("10.0.0.{last}")).collect();
    names.says("web.test", A, Says::OverTcp(60, all.clone()));
    let gate = gate(&names, "", "\"web.test:443\"");
    until(|| !addresses(&gate).is_empty()).await;
    let found = addresses(&gate);
    assert_eq!((found.len(), names.asked("web.test", A)), (200, 2));
    assert!(all.iter().all(|address| found.contains(&format!("{address}:443"))));
}

#[tokio::test]
async fn only_so_many_addresses_of_a_name_are_used() {
    let names = NameServer::start().await;
    let all = (0..2).flat_map(|third| (1..=200).map(move |last| format!("10.0.{third}.{last}")));
    names.says("web.test", A, Says::OverTcp(60, all.collect()));
    let gate = gate(&names, "", "\"web.test:443\"");
    until(|| !addresses(&gate).is_empty()).await;
    assert_eq!(addresses(&gate).len(), 256);
}

#[tokio::test]
async fn addresses_that_stay_keep_what_is_known_of_them() {
    let (port, servers) = at(["127.0.0.1", "127.0.0.2", "127.0.0.3"]).await;
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1", "127.0.0.2"]);
    let line = format!("{{ address = \"web.test:{port}\", fail_timeout = \"1h\" }}");
    let gate = gate(&names, "valid = \"50ms\"", &line);
    until(|| addresses(&gate).len() == 2).await;
    servers[0].refuse();
    let all_from_the_second = async {
        while gate.upstream("pool").status()[0].fails == 0 {
            gate.ask("any.test").await;
        }
    };
    within(all_from_the_second).await;
    names.leads("web.test", 60, &["127.0.0.3", "127.0.0.1"]);
    until_at(&gate, &with_port(&["127.0.0.1", "127.0.0.3"], port)).await;
    assert_eq!(gate.upstream("pool").status()[0].fails, 1);
    assert_eq!([gate.ask("any.test").await, gate.ask("any.test").await], ["127.0.0.3", "127.0.0.3"]);
}

#[tokio::test]
async fn what_becomes_of_a_name_is_in_the_log() {
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1", "127.0.0.2"]);
    let gate = Process::start(&routes(&names, "valid = \"50ms\"\nipv6 = false\ntimeout = \"2s\"", "\"web.test:443\"")).await;
    gate.says("web.test: 127.0.0.1, 127.0.0.2 joined").await;
    names.leads("web.test", 60, &["127.0.0.3", "127.0.0.2"]);
    gate.says("web.test: 127.0.0.3 joined, 127.0.0.1 left").await;
    names.says("web.test", A, Says::Fails);
    gate.says("web.test (A) cannot be looked up: ").await;
    gate.says("; the last good answer stays; the next look-up is in 2s").await;
    names.leads("web.test", 60, &["127.0.0.2"]);
    gate.says("web.test (A) is looked up again").await;
    gate.says("web.test: 127.0.0.3 left").await;
    names.says("web.test", A, Says::NoSuchName);
    gate.says("web.test has no address: there is no such name; its server is left out until it has one").await;
    let log = gate.log();
    assert_eq!(log.matches("cannot be looked up").count(), 1, "{log}");
    assert_eq!(log.matches("upstream=\"pool\"").count(), 7, "{log}");
}

#[tokio::test]
async fn a_name_is_followed_no_longer_than_its_upstream_lives() {
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1"]);
    let snapshot = compile(&routes(&names, "valid = \"50ms\"", "\"web.test:443\""));
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let followed = snapshot.every_pool.iter().map(|pool| (&*pool.resolver, &pool.upstream));
    Resolver::new(Handle::current()).follow(followed).unwrap();
    until(|| names.asked("web.test", A) > 2).await;
    assert!(tasks() > before);
    drop(snapshot);
    until(|| tasks() == before).await;
}

#[tokio::test]
async fn a_look_up_that_fails_says_whom_it_asked_and_what_came_of_it() {
    let (silent, failing) = (NameServer::start().await, NameServer::start().await);
    silent.says_otherwise(Says::Nothing);
    failing.says_otherwise(Says::Fails);
    let gate = Process::start(&format!(
        "[resolver]\nnameservers = [\"{}\", \"{}\"]\nipv6 = false\ntimeout = \"500ms\"\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web.test:443\"",
        silent.address, failing.address
    ))
    .await;
    let outcomes = format!("{}: no answer within 500ms, {}: it says SERVFAIL", silent.address, failing.address);
    gate.says(&format!("web.test (A) cannot be looked up: {outcomes}; its server is left out until there is an answer")).await;
}

#[tokio::test]
async fn a_name_server_that_fails_while_another_one_answers_is_told_once() {
    let (failing, good) = (NameServer::start().await, NameServer::start().await);
    failing.says_otherwise(Says::Fails);
    for number in 0..5 {
        good.leads(&format!("n{number}.test"), 60, &["127.0.0.1"]);
    }
    let gate = Process::start(&format!(
        "[resolver]\nnameservers = [\"{}\", \"{}\"]\nipv6 = false\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n\
         [upstream.web]\nservers = [\"n0.test:1\", \"n1.test:1\", \"n2.test:1\", \"n3.test:1\", \"n4.test:1\"]",
        failing.address, good.address
    ))
    .await;
    until(|| gate.log().matches("127.0.0.1 joined").count() == 5).await;
    let told = format!("WARN name server {}: it says SERVFAIL; another one answers", failing.address);
    assert_eq!(gate.log().matches(&told).count(), 1, "{}", gate.log());
}

#[tokio::test]
async fn of_a_family_that_cannot_be_looked_up_it_is_said_that_the_other_serves() {
    let names = NameServer::start().await;
    names.says("web.test", A, Says::records(3600, &["127.0.0.1"]));
    names.says("web.test", AAAA, Says::Nothing);
    let gate = Process::start(&routes(&names, "timeout = \"1s\"", "\"web.test:443\"")).await;
    gate.says("web.test (AAAA) cannot be looked up: ").await;
    gate.says("no answer within 1s; its other addresses serve").await;
}

#[tokio::test]
async fn what_is_missing_of_a_name_is_told() {
    let names = NameServer::start().await;
    names.leads("empty.test", 60, &[]);
    let all = (1..=200).flat_map(|last| [format!("10.0.0.{last}"), format!("10.0.1.{last}")]);
    names.says("many.test", A, Says::OverTcp(60, all.collect()));
    let gate = Process::start(&routes(&names, "ipv6 = false", "\"empty.test:1\", \"gone.test:1\", \"many.test:1\"")).await;
    gate.says("empty.test has no address: the name has no such records; its server is left out").await;
    gate.says("gone.test has no address: there is no such name; its server is left out").await;
    gate.says("many.test (A) has 400 records, of which the first 256 are used").await;
}

#[tokio::test]
async fn a_target_of_a_service_without_an_address_is_told_once() {
    let names = NameServer::start().await;
    names.says("_http._tcp.web.test", SRV, Says::records(1, &["1 1 80 here.test", "1 1 80 lost.test"]));
    names.leads("here.test", 60, &["127.0.0.1"]);
    let gate = Process::start(&routes(&names, "ipv6 = false\nvalid = \"20ms\"", "{ address = \"web.test\", service = \"http\" }")).await;
    gate.says("lost.test, a target of _http._tcp.web.test, has no address; the others serve").await;
    let before = names.asked("lost.test", A);
    until(|| names.asked("lost.test", A) > before + 3).await;
    assert_eq!(gate.log().matches("lost.test, a target").count(), 1, "{}", gate.log());
}

#[tokio::test]
async fn how_a_name_stands_can_be_asked() {
    let names = NameServer::start().await;
    names.leads("web.test", 60, &["127.0.0.1"]);
    let before = Instant::now();
    let gate = gate(&names, "valid = \"50ms\"\nipv6 = false", "\"10.0.0.1:1\", \"web.test:443\"");
    until(|| gate.upstream("pool").names().iter().any(|name| name.good_at.is_some())).await;
    let [status] = &gate.upstream("pool").names()[..] else { panic!("one line has a name") };
    assert_eq!((status.line, status.name.as_str(), &status.addresses[..]), (1, "web.test", &["127.0.0.1:443".parse().unwrap()][..]));
    assert!(status.good_at > Some(before) && status.failing.is_none());
    names.says_of_both("web.test", &Says::Fails);
    until(|| names_fail(&gate)).await;
    let [status] = &gate.upstream("pool").names()[..] else { panic!("one line has a name") };
    let failing = status.failing.as_ref().unwrap();
    assert!(failing.since > status.good_at.unwrap() && failing.since.elapsed() < Duration::from_secs(3600));
    assert!(failing.why.to_string().starts_with("web.test ("), "{}", failing.why);
    assert_eq!(status.addresses.len(), 1, "the last good one stays");
}

#[tokio::test]
async fn after_silence_in_one_family_sessions_go_to_the_other() {
    let (hole, listener) = loop {
        let hole = BlackHole::open().await;
        // Its port may be another's in the other family.
        if let Ok(listener) = TcpListener::bind(("::1", hole.address.port())).await {
            break (hole, listener);
        }
    };
    let port = hole.address.port();
    let _server = Server::start_on(listener, |stream, _| async move { drop(reply(stream, "six").await) });
    let names = NameServer::start().await;
    names.leads("web.test", 3600, &["127.0.0.1", "127.0.0.2", "::1"]);
    let line = format!("{{ address = \"web.test:{port}\", fail_timeout = \"1h\" }}");
    let gate = gate(&names, "[defaults]\nconnect_timeout = \"200ms\"", &line);
    until(|| addresses(&gate).len() == 3).await;
    for _ in 0..3 {
        assert_eq!(gate.ask("any.test").await, "six");
    }
    let six = format!("200 [::1]:{port}");
    assert_eq!(gate.lines("log", 3).await, [format!("200 127.0.0.1:{port}, [::1]:{port}"), six.clone(), six]);
}
