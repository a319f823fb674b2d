//! `show = "upstreams"`: the upstreams and their servers, in the very form of nginx-upsync's `upstream_show`, which
//! programs read. It answers whoever connects with an HTTP response, not waiting for a request: so it is read by a browser, by
//! curl with any path, and by a plain connection.

use std::fmt::Write;

use crate::snapshot::Pools;
use crate::upstream::{ServerStatus, Upstream};

/// The answer, with its head.
pub(super) fn upstreams(pools: &Pools) -> Vec<u8> {
    let mut text = String::from(HEAD);
    if pools.is_empty() {
        text.push_str("No upstreams defined\n");
    }
    for pool in pools.values() {
        one(&pool.upstream, &mut text);
        text.push('\n');
    }
    text.into_bytes()
}

fn one(upstream: &Upstream, text: &mut String) {
    let servers = upstream.status();
    // Writing to memory cannot fail.
    let _ = writeln!(text, "Upstream name: {}; Backend server count: {}", upstream.name(), servers.len());
    for server in servers {
        let ServerStatus { address, weight, max_fails, fail_timeout, .. } = &server;
        let _ = write!(text, "        server {address} weight={weight} max_fails={max_fails} fail_timeout={}s", fail_timeout.as_secs());
        let notes = [(server.backup, " backup"), (server.down, " down")];
        text.extend(notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note));
        text.push_str(";\n");
    }
}

const HEAD: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
