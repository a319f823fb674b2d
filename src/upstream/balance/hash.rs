//! nginx's `hash`: the key's CRC-32 over the sum of the weights, hashed again for every next try.

use super::by_weight;
use crate::upstream::member::Member;
use crate::upstream::tried::Cursor;

/// The member that the key leads to; `None` when it has led too often to one that is not eligible.
pub(super) fn pick(members: &[Member], key: &[u8], cursor: &mut Cursor, eligible: impl Fn(&Member) -> bool) -> Option<usize> {
    let total: u64 = members.iter().map(|member| u64::from(member.weight())).sum();
    while !cursor.is_spent() {
        let index = by_weight(members, next_sum(cursor, key).checked_rem(total)?, |member| member.weight().into())?;
        if members.get(index).is_some_and(&eligible) {
            return Some(index);
        }
        cursor.misses += 1;
    }
    None
}

/// Adds another hash of the key to the sum: the first of the key alone, the next with the round's number before it.
fn next_sum(cursor: &mut Cursor, key: &[u8]) -> u64 {
    let mut crc = crc32fast::Hasher::new();
    if cursor.rounds > 0 {
        crc.update(cursor.rounds.to_string().as_bytes());
    }
    crc.update(key);
    cursor.rounds += 1;
    cursor.sum += u64::from((crc.finalize() >> 16) & 0x7fff);
    cursor.sum
}
