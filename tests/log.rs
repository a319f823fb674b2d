//! Each session ends in exactly one line that says how, and that nobody outside can forge or split.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use vestibule::gateway::Gateway;

use crate::harness::hellos::{alpn, client_hello, padding, server_names};
use crate::harness::{
    ByHand, Gate, Process, Server, Spec, compile, connect, connect_narrow, heard, hello, refusing, reset, routes, said, until,
};

const LOGS: &str = r#"
[access_log.json]
file = "{folder}/json"
format = "json"
[access_log.text]
file = "{folder}/text"
[access_log.own]
file = "{folder}/own"
format = '"$ssl_preread_server_name" "$ssl_preread_alpn_protocols" $status $close_reason'
"#;

/// A gate with a map in which sessions can end in any way.
async fn gate(by_hand: &ByHand) -> Gate {
    let (server, dead) = (by_hand.server.address, refusing().await);
    Gate::start(&format!(
        r#"
[process]
shutdown_timeout = "1ms"
[listener.https]
listen = "127.0.0.1:0"
routes = "map"
preread_buffer_size = 512
[listener.hasty]
listen = "127.0.0.1:0"
routes = "map"
preread_timeout = "50ms"
idle_timeout = "50ms"
[listener.hello]
listen = "127.0.0.1:0"
respond = "hello"
[routes.map.hosts]
"api.test" = "{server}"
"guarded.test" = {{ upstream = "{server}", from = ["192.0.2.0/24"] }}
"old.test" = {{ reject = "access_denied" }}
"dead.test" = "{dead}"
[[routes.map.patterns]]
host = '(?<where>.+)\.forward\.test'
upstream = "${{where}}:443"
[[routes.map.patterns]]
host = '(?<where>.+)\.nowhere\.test'
upstream = "pool_${{where}}"
[upstream.pool_here]
servers = ["{dead}"]
{LOGS}"#
    ))
}

