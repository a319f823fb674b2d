//! Whom a connection is from: reads the PROXY header that comes before everything else, to the byte. One deadline counts from
//! accept; what stands behind the header is handed on as it came.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::time::timeout_at;

use super::refusal::Refusal;
use crate::net::{Socket, with_scratch};
use crate::proxy_protocol::{Header, Malformed, Parse, Transport, parse};
use crate::session::{CloseReason, Peer, Protocol, Session};
use crate::snapshot::ProxyRule;

/// Why a connection is not served for what its PROXY header is.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("it does not begin with a PROXY header")]
    Absent,
    #[error("PROXY header: {0}")]
    Malformed(Malformed),
    #[error("a PROXY header of {0}, who is not among the trusted_proxies")]
    Untrusted(Box<str>),
    #[error("PROXY header: not whole within proxy_protocol_timeout")]
    Timeout,
    #[error("PROXY header: closed before it was whole")]
    Gone,
    #[error("PROXY header: reset before it was whole")]
    Reset(#[source] io::Error),
}

/// Reads the header, if one comes, and notes what it says. What was read behind it, or instead of it, is returned.
pub(super) async fn read_header(client: &Socket, rule: &ProxyRule, session: &mut Session) -> Result<Vec<u8>, HeaderError> {
    let mut read = Vec::new();
    let first = timeout_at(session.started + rule.timeout, first(client, &mut read)).await;
    match first.map_err(|_| HeaderError::Timeout)?? {
        First::Header(header, length) => {
            note(header, rule, session)?;
            Ok(read.split_off(length))
        }
        // Whatever begins as a header and ends before it is one cannot become one any more.
        First::Other | First::End if !rule.is_required => Ok(read),
        First::Other => Err(HeaderError::Absent),
        First::End => Err(HeaderError::Gone),
    }
}

/// Notes what a header says, and refuses one that comes from nobody who is believed, unless all have to send one.
pub(super) fn note(header: Header, rule: &ProxyRule, session: &mut Session) -> Result<(), HeaderError> {
    let spoken = match session.protocol {
        Protocol::Tcp => Transport::Stream,
        Protocol::Udp => Transport::Datagram,
    };
    let peer = session.client;
    let is_trusted = rule.trusts(peer);
    let ends = header.ends_of(spoken).map(|ends| (ends.source, ends.destination));
    session.note_header(is_trusted, ends, header.tlvs);
    if is_trusted || rule.is_required { Ok(()) } else { Err(HeaderError::Untrusted(named(peer))) }
}

/// What a connection begins with.
enum First {
    /// A header of so many bytes.
    Header(Header, usize),
    /// Something else.
    Other,
    /// Nothing that tells, and then the end.
    End,
}

/// Reads until it is clear what the connection begins with.
async fn first(client: &Socket, read: &mut Vec<u8>) -> Result<First, HeaderError> {
    loop {
        let length = poll_fn(|cx| {
            with_scratch(|scratch| {
                let length = std::task::ready!(client.poll_read(cx, scratch))?;
                read.extend_from_slice(&scratch[..length]);
                Poll::Ready(Ok(length))
            })
        })
        .await
        .map_err(HeaderError::Reset)?;
        if length == 0 {
            return Ok(First::End);
        }
        match parse(read) {
            Parse::Incomplete => {}
            Parse::Complete(header, length) => return Ok(First::Header(header, length)),
            Parse::Absent => return Ok(First::Other),
            Parse::Malformed(malformed) => return Err(HeaderError::Malformed(malformed)),
        }
    }
}

fn named(peer: Peer) -> Box<str> {
    peer.socket_address().map(|address: SocketAddr| address.ip().to_string()).unwrap_or_else(|| "unix:".into()).into()
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        let reason = match &error {
            HeaderError::Absent | HeaderError::Malformed(_) => CloseReason::BadProxyHeader,
            HeaderError::Untrusted(_) => CloseReason::UntrustedProxy,
            HeaderError::Timeout => CloseReason::ProxyHeaderTimeout,
            HeaderError::Gone => CloseReason::ProxyHeaderGone,
            HeaderError::Reset(_) => CloseReason::ClientReset,
        };
        Self { reason, detail: Some(error.to_string().into()) }
    }
}
