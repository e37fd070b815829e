//! Ids for requests that bring none.

use std::cell::RefCell;

use bytes::Bytes;
use http::HeaderValue;

use crate::observe::hex::DIGITS;

/// Digits of an id.
const ID_LENGTH: usize = 16;
/// So many are made at once.
const IDS: usize = 64;

/// Ids of our own, for requests that bring none. They are made in batches that share their memory,
/// so that neither an id nor its copy in the response has to be allocated.
#[derive(Debug, Default)]
pub(crate) struct Ids(RefCell<Bytes>);

impl Ids {
    /// The next one, at random.
    pub(super) fn next(&self) -> HeaderValue {
        let mut left = self.0.borrow_mut();
        if left.len() < ID_LENGTH {
            *left = Self::batch();
        }
        let id = left.split_to(ID_LENGTH);
        HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static("0"))
    }

    fn batch() -> Bytes {
        let mut batch = Vec::with_capacity(IDS * ID_LENGTH);
        for _ in 0..IDS {
            let random = fastrand::u64(..);
            batch.extend((0..ID_LENGTH).map(|at| DIGITS[(random >> (60 - 4 * at)) as usize & 15]));
        }
        batch.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{IDS, Ids};

    #[test]
    fn ids_of_our_own_are_sixteen_digits_and_none_comes_twice() {
        let ids = Ids::default();
        let made: HashSet<_> = (0..2 * IDS + 1).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 2 * IDS + 1);
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(made.iter().all(|id| id.len() == 16 && id.as_bytes().iter().all(is_digit)));
    }
}
