//! `keepalive` and `user_timeout` of an upstream.

use crate::config::{Keepalive as WrittenKeepalive, UpstreamKeys};
use crate::net::{Keepalive, Silence};

/// What the kernel does about servers that fall silent.
pub(super) fn silence(written: &UpstreamKeys, defaults: &UpstreamKeys) -> Silence {
    let keepalive = keepalive(written.keepalive.or(defaults.keepalive));
    Silence { keepalive, user_timeout: written.user_timeout.or(defaults.user_timeout) }
}

/// When the kernel asks a silent connection whether the other side is still there.
pub(super) fn keepalive(written: Option<WrittenKeepalive>) -> Option<Keepalive> {
    match written {
        None | Some(WrittenKeepalive::Off) => None,
        Some(WrittenKeepalive::On(times)) => {
            Some(Keepalive { idle: times.idle, interval: times.interval, count: times.count.map(u32::from) })
        }
    }
}
