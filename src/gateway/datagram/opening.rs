//! A session on its way to a server. Names may have to be looked up, so it may take its time; the datagrams that come
//! meanwhile wait.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::only_target;
use crate::gateway::live::Live;
use crate::gateway::rates::rates;
use crate::gateway::reach;
use crate::gateway::refusal::Refusal;
use crate::gateway::worker::Worker;
use crate::net::Run;
use crate::relay::Rates;
use crate::session::CloseReason;
use crate::snapshot::{Action, Listener};
use crate::upstream::Opened;

/// What is done before there is a server.
pub(super) struct Opening {
    way: Pin<Box<dyn Future<Output = WayEnd>>>,
    given_up: Rc<Cell<CloseReason>>,
    waiting: Vec<Box<[u8]>>,
    waiting_bytes: usize,
}

/// Where the way has led.
pub(super) struct WayEnd {
    pub(super) facts: Facts,
    /// The server, and how fast the session may go.
    pub(super) opened: Result<(Opened, Rates), Refusal>,
}

/// The facts of a session. Dropped on the way they end for the reason that was given.
pub(super) struct Facts {
    pub(super) live: Live,
    given_up: Rc<Cell<CloseReason>>,
}

impl Opening {
    pub(super) fn new(live: Live, listener: Arc<Listener>, worker: &Rc<Worker>) -> Self {
        let (given_up, worker) = (Rc::new(Cell::new(CloseReason::Failed)), worker.clone());
        let mut facts = Facts { live, given_up: given_up.clone() };
        let way = async move {
            let opened = open(&listener, &mut facts.live, &worker).await;
            WayEnd { facts, opened }
        };
        Self { way: Box::pin(way), given_up, waiting: Vec::new(), waiting_bytes: 0 }
    }

    /// Goes on; when it is over, it is not to be asked again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<WayEnd> {
        self.way.as_mut().poll(cx)
    }

    /// Lets datagrams wait, as long as there is room. Returns how many of them do.
    pub(super) fn wait(&mut self, run: Run<'_>) -> usize {
        let mut waits = 0;
        for datagram in run.each() {
            if self.waiting.len() == MOST_WAITING || self.waiting_bytes + datagram.len() > MOST_WAITING_BYTES {
                break;
            }
            self.waiting.push(datagram.into());
            self.waiting_bytes += datagram.len();
            waits += 1;
        }
        waits
    }

    /// Those that wait.
    pub(super) fn take_waiting(&mut self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut self.waiting)
    }

    /// Gives the way up.
    pub(super) fn give_up(self, reason: CloseReason) {
        self.given_up.set(reason);
    }
}

impl Drop for Facts {
    fn drop(&mut self) {
        self.live.end(self.given_up.get(), None);
    }
}

async fn open(listener: &Listener, live: &mut Live, worker: &Worker) -> Result<(Opened, Rates), Refusal> {
    let target = only_target(listener).ok_or(CloseReason::NoRoute)?;
    let Action::Forward(destination) = &target.action else { return Err(CloseReason::NoRoute.into()) };
    let opened = worker.unless_stopped(pin!(reach::open(destination, target, live, worker))).await??;
    Ok((opened, rates(&target.rates, live, worker.ledger())))
}

/// How many datagrams wait while names are looked up.
const MOST_WAITING: usize = 16;
/// How much they may be together: one of any size fits.
const MOST_WAITING_BYTES: usize = 64 * 1024;