/// The lines of the JSON log as they are now: nothing is waited for.
fn json(gate: &Gate) -> Vec<Value> {
    let text = std::fs::read_to_string(gate.path("json")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ending(line: &Value) -> String {
    let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} by {}, {}", line["status"], word("close_reason"), word("closed_by"), word("hello"))
}

/// How the session ended that is the last one in the log.
fn last(gate: &Gate) -> String {
    ending(json(gate).last().expect("the line is there when the client sees the end"))
}

/// Sends these bytes, sees the end, and looks at once at what the log says.
async fn ends(gate: &Gate, listener: &str, sent: &[u8]) -> String {
    let mut client = connect(gate.address(listener)).await;
    client.write_all(sent).await.unwrap();
    let _ = heard(&mut client).await;
    last(gate)
}

#[tokio::test]
async fn each_refusal_is_in_the_log_when_the_client_sees_it() {
    let by_hand = ByHand::start().await;
    let gate = gate(&by_hand).await;
    let mut broken = hello("api.test");
    broken[5 + 4 + 2 + 32] = 0xff;
    let large = client_hello(&Spec::named("api.test").with(padding(512)));
    let cases: &[(&str, &[u8], &str)] = &[
        ("hasty", &hello("api.test")[..9], "200 hello_timeout by client, timeout"),
        ("https", &broken, "400 malformed_hello by client, malformed"),
        ("https", &large, "400 hello_too_large by client, too_large"),
        ("https", b"GET / HTTP/1.1\r\n\r\n", "500 not_tls by client, not_tls"),
        ("https", &hello("unknown.test"), "500 no_route by client, named"),
        ("https", &client_hello(&Spec::default()), "500 no_route by client, unnamed"),
        ("https", &hello("guarded.test"), "500 no_target by client, named"),
        ("https", &hello("old.test"), "500 rejected by gateway, named"),
        ("https", &hello("127.0.0.1.forward.test"), "403 forward_refused by client, named"),
        ("https", &hello("there.nowhere.test"), "500 unresolved by server, named"),
        ("https", &hello("dead.test"), "502 no_server by server, named"),
        ("hello", b"", "200 responded by gateway, -"),
    ];
    for (listener, sent, wanted) in cases {
        assert_eq!(ends(&gate, listener, sent).await, *wanted);
    }
    assert_eq!(json(&gate).len(), cases.len(), "one line each");
    assert_eq!(by_hand.server.connections(), 0);
}

#[tokio::test]
async fn each_end_of_a_joined_session_is_in_the_log() {
    let mut by_hand = ByHand::start().await;
    let gate = gate(&by_hand).await;
    let (https, hasty) = (gate.address("https"), gate.address("hasty"));

    let (mut client, mut server) = by_hand.join(https).await;
    client.shutdown().await.unwrap();
    assert_eq!(heard(&mut server).await.unwrap(), b"");
    drop(server);
    heard(&mut client).await.unwrap();
    assert_eq!(last(&gate), "200 client_closed by client, named");

    let (mut client, server) = by_hand.join(https).await;
    drop(server);
    heard(&mut client).await.unwrap();
    client.shutdown().await.unwrap();
    gate.until(|totals| totals.ended == 2).await;
    assert_eq!(last(&gate), "200 server_closed by server, named");

    let (client, mut server) = by_hand.join(https).await;
    reset(client);
    heard(&mut server).await.unwrap_err();
    assert_eq!(last(&gate), "200 client_reset by client, named");

    let (mut client, server) = by_hand.join(https).await;
    reset(server);
    heard(&mut client).await.unwrap_err();
    assert_eq!(last(&gate), "200 server_reset by server, named");

    let (mut client, _server) = by_hand.join(hasty).await;
    heard(&mut client).await.unwrap_err();
    assert_eq!(last(&gate), "200 idle_timeout by gateway, named");
    assert_eq!(json(&gate).len(), 5, "one line each");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_hello_is_whole_is_in_the_log() {
    let by_hand = ByHand::start().await;
    let gate = gate(&by_hand).await;
    let mut client = gate.connect().await;
    client.write_all(&hello("api.test")[..9]).await.unwrap();
    client.shutdown().await.unwrap();
    heard(&mut client).await.unwrap();
    assert_eq!(last(&gate), "200 hello_gone by client, gone");
    let mut client = gate.connect().await;
    client.write_all(&hello("api.test")[..9]).await.unwrap();
    gate.until(|totals| totals.open == 1).await;
    reset(client);
    gate.until(|totals| totals.ended == 2).await;
    assert_eq!(last(&gate), "200 client_reset by client, gone");
}

#[tokio::test]
async fn a_session_that_is_cut_is_in_the_log() {
    let cuts = [(Gateway::drain as fn(&Gateway), "200 drained by gateway, named"), (Gateway::stop, "200 stopped by gateway, named")];
    for (cut, wanted) in cuts {
        let mut by_hand = ByHand::start().await;
        let gate = gate(&by_hand).await;
        let (mut client, _server) = by_hand.join(gate.address("https")).await;
        cut(gate.gateway());
        heard(&mut client).await.unwrap_err();
        assert_eq!(last(&gate), wanted);
    }
}

#[tokio::test]
async fn json_tells_every_fact_of_a_session() {
    let server = Server::named("api").await;
    let gate = Gate::start(&routes(&[("*.test", &server)], LOGS));
    let sent = client_hello(&Spec::named("Api.test").with(alpn(&["h2", "http/1.1"])));
    let mut client = gate.connect().await;
    let from = client.local_addr().unwrap();
    client.write_all(&sent).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    let line = &json(&gate)[0];
    let wanted = serde_json::json!({
        "connection": 1, "listener": "https", "protocol": "TCP",
        "remote_addr": "127.0.0.1", "remote_port": from.port(),
        "server_addr": "127.0.0.1", "server_port": gate.address("https").port(),
        "hello": "named", "server_name": "Api.test", "alpn": "h2,http/1.1", "tls_version": "TLSv1.3", "ech": false,
        "route": "*.test", "upstream": server.address.to_string(),
        "status": 200, "close_reason": "client_closed", "closed_by": "client", "detail": null,
        "bytes_received": sent.len(), "bytes_sent": 3,
    });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key}");
    }
    assert_eq!(line["servers"][0]["address"], server.address.to_string());
    assert_eq!(line["servers"][0]["bytes_sent"], sent.len());
    assert_eq!(line["servers"][0]["bytes_received"], 3);
    assert!(line["servers"][0]["connect_time"].is_number() && line["servers"][0]["first_byte_time"].is_number());
    assert!(line["session_time"].is_number() && line["time"].is_string());
}

