//! A server that refuses, or is silent, or is gone: the next one is tried, and the client notices nothing.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, Instant};

use crate::harness::{BlackHole, Gate, Server, answer, heard, hello, read, refusing, reply, reset, said, until, within};

/// A gate with one upstream of these lines, which stand as they are in `servers`; `keys` are its listener's.
fn gate(keys: &str, servers: &[String]) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n{keys}\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[upstream.pool]\nservers = [{}]",
        servers.join(", ")
    ))
}

/// A server's line, with more keys.
fn line(address: SocketAddr, keys: &str) -> String {
    format!("{{ address = \"{address}\"{keys} }}")
}

fn plain(address: SocketAddr) -> String {
    line(address, "")
}

#[tokio::test]
async fn the_next_server_gets_the_very_bytes_when_one_refuses() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("", &[plain(gone), plain(server.address)]);
    let sent = [hello("any.test"), b"and early data".to_vec()].concat();
    assert_eq!(answer(&mut gate.connect().await, &sent).await, "alive");
    assert_eq!(server.received(0), sent);
    assert_eq!(gate.lines("log", 1).await, [format!("200 {gone}, {}", server.address)]);
}

#[tokio::test]
async fn a_server_that_refuses_costs_no_timeout() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    // Longer than a test waits for anything.
    let gate = gate("connect_timeout = \"1h\"", &[plain(gone), plain(server.address)]);
    assert_eq!(gate.ask("any.test").await, "alive");
}

#[tokio::test]
async fn the_next_server_gets_the_very_bytes_when_one_is_a_black_hole() {
    let (hole, server) = (BlackHole::open().await, Server::named("alive").await);
    let gate = gate("connect_timeout = \"200ms\"", &[plain(hole.address), plain(server.address)]);
    let begun = Instant::now();
    assert_eq!(gate.ask("any.test").await, "alive");
    assert!(begun.elapsed() >= Duration::from_millis(200), "it was given its time: {:?}", begun.elapsed());
    assert_eq!(server.received(0), hello("any.test"));
    assert_eq!(gate.lines("log", 1).await, [format!("200 {}, {}", hole.address, server.address)]);
}

