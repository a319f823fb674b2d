//! The handshake with a client: on the very bytes that were peeked at, however they were cut; within its deadline; and
//! what a client hears with which there is none.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::harness::hellos::{Spec, client_hello, payload, server_name, split_records, supported_versions};
use crate::harness::tls::{Tls, ask, connect_tls, ends_at_gate, handshake};
use crate::harness::{Authority, Gate, Server, TlsByHand, alert, heard, hello, reset, routes, until, within};
use crate::routing::unnamed;

/// A gateway that ends TLS for `api.test`, with these keys of its profile.
struct Stage {
    gate: Gate,
    server: Server,
    authority: Authority,
}

impl Stage {
    async fn set(profile: &str) -> Self {
        Self::set_logging(profile, "").await
    }

    /// The same with one more log.
    async fn set_logging(profile: &str, more: &str) -> Self {
        let (authority, server) = (Authority::new(), Server::named("api").await);
        let log = format!("[access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"{LINE}\"\n{more}");
        let target = ends_at_gate(&authority, &server, profile);
        let gate = Gate::start(&routes(&[], &format!("{target}{log}")));
        Self { gate, server, authority }
    }

    async fn by_hand(&self) -> TlsByHand {
        self.by_hand_with(self.authority.trusted()).await
    }

    async fn by_hand_with(&self, config: Arc<ClientConfig>) -> TlsByHand {
        TlsByHand::new(self.gate.connect().await, "api.test", config)
    }

    async fn connect(&self, config: Arc<ClientConfig>) -> Tls {
        connect_tls(self.gate.address("https"), "api.test", config).await
    }

    /// The line of the only session, which no server heard of.
    async fn refused(&self) -> String {
        let line = self.gate.lines("log", 1).await.concat();
        assert_eq!(self.server.connections(), 0, "{line}");
        line
    }
}

const LINE: &str = "$status $close_reason $ssl_protocol";
const ILLEGAL_PARAMETER: u8 = 47;
const UNRECOGNIZED_NAME: u8 = 112;

#[tokio::test]
async fn a_hello_cut_into_records_and_segments_leads_to_the_same() {
    let stage = Stage::set("").await;
    for (nth, size) in [7, 100, 1000].into_iter().enumerate() {
        let mut client = stage.by_hand().await;
        let hello = client.words();
        let records = split_records(&hello, &vec![size; payload(&hello).len().div_ceil(size)]);
        assert_ne!(records, hello, "it is cut");
        for segment in records.chunks(61) {
            client.send(segment).await;
        }
        client.listen().await;
        client.tls.writer().write_all(b"question").unwrap();
        client.tls.send_close_notify();
        client.speak().await;
        until(|| stage.server.connections() > nth && stage.server.received(nth) == b"question").await;
        stage.gate.until(|totals| totals.open == 0).await;
    }
    assert_eq!(stage.gate.lines("log", 3).await, ["200 client_closed TLSv1.3"; 3]);
}

#[tokio::test]
async fn what_comes_in_one_segment_with_the_end_of_the_handshake_is_passed_on() {
    // In TLS 1.3, where the client has the last word.
    let stage = Stage::set("").await;
    let mut client = stage.by_hand_with(stage.authority.trusted_in(&[&TLS13])).await;
    client.speak().await;
    client.listen().await;
    client.tls.writer().write_all(&[b'x'; 50_000]).unwrap();
    client.tls.send_close_notify();
    client.speak().await;
    stage.gate.until(|totals| totals.ended == 1).await;
    assert!(stage.server.received(0) == [b'x'; 50_000]);
}

#[tokio::test]
async fn a_client_that_stops_in_mid_handshake_is_cut_at_the_deadline() {
    let stage = Stage::set("handshake_timeout = \"300ms\"").await;
    let mut client = stage.by_hand().await;
    let begun = Instant::now();
    client.speak().await;
    assert!(!heard(&mut client.beneath).await.unwrap().is_empty(), "the server's part of it, then the end");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(stage.refused().await, "500 handshake_timeout -");
}

#[tokio::test]
async fn bytes_that_trickle_in_do_not_extend_the_deadline_of_the_handshake() {
    let stage = Stage::set("handshake_timeout = \"300ms\"").await;
    let mut client = stage.by_hand().await;
    client.speak().await;
    let (mut from, mut to) = client.beneath.into_split();
    let trickle = async {
        // A record that would be whole only after minutes.
        let _ = to.write_all(&[23, 3, 3, 64, 0]).await;
        while to.write_all(&[0]).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await
    };
    tokio::select! {
        _ = heard(&mut from) => {}
        () = trickle => unreachable!(),
    }
    assert_eq!(stage.refused().await, "500 handshake_timeout -");
}

#[tokio::test]
async fn a_client_that_closes_in_mid_handshake_touches_no_server() {
    let stage = Stage::set("").await;
    let mut client = stage.by_hand().await;
    client.speak().await;
    client.listen().await;
    client.beneath.shutdown().await.unwrap();
    assert_eq!(stage.refused().await, "500 handshake_gone -");
}

