//! What a client hears that is refused: its alert to the byte, then an orderly end; and no server hears anything.

use tokio::io::AsyncWriteExt;
use vestibule::session::alert::NAMES;

use crate::harness::hellos::{client_hello, padding, record, server_name, server_names};
use crate::harness::{Gate, Server, Spec, alert, heard, hello};
use crate::routing::{NOT_TLS, gate, sent, unnamed};

const UNRECOGNIZED_NAME: u8 = 112;

#[tokio::test]
async fn an_unknown_name_without_a_default_is_an_unrecognized_name() {
    let server = Server::named("shop").await;
    let gate = gate("", &format!("no_sni = \"{0}\"\nnot_tls = \"{0}\"\nhosts.\"shop.test\" = \"{0}\"", server.address));
    assert_eq!(gate.hears(&hello("nobody.test")).await, alert(UNRECOGNIZED_NAME));
    assert_eq!(gate.lines("log", 1).await, ["named - 500 no_route"]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_hello_without_a_name_and_nowhere_to_go_is_an_unrecognized_name() {
    let gate = gate("", "[[routes.map.patterns]]\nhost = '.*'\nupstream = \"127.0.0.1:1\"");
    assert_eq!(gate.hears(&unnamed()).await, alert(UNRECOGNIZED_NAME));
}

#[tokio::test]
async fn what_is_not_tls_is_closed_without_a_word_where_nothing_stands_for_it() {
    let server = Server::named("default").await;
    let gate = gate("", &format!("default = \"{}\"", server.address));
    for bytes in NOT_TLS {
        assert_eq!(gate.hears(bytes).await, b"", "{bytes:?}");
    }
    assert_eq!(gate.lines("log", NOT_TLS.len()).await, ["not_tls - 500 not_tls"; NOT_TLS.len()]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_is_not_tls_is_told_by_its_first_byte() {
    let gate = gate("", "not_tls = { respond = \"speak TLS, $remote_addr\\n\" }");
    assert_eq!(gate.hears(b"G").await, b"speak TLS, 127.0.0.1\n");
    assert_eq!(gate.lines("log", 1).await, ["not_tls not_tls 200 responded"]);
}

#[tokio::test]
async fn an_entry_none_of_whose_targets_fits_is_an_unrecognized_name() {
    let server = Server::named("api").await;
    let map = format!(
        "default = \"{0}\"\nhosts.\"api.test\" = [{{ from = [\"10.0.0.0/8\"], upstream = \"{0}\" }}, {{ alpn = [\"x\"], upstream = \"{0}\" }}]",
        server.address
    );
    let gate = gate("", &map);
    assert_eq!(gate.hears(&hello("api.test")).await, alert(UNRECOGNIZED_NAME));
    assert_eq!(gate.lines("log", 1).await, ["named api.test 500 no_target"]);
    assert_eq!(server.connections(), 0, "the default is for names that have no entry");
}

#[tokio::test]
async fn a_rejected_name_hears_the_alert_that_is_written() {
    let numbers = [
        ("access_denied", 49),
        ("certificate_unobtainable", 111),
        ("decode_error", 50),
        ("handshake_failure", 40),
        ("illegal_parameter", 47),
        ("insufficient_security", 71),
        ("internal_error", 80),
        ("no_application_protocol", 120),
        ("protocol_version", 70),
        ("record_overflow", 22),
        ("unrecognized_name", 112),
        ("user_canceled", 90),
    ];
    let mut known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(known, numbers.map(|(name, _)| name), "all of them are tried");
    let hosts: String = numbers.iter().map(|(name, number)| format!("\"n{number}.test\" = {{ reject = \"{name}\" }}\n")).collect();
    let gate = gate("", &format!("[routes.map.hosts]\n{hosts}"));
    for (name, number) in numbers {
        assert_eq!(gate.hears(&hello(&format!("n{number}.test"))).await, alert(number), "{name}");
    }
    assert!(gate.lines("log", numbers.len()).await[0].ends_with(" 500 rejected"));
}

#[tokio::test]
async fn a_name_that_is_to_be_closed_hears_nothing() {
    let gate = gate("", "hosts.\"old.test\" = { reject = \"close\" }");
    assert_eq!(gate.hears(&hello("old.test")).await, b"");
}

#[tokio::test]
async fn a_refused_client_that_goes_on_sending_still_hears_its_alert() {
    let gate = gate("", "");
    let mut client = gate.connect().await;
    client.write_all(&hello("nobody.test")).await.unwrap();
    gate.until(|totals| totals.ended == 1).await;
    client.write_all(&[7; 100_000]).await.unwrap();
    assert_eq!(heard(&mut client).await.expect("an orderly end, not a reset"), alert(UNRECOGNIZED_NAME));
}

/// A map in which everything leads to one server.
async fn all_to_one() -> (Gate, Server) {
    let server = Server::named("server").await;
    let map = format!(
        "default = \"{0}\"\nno_sni = \"{0}\"\nnot_tls = \"{0}\"\nhosts.\"api.test\" = \"{0}\"\n[[routes.map.patterns]]\nhost = '.*'\nupstream = \"{0}\"",
        server.address
    );
    (gate("", &map), server)
}

#[tokio::test]
async fn a_malformed_hello_goes_nowhere_and_hears_decode_error() {
    let (gate, server) = all_to_one().await;
    let whole = hello("api.test");
    let mut longer_inside = whole.clone();
    longer_inside[5 + 4 + 2 + 32] = 33;
    let broken = [
        ("an empty record", [&[22, 3, 1, 0, 0], &*whole].concat()),
        ("another message than a hello", record(0x0301, &[2, 0, 0, 0])),
        ("a session id that is longer than it may be", longer_inside),
        ("a record of another type inside", [&whole[..3], &[0, 1], &whole[5..6], &[21, 3, 3, 0, 2, 1, 0]].concat()),
        ("a server_name extension without a name", client_hello(&Spec::default().with(server_names(&[])))),
        ("lengths that disagree", client_hello(&Spec::default().with((0, vec![0, 9, 0, 0, 1, b'a'])))),
        ("bytes behind the hello in its record", record(0x0301, &[&whole[5..], &[0]].concat())),
    ];
    for (what, bytes) in &broken {
        assert_eq!(gate.hears(bytes).await, alert(50), "{what}");
    }
    assert_eq!(gate.lines("log", broken.len()).await, ["malformed - 400 malformed_hello"; 7]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_hello_that_reads_well_and_must_not_be_hears_illegal_parameter() {
    let (gate, server) = all_to_one().await;
    let forbidden = [
        ("two names", Spec::default().with(server_names(&[(0, b"api.test"), (0, b"evil.test")]))),
        ("an extension twice", Spec::named("api.test").with(server_name("api.test"))),
        ("a name of an unknown type", Spec::default().with(server_names(&[(1, b"api.test")]))),
        ("a name that is no host name", Spec::named("api test")),
        ("a name that is no ASCII", Spec::named("äpi.test")),
        ("a name with a zero byte", Spec::named("api.test\0.evil.test")),
    ];
    for (what, spec) in &forbidden {
        assert_eq!(gate.hears(&client_hello(spec)).await, alert(47), "{what}");
    }
    assert_eq!(gate.lines("log", forbidden.len()).await, ["malformed - 400 malformed_hello"; 6]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_hello_beyond_the_limit_goes_nowhere_and_hears_record_overflow() {
    let (gate, server) = all_to_one().await;
    let large = client_hello(&Spec::named("api.test").with(padding(33_000)));
    assert_eq!(gate.hears(&large).await, alert(22));
    assert_eq!(gate.lines("log", 1).await, ["too_large - 400 hello_too_large"]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_client_that_ends_before_its_hello_is_whole_touches_no_server() {
    let (gate, server) = all_to_one().await;
    let hello = hello("api.test");
    for length in [0, 1, 5, 6, hello.len() - 1] {
        assert_eq!(sent(&gate, &hello[..length]).await, "", "{length} bytes");
    }
    assert_eq!(gate.lines("log", 5).await, ["gone - 200 hello_gone"; 5]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_client_whose_first_bytes_nobody_looked_at_hears_no_alert() {
    let gate = Gate::start("[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"127.0.0.1$ssl_preread_server_name:9\"\n");
    assert_eq!(gate.hears(b"").await, b"", "it may speak anything");
    assert_eq!(gate.totals().refusals, [("forward_refused", 1)].into());
}
