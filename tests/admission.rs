//! Who is let in: rules of access and limits, of listeners and of server names.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::harness::{Gate, Process, Server, alert, answer, connect, connect_from, heard, hello, read, until, within};

const ACCESS_DENIED: u8 = 49;
const LOG: &str = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$remote_addr $status $close_reason $limit_conn_status\"\n";

/// A gate with a listener `https` and a target for `api.test`.
fn gate(server: &Server, listener: &str, target: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{listener}\n[routes.map.hosts]\n\
         \"open.test\" = \"{0}\"\n\"api.test\" = {{ upstream = \"{0}\", {target} }}\n{LOG}{more}",
        server.address
    ))
}

/// A client that is joined to a server that sends back what it gets.
async fn joined(gate: &Gate, client: &str, host: &str) -> TcpStream {
    let mut stream = connect_from(client, gate.address("https")).await;
    let hello = hello(host);
    stream.write_all(&hello).await.unwrap();
    assert_eq!(read(&mut stream, hello.len()).await, hello);
    stream
}

/// What a client hears that sends a hello and keeps its side open.
async fn hears(gate: &Gate, client: &str, host: &str) -> Vec<u8> {
    let mut stream = connect_from(client, gate.address("https")).await;
    stream.write_all(&hello(host)).await.unwrap();
    heard(&mut stream).await.expect("an orderly end, not a reset")
}

/// Whether a client is sent away by its listener: whatever it hears, it is no byte.
async fn is_closed(mut stream: TcpStream) -> bool {
    // What was sent may be unread when the connection is closed, and then it is a reset.
    let _ = stream.write_all(&hello("api.test")).await;
    matches!(heard(&mut stream).await.as_deref(), Ok([]) | Err(_))
}

#[tokio::test]
async fn a_listener_closes_on_whom_its_rules_deny_before_anything_is_read() {
    let server = Server::named("api").await;
    let gate = gate(&server, "access = [\"allow office\", \"deny all\"]", "", "[networks]\noffice = [\"127.0.0.2/31\"]");
    assert_eq!(gate.ask_from("127.0.0.2", "api.test").await, "api");
    // It says nothing: the end comes by itself.
    let mut silent = connect_from("127.0.0.4", gate.address("https")).await;
    assert_eq!(heard(&mut silent).await.unwrap(), b"");
    assert!(is_closed(connect_from("127.0.0.5", gate.address("https")).await).await);
    assert_eq!(gate.ask_from("127.0.0.3", "api.test").await, "api");
    let mut lines = gate.lines("log", 4).await;
    lines.sort();
    assert_eq!(
        lines,
        [
            "127.0.0.2 200 client_closed -",
            "127.0.0.3 200 client_closed -",
            "127.0.0.4 403 access_denied -",
            "127.0.0.5 403 access_denied -"
        ]
    );
    assert_eq!(server.connections(), 2);
    assert_eq!(gate.totals().refusals["access_denied"], 2);
}

#[tokio::test]
async fn a_server_name_refuses_with_an_alert_and_no_byte_reaches_a_server() {
    let server = Server::named("api").await;
    let gate = gate(&server, "", "access = [\"deny 127.0.0.4\", \"allow 127.0.0.0/8\", \"deny all\"]", "");
    assert_eq!(hears(&gate, "127.0.0.4", "api.test").await, alert(ACCESS_DENIED));
    assert_eq!(gate.lines("log", 1).await, ["127.0.0.4 403 access_denied -"]);
    assert_eq!(server.connections(), 0);
    assert_eq!(gate.ask_from("127.0.0.4", "open.test").await, "api", "another name is open to it");
    assert_eq!(gate.ask_from("127.0.0.5", "api.test").await, "api");
}

#[tokio::test]
async fn listeners_take_their_rules_from_the_defaults_unless_they_have_their_own() {
    let gate = Gate::start(
        "[defaults]\naccess = [\"deny 127.0.0.4\"]\n[listener.strict]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\n\
         [listener.lax]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\naccess = []",
    );
    let hears = async |listener: &str, client: &str| heard(&mut connect_from(client, gate.address(listener)).await).await.unwrap();
    assert_eq!(hears("strict", "127.0.0.4").await, b"");
    assert_eq!(hears("strict", "127.0.0.5").await, b"in");
    assert_eq!(hears("lax", "127.0.0.4").await, b"in");
}

