//! Whom a client's certificate may be for: patterns of subjects, in the form that `$ssl_client_s_dn` has (RFC 2253).
//! They are compared attribute by attribute, and what is escaped is never taken for a separator: no common name can pretend
//! to be more than one.

/// A pattern of subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubjectPattern {
    attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Attribute {
    /// A `*` between commas: any number of attributes, none too.
    Any,
    /// One of this form, where `None` is any text.
    Form(Vec<Option<Letter>>),
}

/// A letter of a subject. What is escaped is one letter, and differs from the same without.
type Letter = String;

impl SubjectPattern {
    /// The pattern that a user wrote.
    pub(super) fn new(text: &str) -> Self {
        let attributes = split(text).into_iter().map(|letters| match &letters[..] {
            [star] if star == "*" => Attribute::Any,
            _ => Attribute::Form(letters.into_iter().map(|letter| (letter != "*").then(|| unstarred(letter))).collect()),
        });
        Self { attributes: attributes.collect() }
    }

    /// Whether a certificate's subject fits, from its first letter to its last.
    pub(super) fn fits(&self, subject: &str) -> bool {
        let subject = split(subject);
        fits(
            &self.attributes,
            &subject,
            |attribute| *attribute == Attribute::Any,
            |attribute, letters| match attribute {
                Attribute::Any => true,
                Attribute::Form(form) => fits(form, letters, Option::is_none, |one, letter| match one {
                    Some(one) => one == letter,
                    None => letter != "+",
                }),
            },
        )
    }
}

/// Whether all of the items fit the pattern, of which wild ones stand for any number of items that fit them. It goes back to the last
/// wild one alone, so what a stranger's subject costs is at most its length times the pattern's.
fn fits<P, I>(pattern: &[P], items: &[I], is_wild: impl Fn(&P) -> bool, fits_one: impl Fn(&P, &I) -> bool) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut wild: Option<(usize, usize)> = None;
    while item < items.len() {
        if pattern.get(at).is_some_and(&is_wild) {
            wild = Some((at, item));
            at += 1;
        } else if pattern.get(at).is_some_and(|one| fits_one(one, &items[item])) {
            (at, item) = (at + 1, item + 1);
        } else if let Some((wild_at, taken)) = wild.filter(|(wild_at, taken)| fits_one(&pattern[*wild_at], &items[*taken])) {
            wild = Some((wild_at, taken + 1));
            (at, item) = (wild_at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_wild)
}

/// The attributes of a subject, each as its letters.
fn split(text: &str) -> Vec<Vec<Letter>> {
    let letters = letters(text);
    if letters.is_empty() {
        return Vec::new();
    }
    letters.split(|letter| letter == ",").map(<[Letter]>::to_vec).collect()
}

fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let mut letter = Letter::from(letter);
        if letter == "\\" {
            letter.extend(rest.next());
            // `\C3` is a byte, `\,` a comma.
            let is_digit = |letter: &char| letter.is_ascii_hexdigit();
            if letter.chars().nth(1).as_ref().is_some_and(is_digit) {
                letter.extend(rest.next_if(is_digit));
            }
        }
        letters.push(letter);
    }
    letters
}

/// `\*` in a pattern is the star that subjects have without a backslash.
fn unstarred(letter: Letter) -> Letter {
    if letter == "\\*" { "*".into() } else { letter }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fit(pattern: &str, subject: &str) -> bool {
        SubjectPattern::new(pattern).fits(subject)
    }

    #[test]
    fn a_subject_fits_itself_and_no_other() {
        assert!(fit("CN=partner,O=Acme", "CN=partner,O=Acme"));
        for other in ["CN=partner", "CN=partner,O=Acme,C=DE", "CN=Partner,O=Acme", "O=Acme,CN=partner", "CN=partner,O=Acm", ""] {
            assert!(!fit("CN=partner,O=Acme", other), "{other}");
        }
    }

    #[test]
    fn a_star_between_commas_stands_for_any_number_of_attributes() {
        for subject in ["CN=partner", "CN=partner,O=Acme", "CN=partner,OU=x,O=Acme"] {
            assert!(fit("CN=partner,*", subject), "{subject}");
            assert!(fit("*", subject), "{subject}");
        }
        assert!(fit("CN=a,*,O=Acme", "CN=a,O=Acme") && fit("CN=a,*,O=Acme", "CN=a,OU=x,L=y,O=Acme"));
        assert!(fit("*,O=Acme,*", "CN=a,O=Acme,C=DE"));
        assert!(!fit("CN=partner,*", "CN=partners,O=Acme") && !fit("CN=a,*,O=Acme", "CN=a,O=Acme,C=DE"));
    }

    #[test]
    fn a_star_inside_an_attribute_does_not_reach_out_of_it() {
        assert!(fit("CN=*.partner.test", "CN=a.b.partner.test") && fit("CN=*,O=Acme", "CN=,O=Acme"));
        assert!(!fit("CN=*.partner.test", "CN=evil,OU=x.partner.test"));
        assert!(!fit("CN=*", "CN=a+OU=admins") && fit("CN=*+OU=*", "CN=a+OU=admins"));
    }

    #[test]
    fn what_is_escaped_does_not_pretend_to_be_more_attributes() {
        for pattern in ["*,O=Acme", "CN=partner,*", "CN=partner,O=Acme", "CN=*,O=Acme"] {
            assert!(!fit(pattern, "CN=partner\\,O=Acme"), "{pattern}");
        }
        assert!(fit("CN=partner\\,O=Acme", "CN=partner\\,O=Acme"));
        // The escape is of the backslash, and the comma behind it is one.
        assert!(fit("CN=back\\\\,O=Acme", "CN=back\\\\,O=Acme") && fit("*,O=Acme", "CN=back\\\\,O=Acme"));
        // A byte that is half of two hex digits is not taken apart.
        assert!(!fit("CN=\\C*", "CN=\\C3\\A4") && fit("CN=\\C3*", "CN=\\C3\\A4"));
    }

    #[test]
    fn a_star_in_a_subject_is_only_a_star() {
        assert!(!fit("CN=partner", "CN=*") && fit("CN=\\*", "CN=*") && !fit("CN=\\*", "CN=partner"));
    }

    #[test]
    fn a_long_subject_against_many_stars_takes_no_time() {
        let pattern = format!("CN={}b", "*a".repeat(100));
        assert!(!fit(&pattern, &format!("CN={}", "a".repeat(20_000))));
    }

    proptest! {
        #[test]
        fn every_text_fits_itself_when_its_stars_are_escaped(text in "([a-cA-C=,+*]|\\\\[,+\\\\]|\\\\[0-9A-F]{2}){0,20}") {
            let pattern = text.replace('*', "\\*");
            prop_assert!(fit(&pattern, &text));
        }
    }
}
