//! Which entry wins: by the name, by what came in its place, by the guards of its targets.

use std::fs;
use std::path::Path;

use crate::harness::hellos::{alpn, client_hello, key_share, padding, server_name, supported_versions};
use crate::harness::{Gate, Server, Spec, answer, connect, heard, hello};

/// A gate with this map; `more` stands before it. Each session leaves a line in `log`.
pub(crate) fn gate(more: &str, map: &str) -> Gate {
    Gate::start(&format!(
        "{more}\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\npreread_buffer_size = \"32k\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$hello $route $status $close_reason\"\n[routes.map]\n{map}"
    ))
}

pub(crate) async fn sent(gate: &Gate, bytes: &[u8]) -> String {
    answer(&mut gate.connect().await, bytes).await
}

pub(crate) fn unnamed() -> Vec<u8> {
    client_hello(&Spec::default())
}

/// Two servers, `won` and `lost`, and a gate whose map is made of their addresses.
async fn contest(map: impl Fn(&Server, &Server) -> String) -> (Gate, Server, Server) {
    let (won, lost) = (Server::named("won").await, Server::named("lost").await);
    (gate("", &map(&won, &lost)), won, lost)
}

/// A map with two hosts.
fn hosts(winner: &str, loser: &str) -> impl Fn(&Server, &Server) -> String {
    move |won, lost| format!("[routes.map.hosts]\n\"{winner}\" = \"{}\"\n\"{loser}\" = \"{}\"", won.address, lost.address)
}

#[tokio::test]
async fn an_exact_name_beats_a_wildcard() {
    let (gate, _won, _lost) = contest(hosts("a.shop.test", "*.shop.test")).await;
    assert_eq!(gate.ask("a.shop.test").await, "won");
    assert_eq!(gate.ask("b.shop.test").await, "lost");
}

#[tokio::test]
async fn the_longest_leading_wildcard_wins() {
    let (gate, _won, _lost) = contest(hosts("*.a.shop.test", "*.shop.test")).await;
    assert_eq!(gate.ask("deep.in.a.shop.test").await, "won");
    assert_eq!(gate.ask("a.shop.test").await, "lost", "a wildcard does not stand for the name below which it stands");
}

#[tokio::test]
async fn a_leading_wildcard_beats_a_trailing_one() {
    let (gate, _won, _lost) = contest(hosts("*.test", "www.shop.*")).await;
    assert_eq!(gate.ask("www.shop.test").await, "won");
    assert_eq!(gate.ask("www.shop.example").await, "lost");
}

#[tokio::test]
async fn the_longest_trailing_wildcard_wins() {
    let (gate, _won, _lost) = contest(hosts("www.shop.*", "www.*")).await;
    assert_eq!(gate.ask("www.shop.co.test").await, "won");
    assert_eq!(gate.ask("www.other.test").await, "lost");
}

#[tokio::test]
async fn a_name_with_a_dot_in_front_is_itself_and_all_below() {
    let (gate, _won, _lost) = contest(hosts(".shop.test", "*.test")).await;
    assert_eq!(gate.ask("shop.test").await, "won");
    assert_eq!(gate.ask("deep.in.shop.test").await, "won");
    assert_eq!(gate.ask("workshop.test").await, "lost");
}

#[tokio::test]
async fn any_wildcard_beats_a_pattern() {
    let map = |won: &Server, lost: &Server| {
        let (won, lost) = (won.address, lost.address);
        format!("[routes.map.hosts]\n\"www.*\" = \"{won}\"\n[[routes.map.patterns]]\nhost = '.*'\nupstream = \"{lost}\"")
    };
    let (gate, _won, _lost) = contest(map).await;
    assert_eq!(gate.ask("www.shop.test").await, "won");
    assert_eq!(gate.ask("ftp.shop.test").await, "lost");
}

#[tokio::test]
async fn the_first_pattern_that_matches_wins() {
    let map = |won: &Server, lost: &Server| {
        let (won, lost) = (won.address, lost.address);
        format!(
            "[[routes.map.patterns]]\nhost = '[a-z]+\\.test'\nupstream = \"{won}\"\n\
             [[routes.map.patterns]]\nhost = '(.*)\\.test'\nupstream = \"{lost}\""
        )
    };
    let (gate, _won, _lost) = contest(map).await;
    assert_eq!(gate.ask("shop.test").await, "won");
    assert_eq!(gate.ask("shop1.test").await, "lost");
}

