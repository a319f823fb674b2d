//! Guarded targets that nobody comes to, because those before them have taken everybody whom they are for.

use super::Compiler;
use crate::admit::Ranges;
use crate::config::{Key, path_to};
use crate::snapshot::Guards;

impl Compiler {
    /// Warns of targets of an entry whose guards let nobody through whom those before them leave. One behind a target
    /// without guards is an error, told elsewhere.
    pub(super) fn check_guarded(&mut self, path: &[Key], guards: &[&Guards]) {
        for (index, own) in guards.iter().enumerate() {
            let earlier = guards.get(..index).unwrap_or_default();
            if earlier.iter().any(|guards| **guards == Guards::default()) {
                return;
            }
            let place = self.places.value(&[path, &path_to![index]].concat());
            if own.from.is_some() && ranges([*own]) == Ranges::default() {
                self.diagnostics.warning("shadowed", place, "this target is never reached: nobody has an address in its `from`");
            } else if let Some(by) = covering(own, earlier) {
                let problem = format!("this target is never reached: {by} whom it is for");
                self.diagnostics.warning("shadowed", place, problem).help("the target that is for fewer stands first");
            }
        }
    }
}

/// Which of the earlier targets take all whom a target is for.
fn covering(own: &Guards, earlier: &[&Guards]) -> Option<String> {
    // Those that ask no more of a hello than this one does differ only in the addresses they are for.
    let asks_no_more = |other: &Guards| is_wider(&other.alpn, &own.alpn) && is_wider(&other.versions, &own.versions);
    let wider: Vec<_> = earlier.iter().enumerate().filter(|(_, other)| asks_no_more(other)).collect();
    let takes_all = |other: &Guards| match (&other.from, &own.from) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(_)) => ranges([other]).covers(&ranges([own])),
    };
    if let Some((index, _)) = wider.iter().find(|(_, other)| takes_all(other)) {
        return Some(format!("target {} of the list takes everybody", index + 1));
    }
    let together = ranges(wider.iter().map(|(_, other)| **other));
    (own.from.is_some() && together.covers(&ranges([own]))).then(|| "those before it together take everybody".into())
}

/// Whether a guard that lists these lets through all whom one does that lists those; an empty one guards nothing.
fn is_wider<T: PartialEq>(these: &[T], those: &[T]) -> bool {
    these.is_empty() || !those.is_empty() && those.iter().all(|one| these.contains(one))
}

fn ranges<'g>(guards: impl IntoIterator<Item = &'g Guards>) -> Ranges {
    let lists = guards.into_iter().filter_map(|guards| guards.from.as_ref());
    lists.fold(Ranges::default(), |all, list| all.and(&list.joined()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admit::RangeList;

    fn guards(alpn: &[&str], from: Option<&[&str]>) -> Guards {
        let alpn = alpn.iter().map(|&protocol| protocol.into()).collect();
        let list = |all: &[&str]| RangeList::new(all.iter().map(|range| Arc::new(Ranges::new(&[range.parse().unwrap()]))));
        Guards { alpn, from: from.map(list), ..Guards::default() }
    }

    #[test]
    fn who_is_taken_before_is_known_by_protocols_and_addresses() {
        let cases = [
            (guards(&["h2"], None), vec![guards(&["h2", "http/1.1"], None)], true),
            (guards(&["h2", "h3"], None), vec![guards(&["h2"], None)], false),
            (guards(&["h2"], Some(&["10.1.0.0/16"])), vec![guards(&[], Some(&["10.0.0.0/8"]))], true),
            (guards(&[], Some(&["10.1.0.0/16"])), vec![guards(&["h2"], Some(&["10.0.0.0/8"]))], false),
            (guards(&[], Some(&["10.0.0.0/8"])), vec![guards(&[], Some(&["10.0.0.0/9"])), guards(&[], Some(&["10.128.0.0/9"]))], true),
            (guards(&[], Some(&["10.0.0.0/8"])), vec![guards(&[], Some(&["10.0.0.0/9"]))], false),
            (guards(&[], None), vec![guards(&[], Some(&["0.0.0.0/0", "::/0"]))], false),
        ];
        for (own, earlier, expected) in cases {
            let earlier: Vec<_> = earlier.iter().collect();
            assert_eq!(covering(&own, &earlier).is_some(), expected, "{own:?} after {earlier:?}");
        }
    }
}
