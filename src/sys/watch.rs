//! Letting the runtime watch an epoll descriptor. tokio offers it for any descriptor, but asks its caller to promise
//! that the descriptor stays what it is.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the current runtime say when this descriptor becomes readable.
///
/// # Errors
/// When the runtime cannot watch one more descriptor, or not one of this kind.
///
/// # Panics
/// Outside of a runtime.
pub fn watch_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and stands for the same file for as long as it lives, it always names the same
    // descriptor, and the `AsyncFd` owns it: nobody can close or replace it before the `AsyncFd` gives it back or is gone.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    watched.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn a_pipe_becomes_readable_when_it_is_written_to() {
        let (reader, mut writer) = io::pipe().unwrap();
        let watched = watch_readable(reader.into()).unwrap();
        writer.write_all(b"x").unwrap();
        assert!(watched.readable().await.is_ok());
    }
}
