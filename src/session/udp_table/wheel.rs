//! A timer wheel: numbers, each with a time at which it is to be looked at. Levels of 64 slots; a slot of one is as wide
//! as all of the level below. What lies far ahead is filed coarsely, and comes up to be filed anew when it is nearer.

use super::list::{List, Neighbours};

/// Numbers by the tick at which each is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    levels: [Level; LEVELS],
    neighbours: Neighbours,
    /// Where each number is filed.
    places: Vec<Option<Place>>,
    /// Nothing is filed before this tick.
    position: u64,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    slots: [List; SLOTS],
    /// A bit for each slot that is not empty.
    occupied: u64,
}

impl Default for Level {
    fn default() -> Self {
        Self { slots: [List::default(); SLOTS], occupied: 0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    level: u8,
    slot: u8,
}

impl Wheel {
    /// Files a number that is not filed.
    pub(super) fn file(&mut self, number: u32, tick: u64) {
        let tick = tick.clamp(self.position, LAST);
        // The first digit, of 64 each, in which the tick and the position differ.
        let differs = (tick ^ self.position) | (SLOTS as u64 - 1);
        let level = (differs.ilog2() / DIGIT) as usize;
        let slot = digit(tick, level);
        let Level { slots, occupied } = &mut self.levels[level];
        slots[slot].push(number, &mut self.neighbours);
        *occupied |= 1 << slot;
        let index = number as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        self.places[index] = Some(Place { level: level as u8, slot: slot as u8 });
    }

    /// Takes a number out, if it is filed.
    pub(super) fn unfile(&mut self, number: u32) {
        let Some(Place { level, slot }) = self.places.get_mut(number as usize).and_then(Option::take) else { return };
        let Level { slots, occupied } = &mut self.levels[usize::from(level)];
        let list = &mut slots[usize::from(slot)];
        list.remove(number, &mut self.neighbours);
        if list.first().is_none() {
            *occupied &= !(1 << slot);
        }
    }

    /// Gives back the room of numbers from this one on, but for so many in all. None of them is filed.
    pub(super) fn shrink(&mut self, number: usize, kept: usize) {
        self.places.truncate(number);
        self.places.shrink_to(kept);
        self.neighbours.shrink(number, kept);
    }

    /// Takes out a number that is to be looked at by this tick; maybe before its own, where it was filed coarsely.
    pub(super) fn due(&mut self, now: u64) -> Option<u32> {
        let Some((start, level, slot)) = self.earliest().filter(|(start, ..)| *start <= now) else {
            self.position = self.position.max(now.min(LAST));
            return None;
        };
        self.position = start;
        let number = self.levels[level].slots[slot].first()?;
        self.unfile(number);
        Some(number)
    }

    /// The tick at which somebody is to be looked at next.
    pub(super) fn next(&self) -> Option<u64> {
        self.earliest().map(|(start, ..)| start)
    }

    /// The slot that comes up first: its first tick, or the position where that is past, then its level and its number.
    fn earliest(&self) -> Option<(u64, usize, usize)> {
        let starts = self.levels.iter().enumerate().filter(|(_, level)| level.occupied != 0).map(|(level, Level { occupied, .. })| {
            // A slot behind the position would be one of the level above.
            let slot = occupied.trailing_zeros() as usize;
            let width = DIGIT * level as u32;
            let above = self.position >> (width + DIGIT) << (width + DIGIT);
            let start = above | (slot as u64) << width;
            (start.max(self.position), level, slot)
        });
        starts.min()
    }
}

/// The digit of a tick that stands for a level.
fn digit(tick: u64, level: usize) -> usize {
    (tick >> (DIGIT * level as u32)) as usize % SLOTS
}

const SLOTS: usize = 64;
/// In bits.
const DIGIT: u32 = 6;
const LEVELS: usize = 6;
/// The last tick that there is; a gateway that runs for so long has sessions that never end.
const LAST: u64 = (1 << (DIGIT * LEVELS as u32)) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_lies_ahead_comes_up_in_time_and_not_much_too_early() {
        let mut wheel = Wheel::default();
        for (number, tick) in [0, 1, 63, 64, 65, 4095, 4096, 300_000, LAST + 5].into_iter().enumerate() {
            let mut filed = Wheel { position: 0, ..Wheel::default() };
            filed.file(number as u32, tick);
            wheel.file(number as u32, tick);
            let mut looks = 0;
            loop {
                let next = filed.next().unwrap();
                assert!(next <= tick, "{tick} comes up at {next}");
                assert_eq!(filed.due(next), Some(number as u32));
                if next >= tick.min(LAST) {
                    break;
                }
                filed.file(number as u32, tick);
                looks += 1;
            }
            assert!(looks <= LEVELS, "{tick} was looked at {looks} times");
        }
        assert_eq!(wheel.due(0), Some(0));
        assert_eq!(wheel.due(0), None);
    }

    proptest! {
        #[test]
        fn nobody_is_forgotten_and_nobody_comes_up_late(steps in proptest::collection::vec((0_u64..3, 0_u64..70_000, 0_u32..40), 1..200)) {
            let mut wheel = Wheel::default();
            let (mut now, mut filed) = (0, std::collections::BTreeMap::new());
            for (what, amount, number) in steps {
                match what {
                    0 => {
                        wheel.unfile(number);
                        wheel.file(number, now + amount);
                        filed.insert(number, now + amount);
                    }
                    1 => {
                        wheel.unfile(number);
                        filed.remove(&number);
                    }
                    _ => {
                        now += amount;
                        while let Some(number) = wheel.due(now) {
                            match filed.get(&number) {
                                Some(&at) if at > now => wheel.file(number, at),
                                _ => prop_assert!(filed.remove(&number).is_some()),
                            }
                        }
                        prop_assert!(filed.values().all(|&at| at > now));
                    }
                }
                let earliest = filed.values().min();
                prop_assert_eq!(wheel.next().is_some(), earliest.is_some());
                prop_assert!(wheel.next() <= earliest.copied());
            }
        }
    }
}
