//! As many bytes a second as were written, in each direction, and what is held back waits with its sender.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, timeout};

use crate::harness::program::Folder;
use crate::harness::tls::connect_tls;
use crate::harness::{Authority, ByHand, Gate, Process, Server, connect, fill_all, heard, hello, read, reset, routes, until, within};

const UPLOAD: usize = 400 * 1024;
const DOWNLOAD: usize = 1_000_000;
/// Both, as a file has them.
const KEYS: &str = "upload_rate = \"400k\"\ndownload_rate = \"8Mbit/s\"";
/// How long bytes are counted.
const SECONDS: usize = 10;
/// A machine that stalls makes a session slower, and never faster: so often it may.
const ATTEMPTS: usize = 4;

/// When bytes came, and how many.
type Arrivals = Vec<(Instant, usize)>;

async fn arrivals(mut from: impl AsyncRead + Unpin) -> Arrivals {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 256 * 1024]);
    while let length @ 1.. = from.read(&mut buffer).await.unwrap() {
        all.push((Instant::now(), length));
    }
    all
}

async fn send(mut to: impl AsyncWrite + Unpin, bytes: usize) {
    to.write_all(&vec![b'x'; bytes]).await.unwrap();
    to.shutdown().await.unwrap();
}

/// Holds a direction to its rate. No moment since `begun` has had more than it may, and a tenth of a second's worth; whether
/// there was as much of it as there should be is the answer.
fn keeps_to(rate: usize, begun: Instant, arrivals: &Arrivals) -> bool {
    assert!(arrivals.len() > 10, "it came at once");
    let mut sum = 0;
    for (at, bytes) in arrivals {
        sum += bytes;
        let most = (at.duration_since(begun).as_secs_f64() + 0.1) * rate as f64 + 1.0;
        assert!(sum as f64 <= most, "{sum} bytes in {:?}", at.duration_since(begun));
    }
    let lasted = arrivals.last().unwrap().0.duration_since(arrivals[0].0).as_secs_f64();
    let ratio = sum as f64 / lasted / rate as f64;
    eprintln!("{ratio:.4} of {rate} bytes a second");
    ratio >= 0.95
}

/// Has both sides send for ten seconds at once, over what `join` makes of a gate.
async fn rates_are_kept<C: AsyncRead + AsyncWrite>(gate: &Gate, server: &Flooding, join: impl AsyncFn(&Gate) -> C) {
    let mut slower = Vec::new();
    for _ in 0..ATTEMPTS {
        let begun = Instant::now();
        let (reads, writes) = split(join(gate).await);
        let exchange = async { tokio::join!(arrivals(reads), send(writes, UPLOAD * SECONDS)) };
        let (down, ()) = timeout(Duration::from_secs(60), exchange).await.unwrap();
        let up = within(server.arrivals.lock().await.recv()).await.unwrap();
        let kept = (keeps_to(UPLOAD, begun, &up), keeps_to(DOWNLOAD, begun, &down));
        if kept == (true, true) {
            return;
        }
        slower.push(kept);
    }
    panic!("as much as was written came neither the first time nor later (up, down): {slower:?}");
}

/// A server that sends for ten seconds at the rate of a download, and tells when bytes came.
struct Flooding {
    server: Server,
    arrivals: Mutex<tokio::sync::mpsc::UnboundedReceiver<Arrivals>>,
}

impl Flooding {
    async fn start() -> Self {
        let (tell, told) = unbounded_channel();
        let server = Server::start(move |stream, _| {
            let tell = tell.clone();
            async move {
                let (reads, writes) = split(stream);
                let (up, ()) = tokio::join!(arrivals(reads), send(writes, DOWNLOAD * SECONDS));
                tell.send(up).unwrap();
            }
        })
        .await;
        Self { server, arrivals: Mutex::new(told) }
    }
}

