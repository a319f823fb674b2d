//! The servers of an upstream, as far as they can be told where none is asked: for `vestibule route`.

use tokio::time::Instant;

use crate::upstream::{Balance, ServerLine, Upstream};

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
    let all: Vec<_> = known.into_iter().chain(named.map(|line| one(&line.written, line, line.backup))).collect();
    let servers = if all.is_empty() { "no server".into() } else { all.join(", ") };
    let down: Vec<_> = upstream.lines().iter().filter(|line| line.down).map(|line| &*line.written).collect();
    let down = if down.is_empty() { String::new() } else { format!("; down: {}", down.join(", ")) };
    let unknown = match balance {
        Balance::LeastConn | Balance::LeastTime => "the order while none has sessions, which are not known here, nor is health",
        Balance::Random | Balance::RandomTwo => "chance decides the order; health is not known here",
        Balance::RoundRobin | Balance::Hash | Balance::ConsistentHash => "health is not known here",
    };
    format!("{by} {servers}{down}; {unknown}")
}

/// In the order in which a session would meet them.
fn met(upstream: &Upstream, key: &[u8]) -> Vec<String> {
    let order = upstream.order(key, Instant::now());
    order.iter().map(|server| one(server.address_text(), server.line(), server.is_backup())).collect()
}

/// All that are in use and whose addresses are written.
fn written(upstream: &Upstream) -> Vec<String> {
    let lines = upstream.lines().iter().filter(|line| !line.address.is_name() && !line.down);
    lines.map(|line| one(&line.address.to_string(), line, line.backup)).collect()
}

/// One server, with what was written of it that decides how often it is asked.
fn one(address: &str, line: &ServerLine, backup: bool) -> String {
    let notes = [
        line.address.is_name().then(|| "by DNS".to_owned()),
        (line.weight != 1).then(|| format!("weight {}", line.weight)),
        (line.max_conns != 0).then(|| format!("max_conns {}", line.max_conns)),
        backup.then(|| "backup".to_owned()),
    ];
    let notes: Vec<_> = notes.into_iter().flatten().collect();
    if notes.is_empty() { address.to_owned() } else { format!("{address} ({})", notes.join(", ")) }
}