#[tokio::test]
async fn variables_of_a_try_have_a_value_for_each_server_tried() {
    let (server, dead) = (Server::named("api").await, refusing().await);
    let more = format!(
        "[upstream.two]\nservers = [\"{dead}\", \"{}\"]\n[access_log.a]\nfile = \"{{folder}}/log\"\nformat = '{}'\n",
        server.address,
        "$upstream_addr | $upstream_bytes_sent | $upstream_bytes_received | $upstream_connect_time | $upstream_first_byte_time"
    );
    let gate = Gate::start(&(routes(&[], "\"api.test\" = \"two\"\n") + &more));
    assert_eq!(gate.ask("api.test").await, "api");
    let line = &gate.lines("log", 1).await[0];
    let [address, sent, received, connected, first_byte] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!(address, format!("{dead}, {}", server.address));
    assert_eq!(sent, format!("0, {}", hello("api.test").len()));
    assert_eq!(received, "0, 3");
    for times in [connected, first_byte] {
        let (failed, took) = times.split_once(", ").unwrap();
        assert_eq!(failed, "-");
        assert!(took.parse::<f64>().is_ok() && took.split_once('.').is_some_and(|(_, decimals)| decimals.len() == 3), "{took}");
    }
}

/// Says hello with a name, and protocols that try to end their line and begin another, and sees the end.
async fn forge(gate: SocketAddr, name: &[u8]) {
    let spec = Spec::default().with(server_names(&[(0, name)])).with(alpn(&[&b"h2\" 200\r\n2026 forged"[..], b"\xff\x1b[2J", b"\\"]));
    let mut client = connect(gate).await;
    client.write_all(&client_hello(&spec)).await.unwrap();
    client.shutdown().await.unwrap();
    let _ = heard(&mut client).await;
}

#[tokio::test]
async fn neither_a_server_name_nor_a_protocol_can_forge_a_line() {
    let server = Server::named("api").await;
    let gate = Gate::start(&routes(&[("a.test", &server)], LOGS));
    let address = gate.address("https");
    let mut sessions = 0;
    for name in [
        &b"a.test\" 200\n2026 forged"[..],
        b"a.test\\",
        "b\u{2028}\u{e9}.test".as_bytes(),
        b"\xff\x1b[2J.test",
        b"a.test",
        b"a.test\r\nforged",
    ] {
        forge(address, name).await;
        sessions += 1;
    }
    for file in ["json", "text", "own"] {
        let lines = gate.lines(file, sessions).await;
        assert_eq!(lines.len(), sessions, "{file}");
        for line in lines {
            assert!(
                line.bytes().all(|byte| byte >= 0x20) && !line.contains('\u{2028}') && !line.starts_with("2026 forged"),
                "{file}: {line:?}"
            );
        }
    }
    let own = gate.lines("own", sessions).await;
    for line in &own {
        assert_eq!(line.matches('"').count(), 4, "two quoted fields: {line}");
    }
    assert!(own.iter().any(|line| line.contains("h2\\x22 200\\x0D\\x0A2026 forged,\\x5Cxff\\x1B[2J,\\x5C")), "{own:?}");
}

#[tokio::test]
async fn what_the_gateway_says_of_itself_cannot_be_forged_either() {
    let by_hand = ByHand::start().await;
    let gate = Process::start(&routes(&[("api.test", &by_hand.server)], "[log]\nlevel = \"debug\"")).await;
    for name in [&b"a.test\n2026 ERROR forged"[..], b"\x1b[2J.test", b"a.test"] {
        forge(gate.address(), name).await;
    }
    until(|| gate.log().matches("session ended").count() == 3).await;
    let log = gate.log();
    assert!(log.lines().all(|line| !line.starts_with("2026 ") && line.chars().all(|letter| !letter.is_control())), "{log}");
}

