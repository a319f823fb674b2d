//! TLS over a socket: plaintext on one side, records on the other. It keeps nothing of its own but a record that is not
//! whole yet, and what the socket would not take of one write: records go through a buffer of the thread's.
//!
//! rustls grows its own buffers with what it is given, and is fed and emptied in steps small enough to stay within them.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use rustls::{Connection, SupportedCipherSuite};

use crate::net::{SCRATCH_SIZE, Socket, Stream};

/// What is known of a TLS connection, without its socket.
pub struct Layer(RefCell<State>);

/// A TLS connection over its socket.
#[derive(Clone, Copy, Debug)]
pub struct TlsStream<'s> {
    layer: &'s Layer,
    socket: &'s Socket,
}

pub(super) struct State {
    pub(super) connection: Connection,
    /// Why there is nothing more to read; what was sound before it has been read by then.
    pub(super) failed: Option<rustls::Error>,
    /// How many records may still be sent under these keys; known once something was.
    records_left: Option<u64>,
    has_ended: bool,
}

impl Layer {
    /// A connection whose handshake is over.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self(RefCell::new(State { connection, failed: None, records_left: None, has_ended: false }))
    }

    /// The connection over its socket, which is always the same one.
    #[must_use]
    pub fn over<'s>(&'s self, socket: &'s Socket) -> TlsStream<'s> {
        TlsStream { layer: self, socket }
    }

    /// What is wrong with what the other side sent, in rustls' words.
    #[must_use]
    pub fn failure(&self) -> Option<rustls::Error> {
        self.0.borrow().failed.clone()
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl<'s> TlsStream<'s> {
    pub(super) fn state(&self) -> RefMut<'s, State> {
        self.layer.state()
    }

    /// Takes in what the socket has, up to so many bytes; how much that was, and how much plaintext of it is in the buffer.
    pub(super) fn poll_take_in(
        self,
        cx: &mut Context<'_>,
        state: &mut State,
        most: usize,
        plaintext: &mut [u8],
    ) -> Poll<io::Result<(usize, usize)>> {
        with_records(|records| {
            let read = self.socket.poll_read(cx, &mut records[..most]);
            if read.is_pending() {
                state.shrink();
            }
            read.map_ok(|length| (length, state.take_in(&records[..length], plaintext)))
        })
    }

    /// Sends what waits to be sent, and notes in `moved` whether some of it went.
    pub(super) fn poll_send(self, cx: &mut Context<'_>, state: &mut State, moved: &mut bool) -> Poll<io::Result<()>> {
        // What rustls answers behind our end can be sent no more.
        while state.connection.wants_write() && !state.has_ended {
            let mut sending = Sending { socket: self.socket, cx };
            match state.connection.write_tls(&mut sending) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => *moved = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream for TlsStream<'_> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.state();
        for _ in 0..READS_WITHOUT_DATA {
            match state.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            if let Some(error) = &state.failed {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())));
            }
            let most = buffer.len().min(SCRATCH_SIZE);
            let (_, length) = ready!(self.poll_take_in(cx, state, most, buffer))?;
            // Answers to what is no data; how sending goes is found by who sends.
            let _ = self.poll_send(cx, state, &mut false);
            if length > 0 {
                return Poll::Ready(Ok(length));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes bytes only when all before them are on their way, so that no more than one write waits.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.state();
        ready!(self.poll_send(cx, state, &mut false))?;
        state.spend_records(bytes.len())?;
        let taken = state.connection.writer().write(bytes)?;
        match self.poll_send(cx, state, &mut false) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(&self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        self.poll_send(cx, &mut self.state(), moved)
    }

    /// close_notify, then a FIN. After a failure rustls has an alert of its own to send.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        if state.has_ended {
            return Poll::Ready(Ok(()));
        }
        if state.failed.is_none() {
            state.connection.send_close_notify();
        }
        ready!(self.poll_send(cx, state, &mut false))?;
        state.has_ended = true;
        Poll::Ready(self.socket.shutdown_write())
    }

    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_broken(cx)
    }

    fn expect_bytes(&self) {
        self.socket.expect_bytes();
    }
}

impl State {
    /// Takes in bytes of the other side's, or their end if there are none, and puts plaintext into the buffer as far as
    /// it goes; how much that was. The rest, a record's at most, is with rustls.
    pub(super) fn take_in(&mut self, mut bytes: &[u8], plaintext: &mut [u8]) -> usize {
        let mut length = 0;
        loop {
            match self.connection.read_tls(&mut bytes) {
                // What comes behind the other side's end is not read.
                Ok(0) => return length,
                Ok(_) => {}
                Err(error) => {
                    self.failed = Some(rustls::Error::General(error.to_string()));
                    return length;
                }
            }
            if let Err(error) = self.connection.process_new_packets() {
                self.failed = Some(error);
                return length;
            }
            if let Ok(more) = self.connection.reader().read(&mut plaintext[length..]) {
                length += more;
            }
            if bytes.is_empty() {
                return length;
            }
        }
    }

    /// Has rustls give back what it needed for more than it needs now.
    fn shrink(&mut self) {
        // It does so before it reads, and this reads nothing.
        let _ = self.connection.read_tls(&mut NothingYet);
    }

    /// Counts the records of a write. Before TLS 1.3 keys cannot be changed; rustls would end a connection in order when
    /// they are worn out, and drop what is still written: that must not pass for an end of the data.
    fn spend_records(&mut self, bytes: usize) -> io::Result<()> {
        let suite = self.connection.negotiated_cipher_suite();
        let left = self.records_left.get_or_insert_with(|| match suite {
            Some(SupportedCipherSuite::Tls12(suite)) => suite.common.confidentiality_limit.saturating_sub(RESERVED_RECORDS),
            _ => u64::MAX,
        });
        match left.checked_sub(bytes.div_ceil(RECORD) as u64) {
            Some(rest) => *left = rest,
            None => return Err(io::Error::other("the keys of this connection are worn out")),
        }
        Ok(())
    }
}

/// The socket, as rustls writes to it.
struct Sending<'s, 'c, 'w> {
    socket: &'s Socket,
    cx: &'c mut Context<'w>,
}

impl Write for Sending<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.poll_write_vectored(self.cx, bytes) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Lends the thread's buffer for records. The one for plaintext may be lent at the same time.
fn with_records<R>(body: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local! {
        static RECORDS: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_SIZE].into_boxed_slice());
    }
    RECORDS.with_borrow_mut(|records| body(records))
}

/// After how many reads that bring no data others have their turn: empty records may come without end, and neither the other
/// direction nor `idle_timeout` is to wait for that.
const READS_WITHOUT_DATA: usize = 4;
/// What one record carries at the most (RFC 8446 §5.1).
const RECORD: usize = 1 << 14;
/// Of a connection's records, those that are not data: the end of the handshake, alerts.
const RESERVED_RECORDS: u64 = 64;

#[cfg(test)]
mod tests;
