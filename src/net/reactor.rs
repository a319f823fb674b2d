//! Which sockets of a worker are ready. One epoll set for each worker thread, watched by its runtime as a single
//! descriptor: a socket costs a row in a table here instead of a registration there, none of it locked, and closing it
//! is all it takes to forget it. The kernel may take a moment longer: it goes on telling of a socket for as long as anybody
//! has a descriptor of it, and a process that is being started has all of them until it runs its program. So events say
//! whom of those that have had a row they are about.
//!
//! Events are edges (epoll(7)): readiness is kept until a call would have blocked. They are taken in by one task of the
//! thread, so that none can fall between a call and the note of its result.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use tokio::task::coop::poll_proceed;

use crate::sys::watch_readable;

/// What a task can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Bytes, an end or an error can be read.
    Read = 0,
    /// There is room to write, or writing has an error to tell.
    Write = 1,
    /// The connection is broken, whoever reads or not.
    Broken = 2,
}

/// A descriptor's row, given back when dropped. The descriptor is to be closed first.
#[derive(Debug)]
pub(super) struct Registration {
    reactor: Rc<Reactor>,
    row: usize,
    watches_writing: Cell<bool>,
}

#[derive(Debug)]
struct Reactor {
    epoll: OwnedFd,
    rows: RefCell<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    all: Vec<Row>,
    free: Vec<usize>,
}

/// What is known of a descriptor, and who waits for more.
#[derive(Debug, Default)]
struct Row {
    is_ready: [bool; 3],
    /// The other side has ended or broken: what is ready for that reason stays so, until a call would block all the same.
    for_good: [bool; 3],
    waiting: [Option<Waker>; 3],
    /// How many have had it before.
    before: u16,
}

impl Registration {
    /// Watches a descriptor from now on, on this thread. What it is said to be ready for is tried without waiting for
    /// word of it.
    pub(super) fn new(descriptor: impl AsFd, ready: &[Ready]) -> io::Result<Self> {
        let reactor = Reactor::of_this_thread()?;
        let row = reactor.rows.borrow_mut().take(ready);
        // Who can write already need not hear of it, which would be an event for each connection.
        let watches_writing = Cell::new(!ready.contains(&Ready::Write));
        let registration = Self { reactor, row, watches_writing };
        epoll::add(&registration.reactor.epoll, descriptor, registration.data(), registration.flags())?;
        Ok(registration)
    }

    /// Whether a call is worth making. Counts towards the task's budget, so that no pair of sockets starves the others.
    pub(super) fn poll(&self, ready: Ready, cx: &mut Context<'_>) -> Poll<()> {
        let budget = ready!(poll_proceed(cx));
        let ready = self.poll_uncounted(ready, cx);
        if ready.is_ready() {
            budget.made_progress();
        }
        ready
    }

