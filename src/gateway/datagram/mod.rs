//! The life of a worker's UDP: one task for all of its sockets and sessions. A session has a row of a table and a socket
//! towards its server, and no task; nothing is allocated for a datagram.
//!
//! What waits does so in the kernel: a server's answers stay unread while the listening socket is full. A client's
//! datagrams are not held back, since one client would hold back all: what its server's socket does not take is lost.

mod admit;
mod door;
mod hops;
mod opening;
mod pace;
mod proxied;
mod room;
mod session;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::capacity::Capacity;
use super::worker::{Phase, Worker};
use crate::net::{Arrival, Crowd, Run};
use crate::session::CloseReason;
use crate::session::udp_table::{Flow, FlowId, UdpTable};
use crate::snapshot::{Listener, Target};
use door::Door;
pub(super) use hops::Hops;
use session::{DatagramSession, Heard};

/// The UDP of a worker, as its task and those who need room see it.
pub(super) struct Datagrams {
    crowd: Arc<Crowd>,
    /// Who was told of and not looked at yet.
    told: VecDeque<u64>,
    doors: Vec<Door>,
    table: UdpTable<Box<DatagramSession>>,
    /// What the table's clock counts from.
    born: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    hops: Arc<Hops>,
    /// Sessions whose answers wait for their rate, by when that is over.
    resting: BinaryHeap<Reverse<(Instant, u64)>>,
}

/// Serves the datagrams of bound sockets until the worker ends.
pub(super) async fn serve(worker: Rc<Worker>) {
    loop {
        match worker.phase() {
            Phase::Cut(reason) => return worker.datagrams().end_all(reason),
            Phase::Draining if worker.datagrams().table.is_empty() => return worker.datagrams().doors.clear(),
            Phase::Draining | Phase::Running => {}
        }
        tokio::select! {
            biased;
            () = worker.told() => {}
            () = poll_fn(|cx| worker.datagrams().poll(cx, &worker)) => {}
        }
    }
}

impl Datagrams {
    /// Room for so many sessions, and no socket yet.
    pub(super) fn new(most: usize, hops: Arc<Hops>) -> Self {
        Self {
            crowd: Arc::default(),
            told: VecDeque::new(),
            doors: Vec::new(),
            table: UdpTable::new(most),
            born: Instant::now(),
            timer: None,
            hops,
            resting: BinaryHeap::new(),
        }
    }

    /// Takes a bound socket.
    pub(super) fn open(&mut self, listener: Arc<Listener>, socket: OwnedFd, capacity: Arc<Capacity>) -> io::Result<()> {
        let number = DOOR | self.doors.len() as u64;
        self.doors.push(Door::new(listener, socket, capacity, self.crowd.waker(number))?);
        self.crowd.tell(number);
        Ok(())
    }

    /// Takes in what has come and looks who has been silent for too long. Ready when it may be the end of a drain.
    fn poll(&mut self, cx: &mut Context<'_>, worker: &Rc<Worker>) -> Poll<()> {
        self.crowd.take(&mut self.told, cx.waker());
        for _ in 0..TURNS {
            let Some(number) = self.told.pop_front() else { break };
            match number {
                ROOM => self.make_room_for_waiting(),
                _ if number & DOOR == 0 => self.hear(FlowId::from_u64(number)),
                _ => self.take_in((number & !DOOR) as usize, worker),
            }
        }
        if !self.told.is_empty() {
            cx.waker().wake_by_ref();
        }
        self.keep_time(cx);
        match worker.phase() != Phase::Running && self.table.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Takes in what clients sent to a socket.
    fn take_in(&mut self, index: usize, worker: &Rc<Worker>) {
        let Self { doors, crowd, .. } = self;
        let Some(door) = doors.get_mut(index) else { return };
        if door.flush().is_ready() {
            door.held.drain(..).for_each(|id| crowd.tell(id.to_u64()));
        }
        let (socket, waker) = (door.socket.clone(), door.waker.clone());
        let received = socket.poll_receive(&mut Context::from_waker(&waker), |arrival| self.arrive(index, arrival, worker));
        match received {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.crowd.tell(DOOR | index as u64),
            Poll::Ready(Err(error)) => {
                let listener = &self.doors[index].listener.name;
                worker.ledger().complain(listener, "receive", "datagrams may be lost", &format_args!("receiving failed: {error}"));
                self.crowd.tell(DOOR | index as u64);
            }
        }
    }

    /// Finds the sessions of what a client sent, or begins them, and passes it on.
    fn arrive(&mut self, index: usize, arrival: Arrival<'_>, worker: &Rc<Worker>) {
        let Arrival { run, client, local } = arrival;
        let flow = Flow { socket: index as u32, client, local, speaks_for: None };
        if self.doors[index].listener.proxy.is_some() {
            return run.each().for_each(|datagram| self.arrive_by_proxy(flow, datagram, worker));
        }
        self.pass_on(flow, run, |datagrams, run| datagrams.admit(flow, run, None, worker));
    }

    /// Passes datagrams of a flow on to its sessions, which `admit` begins; one that begins none is settled by that.
    fn pass_on(&mut self, flow: Flow, mut run: Run<'_>, mut admit: impl FnMut(&mut Self, Run<'_>) -> Option<FlowId>) {
        while run.count() > 0 {
            let Some(id) = self.table.find(&flow).or_else(|| admit(self, run)) else {
                run.take(1);
                continue;
            };
            let now = self.now();
            let Some(session) = self.table.used(id, now) else { return };
            session.pass_on(run.take(session.room().max(1)));
            if session.room() == 0 {
                self.table.unbind(id);
            }
            self.conclude(id);
        }
    }

