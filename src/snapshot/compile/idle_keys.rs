//! Keys that are written where nothing asks for them, so that nobody counts on what they say.

use super::Compiler;
use super::datagrams::protocols;
use super::listener::peeks;
use crate::address::ListenAddress;
use crate::config::{self, AcceptProxyProtocol, Action, Config, Key, ListenerAction, SessionKeys, path_to};
use crate::session::Protocol;

/// What sessions do at the place where their keys stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Go {
    /// To a server.
    On,
    /// Nowhere: they are answered here.
    Answered,
    /// Nowhere: they are refused.
    Refused,
}

impl Compiler {
    /// Warns of a listener's own keys that have no effect there. Those of `[defaults]` are for other listeners as well.
    pub(super) fn check_idle_keys(&mut self, name: &str, written: &config::Listener, config: &Config, addresses: &[ListenAddress]) {
        if addresses.is_empty() {
            return;
        }
        let (own, protocols) = (&written.listening, protocols(written, config));
        let is_v6 = |address: &ListenAddress| matches!(address, ListenAddress::Ip(ip) if ip.is_ipv6());
        let is_unix = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
        let no_unix = (!addresses.iter().any(is_unix)).then_some("this listener has no unix socket");
        let no_ip = addresses.iter().all(is_unix).then_some("this listener has no IP address");
        let no_v6 = (!addresses.iter().any(is_v6)).then_some("this listener has no IPv6 address");
        let no_tcp = (!protocols.contains(&Protocol::Tcp)).then_some("only datagrams come here");
        let accepts = own.accept_proxy_protocol.or(config.defaults.listening.accept_proxy_protocol);
        let no_header = accepts.is_none_or(|accepts| accepts == AcceptProxyProtocol::Off).then_some("no PROXY header is read here");
        let no_hello = (!peeks(written, config)).then_some("no first bytes are read here");
        let keys = [
            ("mode", own.mode.is_some(), no_unix),
            ("ipv6_only", own.ipv6_only.is_some(), no_v6),
            ("keepalive", own.keepalive.is_some(), no_ip.or(no_tcp)),
            ("free_bind", own.free_bind.is_some(), no_ip),
            ("interface", own.interface.is_some(), no_ip),
            ("reuse_port", own.reuse_port.is_some(), no_ip),
            ("backlog", own.backlog.is_some(), no_tcp),
            ("defer_accept", own.defer_accept == Some(true), no_ip.or(no_tcp).or(no_header.and(no_hello))),
            ("preread_timeout", own.preread_timeout.is_some(), no_tcp.or(no_hello)),
            ("preread_buffer_size", own.preread_buffer_size.is_some(), no_tcp.or(no_hello)),
            ("proxy_protocol_timeout", own.proxy_protocol_timeout.is_some(), no_tcp.or(no_header)),
        ];
        let path = path_to!["listener", name];
        for (key, _, why) in keys.into_iter().filter(|(_, is_written, _)| *is_written) {
            self.idle_key(&path, key, why);
        }
        if no_tcp.is_some() && written.session.half_close.is_some() {
            self.idle_key(&path, "half_close", no_tcp);
        }
        let go = match &written.action {
            ListenerAction::Routes(_) | ListenerAction::Upstream(_) => Go::On,
            ListenerAction::Respond(_) | ListenerAction::Show(_) => Go::Answered,
        };
        self.check_idle_session(&path, &written.session, go);
        if !protocols.contains(&Protocol::Udp) {
            self.check_idle_counts(&path, &written.session);
        }
    }

    /// The same of a target's.
    pub(super) fn check_idle_target(&mut self, path: &[Key], written: &config::Target) {
        let go = match (&written.maintenance, &written.action) {
            (Some(_), _) | (None, Action::Upstream(_)) => Go::On,
            (None, Action::Respond(_)) => Go::Answered,
            (None, Action::Reject(_)) => Go::Refused,
        };
        self.check_idle_session(path, &written.session, go);
        self.check_idle_counts(path, &written.session);
    }

    /// The same of keys that have no effect anywhere.
    pub(super) fn check_idle_defaults(&mut self, config: &Config) {
        self.check_buffer_size(&path_to!["defaults"], &config.defaults.session);
    }

    fn check_idle_session(&mut self, path: &[Key], written: &SessionKeys, go: Go) {
        self.check_buffer_size(path, written);
        let keys = [
            ("connect_timeout", written.connect_timeout.is_some()),
            ("next_upstream", written.next_upstream.is_some()),
            ("next_upstream_tries", written.next_upstream_tries.is_some()),
            ("next_upstream_timeout", written.next_upstream_timeout.is_some()),
            ("half_close", written.half_close.is_some()),
            ("source", written.source.is_some()),
            ("upload_rate", written.upload_rate.is_some()),
            ("download_rate", written.download_rate.is_some()),
        ];
        let why = match go {
            Go::On => return,
            Go::Answered => "who is answered here goes to no server",
            Go::Refused => "who is refused goes to no server",
        };
        for (key, _) in keys.into_iter().filter(|(_, is_written)| *is_written) {
            self.idle_key(path, key, Some(why));
        }
        if go == Go::Refused && written.idle_timeout.is_some() {
            self.idle_key(path, "idle_timeout", Some(why));
        }
    }

    fn check_buffer_size(&mut self, path: &[Key], written: &SessionKeys) {
        if written.buffer_size.is_some() {
            self.idle_key(path, "buffer_size", Some("what passes decides how much room it has"));
        }
    }

    /// Warns of counts of datagrams where none come.
    fn check_idle_counts(&mut self, path: &[Key], written: &SessionKeys) {
        let keys = [("requests", written.requests), ("responses", written.responses)];
        for (key, _) in keys.into_iter().filter(|(_, said)| said.is_some()) {
            let place = self.places.key(&[path, &path_to![key]].concat());
            self.diagnostics
                .warning("idle-key", place, format!("`{key}` has no effect: it counts datagrams, and none come here"))
                .help("leave it out; datagrams come to listeners with protocol = \"udp\"");
        }
    }

    /// Warns of a key, if there is a reason to.
    fn idle_key(&mut self, path: &[Key], key: &str, why: Option<&str>) {
        let Some(why) = why else { return };
        let place = self.places.key(&[path, &path_to![key]].concat());
        self.diagnostics.warning("idle-key", place, format!("`{key}` has no effect: {why}")).help("leave it out");
    }
}
