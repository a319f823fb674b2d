//! The same maps in a real nginx and in the gateway, asked by the same clients; and what both say of the servers they tried.

use std::net::{Ipv4Addr, SocketAddr};

use regex::Regex;
use tokio::io::AsyncWriteExt;

use super::histories;
use super::nginx::Nginx;
use crate::harness::{Gate, Server, connect, connect_from, heard, refusing, said, until};

const MODULE: &str = "load_module modules/ngx_stream_module.so;\nevents {}\n";

#[tokio::test]
async fn maps_say_what_nginx_says() {
    let Some(program) = histories::nginx() else { return };
    let nginx = Nginx::start_by(&program, |port, _| {
        format!(
            r#"{MODULE}stream {{
split_clients $remote_addr $a {{ 0.5% one; 10% two; 33.33% three; * rest; }}
split_clients "${{remote_addr}}AAA" $b {{ 20% x; 30% y; 50% z; }}
split_clients "$remote_addr, $remote_addr" $c {{ 1% x; 12.34% y; }}
geo $d {{ default world; 127.0.0.0/9 low; 127.1.0.0/16 one; 127.1.2.0/24 some; 127.1.2.3/32 it; }}
map $remote_addr $e {{ default other; 127.1.2.3 exact; ~^127\.(?<net>\d+)\.(\d)\.(\d+)$ "$net-$2-$3"; ~77 late; ~7 later; "~\.[01]\." never; }}
map "$a $b" $f {{ "REST x" $d; "rest y" "$e $a"; }}
server {{ listen 127.0.0.1:{port}; return "$a|$b|$c|$d|$e|$f"; }} }}"#
        )
    })
    .await;
    let gate = Gate::start(
        r#"[listener.here]
listen = "127.0.0.1:0"
respond = "$a|$b|$c|$d|$e|$f"
[map.a]
of = "$remote_addr"
shares = [{ percent = 0.5, value = "one" }, { percent = 10, value = "two" }, { percent = 33.33, value = "three" }, { value = "rest" }]
[map.b]
of = "${remote_addr}AAA"
shares = [{ percent = 20, value = "x" }, { percent = 30, value = "y" }, { percent = 50, value = "z" }]
[map.c]
of = "$remote_addr, $remote_addr"
shares = [{ percent = 1, value = "x" }, { percent = 12.34, value = "y" }]
[map.d]
of = "$remote_addr"
default = "world"
ranges = { "127.0.0.0/9" = "low", "127.1.0.0/16" = "one", "127.1.2.0/24" = "some", "127.1.2.3" = "it" }
[map.e]
of = "$remote_addr"
default = "other"
values = { "127.1.2.3" = "exact" }
patterns = [
  { match = '^127\.(?<net>\d+)\.(\d)\.(\d+)$', value = "$net-$2-$3" },
  { match = '77', value = "late" },
  { match = '7', value = "later" },
  { match = '\.[01]\.', value = "never" },
]
[map.f]
of = "$a $b"
values = { "REST x" = "$d", "rest y" = "$e $a" }
"#,
    );
    let mut shares = [0; 4];
    for client in clients() {
        let theirs = said(&mut connect_from(&client, SocketAddr::from((Ipv4Addr::LOCALHOST, nginx.port))).await).await;
        let ours = said(&mut connect_from(&client, gate.address("here")).await).await;
        assert_eq!(ours, theirs, "{client}");
        let share = ["one|", "two|", "three|", "rest|"].iter().position(|share| ours.starts_with(share)).unwrap();
        shares[share] += 1;
    }
    assert!(shares.iter().all(|count| *count > 0), "each share has somebody: {shares:?}");
}

/// Addresses of the loopback network: some that the maps name, and 2,000 all over it.
fn clients() -> impl Iterator<Item = String> {
    let named = ["127.1.2.3", "127.1.2.4", "127.1.3.1", "127.0.0.1", "127.200.0.1", "127.3.123.77", "127.3.123.7"];
    let others = (1..=2_000_u32).map(|n| Ipv4Addr::from(127 << 24 | n.wrapping_mul(0x9e37_79b1) >> 8 | 1).to_string());
    named.into_iter().map(str::to_owned).chain(others)
}

/// A log's fields of the servers that were tried.
const TRIES: &str = "$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|$upstream_connect_time|$upstream_first_byte_time|\
                     $upstream_session_time|$bytes_received|$bytes_sent|$status";

#[tokio::test]
async fn tries_are_told_as_nginx_tells_them() {
    let Some(program) = histories::nginx() else { return };
    let (server, gone, also_gone) = (Server::named("served").await, refusing().await, refusing().await);
    let nginx = Nginx::start_by(&program, |port, folder| {
        format!(
            "{MODULE}stream {{ log_format tries '{TRIES}'; access_log {}/tries tries; proxy_half_close on;\n\
             upstream second {{ server {gone}; server {}; }}\nupstream nobody {{ server {gone}; server {also_gone}; }}\n\
             server {{ listen 127.0.0.1:{port}; return 'a text'; }}\nserver {{ listen 127.0.0.2:{port}; proxy_pass second; }}\n\
             server {{ listen 127.0.0.3:{port}; proxy_pass nobody; }} }}",
            folder.display(),
            server.address
        )
    })
    .await;
    // Whether it is there was asked for on the first of these.
    let asked = lines(&nginx.folder().join("tries"), 1).await;
    let gate = Gate::start(&format!(
        "[access_log.tries]\nfile = \"{{folder}}/tries\"\nformat = '{TRIES}'\n\
         [listener.one]\nlisten = \"127.0.0.1:0\"\nupstream = \"second\"\n[listener.two]\nlisten = \"127.0.0.1:0\"\nupstream = \"nobody\"\n\
         [listener.three]\nlisten = \"127.0.0.1:0\"\nrespond = \"a text\"\n\
         [upstream.second]\nservers = [\"{gone}\", \"{}\"]\n[upstream.nobody]\nservers = [\"{gone}\", \"{also_gone}\"]\n",
        server.address
    ));
    let theirs = |n: u8| SocketAddr::from(([127, 0, 0, n], nginx.port));
    let mut told = 0;
    for (listener, address) in [("one", theirs(2)), ("two", theirs(3)), ("two", theirs(3)), ("three", theirs(1))] {
        ask(address).await;
        ask(gate.address(listener)).await;
        told += 1;
        let ours = gate.lines("tries", told).await.pop().unwrap();
        let theirs = lines(&nginx.folder().join("tries"), asked.len() + told).await.pop().unwrap();
        assert_eq!(without_times(&ours), without_times(&theirs), "{listener}: {ours} and {theirs}");
    }
}

/// Says something, and hears whatever there is to hear; nginx resets who says something where nobody listens.
async fn ask(address: SocketAddr) {
    let mut client = connect(address).await;
    if client.write_all(b"hello").await.is_ok() && client.shutdown().await.is_ok() {
        let _ = heard(&mut client).await;
    }
}

async fn lines(file: &std::path::Path, at_least: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    until(|| read().lines().count() >= at_least).await;
    read().lines().map(str::to_owned).collect()
}

/// A line in which all times are alike.
fn without_times(line: &str) -> String {
    Regex::new(r"\b\d+\.\d{3}\b").unwrap().replace_all(line, "T").into_owned()
}
