//! nginx's `hash … consistent` (ketama): each server has many points on a circle, and a key belongs to the next one.
//! The points follow from the lines as they are written, so that they are the same wherever the names lead.

use std::sync::Arc;

use crate::upstream::group::Member;
use crate::upstream::server::ServerLine;
use crate::upstream::tried::Cursor;

/// The points of an upstream's lines, in the order of the circle.
#[derive(Debug)]
pub(crate) struct Ring {
    points: Vec<Point>,
    /// Of each line, the first line with the same text: they share their points.
    owners: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    value: u32,
    owner: usize,
}

/// How many points a line has for each unit of its weight.
const POINTS: usize = 160;

impl Ring {
    pub(super) fn new(lines: &[Arc<ServerLine>]) -> Self {
        let owner = |line: &Arc<ServerLine>| lines.iter().position(|other| other.written == line.written);
        let owners: Vec<_> = lines.iter().filter_map(owner).collect();
        let primaries = lines.iter().zip(&owners).filter(|(line, _)| !line.backup);
        let mut points: Vec<_> =
            primaries.flat_map(|(line, &owner)| values(&line.written, line.weight).map(move |value| Point { value, owner })).collect();
        points.sort_by_key(|point| point.value);
        points.dedup_by_key(|point| point.value);
        Self { points, owners }
    }

    /// A member at the first point from the key on that has an eligible one; `None` after too many points that have none.
    pub(super) fn pick(
        &self,
        members: &mut [Member],
        key: &[u8],
        cursor: &mut Cursor,
        eligible: impl Fn(&Member) -> bool,
    ) -> Option<usize> {
        let mut passed = 0;
        for owner in self.owners_from(crc32fast::hash(key)) {
            let here = |member: &Member| self.owners.get(member.server.line_number()) == Some(&owner);
            // A DNS name that has no address now is not on the circle.
            if !members.iter().any(here) {
                continue;
            }
            passed += 1;
            if passed <= cursor.misses {
                continue;
            }
            if cursor.is_spent() {
                break;
            }
            match super::round_robin::pick(members, |member| here(member) && eligible(member)) {
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

/// The points of one line: each is the hash of its text and of the point before.
fn values(written: &str, weight: u32) -> impl Iterator<Item = u32> {
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
    use crate::upstream::tests::line;

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
        let lines = [9001, 9002, 9003].map(|port| Arc::new(line(&format!("127.0.0.1:{port}"))));
        let points = Ring::new(&lines).points;
        let ends = [&points[0], &points[points.len() - 1]].map(|point| (point.value, point.owner));
        assert_eq!((points.len(), ends), (480, [(0x006f_ff97, 2), (0xffee_a1b4, 2)]));
    }

    #[test]
    fn a_key_belongs_to_the_first_point_that_is_not_less() {
        let lines = [1, 2, 3].map(|port| Arc::new(line(&format!("10.0.0.1:{port}"))));
        let ring = Ring::new(&lines);
        let first = |value| ring.owners_from(value).next();
        for pair in ring.points.windows(2) {
            assert_eq!([first(pair[0].value), first(pair[0].value + 1)], [Some(pair[0].owner), Some(pair[1].owner)]);
        }
        assert_eq!(first(u32::MAX), first(0), "behind the last point the circle begins again");
        assert_eq!(ring.owners_from(1 << 31).count(), ring.points.len());
    }

    #[test]
    fn lines_with_one_text_share_their_points() {
        let lines = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.1:1"].map(|written| Arc::new(line(written)));
        let ring = Ring::new(&lines);
        assert_eq!((ring.points.len(), ring.owners), (320, vec![0, 1, 0]));
    }
}
