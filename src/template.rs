//! Texts with variables: `"$remote_addr ${tenant}.internal:443"` becomes pieces once and text as often as needed.
//! Which variables there are is not known here: [`Template::link`] asks its caller for each name.

/// A text with variables of type `V`: names as written, or whatever [`Template::link`] made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<V> {
    pieces: Vec<Piece<V>>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<V> {
    /// Text that stands for itself.
    Text(Box<str>),
    /// A variable.
    Variable(V),
}

/// A variable as written, with the bytes it takes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name without `$` and braces; digits are a capture's number.
    pub name: Box<str>,
    /// Where it starts, in bytes, at its `$`.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// A `$` that starts no variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${` without its `}`.
    #[error("this brace is never closed")]
    Unclosed(usize),
    /// A `$` without a name behind it.
    #[error("a variable's name belongs behind this $")]
    NoName(usize),
}

impl TemplateError {
    /// The byte at which it stands.
    #[must_use]
    pub fn at(self) -> usize {
        match self {
            Self::Unclosed(at) | Self::NoName(at) => at,
        }
    }
}

impl Template<Name> {
    /// Splits a text into what stands for itself and variables.
    ///
    /// # Errors
    /// When a `$` has no name behind it or a brace is not closed.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find('$').map(|at| from + at) {
            if start > from {
                pieces.push(Piece::Text(text[from..start].into()));
            }
            let (name, end) = name_at(text, start)?;
            pieces.push(Piece::Variable(Name { name: name.into(), start, end }));
            from = end;
        }
        if from < text.len() {
            pieces.push(Piece::Text(text[from..].into()));
        }
        Ok(Self { pieces })
    }
}

impl<V> Template<V> {
    /// Gives each variable its meaning.
    ///
    /// # Errors
    /// All the errors that `meaning` gave, in the order of the text.
    pub fn link<W, E>(self, mut meaning: impl FnMut(V) -> Result<W, E>) -> Result<Template<W>, Vec<E>> {
        let mut errors = Vec::new();
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => pieces.push(Piece::Text(text)),
                Piece::Variable(variable) => match meaning(variable) {
                    Ok(linked) => pieces.push(Piece::Variable(linked)),
                    Err(error) => errors.push(error),
                },
            }
        }
        if errors.is_empty() { Ok(Template { pieces }) } else { Err(errors) }
    }

    /// The parts in their order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece<V>] {
        &self.pieces
    }

    /// The text, if no variable is in it.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The variable, if it is all there is.
    #[must_use]
    pub fn only_variable(&self) -> Option<&V> {
        match &*self.pieces {
            [Piece::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// The variables in their order.
    pub fn variables(&self) -> impl Iterator<Item = &V> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Text(_) => None,
        })
    }
}

/// A text that stands for itself.
impl<V> From<&str> for Template<V> {
    fn from(text: &str) -> Self {
        let piece = (!text.is_empty()).then(|| Piece::Text(text.into()));
        Self { pieces: piece.into_iter().collect() }
    }
}

/// The name of the variable whose `$` stands at `start`, and where it ends.
fn name_at(text: &str, start: usize) -> Result<(&str, usize), TemplateError> {
    let behind = &text[start + 1..];
    if let Some(inside) = behind.strip_prefix('{') {
        let length = inside.find('}').ok_or(TemplateError::Unclosed(start))?;
        if length == 0 {
            return Err(TemplateError::NoName(start));
        }
        return Ok((&inside[..length], start + 2 + length + 1));
    }
    // nginx reads "$1a" as the first capture and an "a".
    let numbered = behind.starts_with(|c: char| c.is_ascii_digit());
    let belongs = |c: char| if numbered { c.is_ascii_digit() } else { c.is_ascii_alphanumeric() || c == '_' };
    let length = behind.find(|c: char| !belongs(c)).unwrap_or(behind.len());
    if length == 0 {
        return Err(TemplateError::NoName(start));
    }
    Ok((&behind[..length], start + 1 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_nginx_ends_them() {
        let template = Template::parse("a $remote_addr:${tenant}x$1b").unwrap();
        let names: Vec<_> = template.variables().map(|name| (&*name.name, name.start, name.end)).collect();
        assert_eq!(names, [("remote_addr", 2, 14), ("tenant", 15, 24), ("1", 25, 27)]);
    }

    #[test]
    fn a_dollar_without_a_name_is_an_error_with_its_place() {
        assert_eq!(Template::parse("a $ b"), Err(TemplateError::NoName(2)));
        assert_eq!(Template::parse("ü${}"), Err(TemplateError::NoName(2)));
        assert_eq!(Template::parse("${tenant"), Err(TemplateError::Unclosed(0)));
    }

    #[test]
    fn every_unknown_variable_is_named_at_once() {
        let template = Template::parse("$a $b $c").unwrap();
        let linked = template.link(|name| if &*name.name == "b" { Ok(()) } else { Err(name.name) });
        assert_eq!(linked, Err(vec!["a".into(), "c".into()]));
    }
}
