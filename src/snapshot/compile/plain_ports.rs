//! What is not TLS where nginx would have served it.

use super::Compiler;
use super::datagrams::protocols;
use crate::address::ListenAddress;
use crate::config::{Action, Config, ListenerAction, Routes, path_to};
use crate::session::Protocol;

impl Compiler {
    /// Warns of a port where clients begin in the clear, and of a map that closes these. nginx's map has no name for them, so
    /// that they get what names that are not known get.
    pub(super) fn check_plain_ports(&mut self, config: &Config) {
        for (name, written) in &config.listener {
            let ListenerAction::Routes(map) = &written.action else { continue };
            let Some(routes) = config.routes.get(map).filter(|routes| routes.not_tls.is_none()) else { continue };
            if written.terminate.is_some() || !protocols(written, config).contains(&Protocol::Tcp) {
                continue;
            }
            if self.places.was_cut(&path_to!["routes", map, "not_tls"]) {
                continue;
            }
            let addresses = written.listen.iter().filter_map(|text| ListenAddress::parse(text).ok()).flatten();
            let plain = addresses.filter_map(|address| Some((spoken_in_the_clear(address.port()?)?, address))).next();
            let Some(((spoken, address), instead)) = plain.zip(for_others(routes)) else { continue };
            let place = self.places.key(&path_to!["listener", name, "listen"]);
            let problem = format!("plain {spoken} to {address} will be closed; nginx would have sent it to {instead:?}");
            let help = format!("not_tls = {instead:?}, or {{ reject = \"close\" }} to say that it is meant");
            self.diagnostics.warning("not-tls-refused", place, problem).help(help);
        }
    }
}

/// Where names go that match nothing.
fn for_others(routes: &Routes) -> Option<&str> {
    routes.default.as_ref()?.iter().find_map(|target| match &target.action {
        Action::Upstream(text) => Some(text.as_str()),
        Action::Reject(_) | Action::Respond(_) => None,
    })
}

/// What clients of a port say before TLS, or without it.
fn spoken_in_the_clear(port: u16) -> Option<&'static str> {
    IN_THE_CLEAR.iter().find(|(ports, _)| ports.contains(&port)).map(|&(_, spoken)| spoken)
}

const IN_THE_CLEAR: &[(&[u16], &str)] = &[
    (&[80, 8000, 8080], "HTTP"),
    (&[21], "FTP"),
    (&[22, 2222], "SSH"),
    (&[25, 587], "SMTP"),
    (&[110], "POP3"),
    (&[143], "IMAP"),
    (&[389], "LDAP"),
    (&[1883], "MQTT"),
    (&[3306], "MySQL"),
    (&[5222], "XMPP"),
    (&[5432], "PostgreSQL"),
    (&[6379], "Redis"),
    (&[27017], "MongoDB"),
];
