//! The sessions now open: how many there may be, and the guard that writes each one's end down exactly once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

use super::refusals::Refusals;
use crate::log::AccessLog;
use crate::session::{CloseReason, LogLevel, Session};

/// How many sessions may be open at once, over all workers.
///
/// Who waits says so and then looks whether there is room; who leaves makes room and then looks whether somebody waits.
/// That one of the two sees the other takes an order that all threads agree on, hence `SeqCst`.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    open: AtomicUsize,
    waiting: AtomicUsize,
    freed: Notify,
}

/// The right to one session, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Capacity>);

impl Capacity {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: AtomicUsize::new(0), waiting: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many sessions are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A permit, if one is left.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let below = |open| (open < self.most).then_some(open + 1);
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).ok()?;
        Some(Permit(self.clone()))
    }

    /// A permit, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Permit {
        loop {
            if let Some(permit) = self.try_take() {
                return permit;
            }
            self.wait(|| self.open() < self.most).await;
        }
    }

    /// Waits until a session ends.
    pub(super) async fn one_less(&self) {
        self.wait(|| false).await;
    }

    /// Waits for the next session to end, unless `over` says that one has meanwhile.
    async fn wait(&self, over: impl Fn() -> bool) {
        let waiting = Waiting::new(self);
        let freed = self.freed.notified();
        if !over() {
            freed.await;
        }
        drop(waiting);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.freed.notify_waiters();
        }
    }
}

/// Counts an acceptor among those that wait, so that sessions which end while nobody does need not tell anyone.
struct Waiting<'c>(&'c Capacity);

impl<'c> Waiting<'c> {
    fn new(capacity: &'c Capacity) -> Self {
        capacity.waiting.fetch_add(1, Ordering::SeqCst);
        Self(capacity)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

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
    fn may_tell(&self, of: &Arc<str>, kind: &'static str) -> bool {
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

    /// Says what is left to say, and waits until the lines of all sessions are written.
    pub(super) fn finish(&self) {
        self.finished.get_or_init(|| {
            self.refusals.tell();
            self.logs.iter().for_each(AccessLog::finish);
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
            | CloseReason::HandshakeTimeout)
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
    session: Box<Session>,
    ledger: Arc<Ledger>,
    written: bool,
}

impl Live {
    pub(super) fn new(session: Session, ledger: Arc<Ledger>) -> Self {
        Self { session: Box::new(session), ledger, written: false }
    }

    /// Writes the end down.
    pub(super) fn end(&mut self, reason: CloseReason, detail: Option<Box<str>>) {
        if !std::mem::replace(&mut self.written, true) {
            self.session.end(reason, detail, Instant::now());
            self.ledger.write(&self.session);
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

    #[tokio::test]
    async fn a_permit_that_is_given_back_is_taken_at_once() {
        let capacity = Capacity::new(1);
        let first = capacity.try_take().unwrap();
        assert!(capacity.try_take().is_none());
        let waiting = tokio::spawn({
            let capacity = capacity.clone();
            async move { capacity.take().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let second = waiting.await.unwrap();
        assert_eq!(capacity.open(), 1);
        drop(second);
        assert_eq!(capacity.open(), 0);
    }

    #[test]
    fn a_session_whose_task_dies_is_still_counted() {
        let ledger = Arc::new(Ledger::new(Vec::new(), []));
        let unix = crate::session::Peer::Unix;
        let session = Session::new(1, "a".into(), unix, unix, Instant::now(), std::time::SystemTime::now());
        drop(Live::new(session, ledger.clone()));
        assert_eq!(ledger.ended(), 1);
    }
}
