//! What cannot be seen from outside: worn keys, what of a write is on its way, and when others have their turn.

use std::future::poll_fn;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::net::{FirstBytes, drive};
use crate::session::Peer;
use crate::tls::handshake::Wire;

type Client = StreamOwned<ClientConnection, TcpStream>;

/// Both ends of a connection whose handshake is over, in this version of TLS.
async fn joined(version: &'static SupportedProtocolVersion) -> (Socket, Layer, Client) {
    let made = rcgen::generate_simple_self_signed(["api.test".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let versions = [version];
    let server = ServerConfig::builder_with_protocol_versions(&versions).with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_protocol_versions(&versions).with_root_certificates(roots).with_no_client_auth();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, from) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    let socket = Socket::accepted(accepted.into(), Peer::Ip(from), FirstBytes::ToCome).unwrap();
    let shaking = thread::spawn(move || {
        let name = ServerName::try_from("api.test").unwrap();
        let mut client = StreamOwned::new(ClientConnection::new(Arc::new(client), name).unwrap(), other);
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        client
    });
    let accepted = driven(TlsAcceptor::from(Arc::new(server)).accept(Wire::to(&socket))).await.unwrap();
    let layer = Layer::new(accepted.into_inner().1.into());
    (socket, layer, shaking.join().unwrap())
}

async fn driven<T>(work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        driven = drive() => panic!("{driven:?}"),
    }
}

#[tokio::test]
async fn worn_keys_are_an_error_and_no_end_in_order() {
    let (socket, layer, _client) = joined(&TLS12).await;
    let tls = layer.over(&socket);
    let two_records = vec![b'x'; RECORD + 1];
    layer.state().records_left = Some(3);
    assert_eq!(driven(poll_fn(|cx| tls.poll_write(cx, &two_records))).await.unwrap(), two_records.len());
    driven(poll_fn(|cx| tls.poll_write(cx, &two_records))).await.unwrap_err();
    assert!(!layer.state().connection.wants_write(), "nothing is said of an end");
}

#[tokio::test]
async fn keys_wear_out_before_tls_1_3_only() {
    for (version, limited) in [(&TLS12, true), (&TLS13, false)] {
        let (socket, layer, _client) = joined(version).await;
        driven(poll_fn(|cx| layer.over(&socket).poll_write(cx, b"x"))).await.unwrap();
        let left = layer.state().records_left.unwrap();
        assert_eq!(left <= 1 << 24, limited, "{left} are left");
    }
}

#[tokio::test]
async fn what_the_socket_does_not_take_is_on_its_way_only_when_it_is_flushed() {
    let (socket, layer, mut client) = joined(&TLS13).await;
    let tls = layer.over(&socket);
    let chunk = vec![b'x'; SCRATCH_SIZE];
    let mut written = 0;
    let blocked = |cx: &mut Context<'_>| {
        let taken = tls.poll_write(cx, &chunk);
        Poll::Ready(taken.map(Result::unwrap))
    };
    while let Poll::Ready(length) = driven(poll_fn(blocked)).await {
        assert!(length > 0);
        written += length;
    }
    let waiting = poll_fn(|cx| {
        let mut moved = false;
        let flushed = tls.poll_flush(cx, &mut moved);
        Poll::Ready((flushed.is_pending(), moved))
    });
    assert_eq!(driven(waiting).await, (true, false), "the socket is full");
    let reading = thread::spawn(move || {
        let mut heard = vec![0; written];
        client.read_exact(&mut heard).unwrap();
        heard.iter().all(|&byte| byte == b'x')
    });
    let mut moved = false;
    driven(poll_fn(|cx| tls.poll_flush(cx, &mut moved))).await.unwrap();
    assert!(moved, "that it moves on is told");
    assert!(reading.join().unwrap());
}

#[tokio::test]
async fn records_without_data_leave_others_their_turn() {
    let (socket, layer, mut client) = joined(&TLS13).await;
    for _ in 0..30 {
        client.conn.refresh_traffic_keys().unwrap();
        client.flush().unwrap();
    }
    client.write_all(b"data").unwrap();
    let tls = layer.over(&socket);
    // Each of those records takes more than three reads.
    let mut buffer = [0; 8];
    let mut turns = 0;
    let length = driven(poll_fn(|cx| {
        turns += 1;
        tls.poll_read(cx, &mut buffer)
    }));
    assert_eq!(length.await.unwrap(), 4);
    assert_eq!(&buffer[..4], b"data");
    assert!(turns >= 30 * 3 / READS_WITHOUT_DATA, "all was read in {turns} turns");
}