#[tokio::test]
async fn a_pattern_stands_for_the_whole_name() {
    let map = |won: &Server, lost: &Server| {
        let (won, lost) = (won.address, lost.address);
        format!("default = \"{won}\"\n[[routes.map.patterns]]\nhost = 'shop\\.test|api\\.test'\nupstream = \"{lost}\"")
    };
    let (gate, _won, _lost) = contest(map).await;
    assert_eq!(gate.ask("shop.test.evil.example").await, "won");
    assert_eq!(gate.ask("evil-api.test").await, "won");
    assert_eq!(gate.ask("shop.test").await, "lost");
}

#[tokio::test]
async fn captures_name_the_upstream() {
    let (blue, green) = (Server::named("blue").await, Server::named("green").await);
    let upstreams = format!("[upstream]\nblue_443.servers = [\"{}\"]\ngreen_443.servers = [\"{}\"]", blue.address, green.address);
    let gate = gate(&upstreams, "[[routes.map.patterns]]\nhost = '(?<tenant>[a-z]+)-([0-9]+)\\.apps\\.test'\nupstream = \"${tenant}_$2\"");
    assert_eq!(gate.ask("blue-443.apps.test").await, "blue");
    assert_eq!(gate.ask("GREEN-443.Apps.test").await, "green");
}

#[tokio::test]
async fn names_are_compared_without_case_and_trailing_dot() {
    let server = Server::named("shop").await;
    let gate = gate("", &format!("[routes.map.hosts]\n\"Shop.Test.\" = \"{}\"", server.address));
    for name in ["shop.test", "SHOP.TEST", "Shop.Test."] {
        assert_eq!(gate.ask(name).await, "shop", "{name}");
    }
    assert_eq!(server.received(2), hello("Shop.Test."), "it is forwarded as it was sent");
}

#[tokio::test]
async fn an_unknown_name_goes_to_the_default() {
    let server = Server::named("default").await;
    let gate = gate("", &format!("default = \"{}\"", server.address));
    assert_eq!(gate.ask("nobody.test").await, "default");
    assert_eq!(gate.lines("log", 1).await, ["named default 200 client_closed"]);
}

#[tokio::test]
async fn a_hello_without_a_name_goes_to_no_sni() {
    let (gate, _won, _lost) = contest(|won, lost| format!("default = \"{}\"\nno_sni = \"{}\"", lost.address, won.address)).await;
    assert_eq!(sent(&gate, &unnamed()).await, "won");
    assert_eq!(gate.lines("log", 1).await, ["unnamed no_sni 200 client_closed"]);
}

#[tokio::test]
async fn a_hello_without_a_name_goes_to_the_default_where_there_is_no_no_sni() {
    let server = Server::named("default").await;
    let gate = gate("", &format!("default = \"{}\"\n[[routes.map.patterns]]\nhost = '.*'\nreject = \"close\"", server.address));
    assert_eq!(sent(&gate, &unnamed()).await, "default");
}

#[tokio::test]
async fn an_ip_address_in_place_of_the_name_counts_as_none() {
    let map = |won: &Server, lost: &Server| {
        format!("no_sni = \"{}\"\n[[routes.map.patterns]]\nhost = '.*'\nupstream = \"{}\"", won.address, lost.address)
    };
    let (gate, _won, lost) = contest(map).await;
    for address in ["192.0.2.1", "2001:db8::1"] {
        assert_eq!(gate.ask(address).await, "won", "{address}");
    }
    assert_eq!(lost.connections(), 0);
}

