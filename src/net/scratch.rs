//! One buffer for each worker thread, lent for the length of a call. Sessions have none of their own, so an idle
//! one costs nothing.

use std::cell::RefCell;

/// What one read takes at the most.
pub const SCRATCH_SIZE: usize = 64 * 1024;

/// Lends the thread's buffer. What is in it afterwards belongs to nobody.
pub fn with_scratch<R>(body: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_SIZE].into_boxed_slice());
    }
    SCRATCH.with_borrow_mut(|scratch| body(scratch))
}
