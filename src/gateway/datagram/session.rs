//! One session of datagrams: a client's on one side, a socket that is connected to its server on the other.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::time::Instant;

use super::door::Door;
use super::hops::{Hops, OwnPort};
use super::opening::{Facts, Opening, WayEnd};
use super::pace::{Paces, Rest};
use crate::gateway::capacity::{FLOW, Permit};
use crate::gateway::live::Live;
use crate::gateway::refusal::Refusal;
use crate::gateway::worker::Worker;
use crate::net::{Run, UdpLink, is_out_of_descriptors};
use crate::relay::{DatagramLimits, Exchange};
use crate::session::udp_table::Flow;
use crate::session::{CloseReason, Session};
use crate::snapshot::Listener;
use crate::upstream::Lease;

/// A row of the table.
pub(super) struct DatagramSession {
    stage: Stage,
    exchange: Exchange,
    limits: DatagramLimits,
    flow: Flow,
    waker: Waker,
    permit: Permit<FLOW>,
    /// How many sessions its datagrams have been through with this one.
    hops: u8,
}

enum Stage {
    Opening(Opening),
    Open(Open),
    /// It has no server, and ends.
    Refused(Facts),
}

/// What there is once a server is chosen.
struct Open {
    // First: the end frees the descriptor before anything else.
    link: UdpLink,
    facts: Facts,
    lease: Lease,
    _port: Option<OwnPort>,
    /// How fast it may go, if there is a limit.
    paces: Option<Box<Paces>>,
    /// Whether the last that was heard of the server is that nobody is there.
    is_refused: bool,
}

/// What came of looking for answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// There were some.
    pub(super) answers: bool,
    /// There is likely more to hear.
    pub(super) more: bool,
    /// What there is waits until then, from now on.
    pub(super) rests_until: Option<Instant>,
}

impl DatagramSession {
    pub(super) fn new(
        live: Live,
        listener: Arc<Listener>,
        flow: Flow,
        limits: DatagramLimits,
        permit: Permit<FLOW>,
        hops: u8,
        worker: &Rc<Worker>,
    ) -> Self {
        let stage = Stage::Opening(Opening::new(live, listener, worker));
        Self { stage, exchange: Exchange::default(), limits, flow, waker: Waker::noop().clone(), permit, hops }
    }

    /// Who is woken when there is news for it.
    pub(super) fn be_told_by(&mut self, waker: Waker) {
        self.waker = waker;
    }

    /// The number of its listening socket.
    pub(super) fn door(&self) -> usize {
        self.flow.socket as usize
    }

    /// How many more datagrams of the client belong to it.
    pub(super) fn room(&self) -> usize {
        self.exchange.room(&self.limits)
    }

