//! A token as the store keeps it.

use std::cmp::Ordering;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::observe::clock::Timestamp;
use crate::secret::Secret;

/// One generation of a token.
#[derive(Clone, Debug)]
pub struct Record {
    /// The token itself.
    pub value: Arc<Secret>,
    /// Grows by one with each new token.
    pub generation: u64,
    /// When WeChat handed it out.
    pub fetched_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Record {
    /// Whether this record takes the place of `other`, by (generation, fetched_at, digest).
    ///
    /// The digest settles the order of two tokens that the sides of a split numbered alike, so that all
    /// holders come to agree on the same one.
    pub fn supersedes(&self, other: &Self) -> bool {
        self.generation
            .cmp(&other.generation)
            .then(self.fetched_at.cmp(&other.fetched_at))
            .then_with(|| self.compare_digests(other))
            == Ordering::Greater
    }

    /// Whether both hold the same token.
    pub fn same_token(&self, other: &Self) -> bool {
        self.value.matches(&other.value)
    }

    fn compare_digests(&self, other: &Self) -> Ordering {
        let of = |record: &Self| digest(&SHA256, record.value.expose().as_bytes());
        of(self).as_ref().cmp(of(other).as_ref())
    }
}

#[cfg(test)]
pub(super) fn record(value: &str, generation: u64, fetched_at: i64) -> Record {
    Record {
        value: Arc::new(Secret::new(value)),
        generation,
        fetched_at: Timestamp(fetched_at),
        expires_at: Timestamp(fetched_at + 7_200_000),
    }
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn the_generation_counts_before_the_time_of_the_fetch() {
        assert!(record("a", 2, 0).supersedes(&record("b", 1, 9)));
        assert!(!record("b", 1, 9).supersedes(&record("a", 2, 0)));
        assert!(record("a", 2, 9).supersedes(&record("b", 2, 0)));
    }

    #[test]
    fn of_two_tokens_numbered_alike_exactly_one_supersedes_the_other() {
        let (a, b) = (record("a", 1, 0), record("b", 1, 0));
        assert_ne!(a.supersedes(&b), b.supersedes(&a));
        assert!(!a.supersedes(&a));
    }
}
