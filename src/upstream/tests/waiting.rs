//! Who waits for a server hears when others have found it dead, and that costs no further failure.

use std::net::TcpStream;

use tokio::time::timeout;

use super::*;
use crate::net::drive;
use crate::session::{Peer, Session};

/// Whether those who wait over this lease have been told.
async fn is_told(lease: &Lease) -> bool {
    timeout(Duration::ZERO, lease.given_up()).await.is_ok()
}

#[tokio::test]
async fn who_waits_is_told_at_the_last_failure_and_not_before() {
    let upstream = upstream(Balance::RoundRobin, [ServerLine { max_fails: 2, ..line("10.0.0.1:1") }, line("10.0.0.1:2")]);
    let now = Instant::now();
    let [waits, first, second] = [(); 3].map(|()| lease_of(&upstream, 1, now));
    first.failed(now);
    assert!(!is_told(&waits).await, "it may still be tried");
    second.failed(now);
    assert!(is_told(&waits).await, "it is left alone from now on");
}

#[tokio::test]
async fn who_waits_already_is_woken() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    let (waits, fails) = (lease_of(&upstream, 1, now), lease_of(&upstream, 1, now));
    let woken = timeout(Duration::from_secs(20), waits.given_up());
    let (woken, is_left_alone) = tokio::join!(biased; woken, async { fails.failed(now) });
    assert!(woken.is_ok() && is_left_alone);
}

#[tokio::test]
async fn a_probe_is_not_told_of_what_was_before_it() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    let late = lease_of(&upstream, 1, now);
    fails_once(&upstream, 1, now);
    let due = now + Duration::from_secs(11);
    let probe = lease_of(&upstream, 1, due);
    assert!(!is_told(&probe).await);
    late.failed(due);
    assert!(!is_told(&probe).await, "one from before the probe says nothing new");
}

#[tokio::test]
async fn asking_for_the_order_tells_nobody() {
    let upstream = upstream(Balance::RoundRobin, [line("10.0.0.1:1"), line("10.0.0.1:2")]);
    let now = Instant::now();
    let waits = lease_of(&upstream, 1, now);
    assert_eq!(upstream.order(b"", now).len(), 2);
    assert!(!is_told(&waits).await);
}

#[tokio::test]
async fn a_server_that_is_given_up_counts_one_failure_however_many_waited() {
    let (hole, _queue) = black_hole();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lines =
        [weighted(&hole.local_addr().unwrap().as_socket().unwrap().to_string(), 100), line(&server.local_addr().unwrap().to_string())];
    let pool = Pool::new(Arc::new(Upstream::new("web".into(), Balance::RoundRobin, lines.to_vec())), Arc::default());
    let connected = async {
        let (_, one, two, three) =
            tokio::join!(connect(&pool, 50), connect(&pool, 3_600_000), connect(&pool, 3_600_000), connect(&pool, 3_600_000));
        [one, two, three]
    };
    let tries = tokio::select! {
        tries = timeout(Duration::from_secs(20), connected) => tries.expect("one found out, and told the others"),
        driven = drive() => panic!("{driven:?}"),
    };
    assert_eq!(tries, [2; 3]);
    assert_eq!(pool.upstream.status()[0].fails, 1);
}

#[tokio::test]
async fn no_try_begins_too_late_though_a_name_was_waited_for() {
    let gone = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    gone.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let web = line(&gone.local_addr().unwrap().as_socket().unwrap().to_string());
    let [web, spare] = [web, line("spare.test:1")]
        .map(|line| Arc::new(Pool::new(Arc::new(Upstream::new("web".into(), Balance::RoundRobin, vec![line])), Arc::default())));
    web.fall_back_on(spare.clone());
    spare.upstream.names.begin();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let found = Found { address: server.local_addr().unwrap(), weight: None, backup: false, text: None };
    let tries_timeout = Duration::from_millis(50);
    let limits = ConnectLimits { connect_timeout: Duration::from_secs(20), next_upstream: true, tries: 0, tries_timeout };
    let mut session = Session::new(1, "a".into(), Peer::Unix, Peer::Unix, Instant::now(), std::time::SystemTime::now());
    let wanted = Wanted { first: b"", limits: &limits, source: None };
    let resolved_late = async {
        tokio::time::sleep(2 * tries_timeout).await;
        spare.upstream.set_servers(0, vec![found], Instant::now());
        spare.upstream.names.settle();
    };
    tokio::select! {
        (connected, ()) = async { tokio::join!(web.connect(&wanted, &mut session), resolved_late) } => {
            assert!(matches!(connected, Err(ConnectError::NoServer { .. })), "{connected:?}");
        }
        driven = drive() => panic!("{driven:?}"),
    }
    assert_eq!(spare.upstream.status()[0].sessions, 0);
}

#[tokio::test]
async fn who_waits_for_a_single_server_goes_on_to_the_fallback() {
    let (hole, _queue) = black_hole();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = |address: SocketAddr| {
        Pool::new(Arc::new(Upstream::new("web".into(), Balance::RoundRobin, vec![line(&address.to_string())])), Arc::default())
    };
    let web = pool(hole.local_addr().unwrap().as_socket().unwrap());
    web.fall_back_on(Arc::new(pool(server.local_addr().unwrap())));
    let connected = async { tokio::join!(connect(&web, 50), connect(&web, 3_600_000), connect(&web, 3_600_000)) };
    let tries = tokio::select! {
        tries = timeout(Duration::from_secs(20), connected) => tries.expect("one found out, and told the others"),
        driven = drive() => panic!("{driven:?}"),
    };
    assert_eq!(tries, (2, 2, 2));
}

/// Connects within so many milliseconds for each server, and says how many were tried.
async fn connect(pool: &Pool, milliseconds: u64) -> usize {
    let connect_timeout = Duration::from_millis(milliseconds);
    let limits = ConnectLimits { connect_timeout, next_upstream: true, tries: 0, tries_timeout: Duration::ZERO };
    let mut session = Session::new(1, "a".into(), Peer::Unix, Peer::Unix, Instant::now(), std::time::SystemTime::now());
    pool.connect(&Wanted { first: b"", limits: &limits, source: None }, &mut session).await.unwrap();
    session.tries.len()
}

/// A listener whose queue is full, and who stands in it.
fn black_hole() -> (socket2::Socket, TcpStream) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    // A queue for nobody has room for one.
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    (listener, TcpStream::connect(address).unwrap())
}
