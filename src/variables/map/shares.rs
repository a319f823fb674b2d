//! Values by chance that is always the same for the same text: nginx's `split_clients`, to the very client.

use std::sync::Arc;

use super::MapValue;

/// Parts of all texts, each with its value.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// The hashes below a bound that no earlier one holds; without a bound, all others.
    parts: Vec<(Option<u32>, Arc<MapValue>)>,
}

impl Shares {
    /// Hundredths of a percent in all.
    pub const WHOLE: u32 = 10_000;

    /// Adds a part of so many hundredths of a percent; none for whatever is left.
    pub fn add(&mut self, hundredths: Option<u32>, value: Arc<MapValue>) {
        let last = self.parts.iter().rev().find_map(|(bound, _)| *bound).unwrap_or(0);
        let bound = hundredths.map(|hundredths| {
            let length = u64::from(hundredths) * u64::from(u32::MAX) / u64::from(Self::WHOLE);
            // Beyond the whole there is nothing to share.
            u32::try_from(u64::from(last) + length).unwrap_or(u32::MAX)
        });
        self.parts.push((bound, value));
    }

    /// The value of a text, unless it is in no part.
    pub(super) fn find(&self, text: &[u8]) -> Option<&Arc<MapValue>> {
        let hash = murmur2(text);
        self.parts.iter().find(|(bound, _)| bound.is_none_or(|bound| hash < bound)).map(|(_, value)| value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<MapValue>> {
        self.parts.iter().map(|(_, value)| value)
    }
}

/// MurmurHash2 of 32 bits with seed 0, words read in little-endian order.
fn murmur2(text: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    let (words, rest) = text.as_chunks::<4>();
    // The original takes the length modulo 2^32 as well.
    let mut hash = text.len() as u32;
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ (word ^ word >> 24).wrapping_mul(MIX);
    }
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash = hash.wrapping_mul(MIX);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(MIX);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_murmurs() {
        for (text, hash) in [("", 0), ("a", 0x9268_5f5e), ("ab", 0x1aa1_4063), ("abc", 0x1357_7c9b), ("192.0.2.7", 0x9677_7744)] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text:?}");
        }
    }
}
