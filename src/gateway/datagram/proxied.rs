//! Datagrams behind proxies: each begins with a PROXY header of its own, so that one socket of a proxy may speak for many
//! clients. Each of these has a session. Answers go to the proxy as they are.

use std::rc::Rc;

use super::Datagrams;
use crate::gateway::proxied::HeaderError;
use crate::gateway::refusal::Refusal;
use crate::gateway::worker::Worker;
use crate::net::Run;
use crate::proxy_protocol::{Header, Parse, Transport, parse};
use crate::session::Peer;
use crate::session::udp_table::Flow;
use crate::snapshot::ProxyRule;

impl Datagrams {
    /// Takes in a datagram that may begin with a header, and passes on what stands behind it.
    pub(super) fn arrive_by_proxy(&mut self, flow: Flow, datagram: &[u8], worker: &Rc<Worker>) {
        let listener = self.doors[flow.socket as usize].listener.clone();
        let Some(rule) = &listener.proxy else { return };
        let is_trusted = rule.trusts(Peer::Ip(flow.client));
        let read = header(datagram, rule).and_then(|read| match read {
            // It is no better later than at a session's begin.
            (Some(_), _) if !is_trusted && !rule.is_required => Err(HeaderError::Untrusted(flow.client.ip().to_string().into())),
            read => Ok(read),
        });
        match read {
            Ok((header, rest)) => {
                let believed = header.as_ref().filter(|_| is_trusted);
                let speaks_for = believed.and_then(|header| header.ends_of(Transport::Datagram)).map(|ends| ends.source);
                let flow = Flow { speaks_for, ..flow };
                self.pass_on(flow, Run::single(rest), |datagrams, run| datagrams.admit(flow, run, header.clone(), worker));
            }
            Err(error) => {
                let Refusal { reason, detail } = error.into();
                let mut live = self.described(flow, &listener, worker);
                live.bytes_received = datagram.len() as u64;
                live.end(reason, detail);
            }
        }
    }
}

/// The header, if there is one, and what stands behind it. A datagram is whole: what is missing in it never comes.
fn header<'d>(datagram: &'d [u8], rule: &ProxyRule) -> Result<(Option<Header>, &'d [u8]), HeaderError> {
    match parse(datagram) {
        Parse::Complete(header, length) => Ok((Some(header), datagram.get(length..).unwrap_or_default())),
        Parse::Malformed(malformed) => Err(HeaderError::Malformed(malformed)),
        Parse::Absent | Parse::Incomplete if rule.is_required => Err(HeaderError::Absent),
        Parse::Absent | Parse::Incomplete => Ok((None, datagram)),
    }
}