#[tokio::test]
async fn a_client_that_breaks_in_mid_handshake_touches_no_server() {
    let stage = Stage::set("").await;
    let mut client = stage.by_hand().await;
    client.speak().await;
    client.listen().await;
    reset(client.beneath);
    assert_eq!(stage.refused().await, "200 client_reset -");
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_touches_no_server() {
    let stage = Stage::set("").await;
    let trusts_others = Authority::new().trusted();
    let error = handshake(stage.gate.connect().await, "api.test", trusts_others).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    assert_eq!(stage.refused().await, "500 tls_failed -");
}

#[tokio::test]
async fn a_client_that_speaks_another_protocol_hears_so() {
    let stage = Stage::set("alpn = [\"h2\"]").await;
    let mut config = ClientConfig::clone(&stage.authority.trusted());
    config.alpn_protocols = vec![b"smtp".to_vec()];
    let error = handshake(stage.gate.connect().await, "api.test", Arc::new(config)).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    assert_eq!(stage.refused().await, "500 tls_failed -");
}

#[tokio::test]
async fn an_alert_reaches_a_client_that_goes_on_sending() {
    let stage = Stage::set("versions = [\"1.3\"]").await;
    let mut client = stage.by_hand_with(stage.authority.trusted_in(&[&TLS12])).await;
    let hello = client.words();
    client.send(&[hello, vec![0; 100_000]].concat()).await;
    assert_eq!(heard(&mut client.beneath).await.unwrap(), alert(70), "protocol_version, and no reset that would eat it");
    assert_eq!(stage.refused().await, "500 tls_failed -");
}

#[tokio::test]
async fn a_client_that_speaks_no_version_of_the_profile_hears_so_and_the_log_says_which() {
    let old = || Spec { legacy_version: 0x0302, extensions: Some(vec![server_name("api.test")]), ..Spec::default() };
    let new = || Spec { extensions: Some(vec![supported_versions(&[0x0304]), server_name("api.test")]), ..Spec::default() };
    let cases = [
        (old(), "", "the client offers TLS 1.1 at most, and the profile speaks TLS 1.3 and TLS 1.2"),
        (new(), "versions = [\"1.2\"]", "the client offers TLS 1.3, and the profile speaks TLS 1.2"),
    ];
    for (hello, profile, words) in cases {
        let stage = Stage::set_logging(profile, "[access_log.json]\nfile = \"{folder}/json\"\nformat = \"json\"\n").await;
        assert_eq!(stage.gate.hears(&client_hello(&hello)).await, alert(70), "protocol_version");
        assert_eq!(stage.refused().await, "500 tls_failed -");
        assert!(stage.gate.lines("json", 1).await[0].contains(words), "{:?}", stage.gate.lines("json", 1).await);
    }
}

#[tokio::test]
async fn a_name_that_changes_on_retry_is_refused() {
    let stage = Stage::set("groups = [\"secp384r1\"]").await;
    let mut client = stage.by_hand().await;
    client.speak().await;
    client.listen().await;
    let retry = client.words();
    let at = retry.windows(8).position(|window| window == b"api.test").expect("the second hello has a name too");
    client.send(&[&retry[..at], b"bpi.test", &retry[at + 8..]].concat()).await;
    assert_eq!(heard(&mut client.beneath).await.unwrap(), alert(ILLEGAL_PARAMETER));
    assert_eq!(stage.refused().await, "400 malformed_hello -");
}

#[tokio::test]
async fn a_retry_with_the_same_name_goes_through() {
    let stage = Stage::set("groups = [\"secp384r1\"]").await;
    let mut client = stage.connect(stage.authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "api");
}

#[tokio::test]
async fn a_wrong_name_and_a_missing_one_are_an_unrecognized_name() {
    let stage = Stage::set("").await;
    for hello in [hello("other.test"), unnamed()] {
        assert_eq!(stage.gate.hears(&hello).await, alert(UNRECOGNIZED_NAME));
    }
    assert_eq!(stage.server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_is_rejected_hears_its_alert_before_tls_ends() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let profile = authority.profile("public", &["api.test"], "");
    let listener = "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nroutes = \"map\"\n";
    let map = format!("[routes.map.hosts]\n\"api.test\" = \"{}\"\n\"old.test\" = {{ reject = \"access_denied\" }}\n", server.address);
    let gate = Gate::start(&format!("{listener}{map}{profile}"));
    assert_eq!(gate.hears(&hello("old.test")).await, alert(49));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "api");
}

#[tokio::test]
async fn plain_http_to_a_port_that_ends_tls_is_closed_without_a_word() {
    let stage = Stage::set("").await;
    assert_eq!(stage.gate.hears(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await, b"");
    assert_eq!(stage.refused().await, "500 not_tls -");
}

#[tokio::test]
async fn plain_http_to_a_listener_that_ends_tls_is_closed_without_a_word() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let profile = authority.profile("public", &["api.test"], "");
    let listener = format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n", server.address);
    let gate = Gate::start(&format!("{listener}{profile}"));
    assert_eq!(gate.hears(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await, b"");
    gate.until(|totals| totals.refusals.get("not_tls") == Some(&1)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_order_of_ciphers_decides_if_it_is_written_and_else_the_clients() {
    // The client would have the last of these, by its own order.
    let ciphers = ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"];
    for (profile, decided) in [(format!("ciphers = {ciphers:?}"), ciphers[0]), (String::new(), ciphers[2])] {
        let stage = Stage::set(&profile).await;
        let mut client = stage.connect(stage.authority.trusted()).await;
        assert_eq!(ask(&mut client, b"question").await, "api");
        let suite = client.get_ref().1.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(vestibule::tls::cipher_name(suite), decided, "{profile}");
    }
}

#[tokio::test]
async fn a_version_of_which_no_cipher_is_written_keeps_its_own() {
    for ciphers in ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"] {
        let stage = Stage::set(&format!("ciphers = [{ciphers:?}]")).await;
        let mut agreed = Vec::new();
        for version in [&TLS12, &TLS13] {
            let mut client = stage.connect(stage.authority.trusted_in(&[version])).await;
            assert_eq!(ask(&mut client, b"question").await, "api");
            agreed.push(vestibule::tls::cipher_name(client.get_ref().1.negotiated_cipher_suite().unwrap().suite()));
        }
        assert!(agreed.contains(&ciphers), "{agreed:?}");
    }
}

#[tokio::test]
async fn what_was_agreed_on_is_in_the_variables() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let log = "[access_log.a]\nfile = \"{folder}/log\"\n\
        format = \"$ssl_server_name|$ssl_protocol|$ssl_cipher|$ssl_session_reused|$ssl_alpn_protocol|$ssl_client_verify|\
        $ssl_client_s_dn|$ssl_session_id\"\n";
    let target = ends_at_gate(&authority, &server, "alpn = [\"h2\", \"http/1.1\"]\nsession_tickets = false");
    let gate = Gate::start(&routes(&[], &format!("{target}{log}")));
    let mut config = ClientConfig::clone(&authority.trusted_in(&[&TLS13]));
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    for config in [Arc::new(config), authority.trusted_in(&[&TLS12])] {
        let mut client = connect_tls(gate.address("https"), "api.test", config).await;
        assert_eq!(ask(&mut client, b"question").await, "api");
        drop(client);
        gate.until(|totals| totals.open == 0).await;
    }
    let lines = gate.lines("log", 2).await;
    assert_eq!(lines[0], "api.test|TLSv1.3|TLS_AES_256_GCM_SHA384|.|h2|NONE|-|-");
    let (rest, id) = lines[1].rsplit_once('|').unwrap();
    assert_eq!(rest, "api.test|TLSv1.2|ECDHE-ECDSA-AES256-GCM-SHA384|.|-|NONE|-");
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

#[tokio::test]
async fn what_is_counted_is_plaintext() {
    let (authority, server) = (Authority::new(), Server::named("api").await);
    let log = "[access_log.a]\nfile = \"{folder}/log\"\n\
        format = \"$bytes_received $bytes_sent $upstream_bytes_sent $upstream_bytes_received\"\n";
    let gate = Gate::start(&routes(&[], &format!("{}{log}", ends_at_gate(&authority, &server, ""))));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(ask(&mut client, b"question").await, "api");
    assert_eq!(gate.lines("log", 1).await, ["8 3 8 3"]);
}

#[tokio::test]
async fn of_a_client_that_only_hears_an_answer_no_plaintext_is_counted() {
    let authority = Authority::new();
    let profile = authority.profile("public", &["api.test"], "");
    let target = "[routes.map.hosts.\"api.test\"]\nrespond = \"answer\"\nterminate = \"public\"\n";
    let log = "[access_log.a]\nfile = \"{folder}/log\"\nformat = \"$bytes_received $bytes_sent\"\n";
    let gate = Gate::start(&routes(&[], &format!("{target}{profile}{log}")));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
    assert_eq!(heard(&mut client).await.unwrap(), b"answer");
    assert_eq!(gate.lines("log", 1).await, ["0 6"]);
}

#[tokio::test]
async fn new_keys_in_mid_stream_change_nothing() {
    let (authority, server) = (Authority::new(), Server::echo().await);
    let gate = Gate::start(&routes(&[], &ends_at_gate(&authority, &server, "")));
    let mut client = connect_tls(gate.address("https"), "api.test", authority.trusted_in(&[&TLS13])).await;
    for word in [b"one", b"two", b"six"] {
        client.write_all(word).await.unwrap();
        let mut echo = [0; 3];
        within(client.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, word);
        client.get_mut().1.refresh_traffic_keys().unwrap();
    }
    assert_eq!(ask(&mut client, b"end").await, "end");
}