#[tokio::test]
async fn over_ten_seconds_both_directions_have_their_rates_where_tls_passes_through() {
    let server = Flooding::start().await;
    let gate = Gate::start(&routes(&[("api.test", &server.server)], &format!("[defaults]\n{KEYS}")));
    rates_are_kept(&gate, &server, async |gate: &Gate| {
        let mut client = gate.connect().await;
        let before = server.server.connections();
        client.write_all(&hello("api.test")).await.unwrap();
        // What is read together with a hello goes with it.
        until(|| server.server.connections() > before).await;
        client
    })
    .await;
}

#[tokio::test]
async fn over_ten_seconds_both_directions_have_their_rates_where_tls_ends() {
    let (authority, server) = (Authority::new(), Flooding::start().await);
    let profile = authority.profile("public", &["api.test"], "");
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"{}\"\n{KEYS}\n{profile}",
        server.server.address
    ));
    let trusted = authority.trusted();
    rates_are_kept(&gate, &server, async |gate: &Gate| connect_tls(gate.address("https"), "api.test", Arc::clone(&trusted)).await).await;
}

/// How long after the beginning of a session so many bytes have come.
async fn lasts(begun: Instant, client: &mut (impl AsyncRead + Unpin), bytes: usize) -> Duration {
    within(client.read_exact(&mut vec![0; bytes])).await.unwrap();
    begun.elapsed()
}

/// A server that sends this many bytes to whoever has said something.
async fn sending(bytes: usize) -> Server {
    Server::start(move |mut stream, received| async move {
        let mut first = vec![0; 4096];
        let length = stream.read(&mut first).await.unwrap();
        received.add(&first[..length]);
        // The test may have seen enough before it is through.
        let _ = stream.write_all(&vec![b'x'; bytes]).await;
    })
    .await
}

#[tokio::test]
async fn a_targets_rate_comes_before_its_listeners_and_that_before_the_default() {
    let server = sending(3_000_000).await;
    let address = server.address;
    let gate = Gate::start(&format!(
        "[defaults]\ndownload_rate = 1000\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\ndownload_rate = 2000\n\
         [listener.plain]\nlisten = \"127.0.0.1:0\"\nupstream = \"{address}\"\n\
         [routes.map.hosts]\n\"slow.test\" = \"{address}\"\n\"fast.test\" = {{ upstream = \"{address}\", download_rate = 0 }}\n"
    ));
    let waits = async |listener: &str, host: &str, bytes: usize| {
        let begun = Instant::now();
        let mut client = connect(gate.address(listener)).await;
        client.write_all(&hello(host)).await.unwrap();
        lasts(begun, &mut client, bytes).await
    };
    // At 1000 bytes a second that would take most of an hour.
    waits("https", "fast.test", 3_000_000).await;
    let slow = waits("https", "slow.test", 1200).await;
    assert!(slow >= Duration::from_millis(490), "200 bytes at once, and 1000 at 2000 a second, not in {slow:?}");
    let plain = waits("plain", "any.test", 1100).await;
    assert!(plain >= Duration::from_millis(990), "100 bytes at once, and 1000 at 1000 a second, not in {plain:?}");
}

#[tokio::test]
async fn a_template_says_the_rate_of_each_session() {
    let server = sending(3_000_000).await;
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[[routes.map.patterns]]\nhost = '(?<rate>\\w*)\\.test'\n\
         upstream = \"{}\"\ndownload_rate = \"${{rate}}\"\n",
        server.address
    ));
    let waits = async |host: &str, bytes: usize| {
        let begun = Instant::now();
        let mut client = gate.connect().await;
        client.write_all(&hello(host)).await.unwrap();
        lasts(begun, &mut client, bytes).await
    };
    for unlimited in ["0.test", "1g.test"] {
        waits(unlimited, 3_000_000).await;
    }
    let slow = waits("1k.test", 1126).await;
    assert!(slow >= Duration::from_millis(990), "102 bytes at once, and 1024 at as many a second, not in {slow:?}");
}

