//! When no server of an upstream is left, the session goes on with the upstream that stands in for it.

use std::net::SocketAddr;

use crate::harness::program::Folder;
use crate::harness::{Gate, Server, refusing};

const LOG: &str = "[access_log.main]\nfile = \"{folder}/log\"\nformat = \"$status $upstream $upstream_addr\"\n\
                   [access_log.json]\nfile = \"{folder}/json\"\nformat = \"json\"\n";

/// A gate whose listener, with these keys, leads to `web`.
fn gate(keys: &str, upstreams: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{keys}\n\
         [routes.map]\ndefault = \"web\"\n[routes.map.hosts]\n\"other.test\" = \"other\"\n{LOG}{upstreams}"
    ))
}

/// An upstream with these servers, and more keys behind them.
fn upstream(name: &str, servers: &[SocketAddr], keys: &str) -> String {
    let servers: Vec<_> = servers.iter().map(|server| format!("{{ address = \"{server}\", fail_timeout = \"1h\" }}")).collect();
    format!("[upstream.{name}]\nservers = [{}]\n{keys}\n", servers.join(", "))
}

/// The upstream `other`, of which most tests have no need.
fn other() -> String {
    upstream("other", &["127.0.0.1:1".parse().unwrap()], "")
}

#[tokio::test]
async fn a_session_goes_on_with_the_fallback_when_all_that_were_tried_failed() {
    let (one, two, server) = (refusing().await, refusing().await, Server::named("spare").await);
    let gate = gate("", &(upstream("web", &[one, two], "fallback = \"spare\"") + &upstream("spare", &[server.address], "") + &other()));
    assert_eq!(gate.ask("any.test").await, "spare");
    assert_eq!(gate.lines("log", 1).await, [format!("200 spare {one}, {two}, {}", server.address)]);
}

#[tokio::test]
async fn a_session_goes_to_the_fallback_at_once_when_nobody_is_eligible() {
    let server = Server::named("spare").await;
    let web = "[upstream.web]\nservers = [{ address = \"127.0.0.1:1\", down = true }]\nfallback = \"spare\"\n";
    let gate = gate("next_upstream = false", &(web.to_owned() + &upstream("spare", &[server.address], "") + &other()));
    assert_eq!(gate.ask("any.test").await, "spare", "it is the one try that there is");
    assert_eq!(gate.lines("log", 1).await, [format!("200 spare {}", server.address)]);
}

#[tokio::test]
async fn a_single_server_with_a_fallback_is_left_alone_when_it_fails() {
    let (gone, server) = (refusing().await, Server::named("spare").await);
    let gate = gate("", &(upstream("web", &[gone], "fallback = \"spare\"") + &upstream("spare", &[server.address], "") + &other()));
    assert_eq!([gate.ask("any.test").await, gate.ask("any.test").await], ["spare", "spare"]);
    assert_eq!(gate.lines("log", 2).await, [format!("200 spare {gone}, {}", server.address), format!("200 spare {}", server.address)]);
}

#[tokio::test]
async fn a_chain_of_fallbacks_is_followed_to_its_end() {
    let (one, two, server) = (refusing().await, refusing().await, Server::named("last").await);
    let chain =
        upstream("web", &[one], "fallback = \"second\"") + &upstream("second", &[two], &format!("fallback = \"{}\"", server.address));
    let gate = gate("", &(chain + &other()));
    assert_eq!(gate.ask("any.test").await, "last");
    assert_eq!(gate.lines("log", 1).await, [format!("200 {0} {one}, {two}, {0}", server.address)]);
}

#[tokio::test]
async fn the_fallback_is_left_alone_while_a_server_is_left() {
    let (server, spare) = (Server::named("web").await, Server::named("spare").await);
    let gone = refusing().await;
    let upstreams = upstream("web", &[gone, server.address], "fallback = \"spare\"") + &upstream("spare", &[spare.address], "") + &other();
    let gate = gate("", &upstreams);
    for _ in 0..4 {
        assert_eq!(gate.ask("any.test").await, "web");
    }
    assert_eq!(spare.connections(), 0);
}

#[tokio::test]
async fn a_server_that_has_only_a_fallback_beside_it_is_left_alone_when_it_fails() {
    let (gone, spare) = (refusing().await, Server::named("spare").await);
    let upstreams = upstream("web", &[gone], "fallback = \"spare\"") + &upstream("spare", &[spare.address], "") + &other();
    let gate = gate("", &upstreams);
    for _ in 0..2 {
        assert_eq!(gate.ask("any.test").await, "spare");
    }
    let spare = spare.address;
    assert_eq!(gate.lines("log", 2).await, [format!("200 spare {gone}, {spare}"), format!("200 spare {spare}")]);
}

