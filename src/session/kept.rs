//! What a session keeps once it was asked for, so that it says the same to the end. A session that keeps nothing pays a
//! pointer for it.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

/// Texts by the number of whoever made them.
#[derive(Debug, Default)]
pub struct Kept(OnceCell<Box<RefCell<Vec<One>>>>);

#[derive(Debug)]
struct One {
    number: u64,
    text: Arc<[u8]>,
}

impl Kept {
    /// The text of this number, made now if nobody has asked for it before.
    pub fn get_or(&self, number: u64, make: impl FnOnce() -> Arc<[u8]>) -> Arc<[u8]> {
        let all = self.0.get_or_init(Box::default);
        let kept = all.borrow().iter().find(|one| one.number == number).map(|one| one.text.clone());
        // Not borrowed meanwhile: what is made may be made of what is kept.
        kept.unwrap_or_else(|| {
            let made = make();
            all.borrow_mut().push(One { number, text: made.clone() });
            made
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_once_of_what_may_be_kept_itself() {
        let kept = Kept::default();
        let outer = || kept.get_or(1, || [&*kept.get_or(2, || (*b"in").into()), b"out"].concat().into());
        assert_eq!(&*outer(), b"inout");
        assert_eq!(&*kept.get_or(1, || unreachable!()), b"inout");
        assert_eq!(&*kept.get_or(2, || unreachable!()), b"in");
    }
}
