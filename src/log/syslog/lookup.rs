//! Where a syslog is. A name is looked up by the system, at the start and again every minute, on a thread of its own: a line
//! waits for no name server.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::time::Duration;

use super::socket::Socket;
use crate::config::SyslogServer;
use crate::log::LogError;

/// Where a syslog is.
#[derive(Debug)]
pub(super) enum Server {
    Local(PathBuf),
    Address(SocketAddr),
    Name(Followed),
}

/// A name's address as it was looked up last; absent until it is known.
#[derive(Debug)]
pub(super) struct Followed {
    known: Arc<Mutex<Option<SocketAddr>>>,
    /// Dropped with this, which ends the thread.
    _wanted: mpsc::Sender<()>,
}

impl Server {
    /// Finds it.
    pub(super) fn new(server: &SyslogServer) -> Result<Self, LogError> {
        match server {
            SyslogServer::Local(path) => Ok(Self::Local(path.clone())),
            SyslogServer::Ip(address) => Ok(Self::Address(*address)),
            SyslogServer::Name(name, port) => follow(name.to_string(), *port).map(Self::Name),
        }
    }

    /// Whether it is still where this socket leads.
    pub(super) fn is_at(&self, socket: &Socket) -> bool {
        match (self, socket) {
            (Self::Name(name), Socket::Udp(_, address)) => name.known() == Some(*address),
            _ => true,
        }
    }

    /// A socket to it.
    pub(super) fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Local(path) => Socket::local(path),
            Self::Address(address) => Socket::udp(*address),
            Self::Name(name) => {
                let unknown = || io::Error::new(io::ErrorKind::NotFound, "the name of the syslog server has no address yet");
                Socket::udp(name.known().ok_or_else(unknown)?)
            }
        }
    }
}

impl Followed {
    fn known(&self) -> Option<SocketAddr> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks a name up now and then. The first answer is waited for, a moment only, so that what is said at the start is heard.
fn follow(name: String, port: u16) -> Result<Followed, LogError> {
    let known = Arc::new(Mutex::new(None));
    let (wanted, is_wanted) = mpsc::channel::<()>();
    let (answered, first) = mpsc::channel();
    let found = known.clone();
    let work = move || {
        let mut is_failing = false;
        loop {
            is_failing = look_up(&name, port, &found, is_failing);
            let _ = answered.send(());
            match is_wanted.recv_timeout(if is_failing { SOON } else { AGAIN }) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    thread::Builder::new().name("syslog".into()).spawn(work).map_err(LogError::Thread)?;
    let _ = first.recv_timeout(PATIENCE);
    Ok(Followed { known, _wanted: wanted })
}

/// Looks a name up once: whether that failed, which is told when it begins. What was good last stays then.
fn look_up(name: &str, port: u16, known: &Mutex<Option<SocketAddr>>, was_failing: bool) -> bool {
    let found = (name, port).to_socket_addrs().map(Vec::from_iter);
    let why = match found {
        Ok(addresses) if !addresses.is_empty() => {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            // Of several the one in use stays: name servers give them in turn.
            if !known.is_some_and(|in_use| addresses.contains(&in_use)) {
                *known = addresses.first().copied();
            }
            return false;
        }
        Ok(_) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    if !was_failing {
        tracing::warn!("the syslog server {name} cannot be looked up: {why}");
    }
    true
}

/// When a name that was found is looked up again.
const AGAIN: Duration = Duration::from_secs(60);
/// And one that was not.
const SOON: Duration = Duration::from_secs(5);
/// How long the start waits for the first answer.
const PATIENCE: Duration = Duration::from_secs(1);