#[tokio::test]
async fn clients_of_a_unix_socket_have_a_rule_of_their_own() {
    let start =
        |access: &str| Gate::start(&format!("[listener.a]\nlisten = \"unix:{{folder}}/a.sock\"\nrespond = \"in\"\naccess = [{access}]"));
    for (access, expected) in
        [("\"deny 0.0.0.0/0\"", "in"), ("\"deny unix:\"", ""), ("\"allow unix:\", \"deny all\"", "in"), ("\"deny all\"", "")]
    {
        let gate = start(access);
        let mut client = UnixStream::connect(gate.path("a.sock")).await.unwrap();
        assert_eq!(heard(&mut client).await.unwrap(), expected.as_bytes(), "{access}");
    }
}

#[tokio::test]
async fn of_three_clients_two_are_let_in_and_the_third_when_one_has_left() {
    let server = Server::echo().await;
    let gate = gate(&server, "", "limits = [\"two\"]", "[limit.two]\nconnections = 2\n");
    let first = joined(&gate, "127.0.0.1", "api.test").await;
    let _second = joined(&gate, "127.0.0.2", "api.test").await;
    assert_eq!(hears(&gate, "127.0.0.3", "api.test").await, alert(ACCESS_DENIED));
    assert_eq!(server.connections(), 2);
    drop(first);
    gate.until(|totals| totals.open == 1).await;
    let _third = joined(&gate, "127.0.0.3", "api.test").await;
    let lines = gate.lines("log", 2).await;
    assert_eq!(lines[0], "127.0.0.3 503 limit_reached REJECTED");
    assert!(lines[1].starts_with("127.0.0.1 200 client") && lines[1].ends_with(" PASSED"), "{lines:?}");
}

#[tokio::test]
async fn a_limit_counts_each_key_for_itself() {
    let server = Server::echo().await;
    let gate = gate(&server, "limits = [\"each\"]", "", "[limit.each]\nkey = \"$binary_remote_addr\"\nconnections = 1\n");
    let _first = joined(&gate, "127.0.0.1", "api.test").await;
    let _other = joined(&gate, "127.0.0.2", "api.test").await;
    assert!(is_closed(connect_from("127.0.0.1", gate.address("https")).await).await);
    assert_eq!(gate.lines("log", 1).await, ["127.0.0.1 503 limit_reached REJECTED"]);
}

#[tokio::test]
async fn a_limit_of_a_target_can_count_by_server_name() {
    let server = Server::echo().await;
    let map = format!("default = {{ upstream = \"{}\", limits = [\"name\"] }}", server.address);
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\n{map}\n\
         [limit.name]\nkey = \"$ssl_preread_server_name\"\nconnections = 1"
    ));
    let _a = joined(&gate, "127.0.0.1", "a.test").await;
    let _b = joined(&gate, "127.0.0.1", "b.test").await;
    assert_eq!(hears(&gate, "127.0.0.1", "a.test").await, alert(ACCESS_DENIED));
}

#[tokio::test]
async fn a_limit_counts_a_name_however_it_is_spelled() {
    let server = Server::echo().await;
    let gate = gate(&server, "", "limits = [\"name\"]", "[limit.name]\nkey = \"$ssl_preread_server_name\"\nconnections = 1\n");
    let _first = joined(&gate, "127.0.0.1", "api.test").await;
    for spelled in ["Api.test", "api.test.", "API.TEST."] {
        assert_eq!(hears(&gate, "127.0.0.1", spelled).await, alert(ACCESS_DENIED), "{spelled}");
    }
}

#[tokio::test]
async fn two_listeners_share_one_limit() {
    let listener = |name: &str, server: &Server| {
        format!("[listener.{name}]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\nlimits = [\"one\"]\n", server.address)
    };
    let server = Server::echo().await;
    let gate = Gate::start(&format!("{}{}[limit.one]\nconnections = 1", listener("a", &server), listener("b", &server)));
    let mut first = connect(gate.address("a")).await;
    first.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut first, 1).await, b"x");
    assert_eq!(heard(&mut connect(gate.address("b")).await).await.unwrap(), b"");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_exempt_pass_and_are_not_counted() {
    let server = Server::echo().await;
    let gate = gate(&server, "limits = [\"one\"]", "", "[limit.one]\nconnections = 1\nexempt = [\"127.0.0.9\"]\n");
    let _exempt = joined(&gate, "127.0.0.9", "api.test").await;
    let _first = joined(&gate, "127.0.0.1", "api.test").await;
    let _another = joined(&gate, "127.0.0.9", "api.test").await;
    assert!(is_closed(connect_from("127.0.0.2", gate.address("https")).await).await);
}

