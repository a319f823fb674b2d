//! The worker's room for what is received at once. It is lent for the length of a call, so that no socket has any.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};

use quinn_udp::{BATCH_SIZE, RecvMeta};

/// What a burst may be long, and any datagram is shorter.
const SLOT_SIZE: usize = 64 * 1024;

struct Slots {
    bytes: Box<[u8]>,
    facts: [RecvMeta; BATCH_SIZE],
}

/// Receives into so many of the thread's slots, and shows each that was filled. Says whether all of them were.
pub(super) fn receive(
    most: usize,
    receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    mut each: impl FnMut(&[u8], &RecvMeta),
) -> io::Result<bool> {
    thread_local! {
        static SLOTS: RefCell<Slots> = RefCell::new(Slots {
            bytes: vec![0; SLOT_SIZE * BATCH_SIZE].into_boxed_slice(),
            facts: [RecvMeta::default(); BATCH_SIZE],
        });
    }
    SLOTS.with_borrow_mut(|Slots { bytes, facts }| {
        let mut chunks = bytes.chunks_exact_mut(SLOT_SIZE);
        let mut slots: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let most = most.min(BATCH_SIZE);
        let filled = receive(&mut slots[..most], facts)?;
        for (slot, facts) in slots.iter().zip(&*facts).take(filled) {
            each(&slot[..facts.len.min(SLOT_SIZE)], facts);
        }
        Ok(filled == most)
    })
}
