//! What was counted in the last five minutes.

use crate::observe::clock::Timestamp;

/// Milliseconds of a bucket.
const WIDTH: i64 = 5_000;
/// Five minutes.
pub(super) const BUCKETS: usize = 60;
/// Half a minute, the one that has begun included.
pub(super) const HALF_A_MINUTE: usize = 6;

/// Counts by buckets of five seconds.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    counts: [u32; BUCKETS],
    /// The bucket that has begun; buckets are numbered since the epoch.
    latest: i64,
}

impl Ring {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { counts: [0; BUCKETS], latest: number(now) }
    }

    /// Begins the buckets up to `now`. A clock that was set back makes what was counted worthless,
    /// unless it is by a moment.
    pub(super) fn turn(&mut self, now: Timestamp) {
        let steps = number(now) - self.latest;
        if steps >= BUCKETS as i64 || steps < -1 {
            self.counts = [0; BUCKETS];
            self.latest = number(now);
        }
        while self.latest < number(now) {
            self.latest += 1;
            self.counts[place(self.latest)] = 0;
        }
    }

    /// Counts in the bucket that has begun.
    pub(super) fn add(&mut self, by: u64) {
        let count = &mut self.counts[place(self.latest)];
        *count = count.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
    }

    /// What the last so many buckets have.
    pub(super) fn last(&self, buckets: usize) -> u64 {
        (0..buckets.min(BUCKETS)).map(|back| u64::from(self.counts[self.at(back)])).sum()
    }

    /// How many of the last `buckets` it takes to have all that they count; none if that is
    /// nothing.
    pub(super) fn reach(&self, buckets: usize) -> Option<usize> {
        (1..=buckets.min(BUCKETS)).rev().find(|back| self.counts[self.at(back - 1)] > 0)
    }

    /// When the last so many buckets began.
    pub(super) fn began(&self, buckets: usize) -> Timestamp {
        Timestamp((self.latest + 1 - buckets as i64) * WIDTH)
    }

    /// How many buckets have begun since.
    pub(super) fn since(&self, at: Timestamp) -> usize {
        usize::try_from(self.latest - number(at)).unwrap_or(0).min(BUCKETS)
    }

    pub(super) fn clear(&mut self) {
        self.counts = [0; BUCKETS];
    }

    fn at(&self, back: usize) -> usize {
        place(self.latest - back as i64)
    }
}

fn number(now: Timestamp) -> i64 {
    now.0.div_euclid(WIDTH)
}

fn place(number: i64) -> usize {
    number.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, HALF_A_MINUTE, Ring};
    use crate::observe::clock::Timestamp;

    #[test]
    fn what_is_older_than_five_minutes_is_forgotten() {
        let mut ring = Ring::new(Timestamp(0));
        ring.add(7);
        ring.turn(Timestamp(29_999));
        ring.add(1);
        assert_eq!((ring.last(HALF_A_MINUTE), ring.last(1), ring.reach(BUCKETS)), (8, 1, Some(6)));
        assert_eq!(ring.began(6), Timestamp(0));
        ring.turn(Timestamp(30_000));
        assert_eq!((ring.last(HALF_A_MINUTE), ring.last(BUCKETS)), (1, 8));
        ring.turn(Timestamp(299_999));
        assert_eq!(ring.last(BUCKETS), 8);
        ring.turn(Timestamp(300_000));
        assert_eq!(ring.last(BUCKETS), 1);
        ring.turn(Timestamp(9_000_000));
        assert_eq!((ring.last(BUCKETS), ring.reach(BUCKETS)), (0, None));
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_nothing_that_stays_for_hours() {
        let mut ring = Ring::new(Timestamp(3_600_000));
        ring.add(7);
        ring.turn(Timestamp(3_599_000));
        assert_eq!(ring.last(BUCKETS), 7, "by a second");
        ring.turn(Timestamp(0));
        assert_eq!(ring.last(BUCKETS), 0);
        ring.add(1);
        ring.turn(Timestamp(300_000));
        assert_eq!(ring.last(BUCKETS), 0);
    }
}
