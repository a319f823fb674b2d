//! What the log says of servers: when one is left alone and when it is back, each once, and the same of address families.

use tokio::time::Duration;

use super::families::Dead;
use super::group::Back;
use super::server::Endpoint;
use super::{Lease, Server, TryError};
use crate::address::Address;

macro_rules! tell {
    ($level:ident, $lease:expr, $($words:tt)+) => {
        match $lease.upstream() {
            upstream if upstream.of_clients => tracing::debug!(upstream = &**upstream.name(), $($words)+),
            upstream => tracing::$level!(upstream = &**upstream.name(), $($words)+),
        }
    };
}

/// A server is left alone from now on, for this failure and those before it.
pub(super) fn left_alone(lease: &Lease, error: &TryError) {
    let (address, line) = (lease.address_text(), lease.line());
    let (pause, fails, error) = (line.fail_timeout, line.max_fails, error.without_address());
    match fails {
        // Without a time it is not left alone, and each failure would be one to tell.
        _ if pause.is_zero() => {}
        1 => tell!(warn, lease, "server {address} is left alone for {pause:?}: {error}"),
        _ => tell!(warn, lease, "server {address} is left alone for {pause:?} after {fails} failures, the last: {error}"),
    }
}

/// A server was connected, and something is over by that.
pub(super) fn back(lease: &Lease, back: Back) {
    if let Some(after) = back.server.filter(|_| !lease.line().fail_timeout.is_zero()) {
        tell!(info, lease, "server {} is back after {:?}", lease.address_text(), rounded(after));
    }
    if back.family
        && let Some((family, _, name)) = family(lease)
    {
        tell!(info, lease, "{family} of {name} is reached again");
    }
}

/// The family of a server counts as dead from now on.
pub(super) fn dead(lease: &Lease, dead: Dead) {
    let Some((family, other, name)) = family(lease) else { return };
    match dead {
        Dead::StandsBack => tell!(warn, lease, "{family} of {name} is not reached: its addresses stand back for {other}"),
        Dead::LikeTheOther => tell!(warn, lease, "{family} of {name} is not reached either: its addresses are tried all the same"),
    }
}

/// A server's family, the other one, and the name that has both.
fn family(server: &Server) -> Option<(&str, &str, String)> {
    let (Address::Name(name, _) | Address::Service(name)) = &server.line().address else { return None };
    match server.endpoint() {
        Endpoint::Ip(address) if address.is_ipv6() => Some(("IPv6", "IPv4", name.to_string())),
        Endpoint::Ip(_) => Some(("IPv4", "IPv6", name.to_string())),
        Endpoint::Unix(_) => None,
    }
}

/// A time as exact as a reader wants it.
fn rounded(time: Duration) -> Duration {
    match time.as_secs() {
        0 => Duration::from_millis(time.subsec_millis().into()),
        seconds => Duration::from_secs(seconds),
    }
}
