//! Moves bytes between the two sides of a session until both directions have ended, one breaks, or nothing
//! moves for too long. What a side says at its end is what the other hears: a FIN stays a FIN, a reset a reset.
//!
//! A session has no buffer of its own: bytes go through the worker's scratch, and only what the other side would
//! not take at once is kept, one read's worth at most; until it is gone nothing more is read (backpressure). A rate is kept
//! by the same means: nothing is read until it is due.

mod datagram;
mod direction;
mod pace;
mod rate;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, sleep};

use crate::net::Stream;
pub use datagram::{DatagramLimits, Exchange};
use direction::{Broken, Direction, How, Progress};
use pace::Pace;

pub use rate::{Bucket, Rates};

/// What a relay keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// No byte in either direction for this long ends it.
    pub idle_timeout: Duration,
    /// Whether one direction goes on after the other has ended (nginx's `proxy_half_close`).
    pub half_close: bool,
}

/// What has moved so far; read by others while the relay goes on.
#[derive(Default)]
pub struct Counts<'h> {
    /// Bytes read from the client.
    pub from_client: Cell<u64>,
    /// Bytes written to the client.
    pub to_client: Cell<u64>,
    /// Bytes read from the server.
    pub from_server: Cell<u64>,
    /// Bytes written to the server.
    pub to_server: Cell<u64>,
    /// When the server's first byte came.
    pub first_byte: Cell<Option<Instant>>,
    /// Who hears of it at once.
    pub on_first_byte: Option<&'h dyn Fn(Instant)>,
}

/// How a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayEnd {
    /// Both directions are over, the client's was first. The last end is still to be told, by closing.
    ClientClosed,
    /// The same, with the server first.
    ServerClosed,
    /// The client's direction was over first. The server has heard so, said no more, and ended without saying so.
    ClientClosedUnanswered,
    /// The client's connection broke.
    ClientReset,
    /// The server's connection broke.
    ServerReset,
    /// The client ended without saying so, as only a protocol with an end of its own can tell.
    ClientTruncated,
    /// The server did.
    ServerTruncated,
    /// The client no longer keeps to its protocol.
    ClientGarbled,
    /// The server does not.
    ServerGarbled,
    /// Nothing moved for `idle_timeout`.
    Idle,
}

/// Relays until the end. `first` was read from the client before, and `sent` bytes of it
/// are with the server already; they count towards the rate. Neither side is closed here, so that the end can be written
/// down before either sees it.
pub fn relay<'s, C: Stream, S: Stream>(
    client: &'s C,
    server: &'s S,
    first: Vec<u8>,
    sent: usize,
    limits: &'s RelayLimits,
    rates: Option<Box<Rates>>,
    counts: &'s Counts<'s>,
) -> impl Future<Output = RelayEnd> + use<'s, C, S> {
    let mut active = Instant::now();
    let (up, down) = paces(rates, first.len(), active);
    let (up, down) = (Direction::starting_with(first, sent, up), Direction::at(down));
    let mut relay = Relay { client, server, limits, counts, down, up, first: None, read_at_end: None };
    // Not an `async fn`, which would keep its arguments beside what has been made of them.
    async move {
        let mut idle = pin!(sleep(limits.idle_timeout));
        poll_fn(|cx| {
            let mut moved = false;
            if let Poll::Ready(end) = relay.poll(cx, &mut moved) {
                return Poll::Ready(end);
            }
            if moved || relay.is_held() {
                active = Instant::now();
            }
            // The timer is moved only when it fires: an active session never touches the timer wheel.
            while idle.as_mut().poll(cx).is_ready() {
                let until = active + limits.idle_timeout;
                if until <= Instant::now() {
                    return Poll::Ready(RelayEnd::Idle);
                }
                idle.as_mut().reset(until);
            }
            Poll::Pending
        })
        .await
    }
}

/// What the rates of a session come to for each direction, the client's first, of which so many bytes were read.
fn paces(rates: Option<Box<Rates>>, read: usize, now: Instant) -> (Option<Box<Pace>>, Option<Box<Pace>>) {
    let Some(rates) = rates else { return (None, None) };
    let pace = |rate: Option<_>, taken| rate.map(|rate| Box::new(Pace::new(rate, taken, now)));
    (pace(rates.upload, read), pace(rates.download, 0))
}

