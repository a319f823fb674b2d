//! Exact names and wildcards, followed letter by letter as a name is spelled: which of them it may still turn out to be.
//! Nothing is built for that but sorted lists, for there may be 100,000 entries, and a search comes past few of them.

use super::language::{DOT, LETTERS};

/// The names of entries, each list in order and without repetition.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts<'t> {
    /// Exact names that are to be told apart.
    pub(super) exact: Vec<&'t str>,
    /// `example` of `*.example`.
    pub(super) leading: Vec<&'t str>,
    /// `www.example` of `www.example.*`.
    pub(super) trailing: Vec<&'t str>,
}

/// What the letters read so far can still become.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    exact: Option<Thread>,
    /// Begun at each dot, the longest first.
    leading: Vec<Thread>,
    trailing: Option<Thread>,
    /// The longest trailing wildcard that was passed.
    passed: Option<u32>,
}

/// The part of a list that begins with the letters read since its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Thread {
    from: u32,
    to: u32,
    read: u32,
}

impl Hosts<'_> {
    /// Before the first letter.
    pub(super) fn start(&self) -> Reading {
        Reading { exact: Thread::over(&self.exact), leading: Vec::new(), trailing: Thread::over(&self.trailing), passed: None }
    }

    /// After one more letter, given by its index.
    pub(super) fn next(&self, reading: &Reading, letter: usize) -> Reading {
        let step = |list: &[&str], thread: Option<Thread>| thread.and_then(|thread| thread.next(list, letter));
        let mut leading: Vec<_> = reading.leading.iter().filter_map(|&thread| step(&self.leading, Some(thread))).collect();
        let mut passed = reading.passed;
        if letter == DOT {
            leading.extend(Thread::over(&self.leading));
            passed = reading.trailing.and_then(|thread| thread.complete(&self.trailing)).or(passed);
        }
        Reading { exact: step(&self.exact, reading.exact), leading, trailing: step(&self.trailing, reading.trailing), passed }
    }

    /// Whether what was read is one of the exact names.
    pub(super) fn is_exact(&self, reading: &Reading) -> bool {
        reading.exact.is_some_and(|thread| thread.complete(&self.exact).is_some())
    }

    /// The longest leading wildcard that what was read fits, by its index.
    pub(super) fn leading(&self, reading: &Reading) -> Option<usize> {
        reading.leading.iter().find_map(|thread| thread.complete(&self.leading)).map(|index| index as usize)
    }

    /// The longest trailing wildcard, by its index.
    pub(super) fn trailing(&self, reading: &Reading) -> Option<usize> {
        reading.passed.map(|index| index as usize)
    }
}

impl Thread {
    fn over(list: &[&str]) -> Option<Self> {
        let to = u32::try_from(list.len()).ok().filter(|to| *to > 0)?;
        Some(Self { from: 0, to, read: 0 })
    }

    fn next(self, list: &[&str], letter: usize) -> Option<Self> {
        let letter = LETTERS.get(letter).copied();
        let part = list.get(self.from as usize..self.to as usize)?;
        let at = |name: &&str| name.as_bytes().get(self.read as usize).copied();
        let from = part.partition_point(|name| at(name) < letter);
        let to = part.partition_point(|name| at(name) <= letter);
        let count = |at: usize| self.from + u32::try_from(at).unwrap_or(u32::MAX);
        (from < to).then(|| Self { from: count(from), to: count(to), read: self.read + 1 })
    }

    /// The name that was read to its end.
    fn complete(self, list: &[&str]) -> Option<u32> {
        (list.get(self.from as usize)?.len() == self.read as usize).then_some(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hosts: &Hosts<'_>, name: &str) -> (bool, Option<usize>, Option<usize>) {
        let index = |byte| LETTERS.iter().position(|letter| *letter == byte).unwrap();
        let end = name.bytes().fold(hosts.start(), |reading, byte| hosts.next(&reading, index(byte)));
        (hosts.is_exact(&end), hosts.leading(&end), hosts.trailing(&end))
    }

    #[test]
    fn the_longest_of_each_kind_is_found() {
        let hosts = Hosts { exact: vec!["a.b", "a.b.c"], leading: vec!["b", "b.b", "c.b.b"], trailing: vec!["a", "a.b", "a.bb"] };
        let cases = [
            ("a.b", (true, Some(0), Some(0))),
            ("a.b.c", (true, None, Some(1))),
            ("b.b.b", (false, Some(1), None)),
            ("c.b.b", (false, Some(1), None)),
            ("x.c.b.b", (false, Some(2), None)),
            ("a.bb.c", (false, None, Some(2))),
            ("a.bbb", (false, None, Some(0))),
            ("xb", (false, None, None)),
            ("b", (false, None, None)),
            ("a", (false, None, None)),
        ];
        for (name, expected) in cases {
            assert_eq!(read(&hosts, name), expected, "{name}");
        }
    }
}
