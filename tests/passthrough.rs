//! What is forwarded is what came: byte for byte, however it was cut, and what stands behind the hello too.

use tokio::io::AsyncWriteExt;

use crate::harness::hellos::{client_hello, split_records};
use crate::harness::{Gate, Server, Spec, hello, routes, said};

#[tokio::test]
async fn each_name_reaches_its_own_server() {
    let (api, web) = (Server::named("api").await, Server::named("web").await);
    let gate = Gate::start(&routes(&[("api.test", &api), ("*.web.test", &web)], ""));
    assert_eq!(gate.ask("api.test").await, "api");
    assert_eq!(gate.ask("deep.er.web.test").await, "web");
    assert_eq!(gate.ask("API.test.").await, "api");
}

#[tokio::test]
async fn a_hello_sent_byte_by_byte_is_routed_and_forwarded_the_same() {
    let server = Server::named("api").await;
    let gate = Gate::start(&routes(&[("api.test", &server)], ""));
    let hello = hello("api.test");
    let mut client = gate.connect().await;
    for byte in &hello {
        client.write_all(&[*byte]).await.unwrap();
    }
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    assert_eq!(server.received(0), hello);
}

#[tokio::test]
async fn a_hello_of_one_byte_records_is_routed_and_forwarded_the_same() {
    let server = Server::named("api").await;
    let gate = Gate::start(&routes(&[("api.test", &server)], ""));
    let split = split_records(&client_hello(&Spec::named("api.test")), &[1]);
    let mut client = gate.connect().await;
    client.write_all(&split).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    assert_eq!(server.received(0), split, "the records stay as they were cut");
}

#[tokio::test]
async fn data_in_the_same_segment_as_the_hello_is_forwarded_behind_it() {
    let server = Server::named("api").await;
    let gate = Gate::start(&routes(&[("api.test", &server)], ""));
    let sent = [hello("api.test"), b"and early data".to_vec()].concat();
    let mut client = gate.connect().await;
    client.write_all(&sent).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(said(&mut client).await, "api");
    assert_eq!(server.received(0), sent);
}

#[tokio::test]
async fn megabytes_pass_both_ways_unchanged() {
    let server = Server::echo().await;
    let gate = Gate::start(&routes(&[("api.test", &server)], ""));
    let body: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let sent = [hello("api.test"), body].concat();
    let (mut from, mut to) = gate.connect().await.into_split();
    let sender = tokio::spawn({
        let sent = sent.clone();
        async move {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        }
    });
    let mut heard = Vec::new();
    crate::harness::within(tokio::io::AsyncReadExt::read_to_end(&mut from, &mut heard)).await.unwrap();
    sender.await.unwrap();
    assert!(heard == sent, "the echo is what was sent");
    assert!(server.received(0) == sent, "the server got what was sent");
}