#[tokio::test]
async fn what_clients_do_is_only_told_at_debug_level() {
    for (level, told) in [("info", false), ("debug", true)] {
        let server = Server::named("api").await;
        let mut gate = Process::start(&routes(&[("api.test", &server)], &format!("[log]\nlevel = \"{level}\""))).await;
        let mut client = gate.connect().await;
        client.write_all(&hello("api.test")).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(said(&mut client).await, "api");
        gate.signal(Signal::TERM);
        assert!(gate.ended().await.success());
        assert_eq!(gate.log().contains("session ended: client_closed"), told, "{level}: {}", gate.log());
    }
}

#[tokio::test]
async fn a_servers_failure_is_a_warning() {
    let dead = refusing().await;
    let gate = Process::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{dead}\"\n")).await;
    let _ = heard(&mut gate.connect().await).await;
    gate.says("WARN session ended: no_server").await;
}

#[tokio::test]
async fn a_name_that_never_resolved_has_no_last_good_address() {
    // RFC 6761 §6.4: no resolver finds anything under `invalid`, and most do not even ask.
    let gate = Process::start("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"nowhere.invalid:443\"\n").await;
    gate.says("nowhere.invalid has no address: there is no such name; its server is left out until it has one").await;
    assert!(!gate.log().contains("last good"), "{}", gate.log());
}

#[tokio::test]
async fn clients_turned_away_are_summed_up_in_a_warning() {
    let gate = Process::start(&routes(&[], "")).await;
    for _ in 0..3 {
        let mut client = gate.connect().await;
        client.write_all(&hello("unknown.test")).await.unwrap();
        let _ = heard(&mut client).await;
    }
    gate.says("WARN connections turned away in the last 10 s: no_route 3").await;
}

#[tokio::test]
async fn the_gateways_own_log_can_be_json_in_a_file() {
    let text = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n[log]\nformat = \"json\"\nfile = \"{folder}/own\"\n";
    let gate = Process::spawn(&[], text);
    let read = || std::fs::read_to_string(gate.path("own")).unwrap_or_default();
    until(|| read().ends_with('\n')).await;
    let text = read();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["listener"]), (&"INFO".into(), &"https".into()));
    assert!(line["message"].as_str().unwrap().starts_with("listening on 127.0.0.1:"));
    assert_eq!(gate.log(), "", "nothing on stderr");
}

#[test]
fn a_log_that_cannot_be_opened_ends_the_start() {
    let text = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n[access_log.a]\nfile = \"/nonexistent/log\"\n";
    let error = Gateway::start(&compile(text)).err().unwrap();
    assert!(error.to_string().starts_with("cannot open the log /nonexistent/log: "), "{error}");
}

#[tokio::test]
async fn a_fifo_that_nobody_reads_ends_the_start() {
    for log in ["[log]", "[access_log.a]"] {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let routes = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"hello\"\n{log}\nfile = {fifo:?}\n");
        let mut gate = Process::spawn(&[], &routes);
        assert_eq!(gate.ended().await.code(), Some(1), "{log}");
        let sentence = format!("vestibule: cannot open the log {}: nobody reads this FIFO; start its reader first\n", fifo.display());
        assert_eq!(gate.log(), sentence, "{log}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_counts_as_far_as_it_was() {
    let text = "x".repeat(16 << 20);
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nidle_timeout = \"200ms\"\nrespond = \"{text}\"\n\
         [access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$close_reason $bytes_sent\"\n"
    ));
    let _client = connect_narrow(gate.address("https")).await;
    let lines = gate.lines("log", 1).await;
    let sent: usize = lines[0].strip_prefix("idle_timeout ").unwrap().parse().unwrap();
    assert!((1..text.len()).contains(&sent), "{sent}");
}
