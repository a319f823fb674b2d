//! The servers of an upstream, for people.

use std::fmt;

use super::explanation::{Order, Server, ServerTls, Upstream};
use super::text;

/// How the upstream picks, what it picks from, and what is not known of it here. `stands_in` for the one before it.
pub(super) fn told(f: &mut fmt::Formatter<'_>, upstream: &Upstream, stands_in: bool) -> fmt::Result {
    f.write_str("     ")?;
    if stands_in && upstream.at.is_none() {
        return writeln!(f, "then {}", upstream.name);
    }
    if stands_in {
        write!(f, "then upstream {}{}: ", upstream.name, asked(upstream))?;
    }
    picks(f, upstream)?;
    if !upstream.turns.is_empty() {
        writeln!(f, "     in turn: {}", upstream.turns.join(", "))?;
    }
    upstream.settings.iter().try_for_each(|setting| text::told(f, setting))
}

/// Whether servers are asked over TLS; nothing of those that are not.
pub(super) fn asked(upstream: &Upstream) -> &'static str {
    match upstream.tls {
        None => "",
        Some(ServerTls::Unverified) => ", its servers asked over TLS, not verified",
        Some(ServerTls::Verified) => ", its servers asked over TLS, verified",
    }
}

fn picks(f: &mut fmt::Formatter<'_>, upstream: &Upstream) -> fmt::Result {
    let balance = &upstream.balance;
    match upstream.hash_key.as_deref() {
        Some("") => write!(f, "{balance} of an empty key, so in turn: ")?,
        Some(key) => write!(f, "{balance} of \"{key}\": ")?,
        None => write!(f, "{balance} over ")?,
    }
    let servers: Vec<_> = upstream.servers.iter().map(one).collect();
    f.write_str(&if servers.is_empty() { "no server".into() } else { servers.join(", ") })?;
    if !upstream.down.is_empty() {
        write!(f, "; down: {}", upstream.down.join(", "))?;
    }
    if upstream.order == Order::Key && upstream.servers.iter().any(|server| server.by_dns) {
        f.write_str("; which keys go where DNS leads is not known here")?;
    }
    writeln!(f, "; {}", unknown(upstream.order))
}

/// What nobody knows who does not ask the gateway.
fn unknown(order: Order) -> &'static str {
    match order {
        Order::Load => "the order while none has sessions, which are not known here, nor is health",
        Order::Chance => "chance decides the order; health is not known here",
        Order::Turns | Order::Key => "health is not known here",
    }
}

/// One server, with what was written of it that decides how often it is asked.
fn one(server: &Server) -> String {
    let notes = [
        server.by_dns.then(|| "by DNS".to_owned()),
        (server.weight != 1).then(|| format!("weight {}", server.weight)),
        (server.max_conns != 0).then(|| format!("max_conns {}", server.max_conns)),
        (server.max_fails != 1).then(|| format!("max_fails {}", server.max_fails)),
        (server.fail_timeout != FAIL_TIMEOUT).then(|| format!("fail_timeout {}", server.fail_timeout)),
        (server.slow_start != NO_TIME).then(|| format!("slow_start {}", server.slow_start)),
        server.backup.then(|| "backup".to_owned()),
        server.out_of_reach.then(|| "out of the source's reach".to_owned()),
    ];
    let notes: Vec<_> = notes.into_iter().flatten().collect();
    if notes.is_empty() { server.address.clone() } else { format!("{} ({})", server.address, notes.join(", ")) }
}

/// What is built in.
const FAIL_TIMEOUT: &str = "10s";
const NO_TIME: &str = "0ms";