    /// The same for those who may not be told to come again: it counts towards no budget, so they have to end their turn
    /// themselves.
    pub(super) fn poll_uncounted(&self, ready: Ready, cx: &mut Context<'_>) -> Poll<()> {
        let mut rows = self.reactor.rows.borrow_mut();
        let row = &mut rows.all[self.row];
        if row.is_ready[ready as usize] {
            return Poll::Ready(());
        }
        let waiting = &mut row.waiting[ready as usize];
        if !waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waiting = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Has the next call be tried without waiting for word of it.
    pub(super) fn expect(&self, ready: Ready) {
        self.reactor.rows.borrow_mut().all[self.row].is_ready[ready as usize] = true;
    }

    /// Notes that a read would have blocked.
    pub(super) fn blocked(&self) {
        self.reactor.rows.borrow_mut().all[self.row].is_ready[Ready::Read as usize] = false;
    }

    /// Notes that a read has just drained the socket, so that the next would block, unless there is more for good.
    pub(super) fn drained(&self) {
        self.exhausted(Ready::Read);
    }

    /// Notes that the next write would block: it did, or it has just filled the socket. From now on there is word of
    /// room to write.
    pub(super) fn filled(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.exhausted(Ready::Write);
        self.watch_writing(descriptor)
    }

    /// Notes that a write would have blocked, whatever errors there were before: to a socket of datagrams they are word of
    /// single ones, and none is its end.
    pub(super) fn refused(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.reactor.rows.borrow_mut().all[self.row].is_ready[Ready::Write as usize] = false;
        self.watch_writing(descriptor)
    }

    fn watch_writing(&self, descriptor: impl AsFd) -> io::Result<()> {
        if !self.watches_writing.replace(true) {
            epoll::modify(&self.reactor.epoll, descriptor, self.data(), self.flags())?;
        }
        Ok(())
    }

    fn exhausted(&self, ready: Ready) {
        let mut rows = self.reactor.rows.borrow_mut();
        let row = &mut rows.all[self.row];
        row.is_ready[ready as usize] = row.for_good[ready as usize];
    }

    fn data(&self) -> EventData {
        EventData::new_u64(self.reactor.rows.borrow().name(self.row))
    }

    fn flags(&self) -> EventFlags {
        let reading = EventFlags::IN | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        if self.watches_writing.get() { reading | EventFlags::OUT } else { reading }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.reactor.rows.borrow_mut().give_back(self.row);
    }
}

/// Takes events in and wakes who waits for them, for as long as the thread's runtime lives.
///
/// # Errors
/// When the runtime cannot watch the epoll set.
pub async fn drive() -> io::Result<()> {
    let reactor = Reactor::of_this_thread()?;
    let watched = watch_readable(reactor.epoll.try_clone()?)?;
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        let mut readable = poll_fn(|cx| watched.poll_read_ready(cx)).await?;
        reactor.take_in(&mut events)?;
        if events.len() < EVENTS {
            readable.clear_ready();
        }
    }
}

impl Reactor {
    fn of_this_thread() -> io::Result<Rc<Self>> {
        thread_local! {
            static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
        }
        REACTOR.with_borrow_mut(|reactor| match reactor {
            Some(reactor) => Ok(reactor.clone()),
            None => {
                let made = Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, rows: RefCell::default() };
                Ok(reactor.insert(Rc::new(made)).clone())
            }
        })
    }

    fn take_in(&self, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut rows = self.rows.borrow_mut();
        for Event { flags, data } in events.iter().copied() {
            if let Some(row) = rows.named(data.u64()) {
                row.note(flags);
            }
        }
        Ok(())
    }
}

impl Rows {
    fn take(&mut self, ready: &[Ready]) -> usize {
        let row = self.free.pop().unwrap_or_else(|| {
            self.all.push(Row::default());
            self.all.len() - 1
        });
        ready.iter().for_each(|&ready| self.all[row].is_ready[ready as usize] = true);
        row
    }

    fn give_back(&mut self, row: usize) {
        self.all[row] = Row { before: self.all[row].before.wrapping_add(1), ..Row::default() };
        self.free.push(row);
    }

    /// What events about whoever has a row now call it.
    fn name(&self, row: usize) -> u64 {
        u64::from(self.all[row].before) << BITS_OF_ROW | row as u64
    }

    /// The row of an event, unless it is about somebody who has had it before.
    fn named(&mut self, name: u64) -> Option<&mut Row> {
        let row = usize::try_from(name & ((1 << BITS_OF_ROW) - 1)).ok()?;
        self.all.get_mut(row).filter(|row| u64::from(row.before) == name >> BITS_OF_ROW)
    }
}

impl Row {
    fn note(&mut self, flags: EventFlags) {
        let any = |wanted: EventFlags| flags.intersects(wanted);
        let over = EventFlags::HUP | EventFlags::ERR;
        // A read stops short at urgent data (tcp(7)), so from then on a short one drains nothing.
        self.set(Ready::Read, any(EventFlags::IN), any(EventFlags::RDHUP | EventFlags::PRI | over));
        self.set(Ready::Write, any(EventFlags::OUT), any(over));
        self.set(Ready::Broken, false, any(EventFlags::ERR));
    }

