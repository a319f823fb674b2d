//! Where each value stands in its layer's text. All files are one layer: a spot knows which of them it is from, so that a list
//! that several of them fill has its places as any other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::Place;
use super::environment::Filled;
use super::grant::Grant;
use super::places::Key;
use super::source::Source;

/// Where a layer's values come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Files(Files),
    /// By the environment or the command line, as this document.
    Given {
        by: Place,
        text: String,
    },
}

/// All files, in the order in which they were read: the main one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    sources: Vec<Arc<Source>>,
    /// What each of them may define, if not everything.
    grants: Vec<Option<Arc<Grant>>>,
    /// Texts that the environment filled in, by where they stand.
    filled: BTreeMap<(FileNumber, usize), Filled>,
}

impl Files {
    /// Another file, as the spots in it are to call it.
    pub(super) fn add(&mut self, source: Source, grant: Option<Arc<Grant>>) -> (FileNumber, Arc<Source>) {
        let number = self.sources.len();
        let source = Arc::new(source.numbered(number));
        self.sources.push(Arc::clone(&source));
        self.grants.push(grant);
        (FileNumber(u32::try_from(number).unwrap_or(u32::MAX)), source)
    }

    pub(super) fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    pub(super) fn source(&self, spot: &Spot) -> &Arc<Source> {
        &self.sources[spot.file.0 as usize]
    }

    /// Whether one include says what both files may define.
    pub(super) fn have_one_owner(&self, one: &Spot, other: &Spot) -> bool {
        match (&self.grants[one.file.0 as usize], &self.grants[other.file.0 as usize]) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Whether an include says what a file may define.
    pub(super) fn is_delegated(&self, file: FileNumber) -> bool {
        self.grants.get(file.0 as usize).is_some_and(Option::is_some)
    }

    /// The files of which that is so.
    pub(super) fn delegated_sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter().zip(&self.grants).filter_map(|(source, grant)| grant.as_ref().map(|_| source))
    }

    /// Some bytes of the file that a spot is from.
    pub(super) fn place(&self, spot: &Spot, span: Range<usize>) -> Place {
        Place::File { source: Arc::clone(self.source(spot)), span }
    }

    /// Where a spot's key stands.
    pub(super) fn key(&self, spot: &Spot) -> Place {
        self.place(spot, if spot.key.is_empty() { spot.value.clone() } else { spot.key.clone() })
    }

    pub(super) fn fill(&mut self, spot: &Spot, filled: Filled) {
        self.filled.insert((spot.file, spot.value.start), filled);
    }

    /// What the environment made of a text.
    pub(super) fn filled(&self, spot: &Spot) -> Option<&Filled> {
        self.filled.get(&(spot.file, spot.value.start))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }
}

/// Which of the files it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNumber(pub(super) u32);

/// A value's place in its layer's text, and those of the values in it.
#[derive(Debug, Default)]
pub(super) struct Spot {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) file: FileNumber,
    pub(super) below: Below,
}

#[derive(Debug, Default)]
pub(super) enum Below {
    #[default]
    Nothing,
    Named(Spots),
    Listed(Vec<Spot>),
}

/// The spots of a table, by their keys. There may be 100,000 in one, and hardly any is ever asked for: a sorted list is made
/// sooner than a tree.
#[derive(Debug, Default)]
pub(super) struct Spots(Vec<(Box<str>, Spot)>);

impl FromIterator<(Box<str>, Spot)> for Spots {
    fn from_iter<I: IntoIterator<Item = (Box<str>, Spot)>>(spots: I) -> Self {
        let mut spots: Vec<_> = spots.into_iter().collect();
        spots.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self(spots)
    }
}

impl IntoIterator for Spots {
    type Item = (Box<str>, Spot);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Spots {
    /// All of them, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Spot)> {
        self.0.iter().map(|(key, spot)| (&**key, spot))
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Spot> {
        self.0.iter_mut().map(|(_, spot)| spot)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Spot> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.0.get(at).map(|(_, spot)| spot)
    }

    /// Takes out those that are not wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&str) -> bool) {
        self.0.retain(|(key, _)| wanted(key));
    }
}

impl Spot {
    /// A table that stands only in somebody's path: `[it.other]` or `it.other = 1`.
    pub(super) fn is_implied(&self) -> bool {
        matches!(self.below, Below::Named(_)) && self.key == self.value
    }

    pub(super) fn step(&self, key: &Key) -> Step<'_> {
        match (&self.below, key) {
            (Below::Named(spots), Key::Name(name)) => spots.get(name).map_or(Step::Missing, Step::Into),
            (Below::Listed(spots), Key::Index(index)) => spots.get(*index).map_or(Step::Missing, Step::Into),
            // A single value where a list or a table might be.
            (Below::Named(_) | Below::Nothing, Key::Index(_)) | (Below::Nothing | Below::Listed(_), Key::Name(_)) => Step::Stay,
        }
    }
}

pub(super) enum Step<'a> {
    Into(&'a Spot),
    Stay,
    Missing,
}

/// What stands at a path below some spots, as far as it goes.
pub(super) fn walk_below<'a>(spots: &'a Spots, path: &[Key]) -> Option<&'a Spot> {
    let (Key::Name(first), rest) = path.split_first()? else { return None };
    spots.get(first).map(|spot| walk(spot, rest).1)
}

/// How many steps of the path a layer has, and the spot it ends at.
pub(super) fn walk<'a>(root: &'a Spot, path: &[Key]) -> (usize, &'a Spot) {
    let mut spot = root;
    for (depth, key) in path.iter().enumerate() {
        match spot.step(key) {
            Step::Into(next) => spot = next,
            Step::Stay => {}
            Step::Missing => return (depth, spot),
        }
    }
    (path.len(), spot)
}