#[tokio::test]
async fn without_next_upstream_no_fallback_is_tried_after_a_server() {
    let (gone, spare) = (refusing().await, Server::named("spare").await);
    let upstreams = upstream("web", &[gone], "fallback = \"spare\"") + &upstream("spare", &[spare.address], "") + &other();
    let gate = gate("next_upstream = false", &upstreams);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("502 web {gone}")]);
    assert_eq!(spare.connections(), 0);
}

#[tokio::test]
async fn tries_are_counted_over_all_fallbacks() {
    let (one, two, spare) = (refusing().await, refusing().await, Server::named("spare").await);
    let upstreams = upstream("web", &[one], "fallback = \"spare\"") + &upstream("spare", &[two, spare.address], "") + &other();
    let gate = gate("next_upstream_tries = 2", &upstreams);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("502 spare {one}, {two}")]);
    assert_eq!(spare.connections(), 0);
}

#[tokio::test]
async fn each_upstream_picks_by_its_own_key() {
    let (one, two, gone) = (Server::named("one").await, Server::named("two").await, refusing().await);
    let by_name = "balance = \"hash\"\nhash_key = \"$ssl_preread_server_name\"";
    let by_client = "balance = \"hash\"\nhash_key = \"$remote_addr\"\nfallback = \"spare\"";
    let upstreams = upstream("web", &[gone], by_client) + &upstream("spare", &[one.address, two.address], by_name) + &other();
    let gate = gate("", &upstreams);
    let mut answers = Vec::new();
    for client in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        for host in ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"] {
            answers.push((host, gate.ask_from(client, host).await));
        }
    }
    for (host, answer) in &answers {
        assert!(answers.iter().all(|(other, theirs)| other != host || theirs == answer), "a name has one server: {answers:?}");
    }
    assert!(answers.iter().any(|(_, answer)| answer == "one") && answers.iter().any(|(_, answer)| answer == "two"), "{answers:?}");
}

#[tokio::test]
async fn when_all_fail_the_end_says_who_was_asked() {
    let (one, two) = (refusing().await, refusing().await);
    let upstreams = upstream("web", &[one], "fallback = \"spare\"") + &upstream("spare", &[two], "") + &other();
    let gate = gate("", &upstreams);
    assert_eq!(gate.ask("any.test").await, "");
    let lines = gate.lines("json", 1).await;
    let detail = format!("upstream web, then spare: {two}: Connection refused");
    assert!(lines[0].contains(&detail), "{lines:?}");
    assert_eq!(gate.lines("log", 1).await, [format!("502 spare {one}, {two}")]);
}

#[tokio::test]
async fn with_nobody_to_try_the_first_upstream_is_named() {
    let down = |name, keys| format!("[upstream.{name}]\nservers = [{{ address = \"127.0.0.1:1\", down = true }}]\n{keys}\n");
    let gate = gate("", &(down("web", "fallback = \"spare\"") + &down("spare", "") + &other()));
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, ["502 web web"]);
    let lines = gate.lines("json", 1).await;
    assert!(lines[0].contains("upstream web, then spare: no server is left to try"), "{lines:?}");
}

#[tokio::test]
async fn a_fallback_of_the_defaults_is_for_all_but_itself_and_those_behind_it() {
    let (one, two, three, last) = (refusing().await, refusing().await, refusing().await, Server::named("last").await);
    let upstreams = "[defaults.upstream]\nfallback = \"spare\"\n".to_owned()
        + &upstream("web", &[one], "")
        + &upstream("other", &[two], "fallback = \"\"")
        + &upstream("spare", &[three], "fallback = \"last\"")
        + &upstream("last", &[last.address], "");
    let gate = gate("", &upstreams);
    assert_eq!(gate.ask("any.test").await, "last");
    assert_eq!(gate.ask("other.test").await, "", "it says that it has none");
    last.refuse();
    assert_eq!(gate.ask("any.test").await, "", "the last one has none");
    let lines = gate.lines("log", 3).await;
    assert_eq!(lines[1], format!("502 other {two}"));
}

#[test]
fn route_tells_who_stands_in() {
    let folder = Folder::with(
        "[listener.https]\nlisten = \":443\"\nupstream = \"web\"\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\nfallback = \"spare\"\n\
         [upstream.spare]\nservers = [\"10.0.0.2:443\", \"10.0.0.3:443\"]\nbalance = \"hash\"\nfallback = \"10.0.0.4:443\"\n",
    );
    let told = folder.run(&["route", "--from", "192.0.2.7"]);
    let end = "     round_robin over 10.0.0.1:443; health is not known here\n     \
               then upstream spare: hash of \"192.0.2.7\": 10.0.0.2:443, 10.0.0.3:443; health is not known here\n     \
               then 10.0.0.4:443\n";
    assert!(told.out.ends_with(end), "{}", told.out);
    assert_eq!((told.status, &*told.err), (Some(0), ""));
}
