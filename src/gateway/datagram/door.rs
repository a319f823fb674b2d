//! A listening socket of a worker, with what it has still to send.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::gateway::capacity::{Capacity, FLOW};
use crate::gateway::live::Ledger;
use crate::net::{Run, UdpListener};
use crate::session::udp_table::FlowId;
use crate::snapshot::Listener;

/// A listening socket.
pub(super) struct Door {
    pub(super) listener: Arc<Listener>,
    /// How many sessions the listener may have.
    pub(super) capacity: Arc<Capacity>,
    pub(super) socket: Rc<UdpListener>,
    pub(super) waker: Waker,
    /// Sessions whose answers wait until there is room again.
    pub(super) held: Vec<FlowId>,
    unsent: VecDeque<Parcel>,
    unsent_bytes: usize,
}

/// Datagrams for a client for which there was no room.
struct Parcel {
    bytes: Box<[u8]>,
    stride: usize,
    /// How many of them are on their way.
    sent: usize,
    client: SocketAddr,
    local: Option<IpAddr>,
}

impl Door {
    pub(super) fn new(listener: Arc<Listener>, socket: OwnedFd, capacity: Arc<Capacity>, waker: Waker) -> io::Result<Self> {
        let socket = Rc::new(UdpListener::new(socket)?);
        Ok(Self { listener, capacity, socket, waker, held: Vec::new(), unsent: VecDeque::new(), unsent_bytes: 0 })
    }

    /// Whether there is no room to send at the moment.
    pub(super) fn is_full(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends datagrams to a client, later if there is no room now. What cannot be sent at all is lost.
    pub(super) fn send(&mut self, mut run: Run<'_>, client: SocketAddr, local: Option<IpAddr>) {
        if !self.is_full() && self.poll_send(&mut run, client, local).is_ready() {
            return;
        }
        if self.unsent_bytes + run.bytes().len() <= MOST_UNSENT {
            self.unsent_bytes += run.bytes().len();
            self.unsent.push_back(Parcel { bytes: run.bytes().into(), stride: run.stride(), sent: 0, client, local });
        }
    }

    /// Sends what there was no room for. Ready when that is all on its way.
    pub(super) fn flush(&mut self) -> Poll<()> {
        while let Some(mut parcel) = self.unsent.pop_front() {
            let mut run = parcel.rest();
            let left = run.count();
            if self.poll_send(&mut run, parcel.client, parcel.local).is_pending() {
                parcel.sent += left - run.count();
                self.unsent.push_front(parcel);
                return Poll::Pending;
            }
            self.unsent_bytes -= parcel.bytes.len();
        }
        Poll::Ready(())
    }

    /// Says that there is no room for new clients.
    pub(super) fn complain_of_want_of_room(&self, ledger: &Ledger) {
        let (name, full) = (&self.listener.name, self.capacity.full());
        let consequence = "datagrams of new clients are dropped until a session ends";
        if self.capacity.has_room(FLOW) && self.capacity.lacks_descriptors() {
            return ledger.complain(name, "descriptors", consequence, &"out of descriptors");
        }
        let of = if full.is_part() { format!(" of [listener.{name}]") } else { String::new() };
        ledger.complain(
            name,
            "max_connections",
            consequence,
            &format_args!("max_connections = {}{of} is reached, and all of them are served", full.most::<FLOW>()),
        );
    }

    /// Says that datagrams come round and round.
    pub(super) fn complain_of_loop(&self, ledger: &Ledger) {
        ledger.complain(
            &self.listener.name,
            "loop",
            "such datagrams are dropped",
            &"datagrams come back from the gateway itself: its upstream leads here",
        );
    }

    fn poll_send(&self, run: &mut Run<'_>, client: SocketAddr, local: Option<IpAddr>) -> Poll<()> {
        let mut cx = Context::from_waker(&self.waker);
        while ready!(self.socket.poll_send(&mut cx, run, client, local)).is_err() {
            // Too large, or no way there: the next one is another matter.
            run.take(1);
        }
        Poll::Ready(())
    }
}

impl Parcel {
    fn rest(&self) -> Run<'_> {
        let mut run = Run::new(&self.bytes, self.stride);
        run.take(self.sent);
        run
    }
}

/// How much may wait for room: no more is read of servers meanwhile, but what one call reads may be that much.
const MOST_UNSENT: usize = 4 << 20;
