//! `protocol`: what a listener of datagrams can do, and what it cannot.

use crate::config::{self, Config};
use crate::session::Protocol;

/// What is spoken on a listener's addresses: connections first, each once.
pub(super) fn protocols(written: &config::Listener, config: &Config) -> Vec<Protocol> {
    let said = if written.protocol.is_empty() { &config.defaults.protocol } else { &written.protocol };
    let mut protocols = Vec::new();
    if said.is_empty() || said.contains(&config::Protocol::Tcp) {
        protocols.push(Protocol::Tcp);
    }
    if said.contains(&config::Protocol::Udp) {
        protocols.push(Protocol::Udp);
    }
    protocols
}
