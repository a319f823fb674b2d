//! A server for a session of datagrams. Opening a socket asks nobody, so whether the server is there shows later, and no
//! other is tried then (as nginx): what a session finds out is for those that follow.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use tokio::time::{Duration, Instant};

use super::search::Search;
use super::{ConnectError, Endpoint, Lease, Pool, TryError, Wanted, told};
use crate::net::{DialError, SourceError, dial_udp, is_out_of_descriptors};
use crate::session::Session;

/// A server with a socket that is connected to it.
#[derive(Debug)]
pub struct Opened {
    /// The socket.
    pub socket: OwnedFd,
    /// The server.
    pub server: SocketAddr,
    /// The right to it.
    pub lease: Lease,
    /// The PROXY header that each datagram begins with; empty where there is none.
    pub header: Vec<u8>,
}

impl Pool {
    /// Opens a socket for a server, of this pool or those that it falls back on. Each try is noted in the session.
    ///
    /// # Errors
    /// When there is no way to any server, none from the source, or no descriptor is left.
    pub async fn open(&self, wanted: &Wanted<'_>, session: &mut Session) -> Result<Opened, ConnectError> {
        let begun = Instant::now();
        let mut search = Search::new(self, wanted.limits, begun, session);
        let mut last = None;
        while let Some(lease) = search.next(session).await {
            let now = Instant::now();
            session.upstream = Some(lease.upstream().name().clone());
            session.begin_try(lease.address_text().clone(), now);
            let error = match open(&lease, &search, wanted) {
                Ok((server, socket)) => {
                    session.connected(now);
                    let mut header = Vec::new();
                    if let Some(announcement) = search.announcement() {
                        announcement.write(session, &mut header);
                    }
                    return Ok(Opened { socket, server, lease, header });
                }
                Err(TryError::Failed { address, source }) if is_out_of_descriptors(&source) => {
                    return Err(ConnectError::NoDescriptor { address, source });
                }
                Err(error) => error,
            };
            session.end_try(now);
            if error.is_of_server() && lease.failed(now) {
                told::left_alone(&lease, &error);
            }
            if error.is_out_of_reach() {
                search.not_reached(&lease, now);
            }
            let is_final = error.is_final();
            last = Some(error);
            if is_final {
                break;
            }
        }
        Err(self.gave_up(&search, begun, last, session))
    }
}

impl Lease {
    /// The server's first answer came. A failed server that was being probed is back by this: the session may go on for
    /// long, and the others wait for it.
    pub fn first_answer(&self, now: Instant) {
        self.answered(now);
        if self.probes() {
            self.served(now);
        }
    }

    /// Word came that nobody takes the datagrams there.
    pub fn refused(&self, source: io::Error, now: Instant) {
        self.failed_by(&TryError::Failed { address: self.address_text().clone(), source }, now);
    }

    /// What was to be answered was not, for so long.
    pub fn unanswered(&self, limit: Duration, now: Instant) {
        self.failed_by(&TryError::Timeout { address: self.address_text().clone(), limit }, now);
    }

    fn failed_by(&self, error: &TryError, now: Instant) {
        if self.failed(now) {
            told::left_alone(self, error);
        }
    }
}

fn open(lease: &Lease, search: &Search<'_>, wanted: &Wanted<'_>) -> Result<(SocketAddr, OwnedFd), TryError> {
    let address = || lease.address_text().clone();
    if search.encryption().is_some() {
        return Err(TryError::NoDatagrams { address: address(), why: "it is asked over TLS, which datagrams do not carry" });
    }
    let Endpoint::Ip(server) = *lease.endpoint() else {
        return Err(TryError::NoDatagrams { address: address(), why: "datagrams go to IP addresses" });
    };
    let source = wanted.source.clone().transpose().map_err(SourceError::NoAddress).map_err(DialError::from);
    let dialled = source.and_then(|source| dial_udp(server, source));
    match dialled {
        Ok(socket) => Ok((server, socket)),
        Err(DialError::Failed(source)) => Err(TryError::Failed { address: address(), source }),
        Err(DialError::Source(source)) => Err(TryError::Source { address: address(), source }),
    }
}
