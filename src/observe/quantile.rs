//! Quantiles of what a [`Histogram`](super::metrics::Histogram) counted in a stretch of time.

use super::exemplar::BOUNDS;
use super::ring::Add;

/// The buckets of a histogram, the last of which has no bound.
pub const BUCKETS: usize = BOUNDS.len() + 1;

/// How many observations fell into each bucket of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets([u32; BUCKETS]);

impl Buckets {
    /// What a histogram counted between two looks at it.
    pub fn between(before: &[u64; BUCKETS], now: &[u64; BUCKETS]) -> Self {
        let counts = now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before));
        let mut buckets = Self::default();
        for (bucket, count) in buckets.0.iter_mut().zip(counts) {
            *bucket = u32::try_from(count).unwrap_or(u32::MAX);
        }
        buckets
    }

    /// Nothing was observed.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// The seconds that this part of the observations took at most, as Prometheus has it: within a
    /// bucket they are taken to be spread evenly, and what is over the last bound to be on it. None
    /// if there were none.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        if all == 0 {
            return None;
        }
        let rank = part * all as f64;
        let mut below = 0.0;
        let mut lower = 0.0;
        for (count, bound) in self.0.iter().zip(BOUNDS) {
            let count = f64::from(*count);
            if count > 0.0 && below + count >= rank {
                return Some(lower + (bound - lower) * (rank - below) / count);
            }
            below += count;
            lower = bound;
        }
        Some(lower)
    }
}

impl Add for Buckets {
    fn add(&mut self, other: &Self) {
        for (own, others) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, Buckets};
    use crate::observe::metrics::Histogram;

    fn observed(milliseconds: &[u64]) -> Buckets {
        let mut histogram = Histogram::default();
        for one in milliseconds {
            histogram.observe(Duration::from_millis(*one));
        }
        Buckets::between(&[0; BUCKETS], &histogram.counts())
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_that_has_it() {
        assert_eq!(observed(&[]).quantile(0.5), None);
        let buckets = observed(&[3, 3, 3, 3, 3, 3, 3, 3, 3, 80]);
        let of = |part: f64| buckets.quantile(part).unwrap();
        assert!((0.0025..=0.005).contains(&of(0.5)), "{}", of(0.5));
        assert!((0.05..=0.1).contains(&of(0.95)), "{}", of(0.95));
        assert_eq!(observed(&[60_000]).quantile(0.99), Some(10.0));
    }

    #[test]
    fn what_was_counted_before_is_left_out() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3));
        let before = histogram.counts();
        assert!(Buckets::between(&before, &histogram.counts()).is_empty());
        histogram.observe(Duration::from_secs(2));
        let between = Buckets::between(&before, &histogram.counts());
        assert!(between.quantile(0.01).is_some_and(|seconds| seconds >= 1.0));
    }
}
