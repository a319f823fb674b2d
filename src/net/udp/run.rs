//! Datagrams as the kernel hands them over: one, or several of one size in a row (GRO), which go on as they came (GSO).

/// Datagrams of one sender that came together. All have the same length, but for the last, which may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'b> {
    bytes: &'b [u8],
    stride: usize,
    /// How many there are; an empty datagram is one, too.
    count: usize,
}

impl<'b> Run<'b> {
    /// A single datagram.
    #[must_use]
    pub fn single(bytes: &'b [u8]) -> Self {
        Self { bytes, stride: bytes.len(), count: 1 }
    }

    /// Datagrams that lie one after the other, each of this length, but for the last.
    #[must_use]
    pub fn new(bytes: &'b [u8], stride: usize) -> Self {
        match stride {
            0 => Self::single(bytes),
            _ => Self { bytes, stride, count: bytes.len().div_ceil(stride).max(1) },
        }
    }

    /// The length of each datagram but the last.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All bytes, one datagram after the other.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// How many datagrams there are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes so many datagrams off the front.
    pub fn take(&mut self, count: usize) -> Self {
        let count = count.min(self.count);
        let (front, rest) = self.bytes.split_at((count * self.stride).min(self.bytes.len()));
        let taken = Self { bytes: front, count, ..*self };
        (self.bytes, self.count) = (rest, self.count - count);
        taken
    }

    /// Each datagram by itself.
    pub fn each(mut self) -> impl Iterator<Item = &'b [u8]> {
        std::iter::from_fn(move || (self.count > 0).then(|| self.take(1).bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_apart_into_its_datagrams() {
        let run = Run::new(b"aabbc", 2);
        assert_eq!((run.count(), run.each().collect::<Vec<_>>()), (3, vec![&b"aa"[..], b"bb", b"c"]));
        let mut run = Run::new(b"aabbcc", 2);
        let front = run.take(2);
        assert_eq!((front.bytes(), front.count()), (&b"aabb"[..], 2));
        assert_eq!((run.take(9).bytes(), run.count()), (&b"cc"[..], 0));
        assert_eq!(run.take(1).count(), 0);
    }

    #[test]
    fn an_empty_datagram_is_one() {
        for run in [Run::single(b""), Run::new(b"", 0)] {
            assert_eq!((run.count(), run.each().collect::<Vec<_>>()), (1, vec![&b""[..]]));
        }
    }
}
