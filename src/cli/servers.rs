//! The servers of an upstream, as far as they can be told where none is asked: for `vestibule route`.

use tokio::time::Instant;

use crate::upstream::{Balance, Upstream};

/// How the upstream picks, what it picks from, and what is not known of it here.
pub(super) fn told(upstream: &Upstream, key: &[u8]) -> String {
    let balance = upstream.balance();
    let by = match balance.is_hash() {
        true if key.is_empty() => format!("{balance} of an empty key, so in turn:"),
        true => format!("{balance} of \"{}\":", key.escape_ascii()),
        false => format!("{balance} over"),
    };
    let known = if balance.is_random() { written(upstream) } else { met(upstream, key) };
    let named = upstream.lines().iter().filter(|line| line.address.is_name() && !line.down);
    let all: Vec<_> = known.into_iter().chain(named.map(|line| format!("{} (by DNS)", line.written))).collect();
    let servers = if all.is_empty() { "no server".into() } else { all.join(", ") };
    let unknown = match balance {
        Balance::LeastConn | Balance::LeastTime => "the order while none has sessions, which are not known here, nor is health",
        Balance::Random | Balance::RandomTwo => "chance decides the order; health is not known here",
        Balance::RoundRobin | Balance::Hash | Balance::ConsistentHash => "health is not known here",
    };
    format!("{by} {servers}; {unknown}")
}

/// In the order in which a session would meet them.
fn met(upstream: &Upstream, key: &[u8]) -> Vec<String> {
    upstream.order(key, Instant::now()).iter().map(|server| one(server.address_text(), server.is_backup())).collect()
}

/// All that are in use, as they are written.
fn written(upstream: &Upstream) -> Vec<String> {
    upstream.status().iter().filter(|server| !server.down).map(|server| one(&server.address, server.backup)).collect()
}

fn one(address: &str, backup: bool) -> String {
    if backup { format!("{address} (backup)") } else { address.to_owned() }
}
