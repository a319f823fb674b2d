//! When a crowd has left, its memory goes back to the system.

use std::sync::Arc;

use tokio::time::{Duration, sleep};

use super::worker::Shared;
use crate::sys::give_back_memory;

/// Looks now and then whether a crowd has left.
pub(super) async fn give_back(shared: Arc<Shared>) {
    let mut crowd = Crowd::default();
    loop {
        sleep(LOOK).await;
        if crowd.has_left(shared.ledger.ended(), shared.capacity.open()) {
            give_back_memory();
        }
    }
}

/// The sessions since memory was given back.
#[derive(Debug, Default)]
struct Crowd {
    /// How many had ended by then.
    ended: u64,
}

impl Crowd {
    /// Whether many have ended since it was so the last time, and few are left. Who is busy has a use for the memory.
    fn has_left(&mut self, ended: u64, open: usize) -> bool {
        let has_left = ended - self.ended >= MANY && open <= FEW;
        if has_left {
            self.ended = ended;
        }
        has_left
    }
}

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(10);
/// So many sessions are a crowd.
const MANY: u64 = 2_000;
/// So few are no crowd.
const FEW: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_left_once_when_few_are_left_of_it() {
        let mut crowd = Crowd::default();
        assert!(!crowd.has_left(MANY - 1, 0), "a few are no crowd");
        assert!(!crowd.has_left(MANY, FEW + 1), "many are there");
        assert!(crowd.has_left(MANY + 5, FEW));
        assert!(!crowd.has_left(MANY + 6, 0), "nothing new has been taken since");
        assert!(crowd.has_left(2 * MANY + 5, 0));
    }
}
