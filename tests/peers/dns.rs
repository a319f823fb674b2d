//! A real name server whose answers change under load, that dies, hangs and lies: sessions feel nothing of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use super::is_installed;
use super::named::Named;
use crate::harness::{Gate, Server, answer, at, connect, hello, until, within};

/// A name server with these records of `zone.test`; nothing, when BIND is not installed and need not be.
async fn name_server(records: &str) -> Option<Named> {
    if is_installed("named") && is_installed("nsupdate") { Some(Named::start(records).await) } else { None }
}

/// A gate with the upstreams `pool`, of these servers, and `broken`, whose name no server can answer for.
fn gate(named: &Named, servers: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[resolver]\nnameservers = [\"{}\"]\ntimeout = \"500ms\"\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[upstream.pool]\nservers = [{servers}]",
        named.address
    ))
}

/// Sessions without a pause, several at a time, until it is dropped; each must be answered.
struct Load {
    done: Arc<AtomicUsize>,
    answers: Arc<Mutex<BTreeSet<String>>>,
    stops: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn on(gate: &Gate) -> Self {
        let (done, stops, answers) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default(), Arc::<Mutex<BTreeSet<String>>>::default());
        let address = gate.address("https");
        let client = || {
            let (done, stops, answers) = (done.clone(), stops.clone(), answers.clone());
            tokio::spawn(async move {
                while !stops.load(Ordering::Relaxed) {
                    let said = answer(&mut connect(address).await, &hello("any.test")).await;
                    assert!(!said.is_empty(), "a session failed");
                    answers.lock().unwrap().insert(said);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..4).map(|_| client()).collect();
        Self { done, answers, stops, clients }
    }

    /// Lets so many more sessions run, and says who answered them and those that were under way.
    async fn next(&self, sessions: usize) -> BTreeSet<String> {
        self.answers.lock().unwrap().clear();
        let wanted = self.done.load(Ordering::Relaxed) + sessions;
        let all_go_on = || assert!(!self.clients.iter().any(JoinHandle::is_finished), "a session failed");
        until(|| {
            all_go_on();
            self.done.load(Ordering::Relaxed) >= wanted
        })
        .await;
        self.answers.lock().unwrap().clone()
    }

    /// Waits until nobody else answers.
    async fn until_only(&self, wanted: &[&str]) {
        let wanted: BTreeSet<_> = wanted.iter().map(|&name| name.to_owned()).collect();
        within(async { while self.next(20).await != wanted {} }).await;
    }

    /// Ends it. No session failed.
    async fn ends(self) {
        self.stops.store(true, Ordering::Relaxed);
        for client in self.clients {
            within(client).await.expect("every session was answered");
        }
    }
}

async fn three() -> (u16, [Server; 3]) {
    at(["127.0.0.1", "127.0.0.2", "127.0.0.3"]).await
}

/// How many servers `pool` has now.
fn servers(gate: &Gate) -> usize {
    gate.upstream("pool").status().len()
}

fn fails(gate: &Gate) -> bool {
    gate.upstream("pool").names()[0].failing.is_some()
}

#[tokio::test]
async fn sessions_follow_a_zone_that_changes_and_none_fails() {
    let Some(named) = name_server("web A 127.0.0.1").await else { return };
    let (port, _servers) = three().await;
    let gate = gate(&named, &format!("\"web.zone.test:{port}\""));
    let load = Load::on(&gate);
    load.until_only(&["127.0.0.1"]).await;
    named.change(&["delete web A", "add web A 127.0.0.2", "add web A 127.0.0.3"]).await;
    load.until_only(&["127.0.0.2", "127.0.0.3"]).await;
    named.change(&["delete web A", "add web CNAME other.zone.test.", "add other A 127.0.0.1"]).await;
    load.until_only(&["127.0.0.1"]).await;
    for turn in 0..3 {
        named.change(&["delete other A", &format!("add other A 127.0.0.{}", 1 + (turn + 1) % 3)]).await;
        load.until_only(&[&format!("127.0.0.{}", 1 + (turn + 1) % 3)]).await;
    }
    load.ends().await;
}

#[tokio::test]
async fn a_name_server_that_dies_or_hangs_is_not_noticed() {
    let Some(mut named) = name_server("web A 127.0.0.1").await else { return };
    let (port, _servers) = three().await;
    let gate = gate(&named, &format!("\"web.zone.test:{port}\""));
    let load = Load::on(&gate);
    load.until_only(&["127.0.0.1"]).await;
    named.hang();
    until(|| fails(&gate)).await;
    load.until_only(&["127.0.0.1"]).await;
    named.go_on();
    until(|| !fails(&gate)).await;
    named.die();
    until(|| fails(&gate)).await;
    load.until_only(&["127.0.0.1"]).await;
    named.come_back().await;
    named.change(&["delete web A", "add web A 127.0.0.2"]).await;
    load.until_only(&["127.0.0.2"]).await;
    until(|| !fails(&gate)).await;
    load.ends().await;
}

#[tokio::test]
async fn a_name_that_is_deleted_has_no_server_until_it_is_back() {
    let Some(named) = name_server("web A 127.0.0.1\nother A 127.0.0.2").await else { return };
    let (port, _servers) = three().await;
    let gate = gate(&named, &format!("\"web.zone.test:{port}\", \"other.zone.test:{port}\", \"web.broken.test:{port}\""));
    let load = Load::on(&gate);
    load.until_only(&["127.0.0.1", "127.0.0.2"]).await;
    // The name is there, and has no address.
    named.change(&["delete web A", "add web TXT nothing"]).await;
    load.until_only(&["127.0.0.2"]).await;
    named.change(&["add web A 127.0.0.3"]).await;
    load.until_only(&["127.0.0.2", "127.0.0.3"]).await;
    named.change(&["delete web"]).await;
    load.until_only(&["127.0.0.2"]).await;
    named.change(&["add web A 127.0.0.1"]).await;
    load.until_only(&["127.0.0.1", "127.0.0.2"]).await;
    load.ends().await;
    let broken = gate.upstream("pool").names().pop().unwrap();
    assert!(broken.failing.is_some_and(|failing| failing.why.to_string().contains("SERVFAIL")));
}

#[tokio::test]
async fn an_answer_too_large_for_udp_is_whole() {
    let records: Vec<_> = (0..120).map(|last| format!("web A 10.0.1.{last}")).collect();
    let Some(named) = name_server(&records.join("\n")).await else { return };
    let gate = gate(&named, "\"web.zone.test:443\"");
    until(|| servers(&gate) > 0).await;
    assert_eq!(servers(&gate), 120);
}

#[tokio::test]
async fn both_families_of_a_name_serve() {
    let Some(named) = name_server("web A 127.0.0.1\nweb AAAA ::1").await else { return };
    let (port, _servers) = at(["127.0.0.1", "::1"]).await;
    let gate = gate(&named, &format!("\"web.zone.test:{port}\""));
    let load = Load::on(&gate);
    load.until_only(&["127.0.0.1", "::1"]).await;
    named.change(&["delete web A"]).await;
    load.until_only(&["::1"]).await;
    load.ends().await;
}

#[tokio::test]
async fn a_service_moves_between_ports_and_hosts() {
    let Some(named) = name_server("a A 127.0.0.1\nb A 127.0.0.2").await else { return };
    let ((one, _ones), (other, _others)) = (three().await, three().await);
    named
        .change(&[&format!("add _http._tcp.web SRV 10 5 {one} a.zone.test."), &format!("add _http._tcp.web SRV 20 5 {one} b.zone.test.")])
        .await;
    let gate = gate(&named, "{ address = \"web.zone.test\", service = \"http\" }");
    let load = Load::on(&gate);
    load.until_only(&["127.0.0.1"]).await;
    named.change(&["delete _http._tcp.web SRV", &format!("add _http._tcp.web SRV 10 1 {other} b.zone.test.")]).await;
    load.until_only(&["127.0.0.2"]).await;
    until(|| servers(&gate) == 1).await;
    assert_eq!(&*gate.upstream("pool").status()[0].address, format!("127.0.0.2:{other}"));
    named.change(&["add b A 127.0.0.3"]).await;
    load.until_only(&["127.0.0.2", "127.0.0.3"]).await;
    load.ends().await;
}
