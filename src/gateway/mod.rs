//! The only place that knows the whole life of the gateway: it binds, starts the workers, and tells them to end.

mod admission;
mod capacity;
mod certificates;
mod client;
mod datagram;
mod farewell;
mod forwards;
mod live;
mod memory;
mod proxied;
mod rates;
mod reach;
mod refusal;
mod refusals;
mod show;
mod start;
mod stream;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;
use tokio::time::Duration;

use crate::address::ListenAddress;
use crate::log::{AccessLog, LogError};
use crate::net::BindError;
use crate::session::{CloseReason, Protocol};
use crate::upstream::ResolveError;
use certificates::Certificates;
pub use certificates::Rereading;
use worker::{Phase, Shared};

/// A running gateway. Dropping it ends it at once.
pub struct Gateway {
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
    certificates: Certificates,
    bound: Vec<(Arc<str>, ListenAddress, Protocol)>,
    shutdown_timeout: Duration,
    threads: Vec<JoinHandle<()>>,
    control: Option<tokio::runtime::Runtime>,
    /// Removed once the workers have ended.
    _files: Vec<SocketFile>,
}

/// The file of a unix socket that is listened on, removed when dropped, unless another one stands there by then.
struct SocketFile {
    path: PathBuf,
    /// The file system and the number of the file.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn new(path: PathBuf) -> Self {
        let identity = identity(&path);
        Self { path, identity }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error("[listener.{listener}]: {source}")]
    Bind {
        /// The listener.
        listener: Arc<str>,
        /// Why.
        #[source]
        source: BindError,
    },
    /// A log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The resolver could not be set up.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A thread or a runtime could not be started.
    #[error("a thread of the gateway could not be started: {0}")]
    Thread(#[source] io::Error),
    /// A target is `transparent`, and the process may not be.
    #[error(
        "`transparent = true` needs CAP_NET_ADMIN or CAP_NET_RAW: {0}; run as root, or give it by `sudo setcap cap_net_raw+ep vestibule` \
         or AmbientCapabilities=CAP_NET_RAW"
    )]
    Transparent(#[source] io::Error),
    /// The process may open too few files.
    #[error("the descriptor limit of {limit} leaves no room for sessions; raise it (`ulimit -n`, LimitNOFILE=)")]
    Descriptors {
        /// The limit.
        limit: u64,
    },
}

/// What has happened so far, summed over all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions open now.
    pub open: usize,
    /// Sessions accepted.
    pub accepted: u64,
    /// Sessions that ended, each with its line written.
    pub ended: u64,
    /// Connections turned away, by the label of the reason.
    pub refusals: BTreeMap<&'static str, u64>,
}

impl Gateway {
    /// The addresses that a listener is bound to; a port 0 has become a real one.
    pub fn addresses<'g>(&'g self, listener: &'g str) -> impl Iterator<Item = &'g ListenAddress> {
        self.bound.iter().filter(move |(name, ..)| **name == *listener).map(|(_, address, _)| address)
    }

    /// All listeners' names and addresses, with what is spoken there.
    pub fn bound(&self) -> impl Iterator<Item = (&str, &ListenAddress, Protocol)> {
        self.bound.iter().map(|(name, address, protocol)| (&**name, address, *protocol))
    }

    /// What has happened so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let ledger = &self.shared.ledger;
        Totals { open: self.shared.capacity.open(), accepted: ledger.accepted(), ended: ledger.ended(), refusals: ledger.refusals() }
    }

    /// Reads all TLS files anew, whether or not they have changed: certificates and keys, revocations, authorities. What
    /// cannot be used is told in the log, and changes nothing.
    pub fn reread_certificates(&self) -> Rereading {
        self.certificates.read()
    }

    /// Goes on in the files that have the access logs' names now.
    ///
    /// # Errors
    /// What could not be opened; there the old one goes on.
    pub fn reopen_logs(&self) -> Result<(), Vec<LogError>> {
        let failed: Vec<_> = self.shared.ledger.logs().iter().filter_map(|log| log.reopen().err()).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Stops accepting. Open sessions go on for `shutdown_timeout`, and are cut then. A gateway that ends already
    /// goes on doing so.
    pub fn drain(&self) {
        let begins = |phase: &mut Phase| *phase == Phase::Running && std::mem::replace(phase, Phase::Draining) == Phase::Running;
        if !self.phase.send_if_modified(begins) {
            return;
        }
        self.shared.ledger.logs().iter().for_each(AccessLog::hurry);
        let (phase, grace) = (self.phase.clone(), self.shutdown_timeout);
        if let Some(control) = &self.control {
            control.spawn(async move {
                tokio::time::sleep(grace).await;
                phase.send_replace(Phase::Cut(CloseReason::Drained));
            });
        }
    }

    /// Stops accepting and cuts the open sessions.
    pub fn stop(&self) {
        self.phase.send_replace(Phase::Cut(CloseReason::Stopped));
    }

    /// Waits until a drain or stop is through, and everything is written down.
    pub async fn ended(&self) {
        // Each worker holds a receiver for as long as it lives.
        self.phase.closed().await;
        self.shared.ledger.finish(self.shutdown_timeout);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so on stderr.
            let _ = thread.join();
        }
        self.shared.ledger.finish(self.shutdown_timeout);
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let path = &self.path;
        if identity(path) != self.identity {
            tracing::warn!("{} is not the file that was made here any more, and is left alone", path.display());
        } else if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!("{} could not be removed: {error}", path.display());
        }
    }
}
