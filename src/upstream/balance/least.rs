//! nginx's `least_conn` and `least_time`: the least load for its weight. Where several have it they take turns, and
//! nobody else does.

use tokio::time::Instant;

use super::round_robin;
use crate::upstream::member::{Load, Member};

/// The eligible member with the least load.
pub(super) fn pick(
    members: &mut [Member],
    now: Instant,
    load: impl Fn(&Member) -> Load,
    eligible: impl Fn(&Member) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, Load)> = None;
    let mut several = false;
    for (index, member) in members.iter().enumerate().filter(|(_, member)| eligible(member)) {
        let load = load(member);
        match best {
            Some((_, least)) if least.is_less(load) => {}
            Some((_, least)) if !load.is_less(least) => several = true,
            _ => (best, several) = (Some((index, load)), false),
        }
    }
    let (index, least) = best?;
    if !several {
        return Some(index);
    }
    let ties = |member: &Member| !least.is_less(load(member));
    // Sessions end without the lock, but none begins: so nobody's load is greater now than it was.
    round_robin::pick(members, now, |_, member| eligible(member) && ties(member))
}
