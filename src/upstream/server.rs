//! A server: what was written of it, and where it is.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::found::Place;
use crate::address::Address;

/// One of `servers`, as the user wrote it, with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// The address to the letter: consistent hashing goes by it, so that it finds the servers that nginx finds.
    pub written: Arc<str>,
    /// The address.
    pub address: Address,
    /// Its share of the sessions, against the weights of the others; at least 1.
    pub weight: u32,
    /// Whether the weight was written, and holds against what SRV records say.
    pub own_weight: bool,
    /// After how many failures it is left alone; 0 = never.
    pub max_fails: u32,
    /// For how long it is then left alone.
    pub fail_timeout: Duration,
    /// The most sessions that it has at once; 0 = any number. A DNS name's servers have so many each.
    pub max_conns: u32,
    /// How long it takes to its whole weight when it has recovered, or joined others that were at work; 0 = no time.
    pub slow_start: Duration,
    /// Whether it is asked only when no other server is left.
    pub backup: bool,
    /// Whether it is out of use.
    pub down: bool,
}

impl ServerLine {
    /// A line with nothing but an address.
    #[must_use]
    pub fn new(address: Address) -> Self {
        let written = address.to_string().into();
        Self {
            written,
            address,
            weight: 1,
            own_weight: false,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            max_conns: 0,
            slow_start: Duration::ZERO,
            backup: false,
            down: false,
        }
    }
}

/// What to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// One address of an upstream. A DNS name stands for as many servers as it has addresses.
#[derive(Debug)]
pub struct Server {
    line: Arc<ServerLine>,
    line_number: usize,
    id: u32,
    endpoint: Endpoint,
    backup: bool,
    address_text: Arc<str>,
    sessions: AtomicUsize,
    /// How often it has been given up, by so many failures that it is left alone.
    given_up: AtomicUsize,
    /// Tells those who wait for it that it was.
    news: Notify,
}

/// How a server stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// The address as the user wrote it.
    pub written: Arc<str>,
    /// Where it is: `10.0.0.1:443`, `[::1]:443`, `unix:/run/a.sock`.
    pub address: Arc<str>,
    /// Whether it is a backup.
    pub backup: bool,
    /// Whether it is out of use.
    pub down: bool,
    /// How many sessions it has now.
    pub sessions: usize,
    /// The most that it may have at once; 0 = any number.
    pub max_conns: u32,
    /// Whether it is left alone for its failures.
    pub health: Health,
    /// After how many failures it is left alone; 0 = never.
    pub max_fails: u32,
    /// For how long it is then left alone.
    pub fail_timeout: Duration,
    /// How many failures count against it.
    pub fails: u32,
    /// Its weight, as written or as a look-up says.
    pub weight: u32,
    /// The same, less what failures took and time has not given back.
    pub effective_weight: i64,
    /// When its latest slow start is over, or was.
    pub slow_start_until: Option<Instant>,
    /// The averages of its connects and of the first bytes after them, added; the latter are measured for `least_time`.
    pub response_time: Option<Duration>,
}

/// Whether a server is left alone for its failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is not.
    Up,
    /// It is, until then; from then on one session probes it.
    Failed {
        /// The end of its `fail_timeout`.
        until: Instant,
    },
    /// It is, while one session probes it.
    Probed,
}

impl Server {
    pub(super) fn new(id: u32, line_number: usize, line: &Arc<ServerLine>, place: &Place) -> Self {
        let endpoint = place.endpoint.clone();
        let address_text = endpoint.to_string().into();
        let (sessions, given_up, news) = (AtomicUsize::new(0), AtomicUsize::new(0), Notify::new());
        Self { line: Arc::clone(line), line_number, id, endpoint, backup: place.backup, address_text, sessions, given_up, news }
    }

    /// What to dial.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What was written of it.
    #[must_use]
    pub fn line(&self) -> &ServerLine {
        &self.line
    }

    /// Where it is, as `$upstream_addr` says it: `10.0.0.1:443`, `[::1]:443`, `unix:/run/a.sock`.
    #[must_use]
    pub fn address_text(&self) -> &Arc<str> {
        &self.address_text
    }

    /// Whether it is asked only when no other server is left: its line may say so, or the look-up that found it.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        self.backup
    }

    /// How many sessions it has now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Its line's place among the lines of the upstream.
    pub(super) fn line_number(&self) -> usize {
        self.line_number
    }

    /// What tells it from every other server that the upstream has or had.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// How often it has been given up so far.
    pub(super) fn times_given_up(&self) -> usize {
        self.given_up.load(Ordering::Acquire)
    }

    /// Notes that it is given up from now on.
    pub(super) fn give_up(&self) {
        self.given_up.fetch_add(1, Ordering::Release);
    }

    /// Tells those who wait for it that it was given up.
    pub(super) fn tell_waiting(&self) {
        self.news.notify_waiters();
    }

    /// Waits until it has been given up more often than so.
    pub(super) async fn given_up_since(&self, times: usize) {
        // Hears of news from here on, so that none gets lost between the look and the wait.
        let news = self.news.notified();
        if self.times_given_up() == times {
            news.await;
        }
    }

    pub(super) fn session_begins(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn session_ends(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
