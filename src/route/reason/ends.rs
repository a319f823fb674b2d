//! How all names of a language begin and end: most patterns of a map have a domain of their own, and then it takes no
//! search to see that they have nothing in common.

use regex_syntax::hir::{Hir, HirKind};

/// The letters with which every name begins, and those with which every name ends.
#[derive(Debug, Default)]
pub(super) struct Ends {
    front: Vec<u8>,
    /// From the last letter on.
    back: Vec<u8>,
}

/// From where a name is read.
#[derive(Clone, Copy)]
enum From {
    Front,
    Back,
}

impl Ends {
    pub(super) fn of(regex: &Hir) -> Self {
        Self { front: fixed(regex, From::Front).0, back: fixed(regex, From::Back).0 }
    }

    /// Whether a name could begin and end as both say.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let agree = |one: &[u8], other: &[u8]| one.iter().zip(other).all(|(one, other)| one == other);
        agree(&self.front, &other.front) && agree(&self.back, &other.back)
    }
}

/// The letters that come first in whatever is matched, and whether they are all of it.
fn fixed(regex: &Hir, from: From) -> (Vec<u8>, bool) {
    match (regex.kind(), from) {
        (HirKind::Empty | HirKind::Look(_), _) => (Vec::new(), true),
        (HirKind::Literal(literal), From::Front) => (literal.0.to_vec(), true),
        (HirKind::Literal(literal), From::Back) => (literal.0.iter().rev().copied().collect(), true),
        (HirKind::Capture(group), _) => fixed(&group.sub, from),
        (HirKind::Concat(parts), From::Front) => in_a_row(parts.iter(), from),
        (HirKind::Concat(parts), From::Back) => in_a_row(parts.iter().rev(), from),
        (HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_), _) => (Vec::new(), false),
    }
}

fn in_a_row<'h>(parts: impl Iterator<Item = &'h Hir>, from: From) -> (Vec<u8>, bool) {
    let mut letters = Vec::new();
    for part in parts {
        let (more, is_all) = fixed(part, from);
        letters.extend(more);
        if !is_all {
            return (letters, false);
        }
    }
    (letters, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_meet(one: &str, other: &str) -> bool {
        let of = |regex| Ends::of(&regex_syntax::parse(regex).unwrap());
        of(one).may_meet(&of(other))
    }

    #[test]
    fn what_begins_or_ends_otherwise_has_nothing_in_common() {
        assert!(!may_meet(r"(?<t>[a-z0-9-]+)\.t1\.example", r"(?<t>[a-z0-9-]+)\.t2\.example"));
        assert!(!may_meet(r"[a-z]+\.b(?:\.x)$", r"[a-z]+\.c\.x"));
        assert!(!may_meet(r"a-[a-z]+\.x", r"b-[a-z]+\.x"));
    }

    #[test]
    fn what_may_begin_and_end_alike_may_meet() {
        for (one, other) in
            [("a|b", "b|c"), (r"a.*\.x", r".*b\.x"), (r".+\.b\.x", r".+\.x"), ("ab?", "a"), ("(?:ab)+", "ab"), ("ab{0}c", "ac")]
        {
            assert!(may_meet(one, other), "{one} {other}");
        }
    }
}
