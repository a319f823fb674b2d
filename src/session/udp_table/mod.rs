//! The sessions of a worker's UDP sockets: which of them a datagram belongs to, who has been silent for too long, and
//! who makes room. Pure: a row is whatever the caller keeps of a session, and the clock is an argument, in milliseconds.
//!
//! A session that is used only notes when. It is filed anew when its time comes up, so that a datagram costs one store
//! and a quiet listener still forgets everybody in time.

mod list;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use list::{List, Neighbours};
use wheel::Wheel;

/// What tells one client's datagrams from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The listening socket, by a number of the caller's.
    pub socket: u32,
    /// The client.
    pub client: SocketAddr,
    /// The address that the client wrote to, on a socket that has several.
    pub local: Option<IpAddr>,
    /// For whom the client speaks, where it is a proxy that says so.
    pub speaks_for: Option<SocketAddr>,
}

/// A session in a table. It stands for no other one, even when its session is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    index: u32,
    serial: u32,
}

/// Sessions by their flow.
#[derive(Debug)]
pub struct UdpTable<R> {
    most: usize,
    by_flow: HashMap<Flow, u32>,
    rows: Vec<Option<Row<R>>>,
    len: usize,
    /// The rows without a session.
    free: List,
    serial: u32,
    wheel: Wheel,
    /// Those of each socket that have seen no answer, the oldest first.
    unanswered: Vec<List>,
    /// In those lists and that of free rows.
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Row<R> {
    value: R,
    serial: u32,
    flow: Flow,
    /// Whether datagrams of the flow belong to it.
    is_bound: bool,
    is_answered: bool,
    /// When it was used last.
    used: u64,
    idle_timeout: u64,
}

impl FlowId {
    /// The same as one number.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.serial)
    }

    /// The session of a number.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        Self { index: (number >> 32) as u32, serial: number as u32 }
    }
}

impl<R> UdpTable<R> {
    /// A table for so many sessions at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            // Of 2^31 a number still says which socket or session is meant.
            most: most.min(1 << 31),
            by_flow: HashMap::new(),
            rows: Vec::new(),
            len: 0,
            free: List::default(),
            serial: 0,
            wheel: Wheel::default(),
            unanswered: Vec::new(),
            neighbours: Neighbours::default(),
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session that a flow's datagrams belong to.
    #[must_use]
    pub fn find(&self, flow: &Flow) -> Option<FlowId> {
        let &index = self.by_flow.get(flow)?;
        let row = self.rows.get(index as usize)?.as_ref()?;
        Some(FlowId { index, serial: row.serial })
    }

    /// Begins a session, to which the flow's datagrams belong from now on. Its time is over when it was not used for
    /// `idle_timeout`.
    ///
    /// # Errors
    /// When the table is full: somebody has to make room first.
    pub fn admit(&mut self, flow: Flow, value: R, idle_timeout: u64, now: u64) -> Result<FlowId, R> {
        if self.len() >= self.most {
            return Err(value);
        }
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        let row = Row { value, serial, flow, is_bound: true, is_answered: false, used: now, idle_timeout };
        let index = match self.free.first() {
            Some(index) => {
                self.free.remove(index, &mut self.neighbours);
                index
            }
            None => {
                self.rows.push(None);
                (self.rows.len() - 1) as u32
            }
        };
        self.len += 1;
        self.rows[index as usize] = Some(row);
        let before = self.by_flow.insert(flow, index);
        if let Some(row) = before.and_then(|before| self.rows[before as usize].as_mut()) {
            row.is_bound = false;
        }
        let socket = flow.socket as usize;
        if socket >= self.unanswered.len() {
            self.unanswered.resize(socket + 1, List::default());
        }
        self.unanswered[socket].push(index, &mut self.neighbours);
        self.wheel.file(index, last_tick(now, idle_timeout));
        Ok(FlowId { index, serial })
    }

    /// What is kept of a session; nothing once it is gone.
    #[must_use]
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut R> {
        self.row(id).map(|row| &mut row.value)
    }

    /// The same, and notes that the session is used, until then if that is ahead.
    #[must_use]
    pub fn used(&mut self, id: FlowId, now: u64) -> Option<&mut R> {
        let row = self.row(id)?;
        // It may have been said to be in use for a while.
        row.used = row.used.max(now);
        Some(&mut row.value)
    }

