//! What a relay asks of each of its two sides: of a socket, and of what speaks to the other side through one.

use std::io;
use std::task::{Context, Poll};

/// One side of a session. All calls are made by one task, with its waker.
pub trait Stream {
    /// Reads what is there into the buffer; 0 is the other side's orderly end.
    ///
    /// # Errors
    /// When the connection is broken. An end that is none in order is [`io::ErrorKind::UnexpectedEof`], bytes that keep to
    /// no protocol are [`io::ErrorKind::InvalidData`]; what was sound before either has been read by then.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Takes some of the bytes. They may be on their way only when [`Stream::poll_flush`] says so.
    ///
    /// # Errors
    /// When the connection is broken.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Sees to it that all that was taken is on its way, and notes in `moved` whether some of it went just now.
    ///
    /// # Errors
    /// When the connection is broken.
    fn poll_flush(&self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>>;

    /// Ends this direction in order: nothing more will be written, reading goes on.
    ///
    /// # Errors
    /// When the connection is gone already.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the other side has reset the connection or died, whether or not anybody reads.
    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Has the next read ask the kernel, whether or not there was word of bytes.
    fn expect_bytes(&self);
}