    /// Whether it is still on its way to a server.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Opening(_))
    }

    /// Whether all has come that was to come.
    pub(super) fn is_over(&self) -> bool {
        !self.is_opening() && self.exchange.is_over(&self.limits)
    }

    /// Goes on with the way to a server, and passes on what has waited for it.
    pub(super) fn poll_open(&mut self, door: &Door, all: &Arc<Hops>) -> Poll<Result<(), Refusal>> {
        let Stage::Opening(opening) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let WayEnd { mut facts, opened } = ready!(opening.poll(&mut Context::from_waker(&self.waker)));
        let waiting = opening.take_waiting();
        let linked = opened.and_then(|(opened, rates)| {
            let link = UdpLink::new(opened.socket, opened.server, door.socket.offload().clone());
            link.map(|link| (link.beginning_with(opened.header), opened.lease, Paces::of(rates))).map_err(|error| not_watched(&error))
        });
        match linked {
            Ok((link, lease, paces)) => {
                // So far it is the first datagram's length, which counts once that is on its way.
                facts.live.bytes_received = 0;
                if paces.as_ref().is_some_and(|paces| paces.download.is_some()) {
                    link.receive_singly();
                }
                let _port = link.port().map(|port| all.note(port, self.hops));
                self.stage = Stage::Open(Open { link, facts, lease, _port, paces, is_refused: false });
            }
            Err(refusal) => {
                let waited: usize = waiting.iter().map(|datagram| datagram.len()).sum();
                facts.live.bytes_received = facts.live.bytes_received.max(waited as u64);
                self.stage = Stage::Refused(facts);
                return Poll::Ready(Err(refusal));
            }
        }
        for datagram in waiting {
            self.send(Run::single(&datagram));
        }
        Poll::Ready(Ok(()))
    }

    /// Passes datagrams of the client on. Those for which there is no room are lost.
    pub(super) fn pass_on(&mut self, run: Run<'_>) {
        match &mut self.stage {
            Stage::Opening(opening) => {
                let waits = opening.wait(run);
                self.exchange.sent(waits);
            }
            Stage::Open(_) => {
                let sent = self.send(run);
                self.exchange.sent(sent);
            }
            Stage::Refused(_) => {}
        }
    }

    /// Passes answers back.
    pub(super) fn pass_back(&mut self, door: &mut Door) -> Heard {
        let Self { stage: Stage::Open(open), exchange, limits, flow, waker, .. } = self else { return Heard::default() };
        match open.paces.as_mut().map_or(Rest::Over, |paces| paces.rest(Instant::now())) {
            Rest::Over => {}
            Rest::Begins(until) => return Heard { rests_until: Some(until), ..Heard::default() },
            Rest::GoesOn => return Heard::default(),
        }
        let (facts, mut bytes, mut answers) = (&mut open.facts.live, 0, false);
        let received = open.link.poll_receive(&mut Context::from_waker(waker), |run| {
            // What comes after all that was to come is nobody's.
            if !exchange.is_over(limits) {
                exchange.answered(run.count());
                bytes += run.bytes().len() as u64;
                answers = true;
                door.send(run, flow.client, flow.local);
            }
        });
        facts.bytes_sent += bytes;
        if answers {
            open.is_refused = false;
            if let Some(bucket) = open.paces.as_mut().and_then(|paces| paces.download.as_mut()) {
                bucket.take(bytes as usize, Instant::now());
            }
            note_answer(facts, &open.lease, bytes);
        }
        match received {
            Poll::Pending => Heard { answers, ..Heard::default() },
            Poll::Ready(Ok(())) => Heard { answers, more: true, rests_until: None },
            Poll::Ready(Err(error)) => {
                open.refused(error, exchange);
                Heard { answers, more: true, rests_until: None }
            }
        }
    }

    /// Why it ends, if it has been silent for too long.
    pub(super) fn reason_of_silence(&self) -> CloseReason {
        match &self.stage {
            Stage::Open(_) if self.exchange.lacks_responses(&self.limits) => CloseReason::NoResponse,
            _ => CloseReason::IdleTimeout,
        }
    }

    /// Ends it, and returns its right to be.
    pub(super) fn end(self, reason: CloseReason, detail: Option<Box<str>>) -> Permit<FLOW> {
        let now = Instant::now();
        let mut facts = match self.stage {
            Stage::Opening(opening) => {
                opening.give_up(reason);
                return self.permit;
            }
            Stage::Refused(facts) => facts,
            Stage::Open(Open { link, facts, lease, is_refused, _port, paces: _ }) => {
                drop(link);
                match reason {
                    CloseReason::Finished | CloseReason::IdleTimeout if !is_refused => lease.served(now),
                    CloseReason::NoResponse => lease.unanswered(self.limits.idle_timeout, now),
                    _ => {}
                }
                facts
            }
        };
        facts.live.end(reason, detail);
        self.permit
    }

    /// Sends datagrams to the server as fast as they may go, and says how many of them are on their way.
    fn send(&mut self, run: Run<'_>) -> usize {
        let Stage::Open(open) = &mut self.stage else { return 0 };
        open.facts.live.bytes_received += run.bytes().len() as u64;
        match open.paces.as_ref().and_then(|paces| paces.upload) {
            None => self.send_all(run),
            Some(mut bucket) => {
                let now = Instant::now();
                // They cannot wait without holding others back, and are never split.
                let sent = run.each().filter(|datagram| bucket.take_whole(datagram.len(), now).is_ok());
                let sent = sent.map(|datagram| self.send_all(Run::single(datagram))).sum();
                if let Stage::Open(Open { paces: Some(paces), .. }) = &mut self.stage {
                    paces.upload = Some(bucket);
                }
                sent
            }
        }
    }

    /// Sends datagrams to the server, and says how many of them are on their way.
    fn send_all(&mut self, mut run: Run<'_>) -> usize {
        let Self { stage: Stage::Open(open), exchange, waker, .. } = self else { return 0 };
        let (count, length) = (run.count(), run.bytes().len());
        let (mut lost, mut is_repeated) = (0, false);
        loop {
            match open.link.poll_send(&mut Context::from_waker(waker), &mut run) {
                Poll::Ready(Ok(())) | Poll::Pending => break,
                // Word of an earlier one, as a rule: this one has not been sent, and is as good as before.
                Poll::Ready(Err(error)) if UdpLink::is_refusal(&error) => {
                    open.refused(error, exchange);
                    if std::mem::replace(&mut is_repeated, true) {
                        // There is no way there at all. It went, and this was its answer.
                        run.take(1);
                        is_repeated = false;
                    }
                }
                Poll::Ready(Err(_)) => {
                    run.take(1);
                    lost += 1;
                }
            }
        }
        if let Some(last) = open.facts.live.tries.last_mut() {
            last.bytes_sent += (length - run.bytes().len()) as u64;
        }
        count - run.count() - lost
    }
}

impl Open {
    /// Nobody is there, or was when an earlier datagram came. It stands for an answer, as in nginx.
    fn refused(&mut self, error: io::Error, exchange: &mut Exchange) {
        exchange.answered(1);
        if !std::mem::replace(&mut self.is_refused, true) {
            self.lease.refused(error, Instant::now());
        }
    }
}

fn note_answer(session: &mut Session, lease: &Lease, bytes: u64) {
    let Some(last) = session.tries.last_mut() else { return };
    last.bytes_received += bytes;
    if last.first_byte.is_none() {
        let now = Instant::now();
        last.first_byte = Some(now.duration_since(last.started));
        lease.first_answer(now);
    }
}

/// A socket that cannot be watched.
fn not_watched(error: &io::Error) -> Refusal {
    let reason = if is_out_of_descriptors(error) { CloseReason::NoDescriptor } else { CloseReason::Failed };
    Refusal { reason, detail: Some(error.to_string().into()) }
}