    /// Notes that a session has seen an answer: from now on it makes room for nobody.
    pub fn answered(&mut self, id: FlowId) {
        if let Some(row) = self.row(id)
            && !std::mem::replace(&mut row.is_answered, true)
        {
            let socket = row.flow.socket as usize;
            self.unanswered[socket].remove(id.index, &mut self.neighbours);
        }
    }

    /// The flow's next datagram begins another session; this one goes on until it ends.
    pub fn unbind(&mut self, id: FlowId) {
        if let Some(row) = self.row(id)
            && std::mem::take(&mut row.is_bound)
        {
            let flow = row.flow;
            self.by_flow.remove(&flow);
        }
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: FlowId) -> Option<R> {
        self.row(id)?;
        self.take(id.index)
    }

    /// Takes out the one that makes room for another: of some of the sockets, the oldest that has seen no answer. Nobody
    /// does who is served.
    pub fn make_room(&mut self, of: impl Fn(u32) -> bool) -> Option<R> {
        let oldest = self.first_unanswered(of).max_by_key(|&index| self.age(index));
        self.take(oldest?)
    }

    /// Whether anybody would.
    #[must_use]
    pub fn can_make_room(&self, of: impl Fn(u32) -> bool) -> bool {
        self.first_unanswered(of).next().is_some()
    }

    /// Takes out everybody.
    pub fn drain(&mut self) -> impl Iterator<Item = R> + use<R> {
        let Self { most, serial, .. } = *self;
        let before = std::mem::replace(self, Self { serial, ..Self::new(most) });
        before.rows.into_iter().flatten().map(|row| row.value)
    }

    /// Takes out a session that was not used for its time. Each that is looked at takes one off the budget. When that is
    /// spent nobody is found, and [`next_due`](Self::next_due) is in the past.
    pub fn expired(&mut self, now: u64, budget: &mut usize) -> Option<R> {
        while *budget > 0 {
            let index = self.wheel.due(now / TICK)?;
            *budget -= 1;
            let row = self.rows[index as usize].as_ref()?;
            let last = last_tick(row.used, row.idle_timeout);
            if last <= now / TICK {
                return self.take(index);
            }
            self.wheel.file(index, last);
        }
        None
    }

    /// When somebody's time may be over next, if there is anybody.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.wheel.next().map(|tick| tick * TICK)
    }

    fn row(&mut self, id: FlowId) -> Option<&mut Row<R>> {
        self.rows.get_mut(id.index as usize)?.as_mut().filter(|row| row.serial == id.serial)
    }

    /// Of each of these sockets the oldest that has seen no answer.
    fn first_unanswered(&self, of: impl Fn(u32) -> bool) -> impl Iterator<Item = u32> {
        (0..).zip(&self.unanswered).filter(move |(socket, _)| of(*socket)).filter_map(|(_, queue)| queue.first())
    }

    /// How many sessions have begun since.
    fn age(&self, index: u32) -> u32 {
        self.rows[index as usize].as_ref().map_or(0, |row| self.serial.wrapping_sub(row.serial))
    }

    fn take(&mut self, index: u32) -> Option<R> {
        let row = self.rows.get_mut(index as usize)?.take()?;
        self.wheel.unfile(index);
        if !row.is_answered {
            self.unanswered[row.flow.socket as usize].remove(index, &mut self.neighbours);
        }
        if row.is_bound {
            self.by_flow.remove(&row.flow);
        }
        self.len -= 1;
        self.free.push(index, &mut self.neighbours);
        self.give_back();
        Some(row.value)
    }

    /// Drops the rows behind the last session. When most of a crowd has left, its room goes with it.
    fn give_back(&mut self) {
        while let Some(None) = self.rows.last() {
            self.rows.pop();
            self.free.remove(self.rows.len() as u32, &mut self.neighbours);
        }
        let used = self.rows.len();
        if self.rows.capacity() > KEPT && used < self.rows.capacity() / 8 {
            let kept = (2 * used).max(KEPT);
            self.rows.shrink_to(kept);
            self.by_flow.shrink_to(kept);
            self.wheel.shrink(used, kept);
            self.neighbours.shrink(used, kept);
        }
    }
}

/// The tick at which the time of a session is over.
fn last_tick(used: u64, idle_timeout: u64) -> u64 {
    used.saturating_add(idle_timeout).div_ceil(TICK)
}

/// How finely time is kept, in milliseconds.
const TICK: u64 = 16;
/// Room for so many is always kept.
const KEPT: usize = 256;
