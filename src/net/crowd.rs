//! Many sockets that one task waits for. Each has a waker of its own, which notes its number and wakes the task: so a
//! task hears which of ten thousand sockets is ready without asking any other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What the sockets tell.
#[derive(Debug, Default)]
pub struct Crowd {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    numbers: Vec<u64>,
    task: Option<Waker>,
}

struct Member {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Crowd {
    /// A waker that notes this number.
    #[must_use]
    pub fn waker(self: &Arc<Self>, number: u64) -> Waker {
        Arc::new(Member { crowd: self.clone(), number }).into()
    }

    /// Notes a number and wakes the task.
    pub fn tell(&self, number: u64) {
        let mut told = self.told();
        told.numbers.push(number);
        if let Some(task) = told.task.take() {
            drop(told);
            task.wake();
        }
    }

    /// Moves the numbers that were noted behind others; a number may be there twice. The task hears of the next.
    pub fn take(&self, numbers: &mut VecDeque<u64>, task: &Waker) {
        let mut told = self.told();
        numbers.extend(told.numbers.drain(..));
        if !told.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            told.task = Some(task.clone());
        }
    }

    /// Whoever panicked with the lock held left a list that is as good as any.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.crowd.tell(self.number);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.crowd.tell(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_task_hears_who_called_and_nobody_else() {
        let crowd = Arc::new(Crowd::default());
        let wakers: Vec<_> = (0..5).map(|number| crowd.waker(number)).collect();
        wakers[3].wake_by_ref();
        wakers.into_iter().nth(1).unwrap().wake();
        let mut numbers = VecDeque::new();
        crowd.take(&mut numbers, Waker::noop());
        assert_eq!(numbers, [3, 1]);
        numbers.clear();
        crowd.take(&mut numbers, Waker::noop());
        assert!(numbers.is_empty());
    }
}
