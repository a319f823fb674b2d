//! Fills a table entry by entry; a name that is there already, in this form or another, is refused.

use super::names::Names;
use super::pattern::{Pattern, Patterns, PatternsTooBig};
use super::{Entry, RouteTable};
use crate::host::HostPattern;

/// A [`RouteTable`] in the making.
#[derive(Debug)]
pub struct Builder<T> {
    names: Names<T>,
    patterns: Vec<(Pattern, Entry<T>)>,
    default: Option<Entry<T>>,
    no_sni: Option<Entry<T>>,
    not_tls: Option<Entry<T>>,
}

impl<T> Default for Builder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Builder<T> {
    /// A table without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { names: Names::new(), patterns: Vec::new(), default: None, no_sni: None, not_tls: None }
    }

    /// Makes room for so many more names.
    pub fn reserve(&mut self, names: usize) {
        self.names.reserve(names);
    }

    /// Adds a name or a wildcard.
    ///
    /// # Errors
    /// When an earlier entry has the name already, maybe in another form: `Api.example.` is `api.example`, `.example` is both
    /// `example` and `*.example`. That entry is told, and the table is as it was.
    pub fn host(&mut self, pattern: HostPattern, entry: Entry<T>) -> Result<(), &Entry<T>> {
        self.names.insert(pattern, entry)
    }

    /// Adds a regex over the whole name; they are tried in the order in which they come.
    pub fn pattern(&mut self, pattern: Pattern, entry: Entry<T>) {
        self.patterns.push((pattern, entry));
    }

    /// Where TLS goes that nothing else fits.
    pub fn default(&mut self, entry: Entry<T>) {
        self.default = Some(entry);
    }

    /// Where TLS without a name goes; without this, to the default.
    pub fn no_sni(&mut self, entry: Entry<T>) {
        self.no_sni = Some(entry);
    }

    /// Where goes what is not TLS; without this, nowhere.
    pub fn not_tls(&mut self, entry: Entry<T>) {
        self.not_tls = Some(entry);
    }

    /// Makes the table.
    ///
    /// # Errors
    /// When the patterns, each small enough, are too big together.
    pub fn build(self) -> Result<RouteTable<T>, PatternsTooBig> {
        Ok(RouteTable {
            names: self.names,
            patterns: Patterns::compile(self.patterns)?,
            default: self.default,
            no_sni: self.no_sni,
            not_tls: self.not_tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a name, or says as what it is there already.
    fn add(builder: &mut Builder<()>, written: &str) -> Result<(), String> {
        let entry = Entry { written: written.into(), target: () };
        builder.host(HostPattern::parse(written).unwrap(), entry).map_err(|earlier| earlier.written.to_string())
    }

    #[test]
    fn a_name_in_two_forms_names_the_earlier_one() {
        let cases = [
            ("Api.example.", "api.example"),
            (".example", "example"),
            ("example", ".Example"),
            (".example", "*.example"),
            ("*.example", ".example"),
            ("*.example", "*.EXAMPLE."),
            (".example", ".example"),
            ("www.example.*", "WWW.example.*"),
        ];
        for (earlier, later) in cases {
            let mut builder = Builder::new();
            add(&mut builder, earlier).unwrap();
            assert_eq!(add(&mut builder, later), Err(earlier.into()), "{earlier} {later}");
        }
    }

    #[test]
    fn names_that_only_overlap_stand_side_by_side() {
        let mut builder = Builder::new();
        for written in ["example", "*.example", "*.b.example", "b.example", "example.*", "example.b.*", ".c.example"] {
            assert_eq!(add(&mut builder, written), Ok(()), "{written}");
        }
    }

    #[test]
    fn a_refused_name_leaves_nothing_behind() {
        let mut builder = Builder::new();
        add(&mut builder, "*.example").unwrap();
        add(&mut builder, ".example").unwrap_err();
        assert_eq!(add(&mut builder, "example"), Ok(()));
    }
}
