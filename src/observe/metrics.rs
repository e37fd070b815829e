//! Counters that cost a request nothing shared: each worker has its own, a scrape adds them up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use parking_lot::Mutex;

use super::exemplar::{BOUNDS, Exemplars};
use super::exposition::{Exposition, Labels};
use super::quantile::BUCKETS;

/// One `T` for each worker. A worker's lock is taken by others only while a scrape reads it.
#[derive(Debug)]
pub struct Sharded<T> {
    shards: Box<[Padded<Mutex<T>>]>,
}

/// 128 bytes, since the prefetcher of current processors fetches cache lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Sharded<T> {
    /// An empty `T` for each of `workers`, at least one.
    pub fn new(workers: usize) -> Self {
        Self { shards: (0..workers.max(1)).map(|_| Padded::default()).collect() }
    }
}

impl<T> Sharded<T> {
    /// Changes what belongs to `worker`; an index beyond the last worker shares a shard with
    /// another.
    pub fn with<R>(&self, worker: usize, change: impl FnOnce(&mut T) -> R) -> R {
        // A division takes longer than all else here, and there is a shard for nearly all.
        let shard = self.shards.get(worker).unwrap_or_else(|| &self.shards[worker % self.shards.len()]);
        // A panic between two additions leaves a counter one short, which is no reason to lose the
        // others.
        change(&mut shard.0.lock())
    }

    /// Adds up what all workers have, one after the other; not one instant's picture.
    pub fn fold<A>(&self, start: A, mut add: impl FnMut(A, &T) -> A) -> A {
        (0..self.shards.len()).fold(start, |sum, worker| self.with(worker, |shard| add(sum, shard)))
    }

    /// How many shards there are.
    pub fn workers(&self) -> usize {
        self.shards.len()
    }
}

/// A map for small integer keys that the code or the configuration chose.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<IntegerHasher>>;

/// Multiply and rotate, as rustc's own tables do. No defence against chosen keys: never for text of
/// a caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct IntegerHasher(u64);

impl IntegerHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0xf135_7aea_2e62_a9c5);
    }
}

impl Hasher for IntegerHasher {
    // The table takes its buckets from the low bits, where a product mixes worst.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }
}

/// How long something took, counted in fixed buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    overflow: u64,
    sum: f64,
}

impl Histogram {
    /// Counts one observation; says in which bucket, of which the last has no bound.
    pub fn observe(&mut self, taken: Duration) -> usize {
        let seconds = taken.as_secs_f64();
        let position = BOUNDS.partition_point(|bound| *bound < seconds);
        match self.buckets.get_mut(position) {
            Some(bucket) => *bucket += 1,
            None => self.overflow += 1,
        }
        self.sum += seconds;
        position
    }

    /// Adds another worker's observations.
    pub fn merge(&mut self, other: &Self) {
        for (own, others) in self.buckets.iter_mut().zip(other.buckets) {
            *own += others;
        }
        self.overflow += other.overflow;
        self.sum += other.sum;
    }

    /// By bucket, of which the last has no bound.
    pub fn counts(&self) -> [u64; BUCKETS] {
        let mut counts = [self.overflow; BUCKETS];
        counts[..BOUNDS.len()].copy_from_slice(&self.buckets);
        counts
    }

    /// How many observations there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.overflow
    }

    /// Adds the samples to the histogram family that `out` has open.
    pub fn expose(&self, labels: Labels<'_>, exemplars: Option<&Exemplars>, out: &mut Exposition) {
        let mut buckets = [(0.0, 0); BOUNDS.len()];
        for (bucket, counted) in buckets.iter_mut().zip(BOUNDS.into_iter().zip(self.buckets)) {
            *bucket = counted;
        }
        out.distribution(labels, &buckets, self.overflow, self.sum, exemplars);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};
    use std::time::Duration;

    use super::{Histogram, IntegerHasher, Map, Sharded};
    use crate::observe::exposition::{Dialect, Exposition};

    #[test]
    fn what_each_worker_counted_is_summed() {
        let counters: Sharded<Map<u32, u64>> = Sharded::new(3);
        for worker in 0..3 {
            counters.with(worker, |map| *map.entry(7).or_default() += worker as u64 + 1);
        }
        counters.with(1, |map| *map.entry(8).or_default() += 1);
        let sums = counters.fold(Map::<u32, u64>::default(), |mut sums, map| {
            for (key, count) in map {
                *sums.entry(*key).or_default() += count;
            }
            sums
        });
        assert_eq!((sums[&7], sums[&8]), (6, 1));
    }

    #[test]
    fn no_workers_and_a_worker_beyond_the_last_still_count() {
        let counter: Sharded<u64> = Sharded::new(0);
        counter.with(5, |count| *count += 1);
        assert_eq!(counter.fold(0, |sum, count| sum + count), 1);
    }

    #[test]
    fn a_panic_while_counting_does_not_end_counting() {
        let counter: Sharded<u64> = Sharded::new(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            counter.with(0, |_| panic!("in the worker"));
        }));
        assert!(panicked.is_err());
        assert_eq!(counter.with(0, |count| *count), 0);
    }

    #[test]
    fn an_observation_on_a_bound_counts_below_it() {
        let mut histogram = Histogram::default();
        for milliseconds in [1, 2, 10_000, 10_001] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let mut out = Exposition::new(Dialect::Prometheus);
        out.histogram("took_seconds", "Time.");
        histogram.expose(&[("app", "shop")], None, &mut out);
        let text = out.finish();
        for line in [
            "took_seconds_bucket{app=\"shop\",le=\"0.001\"} 1\n",
            "took_seconds_bucket{app=\"shop\",le=\"0.0025\"} 2\n",
            "took_seconds_bucket{app=\"shop\",le=\"5.0\"} 2\n",
            "took_seconds_bucket{app=\"shop\",le=\"10.0\"} 3\n",
            "took_seconds_bucket{app=\"shop\",le=\"+Inf\"} 4\n",
            "took_seconds_count{app=\"shop\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn merging_adds_buckets_overflow_and_sum() {
        let (mut first, mut second, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        first.observe(Duration::from_millis(500));
        second.observe(Duration::from_secs(64));
        both.observe(Duration::from_millis(500));
        both.observe(Duration::from_secs(64));
        first.merge(&second);
        assert_eq!(first, both);
        assert_eq!(first.count(), 2);
    }

    #[test]
    fn neighbouring_keys_do_not_share_buckets() {
        let build = BuildHasherDefault::<IntegerHasher>::default();
        let low_bits: HashSet<u64> =
            (0..1024_u32).map(|key| build.hash_one((key % 32, key / 32)) & 0xffff).collect();
        assert!(low_bits.len() > 1000, "{} of 1024", low_bits.len());
    }
}
