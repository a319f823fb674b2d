//! The names that were probably meant: each is looked for among all that there are, so not for thousands of slips.

use super::Compiler;
use crate::config::suggest;

impl Compiler {
    /// The known name that is most like this one, while there have been few such slips.
    pub(super) fn similar<'k>(&self, wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
        let likened = self.likened.get();
        self.likened.set(likened.saturating_add(1));
        if likened < MOST_LIKENED { suggest(wrong, known).map(str::to_owned) } else { None }
    }
}

/// More slips than are ever shown.
const MOST_LIKENED: usize = 250;
