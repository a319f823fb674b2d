//! Both sockets are real, and the turns are taken by hand where it matters who comes first.

mod rates;

use super::*;
use crate::net::{FirstBytes, Socket, drive};
use crate::session::Peer;
use direction::MOST_IN_A_TURN;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The gateway's end of a connection, and the other side's.
fn pair(first_bytes: FirstBytes) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, from) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    (Socket::accepted(accepted.into(), Peer::Ip(from), first_bytes).unwrap(), other)
}

fn says_and_breaks(mut side: TcpStream, bytes: &[u8]) {
    side.write_all(bytes).unwrap();
    socket2::SockRef::from(&side).set_linger(Some(Duration::ZERO)).unwrap();
}

/// How it ends, and the bytes from the client, to the server, from the server and to the client.
async fn ends(client: &Socket, server: &Socket, first: &[u8]) -> (RelayEnd, [u64; 4]) {
    let limits = RelayLimits { idle_timeout: Duration::from_secs(20), half_close: true };
    let counts = Counts::default();
    let end = tokio::select! {
        end = relay(client, server, first.into(), 0, &limits, None, &counts) => end,
        driven = drive() => panic!("{driven:?}"),
    };
    (end, [&counts.from_client, &counts.to_server, &counts.from_server, &counts.to_client].map(Cell::get))
}

#[tokio::test]
async fn what_moved_right_before_a_break_is_counted() {
    let ((client, _client), (server, other)) = (pair(FirstBytes::ToCome), pair(FirstBytes::Waiting));
    says_and_breaks(other, b"answer");
    assert_eq!(ends(&client, &server, b"").await, (RelayEnd::ServerReset, [0, 0, 6, 6]));
}

#[tokio::test]
async fn the_first_byte_of_a_server_is_heard_of_once() {
    let ((client, asking), (server, mut answering)) = (pair(FirstBytes::ToCome), pair(FirstBytes::ToCome));
    let heard = Cell::new(0);
    let hear = |_| heard.set(heard.get() + 1);
    let counts = Counts { on_first_byte: Some(&hear), ..Counts::default() };
    let limits = RelayLimits { idle_timeout: Duration::from_secs(20), half_close: true };
    let mut going = pin!(relay(&client, &server, Vec::new(), 0, &limits, None, &counts));
    (&asking).write_all(b"question").unwrap();
    let mut moved = async |enough: &dyn Fn() -> bool| loop {
        tokio::select! {
            biased;
            end = &mut going => panic!("{end:?}"),
            driven = drive() => panic!("{driven:?}"),
            () = tokio::task::yield_now() => if enough() { break },
        }
    };
    moved(&|| counts.to_server.get() == 8).await;
    assert_eq!(heard.get(), 0, "the client's bytes are not the server's");
    for byte in 1..=2 {
        answering.write_all(b"!").unwrap();
        moved(&|| counts.from_server.get() == byte).await;
        assert_eq!(heard.get(), 1);
    }
}

#[tokio::test]
async fn a_direction_takes_its_turn_and_no_more() {
    let ((client, mut asking), (server, mut answering)) = (pair(FirstBytes::ToCome), pair(FirstBytes::ToCome));
    // On threads of their own, so that there is always more to move. They end with the sockets.
    thread::spawn(move || while answering.write_all(&[b'x'; 256 * 1024]).is_ok() {});
    thread::spawn(move || while asking.read(&mut [0; 256 * 1024]).is_ok_and(|length| length > 0) {});
    let counts = Counts::default();
    let limits = RelayLimits { idle_timeout: Duration::from_secs(20), half_close: true };
    let mut going = pin!(relay(&client, &server, Vec::new(), 0, &limits, None, &counts));
    let down = || counts.from_server.get();
    let mut most = 0;
    let turns = poll_fn(|cx| {
        let before = down();
        let ended = going.as_mut().poll(cx);
        most = most.max(down() - before);
        if down() > 1 << 29 { Poll::Ready(None) } else { ended.map(Some) }
    });
    tokio::select! {
        ended = turns => assert_eq!(ended, None),
        driven = drive() => panic!("{driven:?}"),
    }
    assert!((1..=MOST_IN_A_TURN).contains(&most), "{most} bytes came down before any could go up");
}

#[tokio::test]
async fn a_servers_last_words_are_passed_on_though_a_write_finds_it_broken_first() {
    let ((client, _client), (server, other)) = (pair(FirstBytes::ToCome), pair(FirstBytes::ToCome));
    says_and_breaks(other, b"answer");
    assert_eq!(ends(&client, &server, b"question").await, (RelayEnd::ServerReset, [8, 0, 6, 6]));
}

#[tokio::test]
async fn a_clients_last_words_are_passed_on_though_a_write_finds_it_broken_first() {
    let ((client, other), (server, mut answering)) = (pair(FirstBytes::ToCome), pair(FirstBytes::Waiting));
    answering.write_all(b"answer").unwrap();
    says_and_breaks(other, b"goodbye");
    assert_eq!(ends(&client, &server, b"").await, (RelayEnd::ClientReset, [7, 7, 6, 0]));
}

/// A side that takes everything and lets nothing go until it is told to.
struct Holding<'s> {
    socket: &'s Socket,
    holds: Cell<bool>,
    ended: Cell<bool>,
}

impl Stream for Holding<'_> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_read(cx, buffer)
    }

    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.holds.set(true);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&self, _: &mut Context<'_>, _: &mut bool) -> Poll<io::Result<()>> {
        if self.holds.get() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_end(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended.set(true);
        Poll::Ready(Ok(()))
    }

    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_broken(cx)
    }

    fn expect_bytes(&self) {}
}

#[tokio::test]
async fn nothing_is_read_or_over_before_what_was_taken_is_on_its_way() {
    let ((client, mut asking), (server, _server)) = (pair(FirstBytes::ToCome), pair(FirstBytes::ToCome));
    let server = Holding { socket: &server, holds: Cell::new(false), ended: Cell::new(false) };
    let counts = Counts::default();
    let limits = RelayLimits { idle_timeout: Duration::from_secs(20), half_close: true };
    let mut going = pin!(relay(&client, &server, b"first".to_vec(), 0, &limits, None, &counts));
    asking.write_all(b"second").unwrap();
    asking.shutdown(std::net::Shutdown::Write).unwrap();
    let mut turn = async || {
        for _ in 0..50 {
            tokio::select! {
                biased;
                end = &mut going => panic!("{end:?}"),
                driven = drive() => panic!("{driven:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    };
    turn().await;
    assert_eq!((counts.from_client.get(), server.ended.get()), (5, false), "the first words are held back");
    server.holds.set(false);
    turn().await;
    assert_eq!((counts.from_client.get(), server.ended.get()), (11, false), "the second are");
    server.holds.set(false);
    turn().await;
    assert!(server.ended.get());
}
