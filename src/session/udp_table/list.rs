//! Lists of numbers in which each can be taken out of the middle at once: its neighbours are kept by number.

/// Of each number, its neighbours in the one list that it may be in.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Vec<[Option<u32>; 2]>);

/// The ends of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct List {
    first: Option<u32>,
    last: Option<u32>,
}

const BEFORE: usize = 0;
const AFTER: usize = 1;

impl List {
    pub(super) fn first(&self) -> Option<u32> {
        self.first
    }

    /// Puts a number that is in no list at the end.
    pub(super) fn push(&mut self, number: u32, neighbours: &mut Neighbours) {
        *neighbours.of(number) = [self.last, None];
        match self.last.replace(number) {
            Some(last) => neighbours.of(last)[AFTER] = Some(number),
            None => self.first = Some(number),
        }
    }

    /// Takes out a number that is in this list.
    pub(super) fn remove(&mut self, number: u32, neighbours: &mut Neighbours) {
        let [before, after] = std::mem::take(neighbours.of(number));
        match before {
            Some(before) => neighbours.of(before)[AFTER] = after,
            None => self.first = after,
        }
        match after {
            Some(after) => neighbours.of(after)[BEFORE] = before,
            None => self.last = before,
        }
    }
}

impl Neighbours {
    /// Gives back the room of numbers from this one on, but for so many in all. None of them is in a list.
    pub(super) fn shrink(&mut self, number: usize, kept: usize) {
        self.0.truncate(number);
        self.0.shrink_to(kept);
    }

    fn of(&mut self, number: u32) -> &mut [Option<u32>; 2] {
        let index = number as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, [None, None]);
        }
        &mut self.0[index]
    }
}