    fn set(&mut self, ready: Ready, now: bool, for_good: bool) {
        if now || for_good {
            self.for_good[ready as usize] |= for_good;
            self.is_ready[ready as usize] = true;
            if let Some(waker) = self.waiting[ready as usize].take() {
                waker.wake();
            }
        }
    }
}

/// Events that are taken in at once.
const EVENTS: usize = 1024;
/// Enough for the rows of any thread; the rest of an event's name is a `u16`.
const BITS_OF_ROW: u32 = 48;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn row(events: &[EventFlags]) -> Row {
        let mut row = Row::default();
        events.iter().for_each(|flags| row.note(*flags));
        row
    }

    #[test]
    fn an_end_stays_readable_though_the_bytes_before_it_are_read() {
        let registration = |row| Registration {
            watches_writing: Cell::new(true),
            reactor: Rc::new(Reactor {
                epoll: epoll::create(CreateFlags::CLOEXEC).unwrap(),
                rows: RefCell::new(Rows { all: vec![row], free: Vec::new() }),
            }),
            row: 0,
        };
        let ended = registration(row(&[EventFlags::IN | EventFlags::RDHUP]));
        ended.drained();
        assert!(ended.reactor.rows.borrow().all[0].is_ready[Ready::Read as usize]);
        let open = registration(row(&[EventFlags::IN]));
        open.drained();
        assert!(!open.reactor.rows.borrow().all[0].is_ready[Ready::Read as usize]);
        let failed = registration(row(&[EventFlags::ERR]));
        failed.blocked();
        assert!(!failed.reactor.rows.borrow().all[0].is_ready[Ready::Read as usize], "else the same call is made for ever");
        let full = registration(row(&[EventFlags::ERR]));
        full.refused(&full.reactor.epoll).unwrap();
        assert!(!full.reactor.rows.borrow().all[0].is_ready[Ready::Write as usize], "else the same call is made for ever");
    }

    #[test]
    fn only_an_error_is_a_break() {
        assert_eq!(row(&[EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP]).is_ready, [true, true, false]);
        assert_eq!(row(&[EventFlags::ERR]).is_ready, [true, true, true]);
        assert_eq!(row(&[EventFlags::OUT]).is_ready, [false, true, false]);
    }

    #[test]
    fn word_of_a_socket_that_others_still_have_is_none_of_the_next_one() {
        let reactor = Reactor::of_this_thread().unwrap();
        for is_row_free in [true, false] {
            let [(ours, theirs), (next, _of_next)] = [(); 2].map(|()| UnixStream::pair().unwrap());
            let registration = Registration::new(&ours, &[]).unwrap();
            let row = registration.row;
            let _elsewhere = ours.try_clone().unwrap();
            drop((ours, registration));
            let register = || Registration::new(&next, &[]).unwrap();
            let mut registered = (!is_row_free).then(register);
            // It ends, of which the kernel tells.
            drop(theirs);
            let mut events = Vec::with_capacity(EVENTS);
            reactor.take_in(&mut events).unwrap();
            assert!(events.iter().any(|&Event { flags, .. }| flags.contains(EventFlags::HUP)));
            let registration = registered.take().unwrap_or_else(register);
            assert_eq!(registration.row, row);
            assert!(!reactor.rows.borrow().all[row].is_ready[Ready::Read as usize]);
            drop((next, registration));
        }
    }

    #[test]
    fn rows_are_used_again() {
        let mut rows = Rows::default();
        let (first, second) = (rows.take(&[]), rows.take(&[]));
        rows.give_back(first);
        assert_eq!(rows.take(&[Ready::Read]), first);
        assert_eq!(rows.all[first].is_ready, [true, false, false]);
        assert_ne!(first, second);
        assert_eq!(rows.all.len(), 2);
    }
}
