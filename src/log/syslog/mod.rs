//! Lines as messages of syslog. One that cannot be sent at once is lost: nobody waits for a syslog that is away, and the
//! first line after it is back is heard again.

mod lookup;
mod message;
mod socket;

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::time::{Duration, Instant};

use super::LogError;
use super::lost::Lost;
use crate::config::{self, SyslogFormat, SyslogServer, SyslogSeverity};
use lookup::Server;
use message::{Header, field, hostname};
use socket::Socket;

/// Which syslog, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    server: SyslogServer,
    header: Header,
}

impl SyslogSettings {
    /// Those that are written, for the log of this name.
    #[must_use]
    pub fn new(written: &config::Syslog, log: &str) -> Self {
        let is_local = matches!(written.server, SyslogServer::Local(_));
        // What listens on a machine's own socket reads what syslog(3) writes, and as a rule nothing else.
        let usual = if is_local { SyslogFormat::Rfc3164 } else { SyslogFormat::Rfc5424 };
        let header = Header {
            format: written.format.unwrap_or(usual),
            facility: written.facility,
            hostname: written.tells_hostname.then(hostname),
            tag: written.tag.as_str().into(),
            message_id: field(log, 32),
            is_local,
        };
        Self { server: written.server.clone(), header }
    }
}

/// A syslog that lines are sent to.
#[derive(Debug)]
pub(super) struct Syslog {
    header: Header,
    server: Server,
    socket: ArcSwapOption<Socket>,
    /// When a connect was tried last.
    tried: Mutex<Option<Instant>>,
    lost: Arc<Lost>,
}

impl Syslog {
    /// Begins; a server need not be there yet.
    pub(super) fn open(settings: &SyslogSettings, lost: Arc<Lost>) -> Result<Self, LogError> {
        let server = Server::new(&settings.server)?;
        Ok(Self { header: settings.header.clone(), server, socket: ArcSwapOption::empty(), tried: Mutex::new(None), lost })
    }

    pub(super) fn write(&self, line: &[u8], severity: SyslogSeverity) {
        thread_local! {
            static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        // Taken out, since that a line is lost may be told by another one, of the gateway's own log.
        let mut message = MESSAGE.take();
        message.clear();
        self.header.write(line, severity, &mut message);
        if let Err(error) = self.send(&message) {
            self.lost.add(1, &error);
        }
        MESSAGE.set(message);
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        if let Some(socket) = &*self.socket.load()
            && self.server.is_at(socket)
        {
            match socket.send(message) {
                Ok(()) => return Ok(()),
                // Only full for the moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // What ICMP tells is of an earlier message, which is lost; the server may be back.
                Err(error) if socket.is_remote() => {
                    self.lost.add(1, &error);
                    return socket.send(message);
                }
                // It may have begun anew on a socket of the same name.
                Err(_) => self.socket.store(None),
            }
        }
        let socket = self.connect()?;
        let sent = socket.send(message);
        self.socket.store(Some(Arc::new(socket)));
        sent
    }

    /// A new socket, not too often.
    fn connect(&self) -> io::Result<Socket> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.is_some_and(|at| at.elapsed() < RETRY) {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "syslog is not there"));
        }
        let socket = self.server.connect();
        *tried = socket.is_err().then(Instant::now);
        socket
    }
}

/// How far apart attempts are to connect to a syslog that is not there.
const RETRY: Duration = Duration::from_millis(500);
