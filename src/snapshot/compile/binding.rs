//! How a listener's sockets are bound.

use super::silence::keepalive;
use crate::config::Listening;
use crate::snapshot::Binding;

pub(super) fn binding(own: &Listening, defaults: &Listening, defer_accept: bool) -> Binding {
    let bytes = |own: Option<u64>, default: Option<u64>| own.or(default).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Binding {
        backlog: u32::from(own.backlog.or(defaults.backlog).unwrap_or(511)),
        ipv6_only: own.ipv6_only.or(defaults.ipv6_only).unwrap_or(true),
        reuse_port: own.reuse_port.or(defaults.reuse_port).unwrap_or(true),
        defer_accept,
        keepalive: keepalive(own.keepalive.or(defaults.keepalive)),
        receive_buffer: bytes(own.receive_buffer, defaults.receive_buffer),
        send_buffer: bytes(own.send_buffer, defaults.send_buffer),
        mode: own.mode.or(defaults.mode).map(|mode| mode.0),
        free_bind: own.free_bind.or(defaults.free_bind).unwrap_or(false),
        interface: own.interface.as_deref().or(defaults.interface.as_deref()).map(Into::into),
    }
}
