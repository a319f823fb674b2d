//! Smooth weighted round robin, as nginx has it: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.

use tokio::time::Instant;

use crate::upstream::member::Member;

/// The eligible member whose turn it is.
pub(super) fn pick(members: &mut [Member], now: Instant, eligible: impl Fn(usize, &Member) -> bool) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (index, member) in members.iter_mut().enumerate().filter(|(index, member)| eligible(*index, member)) {
        let turn = member.turn(now);
        member.current += turn;
        total += turn;
        // What a failure took comes back step by step.
        if member.effective < member.weight().into() {
            member.effective += 1;
        }
        if best.is_none_or(|(_, greatest)| member.current > greatest) {
            best = Some((index, member.current));
        }
    }
    let (index, _) = best?;
    members.get_mut(index)?.current -= total;
    Some(index)
}
