//! One thread on the data path: its runtime, its sockets, its sessions. A session never leaves the worker that
//! accepted it, so nothing on its way needs a lock.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{Duration, Instant, timeout};

use super::capacity::{CONNECTION, FLOW};
use super::datagram::{self, Datagrams, Hops};
use super::forwards::Forwards;
use super::live::{Capacity, Ledger, Live, Permit};
use super::refusal::Refusal;
use super::stream;
use crate::net::{Acceptor, FirstBytes, Socket, drive, is_out_of_descriptors, local};
use crate::session::{CloseReason, Peer, Protocol, Session};
use crate::snapshot::{Listener, Pools};

/// What all workers share.
pub(super) struct Shared {
    pub(super) capacity: Arc<Capacity>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) pools: Arc<Pools>,
    pub(super) forwards: Forwards,
    /// Which ports the sessions of datagrams send from.
    pub(super) hops: Arc<Hops>,
    /// Whether a log tells the gateway's own address, which must then be asked for on wildcard listeners.
    pub(super) tells_server_address: bool,
}

/// What the workers are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accept and serve.
    Running,
    /// Accept nothing new; open sessions go on.
    Draining,
    /// End the open sessions, for this reason.
    Cut(CloseReason),
}

/// A listening socket that a worker is to accept from, and who serves what it accepts.
pub(super) struct Assignment {
    pub(super) listener: Arc<Listener>,
    pub(super) socket: OwnedFd,
    /// How many sessions the listener may have.
    pub(super) capacity: Arc<Capacity>,
    /// The workers to hand connections to in turn; none if they are this worker's own.
    pub(super) hand_to: Vec<mpsc::UnboundedSender<Accepted>>,
    /// What is spoken there.
    pub(super) protocol: Protocol,
}

/// A connection on its way to the worker that will serve it.
pub(super) struct Accepted {
    listener: Arc<Listener>,
    socket: OwnedFd,
    client: Peer,
    local: Peer,
    permit: Permit,
}

/// Runs a worker on this thread until it is told to end and its sessions are over.
///
/// # Errors
/// When the runtime cannot be made, or cannot watch the listening sockets.
pub(super) fn run(
    shared: Arc<Shared>,
    assignments: Vec<Assignment>,
    inbox: mpsc::UnboundedReceiver<Accepted>,
    phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let (connections, datagrams): (Vec<_>, Vec<_>) =
            assignments.into_iter().partition(|assignment| assignment.protocol == Protocol::Tcp);
        let worker = Rc::new(Worker::new(shared, connections.len() + usize::from(!datagrams.is_empty())));
        for Assignment { listener, socket, capacity, hand_to, .. } in connections {
            let hands = Hands { local: local(&socket)?, capacity, hand_to, next: 0, listener };
            let (open, acceptor) = (worker.clone().opened(), Acceptor::new(socket)?);
            spawn_local(worker.clone().accept(acceptor, hands, open));
        }
        if !datagrams.is_empty() {
            worker.clone().serve_datagrams(datagrams)?;
        }
        spawn_local(async {
            if let Err(error) = drive().await {
                tracing::error!("a worker no longer hears of its sockets: {error}");
            }
        });
        spawn_local(worker.clone().obey(phase));
        spawn_local(worker.clone().keep_time());
        worker.clone().take_in(inbox).await;
        worker.all_over().await;
        Ok(())
    })
}

/// A worker, as its tasks see it.
pub(super) struct Worker {
    shared: Arc<Shared>,
    phase: Cell<Phase>,
    told: Notify,
    /// Tasks of this worker that must end before it does: its sessions and its acceptors.
    open: Cell<usize>,
    idle: Notify,
    /// How many of them are acceptors, at first.
    acceptors: usize,
    /// Hears of each new session.
    busy: Notify,
    datagrams: RefCell<Datagrams>,
}