#[tokio::test]
async fn without_next_upstream_one_server_is_tried() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("next_upstream = false", &[plain(gone), plain(server.address)]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("502 {gone}")]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn no_more_servers_are_tried_than_next_upstream_tries() {
    let (first, second, server) = (refusing().await, refusing().await, Server::named("alive").await);
    let gate = gate("next_upstream_tries = 2", &[plain(first), plain(second), plain(server.address)]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("502 {first}, {second}")]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn no_try_begins_after_next_upstream_timeout() {
    let (hole, server) = (BlackHole::open().await, Server::named("alive").await);
    let keys = "connect_timeout = \"200ms\"\nnext_upstream_timeout = \"100ms\"";
    let gate = gate(keys, &[plain(hole.address), plain(server.address)]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 1).await, [format!("502 {}", hole.address)]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_dead_server_is_left_alone_for_its_fail_timeout() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("", &[line(gone, ", fail_timeout = \"1h\""), plain(server.address)]);
    for _ in 0..20 {
        assert_eq!(gate.ask("any.test").await, "alive");
    }
    let lines = gate.lines("log", 20).await;
    assert_eq!(lines.iter().filter(|line| line.contains(&gone.to_string())).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_dead_server_is_left_alone_after_max_fails_failures() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("", &[line(gone, ", max_fails = 3, fail_timeout = \"1h\""), plain(server.address)]);
    for _ in 0..20 {
        assert_eq!(gate.ask("any.test").await, "alive");
    }
    let lines = gate.lines("log", 20).await;
    assert_eq!(lines.iter().filter(|line| line.contains(&gone.to_string())).count(), 3, "{lines:?}");
}

#[tokio::test]
async fn a_dead_server_is_probed_once_per_fail_timeout() {
    const FAIL_TIMEOUT: Duration = Duration::from_millis(100);
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("", &[line(gone, ", fail_timeout = \"100ms\""), plain(server.address)]);
    let begun = Instant::now();
    let mut sessions = 0;
    let probes = || {
        let log = std::fs::read_to_string(gate.path("log")).unwrap();
        log.lines().filter(|line| line.contains(&gone.to_string())).count()
    };
    // A session may take longer than all that.
    while begun.elapsed() < 4 * FAIL_TIMEOUT || probes() < 2 {
        let (one, other) = tokio::join!(gate.ask("any.test"), gate.ask("any.test"));
        assert_eq!((&*one, &*other), ("alive", "alive"));
        sessions += 2;
    }
    let most = begun.elapsed().as_millis() / FAIL_TIMEOUT.as_millis() + 1;
    gate.lines("log", sessions).await;
    assert!(probes() as u128 <= most, "{} probes by {sessions} sessions where {most} may be", probes());
}

#[tokio::test]
async fn a_server_that_comes_back_has_its_share_after_one_probe() {
    let (gone, server) = (refusing().await, Server::named("alive").await);
    let gate = gate("", &[line(gone, ", fail_timeout = \"50ms\""), plain(server.address)]);
    assert_eq!(gate.ask("any.test").await, "alive");
    let back = Server::start_on(TcpListener::bind(gone).await.unwrap(), |stream, _| async move {
        drop(reply(stream, "back").await);
    });
    let probed = async { while gate.ask("any.test").await != "back" {} };
    within(probed).await;
    let before = back.connections();
    for _ in 0..20 {
        gate.ask("any.test").await;
    }
    assert_eq!(back.connections() - before, 10);
}

#[tokio::test]
async fn a_backup_serves_only_when_no_primary_is_left() {
    let (gone, backup) = (refusing().await, Server::named("backup").await);
    let server = Server::named("primary").await;
    let lines = [line(backup.address, ", backup = true"), line(gone, ", fail_timeout = \"1h\""), plain(server.address)];
    let gate = gate("", &lines);
    for _ in 0..6 {
        assert_eq!(gate.ask("any.test").await, "primary");
    }
    assert_eq!(backup.connections(), 0);
    server.refuse();
    for _ in 0..3 {
        assert_eq!(gate.ask("any.test").await, "backup");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_never_tried() {
    let (down, gone) = (Server::named("down").await, refusing().await);
    let gate = gate("", &[line(down.address, ", down = true"), plain(gone)]);
    for _ in 0..3 {
        assert_eq!(gate.ask("any.test").await, "");
    }
    assert_eq!(gate.lines("log", 3).await, [format!("502 {gone}"), "502 pool".into(), "502 pool".into()]);
    assert_eq!(down.connections(), 0);
}

#[tokio::test]
async fn with_all_servers_dead_each_is_tried_and_then_the_group_is_named() {
    let (one, other, backup) = (refusing().await, refusing().await, refusing().await);
    let gate = gate("", &[plain(one), plain(other), line(backup, ", backup = true")]);
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.ask("any.test").await, "");
    assert_eq!(gate.lines("log", 2).await, [format!("502 {one}, {other}, {backup}"), "502 pool".into()]);
}

#[tokio::test]
async fn a_single_server_is_tried_however_often_it_failed() {
    let gone = refusing().await;
    let gate = gate("", &[line(gone, ", fail_timeout = \"1h\"")]);
    for _ in 0..3 {
        assert_eq!(gate.ask("any.test").await, "");
    }
    assert_eq!(gate.lines("log", 3).await, [format!("502 {gone}"), format!("502 {gone}"), format!("502 {gone}")]);
    let _back = Server::start_on(TcpListener::bind(gone).await.unwrap(), |stream, _| async move {
        drop(reply(stream, "back").await);
    });
    assert_eq!(gate.ask("any.test").await, "back");
}

#[tokio::test]
async fn a_session_is_never_tried_again_once_it_was_connected() {
    let broken = Server::start(|mut stream, _| async move {
        read(&mut stream, 1).await;
        reset(stream);
    })
    .await;
    let server = Server::named("other").await;
    let gate = gate("", &[line(broken.address, ", weight = 100"), plain(server.address)]);
    let mut client = gate.connect().await;
    client.write_all(&hello("any.test")).await.unwrap();
    assert!(heard(&mut client).await.is_err(), "a reset stays a reset");
    assert_eq!(gate.lines("log", 1).await, [format!("200 {}", broken.address)]);
    assert_eq!((broken.connections(), server.connections()), (1, 0));
}

#[tokio::test]
async fn a_connected_server_that_ends_at_once_is_no_failure() {
    let curt = Server::start(|mut stream, _| async move { drop(read(&mut stream, 1).await) }).await;
    let server = Server::named("other").await;
    let gate = gate("", &[line(curt.address, ", fail_timeout = \"1h\""), plain(server.address)]);
    for _ in 0..6 {
        let mut client = gate.connect().await;
        client.write_all(&hello("any.test")).await.unwrap();
        client.shutdown().await.unwrap();
        // Unread bytes make the end a reset now and then; how it ends is not the matter here.
        let _ = heard(&mut client).await;
    }
    assert_eq!((curt.connections(), server.connections()), (3, 3));
}

#[tokio::test]
async fn other_sessions_feel_nothing_while_one_waits_for_a_black_hole() {
    let (hole, echo) = (BlackHole::open().await, Server::echo().await);
    let gate = Gate::start(&format!(
        "[process]\nworkers = 1\n[defaults]\nconnect_timeout = \"1h\"\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map.hosts]\n\"hole.test\" = \"pool\"\n\"echo.test\" = \"{0}\"\n\
         [upstream.pool]\nservers = [\"{1}\", \"{0}\"]",
        echo.address, hole.address
    ));
    let mut before = gate.connect().await;
    before.write_all(&hello("echo.test")).await.unwrap();
    read(&mut before, hello("echo.test").len()).await;
    let mut waiting = gate.connect().await;
    waiting.write_all(&hello("hole.test")).await.unwrap();
    gate.until(|totals| totals.accepted == 2).await;
    for turn in 0..20 {
        before.write_all(&[turn; 1000]).await.unwrap();
        assert_eq!(read(&mut before, 1000).await, [turn; 1000]);
    }
    let mut next = gate.connect().await;
    next.write_all(&hello("hole.test")).await.unwrap();
    assert_eq!(read(&mut next, hello("hole.test").len()).await, hello("hole.test"), "the turn of the black hole was the other's");
    assert_eq!(gate.totals().open, 3);
}

/// A gate that leads to a black hole first, and to `servers` else. Sessions give a server an hour, but for those of
/// `hasty.test`, which give it 200 ms; those of `single.test` try no other.
fn gate_with_a_hole(hole: &BlackHole, servers: &[String], more: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\nconnect_timeout = \"1h\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$ssl_preread_server_name $status $upstream_addr\"\n\
         [routes.map]\ndefault = \"pool\"\n[routes.map.hosts]\n\"hasty.test\" = {{ upstream = \"pool\", connect_timeout = \"200ms\" }}\n\
         \"single.test\" = {{ upstream = \"pool\", next_upstream = false }}\n\
         [upstream.pool]\nservers = [{{ address = \"{}\", weight = 1000, fail_timeout = \"1h\" }}, {}]\n{more}",
        hole.address,
        servers.join(", ")
    ))
}

/// A client that has said its hello.
async fn client(gate: &Gate, host: &str) -> TcpStream {
    let mut client = gate.connect().await;
    client.write_all(&hello(host)).await.unwrap();
    client.shutdown().await.unwrap();
    client
}

/// Waits until so many sessions wait for the black hole to answer.
async fn waiting(hole: &BlackHole, sessions: usize) {
    until(|| hole.dialled() == sessions).await;
}

#[tokio::test]
async fn all_who_wait_for_a_black_hole_go_on_when_the_first_has_found_out() {
    let (hole, server) = (BlackHole::open().await, Server::named("alive").await);
    let gate = gate_with_a_hole(&hole, &[plain(server.address)], "");
    let mut patient = [client(&gate, "a.test").await, client(&gate, "b.test").await, client(&gate, "c.test").await];
    waiting(&hole, 3).await;
    assert_eq!(gate.ask("hasty.test").await, "alive");
    for client in &mut patient {
        assert_eq!(said(client).await, "alive");
    }
    let lines = gate.lines("log", 4).await;
    assert!(lines.iter().all(|line| line.ends_with(&format!(" 200 {}, {}", hole.address, server.address))), "{lines:?}");
    for _ in 0..5 {
        assert_eq!(gate.ask("late.test").await, "alive");
    }
    let lines = gate.lines("log", 9).await;
    assert!(lines[4..].iter().all(|line| *line == format!("late.test 200 {}", server.address)), "{lines:?}");
}

#[tokio::test]
async fn all_who_wait_for_a_black_hole_go_on_with_the_fallback() {
    let (hole, server) = (BlackHole::open().await, Server::named("spare").await);
    let more = format!("fallback = \"{}\"", server.address);
    let gate = gate_with_a_hole(&hole, &[line(refusing().await, ", down = true")], &more);
    let mut patient = client(&gate, "a.test").await;
    waiting(&hole, 1).await;
    assert_eq!(gate.ask("hasty.test").await, "spare");
    assert_eq!(said(&mut patient).await, "spare");
}

#[tokio::test]
async fn who_has_one_try_only_goes_on_waiting_for_a_black_hole() {
    let (hole, server) = (BlackHole::open().await, Server::named("alive").await);
    let gate = gate_with_a_hole(&hole, &[plain(server.address)], "");
    let _single = client(&gate, "single.test").await;
    waiting(&hole, 1).await;
    assert_eq!(gate.ask("hasty.test").await, "alive");
    still_waits(&gate, "single.test").await;
}

#[tokio::test]
async fn who_has_nobody_else_to_go_to_goes_on_waiting_for_a_black_hole() {
    let hole = BlackHole::open().await;
    let gate = gate_with_a_hole(&hole, &[line(refusing().await, ", down = true")], "");
    let _alone = client(&gate, "alone.test").await;
    waiting(&hole, 1).await;
    assert_eq!(gate.ask("hasty.test").await, "");
    still_waits(&gate, "alone.test").await;
}

/// Asks some more, after which a session that had been told to go on would have done so, and its server answered.
async fn still_waits(gate: &Gate, host: &str) {
    for _ in 0..20 {
        gate.ask("late.test").await;
    }
    let lines = gate.lines("log", 21).await;
    assert!(!lines.iter().any(|line| line.contains(host)), "{lines:?}");
    gate.until(|totals| totals.open == 1).await;
}
