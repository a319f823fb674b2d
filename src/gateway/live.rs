//! The sessions now open: the guard that writes each one's end down exactly once, and where it is written to.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::time::{Duration, Instant, sleep};

pub(super) use super::capacity::{Capacity, Permit};
use super::refusals::Refusals;
use crate::admit::Permits;
use crate::log::AccessLog;
use crate::session::{CloseReason, LogLevel, Session};

/// What all workers write their sessions' ends to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    logs: Vec<AccessLog>,
    accepted: AtomicU64,
    ended: AtomicU64,
    refusals: Refusals,
    /// When trouble of a kind was told last, of a listener or an upstream.
    told: Mutex<BTreeMap<(Arc<str>, &'static str), Instant>>,
    /// Whether all is written down.
    finished: OnceLock<()>,
}

/// How far apart lines are that strangers, or a lack of descriptors, can cause.
const QUIET: Duration = Duration::from_secs(10);
/// Of how many listeners and upstreams it is known when trouble was told.
const MOST_TOLD: usize = 1024;

impl Ledger {
    pub(super) fn new(logs: Vec<AccessLog>, listeners: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { logs, refusals: Refusals::new(listeners), ..Self::default() }
    }

    /// The access logs.
    pub(super) fn logs(&self) -> &[AccessLog] {
        &self.logs
    }

    /// The next session's number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Connections turned away so far, by the label of the reason.
    pub(super) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refusals.sums()
    }

    /// Says what a lack of room does; of each kind once in a while, whoever notices.
    pub(super) fn complain(&self, listener: &Arc<str>, kind: &'static str, consequence: &str, cause: &dyn Display) {
        if self.may_tell(listener, kind) {
            tracing::error!(listener = &**listener, "{cause}: {consequence}");
        }
    }

    /// Whether this kind of trouble was not told for a while, of a listener or an upstream. Who asks tells it, if so.
    /// Clients may choose what upstreams are called: beyond so many nothing is told.
    pub(super) fn may_tell(&self, of: &Arc<str>, kind: &'static str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_TOLD {
            told.retain(|_, at| at.elapsed() < QUIET);
        }
        let may = told.get(&(of.clone(), kind)).is_none_or(|at| at.elapsed() >= QUIET) && told.len() < MOST_TOLD;
        if may {
            told.insert((of.clone(), kind), Instant::now());
        }
        may
    }

    /// Says now and then how many connections were turned away, so that refused names do not go unseen.
    pub(super) async fn summarise(&self) {
        loop {
            sleep(QUIET).await;
            self.refusals.tell();
        }
    }

    /// Says what is left to say, and waits until the lines of all sessions are written, for a reader that still reads so long.
    pub(super) fn finish(&self, at_most: Duration) {
        self.finished.get_or_init(|| {
            self.refusals.tell();
            self.refusals.tell_cut();
            let until = Instant::now() + at_most;
            self.logs.iter().for_each(|log| log.finish(until));
        });
    }

    fn write(&self, session: &Session) {
        let Some(ended) = &session.ended else { return };
        for log in &self.logs {
            log.write(session);
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.refusals.count(&session.listener, ended.reason);
        let detail = ended.detail.as_deref().unwrap_or_default();
        let (listener, kind) = (&session.listener, kind(ended.reason));
        match ended.reason {
            // As many as come, and mostly for one cause: the first is told, and the summary counts all.
            CloseReason::NoDescriptor => {
                self.complain(listener, kind, "connections are turned away", &format_args!("out of descriptors: {detail}"))
            }
            CloseReason::NoSource => self.complain(listener, kind, "connections are turned away", &detail),
            reason @ (CloseReason::Unresolved
            | CloseReason::TlsFailed(_)
            | CloseReason::CertificateRefused
            | CloseReason::HandshakeTimeout
            | CloseReason::AccessDenied
            | CloseReason::LimitReached
            | CloseReason::BadProxyHeader
            | CloseReason::UntrustedProxy)
                if !self.may_tell(listener, kind) =>
            {
                note(session, LogLevel::Debug, reason, detail)
            }
            reason @ CloseReason::NoServer if !self.may_tell(session.upstream.as_ref().unwrap_or(listener), kind) => {
                note(session, LogLevel::Debug, reason, detail)
            }
            reason => note(session, reason.level(), reason, detail),
        }
    }
}

/// Of what kind a trouble is: of each, one is told in a while.
fn kind(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::CertificateRefused => "a client's certificate",
        other => other.label(),
    }
}

/// One line in the gateway's own log: a server's fault is a warning, ours an error, a client's for debugging only, unless it is
/// its TLS that fails here.
fn note(session: &Session, level: LogLevel, reason: CloseReason, detail: &str) {
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                connection = session.number,
                listener = &*session.listener,
                client = session.client.socket_address().map(tracing::field::display),
                server_name = session.server_name.as_deref(),
                upstream = session.upstream.as_deref(),
                detail,
                "session ended: {}",
                reason.label()
            )
        };
    }
    match level {
        LogLevel::Debug => say!(debug),
        LogLevel::Info => say!(info),
        LogLevel::Warn => say!(warn),
        LogLevel::Error => say!(error),
    }
}

/// An open session. However its task ends, even by a panic, its end is written down once.
pub(super) struct Live {
    pub(super) session: Box<Session>,
    pub(super) ledger: Arc<Ledger>,
    /// What it counts as, by its limits.
    pub(super) permits: Permits,
    written: bool,
}

impl Live {
    pub(super) fn new(session: Session, ledger: Arc<Ledger>) -> Self {
        Self { session: Box::new(session), ledger, permits: Permits::default(), written: false }
    }

    /// Writes the end down.
    pub(super) fn end(&mut self, reason: CloseReason, detail: Option<Box<str>>) {
        if !std::mem::replace(&mut self.written, true) {
            self.session.end(reason, detail, Instant::now());
            self.ledger.write(&self.session);
            // Before the client hears of the end: if it comes again then, there is room for it.
            self.permits = Permits::default();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end(CloseReason::Failed, None);
    }
}

impl Deref for Live {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Live {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_whose_task_dies_is_still_counted() {
        let ledger = Arc::new(Ledger::new(Vec::new(), []));
        let unix = crate::session::Peer::Unix;
        let session = Session::new(1, "a".into(), unix, unix, Instant::now(), std::time::SystemTime::now());
        drop(Live::new(session, ledger.clone()));
        assert_eq!(ledger.ended(), 1);
    }
}
