//! nginx's `random` and `random two`: a number below the sum of the weights leads to a member; one that cannot be had is
//! a miss, and after too many of them in one session the servers take turns.

use fastrand::Rng;
use tokio::time::Instant;

use super::by_weight;
use crate::upstream::member::Member;
use crate::upstream::tried::Cursor;

/// An eligible member by chance.
pub(super) fn pick(
    members: &[Member],
    rng: &mut Rng,
    cursor: &mut Cursor,
    now: Instant,
    eligible: impl Fn(&Member) -> bool,
) -> Option<usize> {
    let total: u64 = members.iter().map(|member| member.paced_weight(now)).sum();
    while !cursor.is_spent() && total > 0 {
        let index = by_weight(members, rng.u64(..total), |member| member.paced_weight(now))?;
        if members.get(index).is_some_and(&eligible) {
            return Some(index);
        }
        cursor.misses += 1;
    }
    None
}

/// Of two eligible members by chance, the one with fewer sessions for its weight; on a tie the second.
pub(super) fn pick_of_two(
    members: &[Member],
    rng: &mut Rng,
    cursor: &mut Cursor,
    now: Instant,
    eligible: impl Fn(&Member) -> bool,
) -> Option<usize> {
    let first = pick(members, rng, cursor, now, &eligible)?;
    let one = members.get(first)?;
    let second = pick(members, rng, cursor, now, |member| member.server.id() != one.server.id() && eligible(member))?;
    let other = members.get(second)?;
    Some(if one.load(now).is_less(other.load(now)) { first } else { second })
}
