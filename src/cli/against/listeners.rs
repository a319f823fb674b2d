//! Which listener of the new configuration is which of the old one: that of its name, or the one that listened where it does.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::{Listener, Snapshot};

/// The listeners that are there before and after, the old one first.
pub(super) fn pairs<'s>(old: &'s Snapshot, new: &'s Snapshot) -> Vec<(&'s Arc<Listener>, &'s Arc<Listener>)> {
    let named = |snapshot: &'s Snapshot| snapshot.listeners.iter().map(|one| &*one.name).collect::<BTreeSet<_>>();
    let (before, after) = (named(old), named(new));
    let mut left: Vec<_> = old.listeners.iter().filter(|one| !after.contains(&*one.name)).collect();
    let mut pair = |new: &'s Arc<Listener>| {
        if before.contains(&*new.name) {
            return Some((old.listeners.iter().find(|one| one.name == new.name)?, new));
        }
        let at = left.iter().position(|one| addresses(one) == addresses(new))?;
        Some((left.remove(at), new))
    };
    new.listeners.iter().filter_map(&mut pair).collect()
}

/// Where a listener listens, and for what.
pub(super) fn addresses(listener: &Listener) -> BTreeSet<String> {
    let spoken = |address: &crate::address::ListenAddress| {
        listener.protocols.iter().map(move |protocol| format!("{address} ({})", protocol.label())).collect::<Vec<_>>()
    };
    listener.addresses.iter().flat_map(spoken).collect()
}
