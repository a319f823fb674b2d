//! How a listener's sockets are bound, and which of these keys its addresses have no use for.

use super::Compiler;
use super::silence::keepalive;
use crate::address::ListenAddress;
use crate::config::{Listening, path_to};
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

impl Compiler {
    /// Warns of keys that none of a listener's addresses has a use for.
    pub(super) fn check_idle_keys(&mut self, name: &str, own: &Listening, addresses: &[ListenAddress]) {
        let is_v6 = |address: &ListenAddress| matches!(address, ListenAddress::Ip(ip) if ip.is_ipv6());
        let is_unix = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
        let (has_unix, has_ip) = (addresses.iter().any(is_unix), !addresses.iter().all(is_unix));
        let has_v6 = addresses.iter().any(is_v6);
        let keys = [
            ("mode", own.mode.is_some() && !has_unix, "unix socket"),
            ("ipv6_only", own.ipv6_only.is_some() && !has_v6, "IPv6 address"),
            ("keepalive", own.keepalive.is_some() && !has_ip, "IP address"),
            ("free_bind", own.free_bind.is_some() && !has_ip, "IP address"),
            ("interface", own.interface.is_some() && !has_ip, "IP address"),
            ("reuse_port", own.reuse_port.is_some() && !has_ip, "IP address"),
        ];
        for (key, _, of) in keys.into_iter().filter(|(_, is_idle, _)| *is_idle && !addresses.is_empty()) {
            let place = self.places.key(&path_to!["listener", name, key]);
            self.diagnostics.warning("idle-key", place, format!("`{key}` has no effect: this listener has no {of}")).help("leave it out");
        }
    }
}
