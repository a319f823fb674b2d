//! Wildcards by their labels. A walk looks at each label of a name once, so a hostile name of 127 labels costs no more
//! than its length, where a look-up of each of its endings would cost the square.

use std::collections::HashMap;
use std::iter;

use crate::host::Hostname;

/// A name's labels from the last to the first, the way `*.example` is compared.
pub(super) fn from_the_top(name: &Hostname) -> iter::Rev<std::str::Split<'_, char>> {
    as_written(name).rev()
}

/// A name's labels from the first to the last, the way `www.example.*` is compared.
pub(super) fn as_written(name: &Hostname) -> std::str::Split<'_, char> {
    name.as_str().split('.')
}

/// Values at sequences of labels.
#[derive(Debug)]
pub(super) struct LabelTree<V> {
    nodes: Vec<Node<V>>,
}

#[derive(Debug)]
struct Node<V> {
    above: Option<usize>,
    below: HashMap<Box<str>, usize>,
    value: Option<V>,
}

const ROOT: usize = 0;

impl<V> LabelTree<V> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node { above: None, below: HashMap::new(), value: None }] }
    }

    /// Puts a value at the end of these labels, or says which one is there already.
    pub(super) fn insert<'a>(&mut self, labels: impl Iterator<Item = &'a str>, value: V) -> Option<V>
    where
        V: Copy,
    {
        let end = labels.fold(ROOT, |at, label| self.child(at, label).unwrap_or_else(|| self.grow(at, label)));
        let node = self.nodes.get_mut(end)?;
        let earlier = node.value;
        node.value = earlier.or(Some(value));
        earlier
    }

    /// The value at the very end of these labels.
    pub(super) fn get<'a>(&self, mut labels: impl Iterator<Item = &'a str>) -> Option<&V> {
        let end = labels.try_fold(ROOT, |at, label| self.child(at, label))?;
        self.nodes.get(end)?.value.as_ref()
    }

    /// All values.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.nodes.iter().filter_map(|node| node.value.as_ref())
    }

    /// The values that these labels pass with at least one label left, the last passed first.
    pub(super) fn longest_first<'t, 'a>(&'t self, labels: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'t V> {
        let mut labels = labels.peekable();
        let mut deepest = ROOT;
        while let Some(label) = labels.next()
            && labels.peek().is_some()
            && let Some(child) = self.child(deepest, label)
        {
            deepest = child;
        }
        let upwards = iter::successors(self.nodes.get(deepest), |node| self.nodes.get(node.above?));
        upwards.filter_map(|node| node.value.as_ref())
    }

    fn child(&self, at: usize, label: &str) -> Option<usize> {
        self.nodes.get(at)?.below.get(label).copied()
    }

    fn grow(&mut self, at: usize, label: &str) -> usize {
        let new = self.nodes.len();
        self.nodes.push(Node { above: Some(at), below: HashMap::new(), value: None });
        if let Some(parent) = self.nodes.get_mut(at) {
            parent.below.insert(label.into(), new);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&'static str]) -> LabelTree<&'static str> {
        let mut tree = LabelTree::new();
        for &path in paths {
            assert_eq!(tree.insert(path.split('.'), path), None);
        }
        tree
    }

    #[test]
    fn what_is_passed_comes_deepest_first() {
        let tree = tree(&["a.b.c", "a", "a.x", "b"]);
        assert_eq!(tree.longest_first("a.b.c.d".split('.')).collect::<Vec<_>>(), [&"a.b.c", &"a"]);
        assert_eq!(tree.longest_first("a.b.c".split('.')).collect::<Vec<_>>(), [&"a"]);
        assert_eq!(tree.longest_first("a".split('.')).count(), 0);
    }

    #[test]
    fn a_value_is_only_where_it_was_put() {
        let tree = tree(&["a.b"]);
        assert_eq!(tree.get("a.b".split('.')), Some(&"a.b"));
        assert_eq!(tree.get("a".split('.')), None);
        assert_eq!(tree.get("a.b.c".split('.')), None);
    }
}