impl RelayEnd {
    fn of_client(how: How) -> Self {
        match how {
            How::Reset => Self::ClientReset,
            How::Truncated => Self::ClientTruncated,
            How::Garbled => Self::ClientGarbled,
        }
    }

    fn of_server(how: How) -> Self {
        match how {
            How::Reset => Self::ServerReset,
            How::Truncated => Self::ServerTruncated,
            How::Garbled => Self::ServerGarbled,
        }
    }
}

struct Relay<'s, C, S> {
    client: &'s C,
    server: &'s S,
    limits: &'s RelayLimits,
    counts: &'s Counts<'s>,
    down: Direction,
    up: Direction,
    /// How it will have ended if nothing breaks: by the side whose direction was over first.
    first: Option<RelayEnd>,
    /// How many bytes the server had said when it was told of the client's end.
    read_at_end: Option<u64>,
}

impl<C: Stream, S: Stream> Relay<'_, C, S> {
    fn poll(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<RelayEnd> {
        let moving = self.advance(cx, moved);
        // Also after a break: what moved right before it has moved.
        self.count();
        match moving {
            Err(end) => Poll::Ready(end),
            Ok((down, up)) => match self.ended(cx, down, up) {
                Some(end) => Poll::Ready(end),
                None => self.watch(cx, down, up),
            },
        }
    }

    /// Moves both directions on, unless a side breaks. What that side said before is passed on, whoever finds the break.
    fn advance(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Result<(Progress, Progress), RelayEnd> {
        let down = self.down.poll(cx, self.server, self.client, moved).map_err(|broken| match broken {
            Broken::From(How::Truncated) if self.read_at_end == Some(self.down.read) => RelayEnd::ClientClosedUnanswered,
            Broken::From(how) => RelayEnd::of_server(how),
            Broken::To => {
                self.up.pass_last_words(cx, self.client, self.server, moved);
                RelayEnd::ClientReset
            }
        })?;
        let up = self.up.poll(cx, self.client, self.server, moved).map_err(|broken| match broken {
            Broken::From(how) => RelayEnd::of_client(how),
            Broken::To => {
                self.down.pass_last_words(cx, self.server, self.client, moved);
                RelayEnd::ServerReset
            }
        })?;
        Ok((down, up))
    }

    /// Notices the death of a side from which nobody reads at the moment, since the other is blocked, a rate holds it or it
    /// has ended.
    fn watch(&self, cx: &mut Context<'_>, down: Progress, up: Progress) -> Poll<RelayEnd> {
        if down != Progress::Reading && self.server.poll_broken(cx).is_ready() {
            return Poll::Ready(RelayEnd::ServerReset);
        }
        if up != Progress::Reading && self.client.poll_broken(cx).is_ready() {
            return Poll::Ready(RelayEnd::ClientReset);
        }
        Poll::Pending
    }

    /// Whether a rate keeps a direction from being read.
    fn is_held(&self) -> bool {
        self.down.is_held() || self.up.is_held()
    }

    fn count(&self) {
        self.counts.from_client.set(self.up.read);
        self.counts.to_server.set(self.up.written);
        self.counts.to_client.set(self.down.written);
        if self.counts.from_server.replace(self.down.read) == 0 && self.down.read > 0 {
            let now = Instant::now();
            self.counts.first_byte.set(Some(now));
            if let Some(hear) = self.counts.on_first_byte {
                hear(now);
            }
        }
    }

    /// The end, if this is one; else passes on that of a direction that is over.
    fn ended(&mut self, cx: &mut Context<'_>, down: Progress, up: Progress) -> Option<RelayEnd> {
        if down == Progress::Over {
            self.first.get_or_insert(RelayEnd::ServerClosed);
        }
        if up == Progress::Over {
            self.first.get_or_insert(RelayEnd::ClientClosed);
        }
        let both = down == Progress::Over && up == Progress::Over;
        if both || (self.first.is_some() && !self.limits.half_close) {
            return self.first;
        }
        if down == Progress::Over {
            self.down.pass_end(cx, self.client);
        }
        if up == Progress::Over {
            self.up.pass_end(cx, self.server);
            if self.up.end_passed {
                self.read_at_end.get_or_insert(self.down.read);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
