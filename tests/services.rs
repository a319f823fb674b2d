//! Services: SRV records say where servers are, on which port, with what weight, and which of them only stand in.

use hickory_resolver::proto::rr::RecordType::{A, AAAA, SRV};

use crate::harness::{Gate, NameServer, Says, at, until};

const SERVICE: &str = "_http._tcp.web.test";

/// A gate whose upstream `pool` has these servers; answers are good for a moment.
fn gate(names: &NameServer, keys: &str, servers: &str) -> Gate {
    Gate::start(&format!(
        "[resolver]\nnameservers = [\"{}\"]\nvalid = \"50ms\"\ntimeout = \"1s\"\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[upstream.pool]\n{keys}\nservers = [{servers}]",
        names.address
    ))
}

fn srv(all: &[&str]) -> Says {
    Says::records(60, all)
}

/// The servers with their weights; backups in brackets.
fn servers(gate: &Gate) -> Vec<String> {
    let text = |server: vestibule::upstream::ServerStatus| match server.backup {
        false => format!("{} {}", server.address, server.effective_weight),
        true => format!("({} {})", server.address, server.effective_weight),
    };
    gate.upstream("pool").status().into_iter().map(text).collect()
}

async fn until_servers(gate: &Gate, wanted: &[&str]) {
    until(|| servers(gate) == wanted).await;
}

const LINE: &str = "{ address = \"web.test\", service = \"http\" }";

#[tokio::test]
async fn records_say_ports_weights_and_backups() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1", "::1"]);
    names.leads("b.test", 60, &["127.0.0.2"]);
    names.leads("c.test", 60, &["127.0.0.3"]);
    names.says(SERVICE, SRV, srv(&["20 5 8003 c.test", "10 3 8001 a.test", "10 0 8002 b.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 3", "127.0.0.2:8002 1", "[::1]:8001 3", "(127.0.0.3:8003 5)"]).await;
    names.says(SERVICE, SRV, srv(&["20 5 8003 c.test", "30 3 8009 a.test"]));
    until_servers(&gate, &["127.0.0.3:8003 5", "(127.0.0.1:8009 3)", "([::1]:8009 3)"]).await;
}

#[tokio::test]
async fn sessions_go_where_the_records_say_and_to_backups_when_nobody_else_is_left() {
    let (port, servers) = at(["127.0.0.1", "127.0.0.2", "127.0.0.3"]).await;
    let [first, second, _backup] = servers;
    let names = NameServer::start().await;
    for (name, address) in [("a.test", "127.0.0.1"), ("b.test", "127.0.0.2"), ("c.test", "127.0.0.3")] {
        names.leads(name, 60, &[address]);
    }
    names.says(SERVICE, SRV, srv(&[&format!("1 3 {port} a.test"), &format!("1 1 {port} b.test"), &format!("2 1 {port} c.test")]));
    let gate = gate(&names, "", LINE);
    until(|| gate.upstream("pool").status().len() == 3).await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        asked.push(gate.ask("any.test").await);
    }
    let share = |address: &str| asked.iter().filter(|answer| *answer == address).count();
    assert_eq!(["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(share), [6, 2, 0]);
    drop((first, second));
    gate.until(|totals| totals.open == 0).await;
    while gate.ask("any.test").await != "127.0.0.3" {}
}

#[tokio::test]
async fn a_service_with_a_dot_is_asked_for_as_it_is() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says("_sip._udp.web.test", SRV, srv(&["1 1 5060 a.test"]));
    let gate = gate(&names, "", "{ address = \"web.test\", service = \"_sip._udp\" }");
    until_servers(&gate, &["127.0.0.1:5060 1"]).await;
}

#[tokio::test]
async fn a_weight_that_is_written_holds_against_the_records() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says(SERVICE, SRV, srv(&["1 9 8001 a.test"]));
    let gate = gate(&names, "", "{ address = \"web.test\", service = \"http\", weight = 4 }");
    until_servers(&gate, &["127.0.0.1:8001 4"]).await;
}