#[tokio::test]
async fn beyond_its_burst_a_rate_refuses() {
    let server = Server::named("api").await;
    // So slow that no new one is due however long this takes.
    let gate = gate(&server, "", "limits = [\"slow\"]", "[limit.slow]\nkey = \"$remote_addr\"\nrate = \"1/h\"\nburst = 2\n");
    for _ in 0..3 {
        assert_eq!(gate.ask_from("127.0.0.1", "api.test").await, "api");
    }
    assert_eq!(hears(&gate, "127.0.0.1", "api.test").await, alert(ACCESS_DENIED));
    assert_eq!(gate.ask_from("127.0.0.2", "api.test").await, "api");
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_rate_lets_the_next_in_when_it_is_due() {
    let server = Server::named("api").await;
    let gate = gate(&server, "", "limits = [\"quick\"]", "[limit.quick]\nrate = \"20/s\"\nburst = 0\n");
    let asks = async {
        for _ in 0..3 {
            while hears_once(&gate).await != "api" {}
        }
    };
    within(asks).await;
    assert_eq!(server.connections(), 3);
}

/// What one client hears, be it an alert.
async fn hears_once(gate: &Gate) -> String {
    let mut client = gate.connect().await;
    client.write_all(&hello("api.test")).await.unwrap();
    client.shutdown().await.unwrap();
    String::from_utf8_lossy(&heard(&mut client).await.unwrap()).into_owned()
}

#[tokio::test]
async fn who_is_denied_uses_up_no_limit() {
    let server = Server::named("api").await;
    let gate = gate(&server, "access = [\"deny 127.0.0.4\"]\nlimits = [\"once\"]", "", "[limit.once]\nrate = \"1/h\"\nburst = 0\n");
    assert!(is_closed(connect_from("127.0.0.4", gate.address("https")).await).await);
    assert_eq!(gate.ask_from("127.0.0.1", "api.test").await, "api");
    assert!(is_closed(connect_from("127.0.0.1", gate.address("https")).await).await);
}

#[tokio::test]
async fn one_limit_that_refuses_leaves_the_others_as_they_were() {
    let server = Server::named("api").await;
    let limits = "[limit.wide]\nrate = \"1/h\"\nburst = 1\n[limit.narrow]\nkey = \"$remote_addr\"\nrate = \"1/h\"\nburst = 0\n";
    let gate = gate(&server, "", "limits = [\"wide\", \"narrow\"]", limits);
    assert_eq!(gate.ask_from("127.0.0.1", "api.test").await, "api");
    for _ in 0..3 {
        assert_eq!(hears(&gate, "127.0.0.1", "api.test").await, alert(ACCESS_DENIED));
    }
    assert_eq!(gate.ask_from("127.0.0.2", "api.test").await, "api", "the wide limit has room for one more");
}

#[tokio::test]
async fn a_dry_run_only_tells() {
    let server = Server::named("api").await;
    let routes = format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\nlimits = [\"dry\"]\n[limit.dry]\nrate = \"1/h\"\nburst = 0\ndry_run = true\n{LOG}",
        server.address
    );
    let gate = Process::start(&routes).await;
    for _ in 0..3 {
        assert_eq!(answer(&mut gate.connect().await, b"x").await, "api");
    }
    gate.says("[limit.dry]: rate = \"1/h\" is reached, and sessions would be refused: dry_run lets them in").await;
    let log = || std::fs::read_to_string(gate.path("log")).unwrap_or_default();
    until(|| log().lines().count() >= 3).await;
    let lines: Vec<_> = log().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "127.0.0.1 200 client_closed PASSED");
    assert_eq!(lines[1..], ["127.0.0.1 200 client_closed REJECTED_DRY_RUN"; 2]);
    assert_eq!(gate.log().matches("dry_run lets them in").count(), 1, "a flood of them is told once in a while");
}

#[tokio::test]
async fn the_log_says_which_limit_and_which_rule() {
    let server = Server::echo().await;
    let log = "[access_log.json]\nfile = \"{folder}/json\"\nformat = \"json\"\n[limit.none]\nconnections = 1\n";
    let gate = gate(&server, "access = [\"deny 127.0.0.4\"]\nlimits = [\"none\"]", "", log);
    let _first = joined(&gate, "127.0.0.1", "api.test").await;
    assert!(is_closed(connect_from("127.0.0.1", gate.address("https")).await).await);
    assert!(is_closed(connect_from("127.0.0.4", gate.address("https")).await).await);
    let lines: Vec<serde_json::Value> = gate.lines("json", 2).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["detail"], "[limit.none]: connections = 1 is reached");
    assert_eq!(lines[0]["limit_status"], "REJECTED");
    assert_eq!(lines[0]["server_port"], gate.address("https").port());
    assert_eq!(lines[1]["detail"], "access: \"deny 127.0.0.4\"");
    assert!(lines[1]["limit_status"].is_null());
}