impl Worker {
    fn new(shared: Arc<Shared>, acceptors: usize) -> Self {
        let phase = Cell::new(Phase::Running);
        let datagrams = RefCell::new(Datagrams::new(shared.capacity.most::<FLOW>(), shared.hops.clone()));
        Self { shared, phase, told: Notify::new(), open: Cell::new(0), idle: Notify::new(), acceptors, busy: Notify::new(), datagrams }
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.shared.ledger
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Waits until there is another phase.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }

    /// The worker's UDP. It is never borrowed across a wait.
    pub(super) fn datagrams(&self) -> RefMut<'_, Datagrams> {
        self.datagrams.borrow_mut()
    }

    fn serve_datagrams(self: Rc<Self>, assignments: Vec<Assignment>) -> io::Result<()> {
        self.datagrams().relieves(&self.shared.capacity);
        for Assignment { listener, socket, capacity, .. } in assignments {
            self.datagrams().open(listener, socket, capacity)?;
        }
        let open = self.clone().opened();
        spawn_local(async move {
            datagram::serve(self).await;
            drop(open);
        });
        Ok(())
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.shared.pools
    }

    pub(super) fn forwards(&self) -> &Forwards {
        &self.shared.forwards
    }

    /// Goes on with `work` until the open sessions are to be cut. It is borrowed, since a future that is handed over
    /// would take its size twice in that of the session.
    ///
    /// # Errors
    /// The reason, if they were cut before the work was done.
    pub(super) async fn unless_stopped<T>(&self, work: Pin<&mut impl Future<Output = T>>) -> Result<T, CloseReason> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            reason = self.cut() => Err(reason),
        }
    }

    async fn cut(&self) -> CloseReason {
        loop {
            if let Phase::Cut(reason) = self.phase.get() {
                return reason;
            }
            self.told.notified().await;
        }
    }

    async fn draining(&self) {
        while self.phase.get() == Phase::Running {
            self.told.notified().await;
        }
    }

    /// Keeps a timer armed that fires sooner than those of sessions. The runtime wakes itself by a write whenever a
    /// timer becomes the next one, which each session's would; while there are none, nothing ticks.
    async fn keep_time(self: Rc<Self>) {
        loop {
            self.busy.notified().await;
            while self.open.get() > self.acceptors {
                tokio::time::sleep(TICK).await;
            }
        }
    }

    /// Does what the gateway says.
    async fn obey(self: Rc<Self>, mut phase: watch::Receiver<Phase>) {
        loop {
            self.phase.set(*phase.borrow_and_update());
            self.told.notify_waiters();
            if phase.changed().await.is_err() {
                // Nobody is left who could say anything: the gateway is gone, or its start failed halfway.
                self.phase.set(Phase::Cut(CloseReason::Stopped));
                return self.told.notify_waiters();
            }
        }
    }

    /// Serves what other workers accepted, until none of them accepts any more.
    async fn take_in(self: Rc<Self>, mut inbox: mpsc::UnboundedReceiver<Accepted>) {
        while let Some(accepted) = inbox.recv().await {
            self.serve(accepted);
        }
    }

    async fn accept(self: Rc<Self>, acceptor: Acceptor, mut hands: Hands, _open: Open) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.draining() => break,
                accepted = acceptor.accept() => accepted,
            };
            match accepted {
                Ok((socket, client)) => match self.permit(&hands).await {
                    Some(permit) => self.pass_on(&mut hands, socket, client, permit),
                    None => break,
                },
                Err(error) => self.wait_after(&error, &hands.listener).await,
            }
        }
        // Who is in the queue when the door closes has been let in by the kernel, and is not sent away.
        while let Some((socket, client)) = acceptor.accept_waiting() {
            let Some(permit) = hands.capacity.try_take() else { break };
            self.pass_on(&mut hands, socket, client, permit);
        }
    }

    /// The right to one more session, as soon as there is room; none if the door is to close before.
    async fn permit(&self, hands: &Hands) -> Option<Permit> {
        if let Some(permit) = hands.capacity.try_take() {
            return Some(permit);
        }
        // UDP sessions that have seen no answer hold nobody up; those of other workers are asked for while this one waits.
        self.datagrams().make_room_for_connection(&hands.listener, &hands.capacity);
        if let Some(permit) = hands.capacity.try_take() {
            return Some(permit);
        }
        let (name, full) = (&hands.listener.name, hands.capacity.full());
        let of = if full.is_part() { format!(" of [listener.{name}]") } else { String::new() };
        self.shared.ledger.complain(
            name,
            "max_connections",
            "connections wait until a session ends",
            &format_args!("max_connections = {}{of} is reached", full.most::<CONNECTION>()),
        );
        tokio::select! {
            biased;
            permit = hands.capacity.take() => Some(permit),
            () = self.draining() => None,
        }
    }

    /// Serves a connection here, or hands it to the worker whose turn it is.
    fn pass_on(self: &Rc<Self>, hands: &mut Hands, socket: OwnedFd, client: Peer, permit: Permit) {
        let accepted = Accepted { listener: hands.listener.clone(), socket, client, local: hands.local, permit };
        match hands.next() {
            // A worker that is gone has stopped serving altogether; dropping the connection closes it.
            Some(to) => drop(to.send(accepted)),
            None => self.serve(accepted),
        }
    }

    /// Starts a session.
    fn serve(self: &Rc<Self>, accepted: Accepted) {
        let Accepted { listener, socket, client, local: written, permit } = accepted;
        let is_wildcard = written.ip().is_some_and(|ip| ip.is_unspecified());
        let asked = (is_wildcard && self.shared.tells_server_address).then(|| local(&socket).ok()).flatten();
        let number = self.shared.ledger.number();
        let local = asked.unwrap_or(written);
        let session = Session::new(number, listener.name.clone(), client, local, Instant::now(), SystemTime::now());
        let mut live = Live::new(session, self.shared.ledger.clone());
        // Refused before anything is done for it: those who come without being let in are many at times. Behind a PROXY header
        // it is still to be learned who comes.
        if listener.proxy.is_none()
            && let Err(Refusal { reason, detail }) = live.admit(&listener.admission)
        {
            return live.end(reason, detail);
        }
        let first_bytes = if listener.binding.defer_accept { FirstBytes::Waiting } else { FirstBytes::ToCome };
        let socket = match Socket::accepted(socket, client, first_bytes) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!("an accepted connection is lost: {error}"),
        };
        let open = self.clone().opened();
        self.busy.notify_one();
        spawn_local(async move {
            stream::serve(&socket, listener, &mut live, &open.0).await;
            drop(socket);
            drop(permit);
        });
    }

    /// After an accept that failed: out of descriptors, a session that ends helps, and nothing else does.
    async fn wait_after(&self, error: &io::Error, listener: &Listener) {
        if is_out_of_descriptors(error) {
            self.shared.ledger.complain(
                &listener.name,
                "accept",
                "connections wait until a session ends",
                &format_args!("out of descriptors: {error}"),
            );
            // Whoever else holds descriptors does not tell when it frees one, hence the bound.
            let _ = timeout(RETRY_ACCEPT, self.shared.capacity.one_less()).await;
        } else {
            tracing::warn!(listener = &*listener.name, "accepting failed: {error}");
            tokio::time::sleep(RETRY_ACCEPT).await;
        }
    }

    fn opened(self: Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self)
    }

    async fn all_over(&self) {
        while self.open.get() > 0 {
            self.idle.notified().await;
        }
    }
}

/// Who serves what an acceptor accepts.
struct Hands {
    listener: Arc<Listener>,
    local: Peer,
    capacity: Arc<Capacity>,
    hand_to: Vec<mpsc::UnboundedSender<Accepted>>,
    next: usize,
}

impl Hands {
    fn next(&mut self) -> Option<&mpsc::UnboundedSender<Accepted>> {
        self.next = (self.next + 1) % self.hand_to.len().max(1);
        self.hand_to.get(self.next)
    }
}

/// Counts a task among those that must end before the worker does.
struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.idle.notify_one();
        }
    }
}

/// How often the runtime wakes while there are sessions.
const TICK: Duration = Duration::from_millis(500);
/// How long an accept that failed is waited with, unless a session ends first.
const RETRY_ACCEPT: Duration = Duration::from_millis(100);