    /// Goes on with a session of which there is news.
    fn hear(&mut self, id: FlowId) {
        let Some(session) = self.table.get_mut(id) else { return };
        if session.is_opening() {
            return self.go_on(id);
        }
        let Some(door) = self.doors.get_mut(session.door()) else { return };
        if door.is_full() {
            return door.held.push(id);
        }
        let Heard { answers, more, rests_until } = session.pass_back(door);
        if answers {
            self.table.answered(id);
            let now = self.now();
            let _ = self.table.used(id, now);
        }
        if more {
            self.crowd.tell(id.to_u64());
        }
        if let Some(until) = rests_until {
            // While a rate holds answers back nobody is silent.
            let _ = self.table.used(id, self.at(until));
            self.resting.push(Reverse((until, id.to_u64())));
        }
        self.conclude(id);
    }

    /// Goes on with the way to a server.
    fn go_on(&mut self, id: FlowId) {
        let Some(session) = self.table.get_mut(id) else { return };
        let Some(door) = self.doors.get(session.door()) else { return };
        match session.poll_open(door, &self.hops) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                // What its server has sent meanwhile, and word of more.
                self.crowd.tell(id.to_u64());
                self.conclude(id);
            }
            Poll::Ready(Err(refusal)) => {
                if let Some(session) = self.table.remove(id) {
                    session.end(refusal.reason, refusal.detail);
                }
            }
        }
    }

    /// Ends a session in which all has come that was to come.
    fn conclude(&mut self, id: FlowId) {
        if self.table.get_mut(id).is_some_and(|session| session.is_over())
            && let Some(session) = self.table.remove(id)
        {
            session.end(CloseReason::Finished, None);
        }
    }

    /// Ends those who have been silent for too long, and sees to it that the next is looked at in time.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.next_look() else { return };
        let mut timer = self.timer.take().unwrap_or_else(|| Box::pin(sleep_until(due)));
        // Moved only when it is too late: most sessions come after others whose time is over first.
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            self.wake_rested();
            self.expire();
            let Some(due) = self.next_look() else { break };
            timer.as_mut().reset(due.max(Instant::now() + BREATH));
        }
        self.timer = Some(timer);
    }

    /// Those that have waited for their rate go on.
    fn wake_rested(&mut self) {
        let now = Instant::now();
        while self.resting.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            self.resting.pop().inspect(|Reverse((_, id))| self.crowd.tell(*id));
        }
    }

    fn expire(&mut self) {
        let (now, mut budget) = (self.now(), EXPIRED_AT_ONCE);
        while let Some(session) = self.table.expired(now, &mut budget) {
            let reason = session.reason_of_silence();
            session.end(reason, None);
        }
    }

    fn end_all(&mut self, reason: CloseReason) {
        for session in self.table.drain() {
            session.end(reason, None);
        }
        self.doors.clear();
    }

    fn next_look(&self) -> Option<Instant> {
        let due = self.table.next_due().map(|due| self.born + Duration::from_millis(due));
        let rested = self.resting.peek().map(|Reverse((until, _))| *until);
        due.into_iter().chain(rested).min()
    }

    /// The table's time.
    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

/// What becomes of the datagrams of a listener: without a map there is one target, for everybody.
fn only_target(listener: &Listener) -> Option<&Target> {
    listener.routes.lookup(crate::route::FirstName::NoName)?.entry.target.first()
}

/// What tells the number of a socket from that of a session.
const DOOR: u64 = 1 << 63;
/// By which it is told that a connection waits for room. There are fewer sockets.
const ROOM: u64 = u64::MAX;
/// How many sockets are looked at before others have their turn.
const TURNS: usize = 32;
/// How many sessions are looked at for their time before others have their turn.
const EXPIRED_AT_ONCE: usize = 500;
/// When the rest of them is.
const BREATH: Duration = Duration::from_millis(1);