#[tokio::test]
async fn a_hash_goes_by_the_first_records_only() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.leads("b.test", 60, &["127.0.0.2"]);
    for balance in ["hash", "consistent_hash"] {
        names.says(SERVICE, SRV, srv(&["1 1 8001 a.test", "2 1 8002 b.test"]));
        let gate = gate(&names, &format!("balance = \"{balance}\""), LINE);
        until_servers(&gate, &["127.0.0.1:8001 1"]).await;
        names.says(SERVICE, SRV, srv(&["1 1 8001 a.test", "1 1 8002 b.test"]));
        until_servers(&gate, &["127.0.0.1:8001 1", "127.0.0.2:8002 1"]).await;
    }
}

#[tokio::test]
async fn a_service_that_is_decidedly_not_there_has_no_server() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says(SERVICE, SRV, srv(&["1 1 8001 a.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 1"]).await;
    names.says(SERVICE, SRV, srv(&["0 0 0 ."]));
    until_servers(&gate, &[]).await;
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, ["502 pool"]);
}

#[tokio::test]
async fn records_that_cannot_be_looked_up_stay_while_their_targets_move() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says(SERVICE, SRV, srv(&["1 1 8001 a.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 1"]).await;
    names.says(SERVICE, SRV, Says::Fails);
    until(|| gate.upstream("pool").names()[0].failing.is_some()).await;
    names.leads("a.test", 60, &["127.0.0.2"]);
    until_servers(&gate, &["127.0.0.2:8001 1"]).await;
}

#[tokio::test]
async fn a_target_that_cannot_be_looked_up_stays_while_the_records_change() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.leads("b.test", 60, &["127.0.0.2"]);
    names.says(SERVICE, SRV, srv(&["1 1 8001 a.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 1"]).await;
    names.says("a.test", A, Says::Fails);
    until(|| gate.upstream("pool").names()[0].failing.is_some()).await;
    names.says(SERVICE, SRV, srv(&["1 7 8001 a.test", "1 1 8002 b.test"]));
    until_servers(&gate, &["127.0.0.1:8001 7", "127.0.0.2:8002 1"]).await;
    names.says(SERVICE, SRV, srv(&["1 1 8002 b.test"]));
    until_servers(&gate, &["127.0.0.2:8002 1"]).await;
    until(|| gate.upstream("pool").names()[0].failing.is_none()).await;
}

#[tokio::test]
async fn the_servers_stay_until_it_is_known_where_those_after_them_are() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says_of_both("b.test", &Says::Nothing);
    names.says(SERVICE, SRV, srv(&["1 1 8001 a.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 1"]).await;
    names.says(SERVICE, SRV, srv(&["1 1 8002 b.test"]));
    until(|| names.asked("b.test", A) > 0).await;
    assert_eq!(servers(&gate), ["127.0.0.1:8001 1"]);
    names.leads("b.test", 60, &["127.0.0.2"]);
    until_servers(&gate, &["127.0.0.2:8002 1"]).await;
}

#[tokio::test]
async fn the_servers_stay_while_those_after_them_cannot_be_looked_up() {
    let names = NameServer::start().await;
    names.leads("a.test", 60, &["127.0.0.1"]);
    names.says_of_both("b.test", &Says::Fails);
    names.says(SERVICE, SRV, srv(&["1 1 8001 a.test"]));
    let gate = gate(&names, "", LINE);
    until_servers(&gate, &["127.0.0.1:8001 1"]).await;
    names.says(SERVICE, SRV, srv(&["1 1 8002 b.test"]));
    let asked_twice = || [A, AAAA].iter().all(|&kind| names.asked("b.test", kind) > 1);
    until(asked_twice).await;
    assert_eq!(servers(&gate), ["127.0.0.1:8001 1"]);
    names.leads("b.test", 60, &[]);
    until_servers(&gate, &[]).await;
}

#[tokio::test]
async fn only_so_many_records_of_a_service_are_used() {
    let names = NameServer::start().await;
    let all: Vec<_> = (1..=100).map(|port| format!("1 1 {port} a.test")).collect();
    names.says(SERVICE, SRV, Says::OverTcp(60, all));
    names.leads("a.test", 60, &["127.0.0.1"]);
    let gate = gate(&names, "", LINE);
    until(|| !servers(&gate).is_empty()).await;
    assert_eq!(servers(&gate).len(), 64);
}
