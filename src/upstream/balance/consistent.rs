//! nginx's `hash … consistent` (ketama): each server has many points on a circle, and a key belongs to the next one.
//! The points follow from what is written of the servers, so that they are the same wherever the names lead.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::upstream::member::Member;
use crate::upstream::tried::Cursor;

/// The circle of an upstream's primaries. It is made where nobody waits for it, and again when they change.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// In the order of the circle.
    points: Arc<[Point]>,
    /// The texts that the points are made of, each once, with the greatest weight that stands with it.
    texts: Vec<(Arc<str>, u32)>,
    /// Which of them each primary has: those with one text share its points.
    owners: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    value: u32,
    owner: usize,
}

/// How many points a server has for each unit of its weight.
const POINTS: usize = 160;

impl Ring {
    /// The circle of these primaries, texts with weights, in their order. The points of the one before are kept if they
    /// are the same.
    pub(crate) fn new<'p>(primaries: impl Iterator<Item = (&'p Arc<str>, u32)>, before: &Self) -> Self {
        let mut texts: Vec<(Arc<str>, u32)> = Vec::new();
        let mut places = HashMap::new();
        let mut owners = Vec::new();
        for (text, weight) in primaries {
            let owner = *places.entry(text).or_insert(texts.len());
            match texts.get_mut(owner) {
                Some((_, greatest)) => *greatest = weight.max(*greatest),
                None => texts.push((Arc::clone(text), weight)),
            }
            owners.push(owner);
        }
        let points = if texts == before.texts { Arc::clone(&before.points) } else { points(&texts) };
        Self { points, texts, owners }
    }

    /// A member at the first point from the key on that has an eligible one; `None` after too many points that have none.
    pub(super) fn pick(
        &self,
        members: &mut [Member],
        key: &[u8],
        cursor: &mut Cursor,
        now: Instant,
        eligible: impl Fn(&Member) -> bool,
    ) -> Option<usize> {
        for owner in self.owners_from(crc32fast::hash(key)).skip(cursor.misses) {
            if cursor.is_spent() {
                break;
            }
            let here = |index| self.owners.get(index) == Some(&owner);
            match super::round_robin::pick(members, now, |index, member| here(index) && eligible(member)) {
                Some(member) => return Some(member),
                None => cursor.misses += 1,
            }
        }
        None
    }

    /// Once around the circle, from the first point that is not less than this value.
    fn owners_from(&self, value: u32) -> impl Iterator<Item = usize> {
        let (behind, ahead) = self.points.split_at(self.points.partition_point(|point| point.value < value));
        ahead.iter().chain(behind).map(|point| point.owner)
    }
}

/// All points of these texts. Of those with one value the first text's stays.
fn points(texts: &[(Arc<str>, u32)]) -> Arc<[Point]> {
    let of_text = |(owner, (text, weight)): (usize, &(Arc<str>, u32))| values(text, *weight).map(move |value| Point { value, owner });
    let mut points: Vec<_> = texts.iter().enumerate().flat_map(of_text).collect();
    points.sort_by_key(|point| point.value);
    points.dedup_by_key(|point| point.value);
    points.into()
}

/// The points of one text: each is the hash of it and of the point before.
fn values(written: &str, weight: u32) -> impl Iterator<Item = u32> + use<> {
    let (host, port) = host_and_port(written);
    let mut base = crc32fast::Hasher::new();
    base.update(host.as_bytes());
    base.update(b"\0");
    base.update(port.as_bytes());
    let next = move |previous: u32| {
        let mut crc = base.clone();
        crc.update(&previous.to_le_bytes());
        crc.finalize()
    };
    std::iter::successors(Some(next(0)), move |&previous| Some(next(previous))).take(POINTS * weight as usize)
}

/// The two parts as nginx cuts them; a unix path and a text without a port are all host.
fn host_and_port(written: &str) -> (&str, &str) {
    if let Some((scheme, path)) = written.split_at_checked(5)
        && scheme.eq_ignore_ascii_case("unix:")
    {
        return (path, "");
    }
    match written.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (written, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(written: &[&str], before: &Ring) -> Ring {
        let texts: Vec<_> = written.iter().map(|&written| Arc::from(written)).collect();
        Ring::new(texts.iter().map(|text| (text, 1)), before)
    }

    fn first_four(written: &str) -> Vec<u32> {
        values(written, 1).take(4).collect()
    }

    #[test]
    fn the_points_of_a_server_are_nginxs() {
        assert_eq!(first_four("127.0.0.1:9001"), [0x7053_3e04, 0x1057_1e62, 0x1f89_5401, 0xc413_f1fa]);
        assert_eq!(first_four("[::1]:9004"), [0xbd84_b110, 0xc33e_e0d6, 0x54f1_0f82, 0x9029_cd8c]);
        assert_eq!(first_four("unix:/run/u.sock"), [0xeda1_5a54, 0xa142_7aaa, 0xf58f_f04a, 0xdd00_13ca]);
        assert_eq!(first_four("UNIX:/run/u.sock"), first_four("unix:/run/u.sock"));
    }

    #[test]
    fn the_circle_of_three_servers_is_nginxs() {
        let points = ring(&["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"], &Ring::default()).points;
        let ends = [&points[0], &points[points.len() - 1]].map(|point| (point.value, point.owner));
        assert_eq!((points.len(), ends), (480, [(0x006f_ff97, 2), (0xffee_a1b4, 2)]));
    }

    #[test]
    fn a_key_belongs_to_the_first_point_that_is_not_less() {
        let ring = ring(&["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"], &Ring::default());
        let first = |value| ring.owners_from(value).next();
        for pair in ring.points.windows(2) {
            assert_eq!([first(pair[0].value), first(pair[0].value + 1)], [Some(pair[0].owner), Some(pair[1].owner)]);
        }
        assert_eq!(first(u32::MAX), first(0), "behind the last point the circle begins again");
        assert_eq!(ring.owners_from(1 << 31).count(), ring.points.len());
    }

    #[test]
    fn servers_with_one_text_share_their_points() {
        let ring = ring(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.1:1"], &Ring::default());
        assert_eq!((ring.points.len(), ring.owners), (320, vec![0, 1, 0]));
        let [one, other] = ["10.0.0.1:1", "10.0.0.2:1"].map(Arc::from);
        let weighted = Ring::new([(&one, 1), (&other, 1), (&one, 3)].into_iter(), &Ring::default());
        assert_eq!((weighted.points.len(), weighted.owners), (640, vec![0, 1, 0]), "as many as the heaviest of them has");
    }

    #[test]
    fn points_that_would_be_the_same_are_kept() {
        let before = ring(&["web.test:1", "10.0.0.2:1"], &Ring::default());
        let more = ring(&["web.test:1", "web.test:1", "10.0.0.2:1"], &before);
        assert!(Arc::ptr_eq(&before.points, &more.points));
        assert_eq!(more.owners, [0, 0, 1]);
        let less = ring(&["10.0.0.2:1"], &more);
        assert_eq!((less.points.len(), less.owners), (160, vec![0]));
    }
}