/// First bytes of clients that do not speak TLS; the last two are an SSLv2 hello and a client's first alert.
pub(crate) const NOT_TLS: [&[u8]; 4] =
    [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", &[0x80, 46, 1, 3, 1, 0, 21, 0, 0, 0, 16], &[21, 3, 1, 0, 2, 2, 0]];

#[tokio::test]
async fn what_is_not_tls_goes_to_not_tls_as_it_came() {
    let (gate, won, lost) = contest(|won, lost| format!("default = \"{}\"\nnot_tls = \"{}\"", lost.address, won.address)).await;
    for (index, bytes) in NOT_TLS.into_iter().enumerate() {
        assert_eq!(sent(&gate, bytes).await, "won", "{bytes:?}");
        assert_eq!(won.received(index), bytes);
    }
    assert_eq!(lost.connections(), 0);
    assert_eq!(gate.lines("log", NOT_TLS.len()).await, ["not_tls not_tls 200 client_closed"; NOT_TLS.len()]);
}

#[tokio::test]
async fn a_listener_may_answer_by_itself() {
    let gate = Gate::start("[listener.note]\nlisten = \"127.0.0.1:0\"\nrespond = \"${remote_addr} on $listener\\n\"");
    let mut client = connect(gate.address("note")).await;
    assert_eq!(heard(&mut client).await.unwrap(), b"127.0.0.1 on note\n", "without waiting for a word of the client");
}

#[tokio::test]
async fn the_alpn_guard_lets_those_pass_who_offer_one_of_its_protocols() {
    let map = |won: &Server, lost: &Server| {
        format!("hosts.\"api.test\" = [{{ alpn = [\"acme-tls/1\", \"h3\"], upstream = \"{}\" }}, \"{}\"]", won.address, lost.address)
    };
    let (gate, _won, _lost) = contest(map).await;
    let offering = |protocols: &[&str]| client_hello(&Spec::named("api.test").with(alpn(protocols)));
    assert_eq!(sent(&gate, &offering(&["http/1.1", "acme-tls/1"])).await, "won");
    assert_eq!(sent(&gate, &offering(&["http/1.1", "ACME-TLS/1"])).await, "lost", "protocols are bytes, not words");
    assert_eq!(gate.ask("api.test").await, "lost");
}

#[tokio::test]
async fn the_from_guard_lets_those_pass_who_come_from_its_networks() {
    let (office, other) = (Server::named("office").await, Server::named("other").await);
    let map =
        format!("hosts.\"api.test\" = [{{ from = [\"desks\", \"127.0.9.9\"], upstream = \"{}\" }}, \"{}\"]", office.address, other.address);
    let gate = gate("[networks]\ndesks = [\"127.0.1.0/24\"]", &map);
    assert_eq!(gate.ask_from("127.0.1.77", "api.test").await, "office");
    assert_eq!(gate.ask_from("127.0.9.9", "api.test").await, "office");
    assert_eq!(gate.ask_from("127.0.2.77", "api.test").await, "other");
}

#[tokio::test]
async fn the_versions_guard_lets_those_pass_who_offer_one_of_its_versions() {
    let map = |won: &Server, lost: &Server| {
        format!("hosts.\"api.test\" = [{{ versions = [\"1.3\"], upstream = \"{}\" }}, \"{}\"]", won.address, lost.address)
    };
    let (gate, _won, _lost) = contest(map).await;
    let old = Spec { extensions: Some(vec![server_name("api.test")]), ..Spec::default() };
    let only_1_2 = Spec { extensions: Some(vec![server_name("api.test"), supported_versions(&[0x0303])]), ..Spec::default() };
    assert_eq!(gate.ask("api.test").await, "won");
    assert_eq!(sent(&gate, &client_hello(&old)).await, "lost");
    assert_eq!(sent(&gate, &client_hello(&only_1_2)).await, "lost");
}

#[tokio::test]
async fn all_guards_of_a_target_must_fit() {
    let map = |won: &Server, lost: &Server| {
        let (won, lost) = (won.address, lost.address);
        format!("hosts.\"api.test\" = [{{ alpn = [\"h2\"], from = [\"127.0.0.2\"], upstream = \"{lost}\" }}, \"{won}\"]")
    };
    let (gate, _won, _lost) = contest(map).await;
    assert_eq!(sent(&gate, &client_hello(&Spec::named("api.test").with(alpn(&["h2"])))).await, "won");
    assert_eq!(gate.ask_from("127.0.0.2", "api.test").await, "won");
}

#[tokio::test]
async fn a_hello_within_the_limit_is_routed_however_many_records_it_takes() {
    let server = Server::named("server").await;
    let gate = gate("", &format!("hosts.\"api.test\" = \"{}\"", server.address));
    let extensions = vec![key_share(0x11ec, 1216), padding(30_000), server_name("api.test")];
    let large = client_hello(&Spec { extensions: Some(extensions), ..Spec::default() });
    assert_eq!(sent(&gate, &large).await, "server");
    assert_eq!(server.received(0), large);
}

#[tokio::test]
async fn the_hellos_of_real_clients_are_routed_and_forwarded_as_they_came() {
    let (named, unnamed) = (Server::named("named").await, Server::named("unnamed").await);
    let gate = gate("", &format!("no_sni = \"{}\"\nhosts.\"*.test\" = \"{}\"", unnamed.address, named.address));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hellos");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let hellos: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "bin")).collect();
    assert!(hellos.len() > 5, "{hellos:?}");
    for file in &hellos {
        let hello = fs::read(file).unwrap();
        let has_no_name = file.ends_with("openssl-unnamed.bin") || file.ends_with("curl-address.bin");
        let (server, name) = if has_no_name { (&unnamed, "unnamed") } else { (&named, "named") };
        assert_eq!(sent(&gate, &hello).await, name, "{}", file.display());
        assert_eq!(server.received(server.connections() - 1), hello, "{}", file.display());
    }
}