#[tokio::test]
async fn what_is_no_rate_limits_nothing_and_is_told_once() {
    let server = sending(3_000_000).await;
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[[routes.map.patterns]]\nhost = '(?<rate>.+)\\.test'\n\
         upstream = \"{}\"\nupload_rate = \"${{rate}}\"\n",
        server.address
    ))
    .await;
    for host in ["quick.test", "quicker.test"] {
        let mut client = gate.connect().await;
        client.write_all(&hello(host)).await.unwrap();
        lasts(Instant::now(), &mut client, 3_000_000).await;
    }
    let log = gate.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("is no rate")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("upload_rate: \"quick\" is no rate: such sessions have no limit"), "{}", told[0]);
}

#[tokio::test]
async fn a_first_hello_counts_and_is_not_held_back_itself() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], "[defaults]\nupload_rate = 200\n"));
    let begun = Instant::now();
    let (mut client, mut server) = by_hand.join(gate.address("https")).await;
    let owed = hello("api.test").len();
    client.write_all(b"?").await.unwrap();
    assert_eq!(read(&mut server, 1).await, b"?");
    let least = Duration::from_secs_f64((owed - 20) as f64 / 200.0);
    assert!(begun.elapsed() >= least, "{owed} bytes at 200 a second, and one more, in {:?}", begun.elapsed());
}

#[tokio::test]
async fn rates_hold_over_unix_sockets_too() {
    let folder = tempfile::tempdir().unwrap();
    let servers = UnixListener::bind(folder.path().join("server")).unwrap();
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"unix:{{folder}}/gate\"\nupstream = \"unix:{}/server\"\n{}",
        folder.path().display(),
        "upload_rate = 1000\ndownload_rate = 2000\n"
    ));
    let begun = Instant::now();
    let mut client = within(UnixStream::connect(gate.path("gate"))).await.unwrap();
    let (mut server, _) = within(servers.accept()).await.unwrap();
    client.write_all(&[b'x'; 1100]).await.unwrap();
    server.write_all(&[b'x'; 2200]).await.unwrap();
    let (up, down) = tokio::join!(lasts(begun, &mut server, 1100), lasts(begun, &mut client, 2200));
    assert!(up.min(down) >= Duration::from_millis(990), "{up:?} up, {down:?} down");
}

#[tokio::test]
async fn what_a_rate_holds_back_takes_no_memory_of_the_gateways() {
    const SESSIONS: usize = 64;
    let mut by_hand = ByHand::start().await;
    let gate = Process::start(&routes(&[("api.test", &by_hand.server)], "[process]\nworkers = 2\n[defaults]\nupload_rate = \"1k\"")).await;
    let mut sessions = vec![by_hand.join(gate.address()).await];
    fill_all(&[&sessions[0].0]).await;
    let before = gate.private_memory();
    for _ in 0..SESSIONS {
        sessions.push(by_hand.join(gate.address()).await);
    }
    let total = fill_all(&sessions[1..].iter().map(|(client, _)| client).collect::<Vec<_>>()).await;
    let each = gate.private_memory().saturating_sub(before) / SESSIONS;
    assert!(total / SESSIONS > 64 * 1024, "each has more to send than it may keep: {}", total / SESSIONS);
    assert!(each < 16 * 1024, "{each} bytes for each session that is held back");
}

#[tokio::test]
async fn a_client_that_dies_is_noticed_while_a_rate_holds_it() {
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&routes(&[("api.test", &by_hand.server)], "[defaults]\nupload_rate = 1\n"));
    // Its hello alone is owed for minutes.
    let (client, mut server) = by_hand.join(gate.address("https")).await;
    reset(client);
    gate.until(|totals| totals.open == 0).await;
    assert!(heard(&mut server).await.is_err(), "a reset stays one");
}

#[test]
fn a_rate_that_is_known_too_late_is_an_error_with_its_place() {
    let folder = Folder::with(
        "[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"10.0.0.1:1\"\nupload_rate = \"$bytes_sent\"\ndownload_rate = \"$sped\"\n",
    );
    let said = folder.run(&["check"]);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("routes.toml:4:16") && said.err.contains("$bytes_sent has no value before"), "{}", said.err);
    assert!(said.err.contains("routes.toml:5:18") && said.err.contains("no variable is named $sped"), "{}", said.err);
    assert!(said.err.contains("2 errors"), "each is told once: {}", said.err);
}