#[tokio::test]
async fn the_first_that_is_refused_is_told_with_whom_and_why() {
    let routes = "[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\naccess = [\"deny 127.0.0.4\"]\nlimits = [\"once\", \"dry\"]\n\
                  [limit.once]\nkey = \"$binary_remote_addr\"\nrate = \"1/h\"\nburst = 0\n\
                  [limit.dry]\nkey = \"of $listener\"\nrate = \"1/h\"\nburst = 0\ndry_run = true\n";
    let gate = Process::start(routes).await;
    for client in ["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.4", "127.0.0.4"] {
        let _ = heard(&mut connect_from(client, gate.address()).await).await;
    }
    gate.says("session ended: access_denied").await;
    let log = gate.log();
    let only = |words: &str| {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(lines.len(), 1, "{words}: {log}");
        lines[0].to_owned()
    };
    let has = |line: String, words: &[&str]| assert!(words.iter().all(|word| line.contains(word)), "{line}");
    has(
        only("session ended: limit_reached"),
        &["INFO", "listener=\"https\"", "client=127.0.0.1:", r#"[limit.once]: rate = \"1/h\" is reached, key \"127.0.0.1\""#],
    );
    has(only("session ended: access_denied"), &["INFO", "listener=\"https\"", "client=127.0.0.4:", r#"deny 127.0.0.4"#]);
    has(only("dry_run lets them in"), &["INFO [limit.dry]", "listener=\"https\"", "client=127.0.0.2:", "key=\"of https\""]);
}

#[tokio::test]
async fn a_limit_goes_on_from_its_counts_under_the_next_gateway() {
    let server = Server::named("api").await;
    let routes = |burst: u32| {
        format!(
            "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\ndefault = {{ upstream = \"{}\", limits = [\"once\"] }}\n\
             [limit.once]\nrate = \"1/h\"\nburst = {burst}",
            server.address
        )
    };
    let before = Gate::start(&routes(0));
    assert_eq!(before.ask("api.test").await, "api");
    let same = Gate::start_after(&before, &routes(0));
    assert_eq!(same.hears(&hello("api.test")).await, alert(ACCESS_DENIED));
    let wider = Gate::start_after(&same, &routes(1));
    assert_eq!(wider.ask("api.test").await, "api");
    assert_eq!(wider.hears(&hello("api.test")).await, alert(ACCESS_DENIED));
}

#[tokio::test]
async fn at_a_listeners_own_max_connections_the_next_waits_while_others_are_served() {
    let server = Server::echo().await;
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[listener.small]\nlisten = \"127.0.0.1:0\"\nupstream = \"{0}\"\nmax_connections = 1\n\
         [listener.large]\nlisten = \"127.0.0.1:0\"\nupstream = \"{0}\"",
        server.address
    ));
    let ask = async |listener: &str| {
        let mut stream = connect(gate.address(listener)).await;
        stream.write_all(b"x").await.unwrap();
        stream
    };
    let mut first = ask("small").await;
    assert_eq!(read(&mut first, 1).await, b"x");
    let mut waiting = ask("small").await;
    for _ in 0..3 {
        let mut other = ask("large").await;
        assert_eq!(read(&mut other, 1).await, b"x");
    }
    assert_eq!(server.connections(), 4, "the one that waits has no server's connection");
    drop(first);
    assert_eq!(read(&mut waiting, 1).await, b"x");
}

#[tokio::test]
async fn a_client_that_comes_again_after_the_end_finds_room() {
    let gate = Gate::start("[listener.a]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\nlimits = [\"one\"]\n[limit.one]\nconnections = 1");
    for round in 0..50 {
        let mut client = connect(gate.address("a")).await;
        assert_eq!(heard(&mut client).await.unwrap(), b"in", "round {round}");
    }
}

#[tokio::test]
async fn an_access_rule_is_asked_where_tls_ends_too() {
    let server = Server::named("plain").await;
    let authority = crate::harness::Authority::new();
    let identity = authority.issue("api.test");
    let profile =
        format!("[terminate.t]\ncertificates = {{ chain = {:?}, key = {:?} }}\n", as_text(&identity.chain), as_text(&identity.key));
    let gate = gate(&server, "", "terminate = \"t\", access = [\"deny all\"]", &profile);
    assert_eq!(gate.hears(&hello("api.test")).await, alert(ACCESS_DENIED));
    assert_eq!(server.connections(), 0);
}

fn as_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn what_is_not_tls_is_refused_without_an_alert() {
    let gate = Gate::start(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\nnot_tls = { respond = \"in\", access = [\"deny all\"] }",
    );
    let mut client = gate.connect().await;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    within(client.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"");
}
