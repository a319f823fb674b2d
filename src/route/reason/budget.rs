//! How much may be spent on reasoning. It is counted and not timed, so that the same is decided on every machine.

/// What may still be spent on all that is reasoned about.
#[derive(Debug)]
pub struct Budget(usize);

/// There was more to look at than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecided;

impl Default for Budget {
    /// What one run of a command may spend.
    fn default() -> Self {
        Self::new(WHOLE)
    }
}

impl Budget {
    pub(super) fn new(units: usize) -> Self {
        Self(units)
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    /// Spends some; what is too much takes all that is left.
    pub(super) fn spend(&mut self, units: usize) -> Result<(), Undecided> {
        let left = self.0.checked_sub(units).ok_or(Undecided);
        self.0 = left.unwrap_or_default();
        left.map(drop)
    }

    /// Has work done for a part of what is left at most, so that what is hard leaves something to others.
    pub(super) fn part<T>(&mut self, divisor: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let given = self.0 / divisor;
        let mut part = Self(given);
        let done = work(&mut part);
        self.0 -= given - part.0;
        done
    }
}

/// About a second without optimization, for the hardest patterns.
const WHOLE: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_part_has_left_is_there_for_others() {
        let mut budget = Budget::new(100);
        assert_eq!(budget.part(4, |part| part.spend(20)), Ok(()));
        assert_eq!(budget.0, 80);
        assert_eq!(budget.part(4, |part| part.spend(21)), Err(Undecided));
        assert_eq!(budget.0, 60);
        assert!(!budget.is_spent());
        assert_eq!(budget.spend(61), Err(Undecided));
        assert!(budget.is_spent());
    }
}
