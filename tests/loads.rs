//! Which server a session gets where that hangs on what the servers have to do, counted over all workers.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::harness::{BlackHole, Gate, Server, connect, hello, read, said};

/// Two listeners, `https` with a socket for each worker and `shared` with one for both, that lead to one upstream.
fn gate(upstream: &str) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 2\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"pool\"\n\
         [listener.shared]\nlisten = \"127.0.0.1:0\"\nupstream = \"pool\"\nreuse_port = false\n\
         [defaults]\nconnect_timeout = \"1s\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$upstream_addr\"\n[upstream.pool]\n{upstream}"
    ))
}

/// A session that goes on: its client, and the name of its server, which is one letter.
async fn begin(gate: &Gate, turn: usize) -> (TcpStream, String) {
    let mut client = connect(gate.address(if turn.is_multiple_of(3) { "https" } else { "shared" })).await;
    client.write_all(&hello("any.test")).await.unwrap();
    let name = String::from_utf8(read(&mut client, 1).await).unwrap();
    (client, name)
}

async fn begin_many(gate: &Gate, sessions: usize) -> Vec<(TcpStream, String)> {
    let mut begun = Vec::new();
    for turn in 0..sessions {
        begun.push(begin(gate, turn).await);
    }
    begun
}

fn names(sessions: &[(TcpStream, String)]) -> String {
    sessions.iter().map(|(_, name)| &**name).collect()
}

/// Ends those of one server, and waits until the gateway has nothing left of them.
async fn end(gate: &Gate, sessions: &mut Vec<(TcpStream, String)>, server: &str) {
    sessions.retain(|(_, name)| name != server);
    let left = sessions.len();
    gate.until(|totals| totals.open == left).await;
}

#[tokio::test]
async fn least_conn_fills_the_server_with_the_fewest_sessions() {
    let [a, b, c] = [Server::named("a").await, Server::named("b").await, Server::named("c").await];
    let gate = gate(&format!(
        "balance = \"least_conn\"\nservers = [\"{}\", {{ address = \"{}\", weight = 2 }}, \"{}\"]",
        a.address, b.address, c.address
    ));
    let mut sessions = begin_many(&gate, 8).await;
    assert_eq!(["a", "b", "c"].map(|name| names(&sessions).matches(name).count()), [2, 4, 2]);
    end(&gate, &mut sessions, "b").await;
    assert_eq!(names(&begin_many(&gate, 4).await), "bbbb");
}

#[tokio::test]
async fn a_full_server_gets_nobody_until_a_session_ends() {
    let [a, b] = [Server::named("a").await, Server::named("b").await];
    let gate = gate(&format!(
        "servers = [{{ address = \"{}\", max_conns = 3 }}, {{ address = \"{}\", max_conns = 2, backup = true }}]",
        a.address, b.address
    ));
    let mut sessions = begin_many(&gate, 5).await;
    assert_eq!(names(&sessions), "aaabb");
    let mut refused = connect(gate.address("https")).await;
    assert_eq!(said(&mut refused).await, "", "nobody has room for a sixth");
    assert_eq!(gate.lines("log", 1).await, ["pool"]);
    end(&gate, &mut sessions, "a").await;
    assert_eq!(names(&begin_many(&gate, 3).await), "aaa");
}

#[tokio::test]
async fn least_time_goes_by_the_first_byte_while_sessions_go_on() {
    const SLOW: Duration = Duration::from_secs(2);
    let quick = Server::named("q").await;
    let slow = Server::start(|mut stream, received| async move {
        received.add(&read(&mut stream, 1).await);
        sleep(SLOW).await;
        let _ = stream.write_all(b"s").await;
        // Until the client has gone, whose end nobody else waits for.
        let _ = said(&mut stream).await;
    })
    .await;
    let gate = gate(&format!("balance = \"least_time\"\nservers = [\"{}\", \"{}\"]", slow.address, quick.address));
    let first = begin_many(&gate, 2).await;
    assert_eq!(names(&first), "sq", "nothing is known of either");
    // One session of the slow one takes as long as very many here.
    assert_eq!(names(&begin_many(&gate, 10).await), "qqqqqqqqqq");
}

#[tokio::test]
async fn chance_finds_a_server_that_is_there() {
    let server = Server::named("a").await;
    let gone = crate::harness::refusing().await;
    for balance in ["random", "random_two"] {
        let gate = gate(&format!("balance = \"{balance}\"\nservers = [\"{gone}\", \"{}\"]", server.address));
        assert_eq!(names(&begin_many(&gate, 20).await), "a".repeat(20), "{balance}");
    }
}

#[tokio::test]
async fn while_a_probe_hangs_nobody_else_probes() {
    let (hole, server) = (BlackHole::open().await, Server::named("a").await);
    let gate = gate(&format!("servers = [{{ address = \"{}\", fail_timeout = \"0s\" }}, \"{}\"]", hole.address, server.address));
    assert_eq!(names(&begin_many(&gate, 1).await), "a", "after connect_timeout");
    let begun = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = connect(gate.address("https")).await;
        client.write_all(&hello("any.test")).await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(read(client, 1).await, b"a");
    }
    // Each probe takes the whole second of connect_timeout, and the next begins after it.
    let most = begun.elapsed().as_secs() as usize + 1;
    drop(clients);
    let lines = gate.lines("log", 41).await;
    let probes = lines.iter().filter(|line| line.contains(&hole.address.to_string())).count() - 1;
    assert!((1..=most).contains(&probes), "{probes} sessions waited for the black hole, {most} could");
}
